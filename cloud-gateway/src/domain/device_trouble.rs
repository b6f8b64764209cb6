//! What is wrong with a device as far as the gateway knows, in words for who looks after it. Pure; it decides nothing.

use serde::Serialize;

use super::when::UnixMs;

/// Silence that is worth a look: a device tells of itself every 10 s, so that 5 min are 30 missed words.
const SILENT_MS: UnixMs = 5 * 60_000;

/// How long a result may wait on a device before it is worth a look.
const WAITING_MS: i64 = 60 * 60_000;

/// A certificate of 90 days renews itself 22 days before its end at the latest: a week later something keeps it from that.
const EXPIRING_MS: UnixMs = 14 * 86_400_000;

/// What the gateway knows of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Why it is shut out, if it is.
    pub revoked_reason: Option<String>,
    /// When it was last heard of.
    pub last_seen_at: Option<UnixMs>,
    /// When its certificate ends, where that is known.
    pub certificate_expires_at: Option<UnixMs>,
    /// Messages that the gateway rejected and that lie on the device.
    pub rejected: i64,
    /// Age of the oldest message in its outbox when it last told.
    pub oldest_ms: i64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Trouble {
    /// Stable, `snake_case`.
    pub code: &'static str,
    /// What it means, and what to do.
    pub words: String,
}

/// Everything that is wrong, the worst first.
#[must_use]
pub fn troubles(signs: &Signs, now: UnixMs) -> Vec<Trouble> {
    if let Some(reason) = &signs.revoked_reason {
        // What else it does is of no interest: nothing of it is taken in.
        let words = format!("It is shut out ({reason}): what it sends is refused and stays on it.");
        return vec![Trouble { code: "revoked", words }];
    }
    let silence = silence(signs.last_seen_at, now);
    let expiry = signs.certificate_expires_at.and_then(|end| expiry(end, now));
    let rejected = (signs.rejected > 0).then(|| Trouble {
        code: "rejected",
        words: format!("{} of its messages were rejected and lie on it, each with the reason.", signs.rejected),
    });
    let waiting = (signs.oldest_ms > WAITING_MS).then(|| Trouble {
        code: "results_wait",
        words: format!("A message has waited on it for {}: its line may be slow or broken.", time(signs.oldest_ms)),
    });
    [silence, expiry, rejected, waiting].into_iter().flatten().collect()
}

fn silence(last_seen_at: Option<UnixMs>, now: UnixMs) -> Option<Trouble> {
    let Some(last) = last_seen_at else {
        let words = "It was enrolled and never heard of: does its sync-agent run, and does it reach the broker?";
        return Some(Trouble { code: "never_heard_of", words: words.to_owned() });
    };
    let words = || {
        let time = time(now - last);
        format!("Nothing was heard of it for {time}: is it switched on, and does it reach the broker?")
    };
    (now - last > SILENT_MS).then(|| Trouble { code: "silent", words: words() })
}

fn expiry(end: UnixMs, now: UnixMs) -> Option<Trouble> {
    if end <= now {
        let words = "Its certificate has ended: it cannot reach the broker. Enrol it again with a token.";
        return Some(Trouble { code: "certificate_ended", words: words.to_owned() });
    }
    let words = || {
        let time = time(end - now);
        format!("Its certificate ends in {time} and should have renewed itself: does the device reach the EST port?")
    };
    (end - now < EXPIRING_MS).then(|| Trouble { code: "certificate_ending", words: words() })
}

/// A time in its largest whole unit.
fn time(ms: i64) -> String {
    match ms / 60_000 {
        minutes @ ..=119 => format!("{minutes} min"),
        minutes @ ..=2_879 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_767_322_845_678;

    #[test]
    fn each_sign_has_its_words_and_a_well_device_none() {
        let well = Signs {
            last_seen_at: Some(NOW - SILENT_MS),
            certificate_expires_at: Some(NOW + EXPIRING_MS),
            oldest_ms: WAITING_MS,
            ..Signs::default()
        };
        assert_eq!(troubles(&well, NOW), []);
        for (signs, code, words) in [
            (Signs { last_seen_at: None, ..well.clone() }, "never_heard_of", "never heard of"),
            (Signs { last_seen_at: Some(NOW - SILENT_MS - 1), ..well.clone() }, "silent", "for 5 min"),
            (Signs { last_seen_at: Some(NOW - 3 * 86_400_000), ..well.clone() }, "silent", "for 3 days"),
            (Signs { certificate_expires_at: Some(NOW), ..well.clone() }, "certificate_ended", "has ended"),
            (
                Signs { certificate_expires_at: Some(NOW + EXPIRING_MS - 1), ..well.clone() },
                "certificate_ending",
                "in 13 days",
            ),
            (Signs { rejected: 2, ..well.clone() }, "rejected", "2 of its messages"),
            (Signs { oldest_ms: WAITING_MS + 1, ..well.clone() }, "results_wait", "for 60 min"),
        ] {
            let found = troubles(&signs, NOW);
            assert_eq!(found.iter().map(|trouble| trouble.code).collect::<Vec<_>>(), [code]);
            assert!(found[0].words.contains(words), "{}", found[0].words);
        }
    }

    #[test]
    fn a_device_that_is_shut_out_has_that_one_trouble() {
        let signs = Signs { revoked_reason: Some("stolen".into()), rejected: 3, ..Signs::default() };
        assert_eq!(troubles(&signs, NOW).iter().map(|trouble| trouble.code).collect::<Vec<_>>(), ["revoked"]);
    }
}
