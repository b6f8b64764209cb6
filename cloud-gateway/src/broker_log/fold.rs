//! How often refusals are written down: the first of a kind at once, its repetitions as one count at the end of the window.
//! Pure; time is passed in.
//!
//! Windows begin at whole multiples of their length, and records name their window: replicas of a gateway that read the same log
//! come to the same records, of which the database takes one.

use std::collections::HashMap;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::refusal::Seen;
use crate::domain::audit::{Action, Statement};
use crate::domain::when::UnixMs;
use crate::store::refusals::RefusedRow;

/// Ten minutes: somebody who is refused all day leaves 288 records.
const WINDOW_MS: i64 = 10 * 60 * 1_000;

/// Most kinds of refusal (a reason, from one address, for one device) that are told one by one within a window; the others
/// are counted together. A hundred machines that are refused together are one event to whoever reads the trail.
pub const SOURCES: usize = 20;

/// What was refused how often in this window.
#[derive(Default)]
pub struct Fold {
    window: i64,
    /// How often after the first time, with that one.
    told: HashMap<Key, (Seen, u64)>,
    /// Those that are only counted.
    others: Option<u64>,
}

type Key = (&'static str, Option<IpAddr>, Option<String>);

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The same for the same record of every replica.
    pub fingerprint: String,
    /// When.
    pub at: UnixMs,
    /// Whom; `device:NAME`, `address:ADDRESS` or `unknown`.
    pub actor: String,
    /// The device, where it is known.
    pub device: Option<String>,
    /// Why; see [`super::refusal::Refusal::code`].
    pub reason: &'static str,
    /// The whole of it, for people.
    pub words: String,
}

impl Fold {
    /// Takes a refusal in; what is to be written now.
    pub fn note(&mut self, seen: &Seen) -> Vec<Record> {
        metrics::counter!("broker_refused_total", "reason" => seen.refusal.code()).increment(1);
        let mut records = self.due(seen.at);
        let key = (seen.refusal.code(), seen.from, seen.device.clone());
        if let Some((_, more)) = self.told.get_mut(&key) {
            *more += 1;
        } else if self.told.len() < SOURCES {
            records.push(self.record("first", Some(seen), seen.refusal.words(), seen.at));
            self.told.insert(key, (seen.clone(), 0));
        } else if let Some(more) = &mut self.others {
            *more += 1;
        } else {
            let words =
                format!("more than {SOURCES} different refusals within ten minutes; the others are only counted");
            records.push(self.record("others", None, words, seen.at));
            self.others = Some(1);
        }
        records
    }

    /// What is to be written because the window has ended by `now`.
    pub fn due(&mut self, now: UnixMs) -> Vec<Record> {
        let window = now.div_euclid(WINDOW_MS);
        // A clock that goes back begins a new window, too.
        let records = if window == self.window { Vec::new() } else { self.close(now) };
        self.window = window;
        records
    }

    /// What is to be written before it is forgotten.
    pub fn close(&mut self, now: UnixMs) -> Vec<Record> {
        let told: Vec<(Seen, u64)> = self.told.drain().map(|(_, told)| told).filter(|(_, more)| *more > 0).collect();
        let again = |(seen, more): (Seen, u64)| {
            let words = format!("{more} times more within ten minutes: {}", seen.refusal.words());
            self.record("more", Some(&seen), words, now)
        };
        let mut records: Vec<Record> = told.into_iter().map(again).collect();
        if let Some(count) = self.others.take() {
            let words = format!("{count} refusals within ten minutes that were only counted");
            records.push(self.record("other count", None, words, now));
        }
        records.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        records
    }

