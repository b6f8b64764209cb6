//! Who is read first. Pure: what a sender asks for with an object, and what the routes say of its images, in; a rank out. It
//! orders what waits; that nothing waits for ever is the journal's to see to.

use outbox::Rank;
use serde::Deserialize;

use crate::output::OutputConfig;

/// What is asked for with an object: Priority (0000,0700) of a C-STORE-RQ (PS3.7 9.3.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// HIGH.
    High,
    /// MEDIUM, and whatever comes without one.
    #[default]
    Medium,
    /// LOW.
    Low,
}

/// `reading` of a `[[route]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Before all others.
    Urgent,
    /// In their turn, whatever is asked for.
    Routine,
}

/// Each value of Priority (0000,0700), its name and how what comes with it is read, as the conformance statement has them.
pub const PRIORITIES: [(u16, &str, &str); 3] = [
    (0x0001, "HIGH", "before what came with MEDIUM or LOW"),
    (0x0000, "MEDIUM", "in the order of arrival"),
    (0x0002, "LOW", "after what came with HIGH or MEDIUM"),
];

impl Asked {
    /// From the element; what the standard does not know asks for nothing.
    #[must_use]
    pub fn of(priority: Option<u16>) -> Self {
        match PRIORITIES.iter().find(|(value, ..)| Some(*value) == priority) {
            Some((_, "HIGH", _)) => Self::High,
            Some((_, "LOW", _)) => Self::Low,
            _ => Self::Medium,
        }
    }
}

/// The rank of an image that came from `source`. Where a route says how its source's images are read, that holds, the most
/// urgent of several; else what is asked for.
#[must_use]
pub fn rank(config: &OutputConfig, source: &str, asked: Asked) -> Rank {
    let theirs = |from: &[String]| from.is_empty() || from.iter().any(|title| title == source);
    let mut ruled =
        config.route.iter().filter(|route| theirs(&route.from)).filter_map(|route| route.reading).peekable();
    if ruled.peek().is_some() {
        return if ruled.any(|reading| reading == Reading::Urgent) { Rank::Urgent } else { Rank::Medium };
    }
    match asked {
        Asked::High => Rank::High,
        Asked::Medium => Rank::Medium,
        Asked::Low => Rank::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        [[route]]
        from = ["XR-ER", "XR-BOTH"]
        reading = "urgent"
        [[route]]
        from = ["XR-BATCH", "XR-BOTH"]
        reading = "routine"
        [[route]]
        to = ["pacs"]
    "#;

    #[test]
    fn a_route_rules_and_else_the_sender_is_heeded() {
        let config = toml::from_str(CONFIG).unwrap();
        for (source, priority, expected) in [
            ("XR-ER", Some(0), Rank::Urgent),
            ("XR-ER", Some(2), Rank::Urgent),
            ("XR-BOTH", Some(0), Rank::Urgent),
            ("XR-BATCH", Some(1), Rank::Medium),
            ("XR-BATCH", Some(2), Rank::Medium),
            ("XR-1", Some(1), Rank::High),
            ("XR-1", Some(0), Rank::Medium),
            ("XR-1", Some(2), Rank::Low),
            ("XR-1", Some(7), Rank::Medium),
            ("XR-1", None, Rank::Medium),
        ] {
            assert_eq!(rank(&config, source, Asked::of(priority)), expected, "{source} {priority:?}");
        }
    }

    #[test]
    fn a_route_for_all_rules_all() {
        let config = toml::from_str("[[route]]\nreading = \"routine\"").unwrap();
        assert_eq!(rank(&config, "XR-1", Asked::High), Rank::Medium);
    }
}
