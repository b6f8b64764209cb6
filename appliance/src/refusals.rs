//! The last refusals in plain words, for whoever stands before a scanner that "does not work". Bounded; repeats are counted
//! instead of listed. It never holds anything about a patient.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Different refusals that are kept: what fits a screen.
const KEPT: usize = 20;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When it happened last, milliseconds since the Unix epoch.
    pub last_ms: i64,
    /// What happened and what to do.
    pub words: String,
    /// How often.
    pub times: u64,
}

/// The list. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<VecDeque<Refusal>>>);

impl Refusals {
    /// Notes one, newest first.
    pub fn note(&self, now_ms: i64, words: String) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = list.iter().position(|refusal| refusal.words == words).and_then(|at| list.remove(at));
        let times = before.map_or(1, |refusal| refusal.times.saturating_add(1));
        list.push_front(Refusal { last_ms: now_ms, words, times });
        list.truncate(KEPT);
    }

    /// Newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_and_the_oldest_leave() {
        let refusals = Refusals::default();
        for ms in 0..5 {
            refusals.note(ms, "the same".to_owned());
        }
        assert_eq!(refusals.list(), [Refusal { last_ms: 4, words: "the same".into(), times: 5 }]);
        for n in 0..100 {
            refusals.note(n, format!("another {n}"));
        }
        assert_eq!(refusals.list().len(), KEPT);
        assert_eq!(refusals.list()[0].words, "another 99");
    }
}