    fn record(&self, which: &str, seen: Option<&Seen>, words: String, at: UnixMs) -> Record {
        let reason = seen.map_or("many", |seen| seen.refusal.code());
        let from = seen.and_then(|seen| seen.from).map(|from| from.to_string());
        let device = seen.and_then(|seen| seen.device.clone());
        let place = from.clone().unwrap_or_else(|| "not known".to_owned());
        let name = device.clone().unwrap_or_default();
        let window = self.window;
        let actor = match (&device, &from) {
            (Some(device), _) => format!("device:{device}"),
            (None, Some(from)) => format!("address:{from}"),
            (None, None) => "unknown".to_owned(),
        };
        Record {
            fingerprint: hex::encode(Sha256::digest(format!("broker\n{window}\n{which}\n{reason}\n{place}\n{name}"))),
            at,
            actor,
            device,
            reason,
            words: if seen.is_some() { format!("{words}; address {place}") } else { words },
        }
    }
}

impl Record {
    /// As the table of refusals has it.
    #[must_use]
    pub fn row(&self) -> RefusedRow {
        RefusedRow {
            fingerprint: self.fingerprint.clone(),
            device: self.device.clone(),
            message: None,
            reason: self.reason,
            words: self.words.clone(),
        }
    }

    /// As the audit trail has it.
    #[must_use]
    pub fn statement(&self) -> Statement {
        Statement {
            at: self.at,
            actor: self.actor.clone(),
            action: Action::BrokerRefused,
            subject: "broker".to_owned(),
            detail: format!("{}: {}", self.reason, self.words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker_log::line::Tls;
    use crate::broker_log::refusal::Refusal;

    fn seen(at: UnixMs, last: u8, why: Tls) -> Seen {
        let from = Some(IpAddr::from([192, 0, 2, last]));
        Seen { at, from, device: None, refusal: Refusal::Handshake { why, last: None } }
    }

    #[test]
    fn the_first_of_a_kind_is_told_at_once_and_the_rest_as_a_count() {
        let mut fold = Fold::default();
        let first = fold.note(&seen(1, 7, Tls::Version));
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].actor.as_str(), first[0].reason), ("address:192.0.2.7", "tls_version"));
        assert!(first[0].words.ends_with("; address 192.0.2.7"), "{}", first[0].words);
        for at in 2..500 {
            assert_eq!(fold.note(&seen(at, 7, Tls::Version)), []);
        }
        assert_eq!(fold.note(&seen(500, 8, Tls::Version)).len(), 1, "another address");
        assert_eq!(fold.note(&seen(501, 7, Tls::None)).len(), 1, "another reason");
        assert_eq!(fold.due(WINDOW_MS - 1), []);
        let counts = fold.due(WINDOW_MS);
        assert_eq!(counts.len(), 1);
        assert!(counts[0].words.starts_with("498 times more"), "{}", counts[0].words);
        assert_ne!(counts[0].fingerprint, first[0].fingerprint);
        assert_eq!(fold.note(&seen(WINDOW_MS, 7, Tls::Version)).len(), 1, "the next window");
    }

    #[test]
    fn nobody_can_fill_the_trail() {
        let mut fold = Fold::default();
        let one_by_one: usize = (0..=u8::MAX).map(|last| fold.note(&seen(1, last, Tls::Version)).len()).sum();
        assert_eq!(one_by_one, SOURCES + 1);
        let counts = fold.due(WINDOW_MS);
        assert_eq!(counts.len(), 1);
        assert!(counts[0].words.starts_with("236 refusals"), "{}", counts[0].words);
    }

    #[test]
    fn two_replicas_come_to_the_same_records() {
        let (mut one, mut other) = (Fold::default(), Fold::default());
        let prints = |records: Vec<Record>| records.into_iter().map(|record| record.fingerprint).collect::<Vec<_>>();
        for fold in [&mut one, &mut other] {
            fold.due(5 * WINDOW_MS);
        }
        for at in [5 * WINDOW_MS + 1, 5 * WINDOW_MS + 2, 6 * WINDOW_MS] {
            let noted = seen(at, 7, Tls::Certificate);
            assert_eq!(prints(one.note(&noted)), prints(other.note(&noted)));
        }
        assert_eq!(prints(one.close(0)), prints(other.close(1)));
    }
}
