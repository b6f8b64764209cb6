//! The configurations of the three programs: written by people, and now and then by somebody else's tool.

use std::path::Path;

use vitals::config::{Checked, ConfigError, parse};

pub(crate) fn config(data: &[u8]) {
    match crate::view(data, 3) {
        Some((0, rest)) => checked::<appliance::config::Config>(rest),
        Some((1, rest)) => checked::<gateway::config::Config>(rest),
        Some((_, rest)) => checked::<sync_agent::config::Config>(rest),
        None => {}
    }
}

fn checked<T: Checked>(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = parse::<T>(Path::new("hilum.toml"), text) {
        let ConfigError::Mistakes(mistakes) = error else { panic!("no file was read") };
        assert!(!mistakes.as_slice().is_empty(), "who is refused is told why");
        // A text that ends in the middle of something ends on the line after its last.
        let lines = text.split('\n').count();
        assert!(mistakes.as_slice().iter().all(|mistake| mistake.line.is_none_or(|line| (1..=lines).contains(&line))));
        assert!(!mistakes.to_string().is_empty());
    }
}
