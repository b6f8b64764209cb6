//! Whose turn it is: what came just now before what had piled up, and what failed the last time not before its pause is over.
//! Pure: it is told the time and what the journal lists, and it touches neither.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use outbox::{Instance, InstanceId, Rank};
use reader::Priority;

/// Age from which an image counts as backlog: nobody stands at the scanner for it any more.
pub(super) const BACKLOG_AFTER_MS: i64 = 60_000;

/// Readings begun for one image before it is given up: a crash may be chance once, and chance twice is rare.
pub(super) const MAX_ATTEMPTS: u32 = 3;

/// How long the service must have run before an image is read that was in hand at two of its ends: a service that ends again
/// and again for another reason, or a room whose power does, must not condemn the image that happens to be the oldest.
const BEFORE_LAST_ATTEMPT: Duration = Duration::from_secs(10);

/// Times the machine may kill a decoding process or refuse it the file, or inference processes may fail on it alone, before
/// the image is given up: with the pauses between them some two minutes. Mostly the machine is at fault and recovers; an
/// image that is, must end as a result.
const MAX_REFUSALS: u32 = 12;

/// First pause after a failure that is not the image's fault; doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest pause: a disk that is full is looked at twice a minute.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Images that may be put aside. Where so many fail, it is the machine, and no more are taken up until some of them succeed.
const MOST_ASIDE: usize = 1024;

/// Of this many images one is the oldest there is, so that what had piled up is read although more and more comes: the same
/// share as in the line for the model.
const FAIR_EVERY: u32 = 4;

/// What an image has been through since the service began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// Tries that failed without an answer.
    failures: u32,
    /// Of these, times the machine refused this very image.
    refusals: u32,
}

impl Tries {
    /// True where one more refusal of the machine is the last that is borne.
    pub(super) fn is_last(self) -> bool {
        self.refusals + 1 >= MAX_REFUSALS
    }

    fn pause(self) -> Duration {
        pause(self.failures)
    }
}

/// How long to wait after so many failures in a row, 1 or more.
pub(super) fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

/// The images in hand and those put aside. Bounded by the seats and by [`MOST_ASIDE`].
pub(super) struct Turns {
    began: Instant,
    in_hand: HashSet<InstanceId>,
    aside: HashMap<InstanceId, (Tries, Instant)>,
    taken: u32,
}

impl Turns {
    /// For a service that begins at `began`.
    pub(super) fn new(began: Instant) -> Self {
        Self { began, in_hand: HashSet::new(), aside: HashMap::new(), taken: 0 }
    }

    /// Takes an image in hand; gives what it has been through.
    pub(super) fn take(&mut self, id: InstanceId) -> Tries {
        self.in_hand.insert(id);
        self.aside.get(&id).map(|(tries, _)| *tries).unwrap_or_default()
    }

    /// Those in hand.
    pub(super) fn in_hand(&self) -> HashSet<InstanceId> {
        self.in_hand.clone()
    }

    /// It is out of hand, whatever became of it.
    pub(super) fn release(&mut self, id: InstanceId) {
        self.in_hand.remove(&id);
    }

    /// It has its result.
    pub(super) fn concluded(&mut self, id: InstanceId) {
        self.aside.remove(&id);
    }

    /// It has none, for a reason that is not its own, or that may be, where it was `refused`.
    pub(super) fn failed(&mut self, id: InstanceId, refused: bool, now: Instant) {
        let (tries, due) = self.aside.entry(id).or_insert((Tries::default(), now));
        tries.failures = tries.failures.saturating_add(1);
        tries.refusals += u32::from(refused);
        *due = now + tries.pause();
    }

    /// Nothing failed that has not succeeded since.
    pub(super) fn is_well(&self) -> bool {
        self.aside.is_empty()
    }

    /// When the next of those put aside is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.aside.iter().filter(|(id, _)| !self.in_hand.contains(id)).map(|(_, (_, due))| *due).min()
    }

    /// True where this image may be taken up now.
    pub(super) fn is_free(&self, image: &Instance, now: Instant) -> bool {
        let early = image.attempts + 1 == MAX_ATTEMPTS && now < self.began + BEFORE_LAST_ATTEMPT;
        let due = self.aside.get(&image.id).map_or(self.aside.len() < MOST_ASIDE, |(_, due)| *due <= now);
        due && !early && !self.in_hand.contains(&image.id)
    }

    /// The next `seats` images: those that just came, as the journal lists them, but each [`FAIR_EVERY`]th is the oldest there
    /// is. `oldest` may name what `live` names, too.
    pub(super) fn next(&mut self, live: Vec<Instance>, oldest: Vec<Instance>, seats: usize) -> Vec<Instance> {
        let (mut live, mut oldest) = (live.into_iter().peekable(), oldest.into_iter().peekable());
        let (mut chosen, mut known) = (Vec::new(), HashSet::new());
        while chosen.len() < seats {
            let fair = (self.taken + 1).is_multiple_of(FAIR_EVERY);
            let from = if (fair && oldest.peek().is_some()) || live.peek().is_none() { &mut oldest } else { &mut live };
            let Some(image) = from.next() else { break };
            if known.insert(image.id) {
                self.taken = (self.taken + 1) % FAIR_EVERY;
                chosen.push(image);
            }
        }
        chosen
    }
}

