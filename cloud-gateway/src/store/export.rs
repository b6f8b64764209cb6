//! Verdicts on their way out of the house, oldest first.

use sqlx::{AssertSqlSafe, FromRow};
use wire::v1::ResultV1;

use super::sites::{bound, within};
use super::verdicts::VerdictRow;
use super::{Store, StoreError, failed};
use crate::auth::sites::Sites;

/// A verdict with what is told of its result.
#[derive(Clone, Debug, FromRow)]
pub struct ExportRow {
    /// The verdict.
    #[sqlx(flatten)]
    pub verdict: VerdictRow,
    /// The device that read it.
    pub device: String,
    /// Where it stands.
    pub site: String,
    /// When the image was received.
    pub received_at: i64,
    /// `ID@VERSION` of the model; empty where it was not read.
    pub model: String,
    /// JSON of [`ResultV1`].
    pub payload: String,
}

impl Store {
    /// Verdicts on results of these sites after the one of this id, at most `most`. Those that a second reader must not see yet are
    /// left out, whoever asks: what leaves the house can be read by anybody.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verdicts_for_export(
        &self,
        sites: &Sites,
        after: &str,
        most: i64,
    ) -> Result<Vec<ExportRow>, StoreError> {
        let text = format!(
            "SELECT verdicts.id, verdicts.result, verdicts.reviewer, verdicts.verdict, verdicts.finding, verdicts.reason,
                 verdicts.note, verdicts.region, verdicts.reading, verdicts.given_in, verdicts.given_at,
                 withdrawals.withdrawn_at, results.device, results.site, results.received_at, results.model,
                 results.payload
             FROM verdicts JOIN results ON results.id = verdicts.result
             LEFT JOIN withdrawals ON withdrawals.verdict = verdicts.id
             WHERE verdicts.id > $1 AND COALESCE(results.second_reading, '') <> 'awaiting' AND {}
             ORDER BY verdicts.id LIMIT $2",
            within(sites, "results.site", 3)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(after.to_owned()).bind(most);
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("read verdicts to be exported"))
    }
}

impl ExportRow {
    /// What the device said.
    ///
    /// # Errors
    /// [`StoreError::Content`].
    pub fn decoded(&self) -> Result<ResultV1, StoreError> {
        serde_json::from_str(&self.payload).map_err(|_| StoreError::Content { what: "result" })
    }
}
