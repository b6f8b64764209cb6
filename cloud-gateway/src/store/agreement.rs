//! What two readers said of the same results.

use sqlx::{AssertSqlSafe, FromRow};

use super::sites::{bound, within};
use super::{Store, StoreError, failed};
use crate::auth::sites::Sites;

/// One result that was read twice.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct TwiceRow {
    /// Who read it first.
    pub first_reader: String,
    /// What she said.
    pub first: String,
    /// Who read it second.
    pub second_reader: String,
    /// What she said.
    pub second: String,
}

impl Store {
    /// The latest `most` results of these sites that were read twice.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn read_twice(&self, sites: &Sites, most: i64) -> Result<Vec<TwiceRow>, StoreError> {
        let text = format!(
            "SELECT one.reviewer AS first_reader, one.verdict AS first, two.reviewer AS second_reader, two.verdict AS second
             FROM verdicts AS two JOIN results ON results.id = two.result
             JOIN verdicts AS one ON one.id = (
                 SELECT earlier.id FROM verdicts AS earlier LEFT JOIN withdrawals ON withdrawals.verdict = earlier.id
                 WHERE earlier.result = two.result AND earlier.reading = 'first' AND withdrawals.verdict IS NULL
                 ORDER BY earlier.given_at DESC, earlier.id DESC LIMIT 1)
             WHERE two.reading = 'second' AND {} ORDER BY two.given_at DESC, two.id DESC LIMIT $1",
            within(sites, "results.site", 2)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(most);
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("read what was read twice"))
    }
}
