//! Waiting for something to become true, with an end and a sentence for when it does not.

use std::time::{Duration, Instant};

use anyhow::bail;

/// How long a part may take to start. A debug build on a busy two-core machine loads its model in some 10 s.
pub const START: Duration = Duration::from_secs(90);

/// How long a part may take to stop by itself before it is killed: over every service's own grace of 10 s.
pub const STOP: Duration = Duration::from_secs(20);

/// How long a batch of some dozens of images may take from the scanner to the cloud: each some 2 s where two cores are
/// shared with everything else.
pub const BATCH: Duration = Duration::from_secs(240);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks `probe` until it answers, for at most `patience`; `what` completes "waited N s for …".
///
/// # Errors
/// The probe's own error at once, or that time is up.
pub fn until<T>(
    what: &str,
    patience: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = probe()? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("waited {} s in vain for {what}", patience.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_answer_the_error_or_the_time() {
        let mut left = 3;
        let countdown = || {
            left -= 1;
            Ok((left == 0).then_some("done"))
        };
        assert_eq!(until("a countdown", START, countdown).unwrap(), "done");
        assert_eq!(until::<()>("x", START, || bail!("broken")).unwrap_err().to_string(), "broken");
        let late = until::<()>("a ship", Duration::ZERO, || Ok(None)).unwrap_err().to_string();
        assert_eq!(late, "waited 0 s in vain for a ship");
    }
}
