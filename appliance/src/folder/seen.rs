//! Which files have stopped changing: those that look the same in two looks, one after the other. It touches no disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

/// What tells whether a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) bytes: u64,
    pub(super) changed: SystemTime,
}

/// The last look.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<PathBuf, Mark>);

impl Seen {
    /// Those that are as they were, in the order of the listing; an empty file is not yet written.
    pub(super) fn settled(&mut self, listed: Vec<(PathBuf, Mark)>) -> Vec<PathBuf> {
        let same = |(path, mark): &&(PathBuf, Mark)| mark.bytes > 0 && self.0.get(path) == Some(mark);
        let settled = listed.iter().filter(same).map(|(path, _)| path.clone()).collect();
        self.0 = listed.into_iter().collect();
        settled
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_is_taken_when_it_stopped_changing() {
        let mut seen = Seen::default();
        let look = |seen: &mut Seen, bytes: u64, second: u64| {
            let mark = Mark { bytes, changed: SystemTime::UNIX_EPOCH + Duration::from_secs(second) };
            seen.settled(vec![("film".into(), mark)]).len()
        };
        assert_eq!(
            [(0, 0), (0, 0), (5, 1), (9, 2), (9, 3), (9, 3)].map(|(b, s)| look(&mut seen, b, s)),
            [0, 0, 0, 0, 0, 1]
        );
        // Another file under the name of one that was taken.
        assert!(seen.settled(vec![]).is_empty());
        assert_eq!(look(&mut seen, 9, 3), 0);
    }
}
