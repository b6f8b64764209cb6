//! The values that the appliance sealed before they came into the database, and sealing them anew. It knows where they are, and
//! opens none.

use rusqlite::Connection;

/// What a sealed value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// Whose image it is: [`crate::NewEntry::identity`].
    Identity,
    /// What a report's objects are made from: [`crate::NewReport`].
    Report,
}

/// Gives the value that takes another's place; `None` leaves it as it is.
pub type Reseal<'a> = dyn FnMut(Sealed, &[u8]) -> Option<Vec<u8>> + 'a;

impl Sealed {
    const ALL: [Self; 2] = [Self::Identity, Self::Report];

    /// Its table and column.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Identity => ("ledger", "identity"),
            Self::Report => ("report", "payload"),
        }
    }
}

/// Gives each value to `reseal`, all in one transaction; one at a time, since a report holds pictures.
pub(super) fn anew(copy: &mut Connection, reseal: &mut Reseal<'_>) -> rusqlite::Result<()> {
    let transaction = copy.transaction()?;
    for what in Sealed::ALL {
        let (table, column) = what.place();
        let mut next = transaction.prepare(&format!(
            "SELECT rowid, {column} FROM {table} WHERE rowid > ?1 AND {column} IS NOT NULL ORDER BY rowid LIMIT 1"
        ))?;
        let mut replace = transaction.prepare(&format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1"))?;
        let mut after = i64::MIN;
        loop {
            let mut rows = next.query([after])?;
            let Some(row) = rows.next()? else { break };
            let (id, value): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            drop(rows);
            if let Some(value) = reseal(what, &value) {
                replace.execute((id, value))?;
            }
            after = id;
        }
    }
    transaction.commit()
}
