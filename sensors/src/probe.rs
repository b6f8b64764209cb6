//! One thread that asks one sensor again and again, and the newest answer for everyone else: who looks here never waits for
//! the sensor, and an answer that is too old is no answer. The thread ends after its last answer once nobody looks any more;
//! one that hangs in a driver is left behind, and holds nothing that others need.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Looks at the newest answer.
#[derive(Debug)]
pub struct Probe<T>(Arc<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    newest: Mutex<Option<(Instant, T)>>,
    changed: Condvar,
}

impl<T: Clone + Send + 'static> Probe<T> {
    /// Asks at once and then with `period` between an answer and the next question.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(name: &str, period: Duration, mut ask: impl FnMut() -> T + Send + 'static) -> io::Result<Self> {
        let slot = Arc::new(Slot { newest: Mutex::new(None), changed: Condvar::new() });
        let told = Arc::downgrade(&slot);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while told.strong_count() > 0 {
                let answer = ask();
                put(&told, answer);
                std::thread::sleep(period);
            }
        })?;
        Ok(Self(slot))
    }

    /// The newest answer, where it is not older than `within` at `now`.
    #[must_use]
    pub fn latest(&self, now: Instant, within: Duration) -> Option<T> {
        let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest
            .as_ref()
            .filter(|(told, _)| now.saturating_duration_since(*told) <= within)
            .map(|(_, answer)| answer.clone())
    }

    /// Waits for the first answer, at most `patience`.
    #[must_use]
    pub fn first(&self, patience: Duration) -> Option<T> {
        let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(newest, patience, |newest| newest.is_none());
        let (newest, _) = waited.unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().map(|(_, answer)| answer.clone())
    }
}

fn put<T>(slot: &Weak<Slot<T>>, answer: T) {
    if let Some(slot) = slot.upgrade() {
        *slot.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), answer));
        slot.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// More than the machine could need under any load.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_sensor_that_hangs_makes_nobody_wait_and_its_last_answer_grows_old() {
        let (asked, was_asked) = mpsc::channel();
        let (hold, held) = mpsc::channel::<()>();
        let mut times = 0;
        let probe = Probe::start("hangs", Duration::ZERO, move || {
            times += 1;
            if times == 2 {
                asked.send(()).unwrap();
                // Until the test ends.
                let _ = held.recv();
            }
            times
        })
        .unwrap();
        assert_eq!(probe.first(LONG), Some(1));
        was_asked.recv_timeout(LONG).unwrap();
        // It hangs now; looking gives the answer before, while that is young, and then nothing.
        assert_eq!(probe.latest(Instant::now(), LONG), Some(1));
        assert_eq!(probe.latest(Instant::now() + 2 * LONG, LONG), None);
        drop(hold);
    }

    #[test]
    fn a_sensor_that_never_answers_is_none() {
        let (hold, held) = mpsc::channel::<()>();
        let probe = Probe::start("never", Duration::ZERO, move || held.recv().is_ok()).unwrap();
        assert_eq!(probe.first(Duration::from_millis(1)), None);
        assert_eq!(probe.latest(Instant::now(), LONG), None);
        drop(hold);
    }

    #[test]
    fn the_thread_ends_when_nobody_looks_any_more() {
        let (alive, ended) = mpsc::channel::<()>();
        let probe = Probe::start("ends", Duration::ZERO, move || alive.send(()).is_ok()).unwrap();
        ended.recv_timeout(LONG).unwrap();
        drop(probe);
        // The sender goes with the thread; a thread that stayed would keep the channel open.
        let patience = Instant::now() + LONG;
        while Instant::now() < patience && ended.recv_timeout(LONG) == Ok(()) {}
        assert_eq!(ended.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
