//! A power cut after each step, as another process that ends without a word.

use uuid::Uuid;
use wire::ids::MessageId;
use wire::topics::Up;

use super::*;
use crate::{NewMessage, Outbox, Priority, power_cut};

const STEPS: [Step; 4] = [Step::Alone, Step::Copied, Step::Synced, Step::Renamed];
const MESSAGES: u8 = 40;

fn key(byte: u8) -> DatabaseKey {
    [byte; 32].into()
}

/// A database with so many messages as a release before the encryption left it when it was killed: the last change is in its
/// log only.
fn plain(path: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let (sealed, seed) = (folder.path().join("sealed.sqlite"), folder.path().join("seed.sqlite"));
    let mut outbox = Outbox::open(&sealed, &key(9)).unwrap();
    for number in 0..MESSAGES {
        let id = MessageId(Uuid::from_u128(u128::from(number)));
        let payload = &[number; 3000];
        let message =
            NewMessage { id, kind: Up::Result, priority: Priority::Live, created_ms: 1, traceparent: None, payload };
        outbox.post(&message).unwrap();
    }
    drop(outbox);
    copy(&alone(&sealed, Some(&key(9)), Duration::ZERO).unwrap(), &seed, None).unwrap();
    let killed = Connection::open(&seed).unwrap();
    killed.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    killed.execute_batch("UPDATE message SET attempts = 7").unwrap();
    for ending in ["", "-wal"] {
        let beside = |file: &Path| PathBuf::from(format!("{}{ending}", file.display()));
        fs::copy(beside(&seed), beside(path)).unwrap();
    }
    assert!(is_plain(path).unwrap());
    assert!(fs::read(path).unwrap().windows(100).any(|piece| piece == [5; 100]), "the search cannot find anything");
}

fn attempts(path: &Path, under: &DatabaseKey) -> Vec<u32> {
    let mut outbox = Outbox::open(path, under).unwrap();
    let mut leased = outbox.lease(1000, 10, 1).unwrap();
    leased.sort_by_key(|message| message.id);
    assert!(leased.iter().enumerate().all(|(at, message)| message.payload == [at as u8; 3000]));
    outbox.end_leases().unwrap();
    leased.iter().map(|message| message.attempts).collect()
}

#[test]
#[ignore = "the other tests start it"]
fn the_process_that_dies() {
    let Some((path, mut end)) = power_cut::order(&STEPS) else { return };
    rewrite(&path, (None, &key(2)), Duration::ZERO, &mut |_| Ok(()), &mut end).unwrap();
}

#[test]
fn a_plain_database_is_encrypted_whatever_the_power_does() {
    for (index, step) in STEPS.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        plain(&path);
        power_cut::die("encryption::tests::the_process_that_dies", &path, index);
        // A device that was halfway asks for it at its next start.
        assert_eq!(encrypt(&path, &key(2)).unwrap(), step != Step::Renamed, "{step:?}");
        assert!(!encrypt(&path, &key(2)).unwrap());
        assert_eq!(attempts(&path, &key(2)), [7; MESSAGES as usize], "{step:?}");
        holds_nothing_plain(&path);
    }
}

#[test]
fn a_database_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    plain(&path);
    let other = Connection::open(&path).unwrap();
    other.query_row("SELECT count(*) FROM message", [], |_| Ok(())).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = rewrite(&path, (None, &key(2)), Duration::ZERO, &mut |_| Ok(()), &mut |_| {});
    assert!(matches!(refused, Err(OutboxError::Busy { .. })), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    drop(other);
    assert!(encrypt(&path, &key(2)).unwrap());
    let open = Outbox::open(&path, &key(2)).unwrap();
    assert!(is_in_use(&path, &key(2)));
    drop(open);
    assert!(!is_in_use(&path, &key(2)) && !is_in_use(&path, &key(3)));
}

#[test]
fn another_key_opens_every_row_and_what_was_sealed_there_is_sealed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let keys = (&key(1), &key(2));
    assert!(!change_key(&path, keys, &mut |_, _| None).unwrap(), "there is none");
    plain(&path);
    encrypt(&path, &key(1)).unwrap();
    let rows = "INSERT INTO instance (id, sop_instance, digest, source, received_ms, receive_ms)
            VALUES (1, '1.2', zeroblob(32), 'XR', 1, 1), (2, '1.3', zeroblob(32), 'XR', 1, 1);
        INSERT INTO ledger VALUES (1, 1, 's', 'o', 'p', 'read', '', 1, x'01'), (2, 1, 's', 'o', 'p', 'read', '', 1, NULL);
        INSERT INTO report VALUES (1, 1, x'02'), (7, 2, x'03');";
    Outbox::open(&path, &key(1)).unwrap().connection.execute_batch(rows).unwrap();
    let mut seen = Vec::new();
    let mut reseal = |what, value: &[u8]| {
        seen.push((what, value.to_vec()));
        (value != [3]).then(|| [value, &[9]].concat())
    };
    let stranger = change_key(&path, (&key(3), &key(2)), &mut reseal);
    assert!(matches!(stranger, Err(OutboxError::Key { .. })), "{stranger:?}");
    assert!(change_key(&path, keys, &mut reseal).unwrap() && !change_key(&path, keys, &mut reseal).unwrap());
    assert_eq!(seen, [(Sealed::Identity, vec![1]), (Sealed::Report, vec![2]), (Sealed::Report, vec![3])]);
    assert!(matches!(Outbox::open(&path, &key(1)), Err(OutboxError::Key { .. })));
    assert_eq!(attempts(&path, &key(2)), [7; MESSAGES as usize]);
    let outbox = Outbox::open(&path, &key(2)).unwrap();
    let connection = &outbox.connection;
    let values = "SELECT group_concat(hex(value)) FROM
        (SELECT coalesce(identity, x'00') AS value FROM ledger UNION ALL SELECT payload FROM report)";
    assert_eq!(connection.query_row(values, [], |row| row.get::<_, String>(0)).unwrap(), "0109,00,0209,03");
    drop(outbox);
    holds_nothing_plain(&path);
}

/// Neither the rows' bytes nor the tables' names, in the file or beside it.
fn holds_nothing_plain(path: &Path) {
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        assert!(!file.to_string_lossy().contains(".new"), "{} was left", file.display());
        let bytes = fs::read(&file).unwrap();
        let plain = |needle: &[u8]| bytes.windows(needle.len()).any(|piece| piece == needle);
        assert!(!plain(b"CREATE TABLE") && !plain(&[5; 100]), "{} is plain", file.display());
    }
}
