//! Removes files that nobody is owed any more, since their results are in the cloud, and identities and the journal's rows that
//! were kept long enough. Slowly, so that it never competes with receiving; safe to run twice.

mod pace;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fail_points::Point;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::journal::{Journal, JournalError};
use crate::ledger::LookupConfig;
use crate::spool::Spool;
use crate::world::World;
use pace::{Note, Pace};

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(10);
/// Files in one round: ten a second is more than scanners send, and a journal row each is a small commit.
const ROUND: u32 = 100;

/// How often it is noted how the clock goes: what a restart costs of it at most, and 144 small writes a day.
const NOTE_EVERY: Duration = Duration::from_secs(10 * 60);

/// How long the journal knows an image at the least, days: the same bytes that come again are acknowledged and not read again. Two
/// years are what a follow-up's prior films go back; senders repeat what they think was lost within days.
const KNOWN_DAYS: i64 = 2 * 365;

/// Milliseconds in a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Removes what may go, round by round, until `stop`.
pub async fn run(journal: Journal, spool: Spool, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        match sweep(&journal, &spool).await {
            Ok(0) => {}
            Ok(files) => tracing::debug!(files, "spool files of receipted results removed"),
            Err(error) => tracing::warn!(error = vitals::exit::chain(&error), "the spool was not swept"),
        }
    }
}

/// Forgets the identities, and then the images, that were kept long enough, until `stop`; by a clock that goes evenly only, of
/// which `note` is kept over restarts.
pub async fn forget(
    journal: Journal,
    lookup: watch::Receiver<LookupConfig>,
    note: PathBuf,
    world: World,
    stop: CancellationToken,
) {
    let (began, mut noted) = (Instant::now(), Instant::now());
    let mut pace = Pace::resumed(Note::read(&note), (world.now_ms)());
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        let now_ms = (world.now_ms)();
        let is_steady = pace.is_steady(now_ms, i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX));
        if noted.elapsed() >= NOTE_EVERY {
            noted = Instant::now();
            if let Err(error) = pace.note(now_ms).write(&note) {
                // Then the next start counts from before, and forgets later.
                tracing::debug!(error = vitals::exit::chain(&error), "how the clock goes was not noted");
            }
        }
        if !is_steady {
            continue;
        }
        let before_ms = lookup.borrow().forget_before_ms(now_ms);
        match journal.forget_entries(before_ms, ROUND).await {
            Ok(0) => {}
            Ok(images) => tracing::info!(images, "identities of old images forgotten"),
            Err(error) => tracing::warn!(error = vitals::exit::chain(&error), "old identities were not forgotten"),
        }
        match journal.forget_instances(unknown_before_ms(before_ms, now_ms), ROUND).await {
            Ok(0) => {}
            Ok(images) => tracing::info!(images, "old images forgotten"),
            Err(error) => tracing::warn!(error = vitals::exit::chain(&error), "old images were not forgotten"),
        }
    }
}

/// Images that were received before then need not be known any more. None of them has an identity still: those that came before
/// `identities_ms` lost theirs, and no round walks rows that cannot go.
fn unknown_before_ms(identities_ms: i64, now_ms: i64) -> i64 {
    identities_ms.min(now_ms.saturating_sub(KNOWN_DAYS * DAY_MS))
}

/// One round; gives how many files went.
///
/// # Errors
/// [`JournalError`]; what was removed and not yet forgotten is forgotten in the next round.
pub async fn sweep(journal: &Journal, spool: &Spool) -> Result<usize, JournalError> {
    let dispensable = journal.dispensable(ROUND).await?;
    let mut removed = 0;
    for file in dispensable {
        let spool = spool.clone();
        let gone = tokio::task::spawn_blocking(move || spool.remove(&file.file).map(|()| file.id)).await;
        match gone {
            Ok(Ok(id)) => {
                fail_points::reach(Point::RetentionRemoved);
                journal.forget_file(id).await?;
                removed += 1;
            }
            Ok(Err(error)) => tracing::warn!(error = vitals::exit::chain(&error), "a spool file was not removed"),
            Err(_) => break,
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use outbox::{NewMessage, Outbox, Priority};
    use uuid::Uuid;
    use wire::ids::MessageId;
    use wire::topics::Up;
    use wire::v1::ReceiptStatus;

    use super::*;
    use crate::journal::NewImage;

    #[test]
    fn an_image_is_known_for_two_years_and_for_as_long_as_whose_it_is() {
        let now_ms = 1_000 * DAY_MS;
        assert_eq!(unknown_before_ms(970 * DAY_MS, now_ms), 270 * DAY_MS);
        assert_eq!(unknown_before_ms(100 * DAY_MS, now_ms), 100 * DAY_MS);
    }

    #[tokio::test]
    async fn only_what_is_receipted_goes() {
        let folder = tempfile::tempdir().unwrap();
        let spool = crate::spool::tests::spool(&folder.path().join("spool"));
        let database = folder.path().join("outbox.sqlite");
        let journal = Journal::start(Outbox::open(&database, &[9; 32].into()).unwrap()).unwrap();
        for number in 0..3u8 {
            let file = format!("{number}.dcm");
            std::fs::write(spool.path(&file), b"x").unwrap();
            let image = NewImage {
                sop_class: "1.2".into(),
                sop_instance: format!("1.{number}"),
                digest: [number; 32],
                file,
                source: "XR".into(),
                received_ms: 0,
                receive_ms: 0.0,
                traceparent: "t".into(),
                rank: outbox::Rank::default(),
            };
            journal.accept(image).await.unwrap();
        }
        // The first is in the cloud, the second waits for its receipt, the third is unread.
        let mut other = Outbox::open(&database, &[9; 32].into()).unwrap();
        let images = other.unread(None, 10).unwrap();
        for (number, image) in images.iter().take(2).enumerate() {
            let id = MessageId(Uuid::from_u128(number as u128 + 1));
            let message = NewMessage {
                id,
                kind: Up::Result,
                priority: Priority::Live,
                created_ms: 0,
                traceparent: None,
                payload: b"",
            };
            other.conclude(image.id, id, &[message]).unwrap();
        }
        other.settle(MessageId(Uuid::from_u128(1)), &ReceiptStatus::Stored).unwrap();

        assert_eq!(sweep(&journal, &spool).await.unwrap(), 1);
        let left = ["0.dcm", "1.dcm", "2.dcm"].map(|file| spool.path(file).exists());
        assert_eq!(left, [false, true, true]);
        assert_eq!(sweep(&journal, &spool).await.unwrap(), 0);
    }
}
