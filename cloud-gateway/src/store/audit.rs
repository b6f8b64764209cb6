//! The audit trail's rows. Appends and reads; there is no function that changes or removes one.

use sqlx::{AssertSqlSafe, FromRow};

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::audit::{Broken, Entry, Statement, verify};

/// One stored entry.
#[derive(Clone, Debug, FromRow)]
pub struct AuditRow {
    /// See [`Entry`].
    pub sequence: i64,
    /// See [`Entry`].
    pub at: i64,
    /// See [`Entry`].
    pub actor: String,
    /// See [`Entry`].
    pub action: String,
    /// See [`Entry`].
    pub subject: String,
    /// See [`Entry`].
    pub detail: String,
    /// The chain's hash up to here.
    pub hash: String,
}

/// Appends a statement within the transaction that does what it says: both happen or neither.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn append(connection: &mut Connection, statement: &Statement) -> Result<(), StoreError> {
    // The row's lock is held until the commit, so the next writer reads the hash that this one leaves.
    let (sequence, previous): (i64, String) =
        sqlx::query_as("UPDATE audit_head SET sequence = sequence + 1 WHERE only_row = 1 RETURNING sequence, hash")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed("take the next place in the audit trail"))?;
    let entry = Entry::new(sequence, statement);
    let hash = entry.hash(&previous).map_err(|_| StoreError::Content { what: "audit head" })?;
    sqlx::query(
        "INSERT INTO audit (sequence, at, actor, action, subject, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(entry.sequence)
    .bind(entry.at)
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.subject)
    .bind(entry.detail)
    .bind(hash.clone())
    .execute(&mut *connection)
    .await
    .map_err(failed("append to the audit trail"))?;
    sqlx::query("UPDATE audit_head SET hash = $1 WHERE only_row = 1")
        .bind(hash)
        .execute(&mut *connection)
        .await
        .map(drop)
        .map_err(failed("close the audit trail"))
}

/// Leaves out what names a result or a device of another site: a device by its enrolment, or by the token that is to let it
/// in. Entries that name neither, such as those about accounts, are everybody's who may read the trail.
fn of_no_other_site(sites: &Sites, first: usize) -> String {
    if *sites == Sites::All {
        return String::new();
    }
    let of = |column: &str| within(sites, column, first);
    format!(
        "AND NOT EXISTS (SELECT 1 FROM results WHERE results.id = audit.subject AND NOT ({}))
         AND NOT EXISTS (SELECT 1 FROM devices WHERE devices.id = audit.subject AND NOT ({}))
         AND NOT EXISTS (SELECT 1 FROM devices WHERE audit.actor LIKE 'device:%'
             AND devices.id = substr(audit.actor, 8) AND NOT ({}))
         AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.device = audit.subject AND NOT ({})
             AND NOT EXISTS (SELECT 1 FROM devices WHERE devices.id = claims.device))",
        of("results.site"),
        of("devices.site"),
        of("devices.site"),
        of("claims.site")
    )
}

impl Store {
    /// Appends one statement in a transaction of its own.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn audit(&self, statement: &Statement) -> Result<(), StoreError> {
        let mut work = self.begin().await?;
        append(&mut work, statement).await?;
        super::commit(work).await
    }

    /// Newest first, those before `before`; without those about another site's result or device.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn audit_page(
        &self,
        sites: &Sites,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let text = format!(
            "SELECT sequence, at, actor, action, subject, detail, hash FROM audit
             WHERE sequence < $1 {} ORDER BY sequence DESC LIMIT $2",
            of_no_other_site(sites, 3)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(before.unwrap_or(i64::MAX)).bind(limit);
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("read the audit trail"))
    }

    /// Follows the whole chain; the inner result is what it found, the number how many entries hold.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verify_audit(&self) -> Result<Result<i64, Broken>, StoreError> {
        let mut work = self.begin().await?;
        let rows: Vec<AuditRow> =
            sqlx::query_as("SELECT sequence, at, actor, action, subject, detail, hash FROM audit ORDER BY sequence")
                .fetch_all(&mut *work)
                .await
                .map_err(failed("read the audit trail"))?;
        let (sequence, hash): (i64, String) = sqlx::query_as("SELECT sequence, hash FROM audit_head")
            .fetch_one(&mut *work)
            .await
            .map_err(failed("read the audit trail's end"))?;
        let entries: Vec<(Entry, String)> = rows.into_iter().map(AuditRow::into_link).collect();
        Ok(verify(&entries, (sequence, &hash)).map(|()| sequence))
    }
}

impl AuditRow {
    fn into_link(self) -> (Entry, String) {
        let Self { sequence, at, actor, action, subject, detail, hash } = self;
        (Entry { sequence, at, actor, action, subject, detail }, hash)
    }
}