/// What the site calls urgent is read at once, and an image that comes now before what had piled up. Whatever else a rank says
/// is an order among images that come now, and the journal lists them in it.
pub(super) fn priority(rank: Rank, received_ms: i64, now_ms: i64) -> Priority {
    if rank == Rank::Urgent {
        return Priority::Urgent;
    }
    if now_ms.saturating_sub(received_ms) > BACKLOG_AFTER_MS { Priority::Backlog } else { Priority::Live }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: i64, attempts: u32) -> Instance {
        Instance {
            id: InstanceId(id),
            sop_instance: String::new(),
            digest: [0; 32],
            file: String::new(),
            source: String::new(),
            received_ms: 0,
            receive_ms: 0.0,
            traceparent: None,
            attempts,
            supersedes: None,
            rank: Rank::default(),
        }
    }

    fn images(ids: impl IntoIterator<Item = i64>) -> Vec<Instance> {
        ids.into_iter().map(|id| image(id, 0)).collect()
    }

    #[test]
    fn what_comes_now_goes_first_and_one_in_four_is_the_oldest() {
        let mut turns = Turns::new(Instant::now());
        let ids = |chosen: Vec<Instance>| chosen.iter().map(|image| image.id.0).collect::<Vec<_>>();
        assert_eq!(ids(turns.next(images(100..110), images(1..9), 6)), [100, 101, 102, 1, 103, 104]);
        // The count goes on with the next seat that is free.
        assert_eq!(ids(turns.next(images(105..110), images(2..9), 1)), [105]);
        assert_eq!(ids(turns.next(images(106..110), images(2..9), 1)), [2]);
        assert_eq!(ids(turns.next(vec![], images(3..9), 2)), [3, 4]);
        assert_eq!(ids(turns.next(images(7..9), vec![], 9)), [7, 8], "the backlog is held back");
        assert_eq!(ids(turns.next(images(7..9), images(7..9), 9)), [7, 8], "named twice, taken once");
    }

    #[test]
    fn what_failed_waits_longer_each_time_while_others_go_on() {
        let began = Instant::now();
        let mut turns = Turns::new(began);
        let (bad, mut now) = (image(1, 0), began);
        for expected_ms in [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
            assert!(turns.is_free(&bad, now));
            turns.take(bad.id);
            assert!(!turns.is_free(&bad, now), "in hand");
            turns.failed(bad.id, false, now);
            turns.release(bad.id);
            let due = now + Duration::from_millis(expected_ms);
            assert_eq!(turns.next_due(), Some(due));
            assert!(!turns.is_free(&bad, due - Duration::from_millis(1)) && turns.is_free(&image(2, 0), now));
            now = due;
        }
        assert!(!turns.is_well());
        turns.concluded(bad.id);
        assert!(turns.is_well());
    }

    #[test]
    fn twelve_refusals_are_borne_and_failures_that_are_none_for_ever() {
        let now = Instant::now();
        let mut turns = Turns::new(now);
        for _ in 0..100 {
            assert!(!turns.take(InstanceId(1)).is_last());
            turns.failed(InstanceId(1), false, now);
        }
        let mut borne = 1;
        while !turns.take(InstanceId(1)).is_last() {
            turns.failed(InstanceId(1), true, now);
            borne += 1;
        }
        assert_eq!(borne, 12, "the twelfth is the last");
    }

    #[test]
    fn where_everything_fails_no_more_is_taken_up() {
        let now = Instant::now();
        let mut turns = Turns::new(now);
        for id in 0..MOST_ASIDE as i64 {
            assert!(turns.is_free(&image(id, 0), now));
            turns.failed(InstanceId(id), false, now);
        }
        let later = now + LONGEST_PAUSE;
        assert!(!turns.is_free(&image(-1, 0), later), "a new one");
        assert!(turns.is_free(&image(0, 0), later), "one of them");
    }

    #[test]
    fn an_image_that_saw_two_ends_of_the_service_waits_until_it_stands() {
        let began = Instant::now();
        let turns = Turns::new(began);
        let free = |attempts, after: Duration| turns.is_free(&image(1, attempts), began + after);
        assert!(free(0, Duration::ZERO) && free(1, Duration::ZERO) && free(MAX_ATTEMPTS, Duration::ZERO));
        assert!(!free(2, Duration::from_secs(9)) && free(2, Duration::from_secs(10)));
    }

    #[test]
    fn what_had_piled_up_comes_after_what_comes_now() {
        for (age_ms, expected) in
            [(-5, Priority::Live), (0, Priority::Live), (60_000, Priority::Live), (60_001, Priority::Backlog)]
        {
            for rank in [Rank::High, Rank::Medium, Rank::Low] {
                assert_eq!(priority(rank, 1_000_000, 1_000_000 + age_ms), expected, "{age_ms}");
            }
            assert_eq!(priority(Rank::Urgent, 1_000_000, 1_000_000 + age_ms), Priority::Urgent);
        }
        assert_eq!(priority(Rank::Medium, i64::MIN, i64::MAX), Priority::Backlog);
    }
}
