//! Which rows of the journal may go in the end. It never touches one that anything is owed for, or that anything else names.

use rusqlite::params;

use crate::{Outbox, OutboxError};

impl Outbox {
    /// Forgets up to `limit` images that were received before `before_ms`, oldest first; gives how many. Only such go whose
    /// result has its receipt and does not tell of a lost file, whose spool file is gone, and that neither a line of the ledger
    /// nor a report for the hospital's own systems names any more. The newest row of all stays, so that no number is given twice.
    ///
    /// The same bytes that come again afterwards are a new image: they are read again and get a result of their own.
    ///
    /// # Errors
    /// [`OutboxError::Statement`] if the database does not answer.
    pub fn forget_instances(&mut self, before_ms: i64, limit: u32) -> Result<usize, OutboxError> {
        self.connection
            .prepare_cached(FORGET)
            .and_then(|mut delete| delete.execute(params![before_ms, limit]))
            .map_err(OutboxError::statement("forget old images"))
    }
}

const FORGET: &str = "DELETE FROM instance WHERE id IN
    (SELECT id FROM instance INDEXED BY instance_old
     WHERE state = 'receipted' AND file IS NULL AND wanted = 0 AND received_ms < ?1
         AND id < (SELECT max(id) FROM instance)
         AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.instance = instance.id)
         AND NOT EXISTS (SELECT 1 FROM report WHERE report.instance = instance.id)
     ORDER BY received_ms LIMIT ?2)";

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wire::ids::MessageId;
    use wire::topics::Up;
    use wire::v1::ReceiptStatus;

    use super::*;
    use crate::{Accepted, InstanceId, NewEntry, NewInstance, NewMessage, NewReport, Priority, Pseudonyms};

    fn accept(outbox: &mut Outbox, number: u8) -> Accepted {
        let new = NewInstance {
            sop_class: "1.2",
            sop_instance: &format!("1.{number}"),
            digest: [number; 32],
            file: &format!("{number}.dcm"),
            source: "XR",
            received_ms: i64::from(number),
            receive_ms: 1.0,
            traceparent: None,
        };
        outbox.accept(&new).unwrap()
    }

    /// As far as its receipt, with a line in the ledger; `lost` says that the result tells of a lost file.
    fn through(outbox: &mut Outbox, number: u8, lost: bool, report: bool) -> InstanceId {
        let Accepted::New(image) = accept(outbox, number) else { panic!("seen before") };
        let id = MessageId(Uuid::from_u128(number.into()));
        let message = NewMessage {
            id,
            kind: Up::Result,
            priority: Priority::Live,
            created_ms: 0,
            traceparent: None,
            payload: b"p",
        };
        let name = || "zzqq7".to_owned();
        let file = format!("{number}.dcm");
        let entry = NewEntry {
            concluded_ms: number.into(),
            pseudonyms: Pseudonyms { study: name(), object: name(), patient: name() },
            status: "read",
            detail: "negative",
            total_ms: 1.0,
            identity: None,
            lost: lost.then_some(file.as_str()),
        };
        let owed = NewReport { payload: b"r", created_ms: 0, deliveries: &[] };
        outbox.conclude_with(image, id, &[message], report.then_some(&owed), Some(&entry)).unwrap();
        outbox.settle(id, &ReceiptStatus::Stored).unwrap();
        image
    }

    #[test]
    fn only_what_nothing_is_owed_for_and_nothing_names_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        let (lost, with_report, keeps_file) = (
            through(&mut outbox, 1, true, false),
            through(&mut outbox, 2, false, true),
            through(&mut outbox, 3, false, false),
        );
        let (old, young) = (through(&mut outbox, 4, false, false), through(&mut outbox, 9, false, false));
        accept(&mut outbox, 5);
        let newest = through(&mut outbox, 6, false, false);
        for image in [lost, with_report, old, young, newest] {
            outbox.forget_file(image).unwrap();
        }
        assert_eq!(outbox.forget_instances(8, 100).unwrap(), 0, "the ledger names them all");
        outbox.forget_entries(i64::MAX, 100).unwrap();
        assert_eq!(outbox.forget_instances(8, 100).unwrap(), 1);
        let left = outbox.journal_counts().unwrap();
        assert_eq!((left.accepted, left.receipted), (1, 5));
        // What stays is known still, and what went is new.
        for number in [2, 3, 6, 9] {
            assert!(matches!(accept(&mut outbox, number), Accepted::Again(_)), "{number}");
        }
        assert_eq!(accept(&mut outbox, 1), Accepted::Wanted(lost));
        assert!(matches!(accept(&mut outbox, 4), Accepted::New(id) if id > newest));
        // Once the report and the file are gone, so may they be.
        outbox.forget_reports(i64::MAX, 100).unwrap();
        outbox.forget_file(keeps_file).unwrap();
        assert_eq!(outbox.forget_instances(i64::MAX, 2).unwrap(), 2, "no more than asked for at once");
        assert_eq!(outbox.forget_instances(i64::MAX, 100).unwrap(), 2);
        assert_eq!(outbox.forget_instances(i64::MAX, 100).unwrap(), 0);
    }

    #[test]
    fn forgetting_seeks_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
        let mut plan = outbox.connection.prepare(&format!("EXPLAIN QUERY PLAN {FORGET}")).unwrap();
        let steps = plan.query_map(params![0, 0], |row| row.get::<_, String>("detail")).unwrap();
        for step in steps.map(Result::unwrap) {
            // The filter is of the few numbers that are to go.
            let sought = step.starts_with("SEARCH") || step.contains("SUBQUERY") || step == "CREATE BLOOM FILTER";
            assert!(sought && !step.contains("TEMP B-TREE"), "{step}");
        }
    }
}
