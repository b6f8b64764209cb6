//! How long the latest reviews of each site took.

use sqlx::AssertSqlSafe;

use super::sites::{bound, within};
use super::{Store, StoreError, failed};
use crate::auth::sites::Sites;

impl Store {
    /// For each of these sites that has a device, how long its latest `most` reviews took from the image's receipt to the first
    /// verdict that stands, milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn turnaround(&self, sites: &Sites, most: i64) -> Result<Vec<(String, Vec<i64>)>, StoreError> {
        let text = format!("SELECT DISTINCT site FROM devices WHERE {} ORDER BY site", within(sites, "site", 1));
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for site in bound(sites) {
            query = query.bind(site);
        }
        let found: Vec<(String,)> = query.fetch_all(&self.pool).await.map_err(failed("list sites"))?;
        let mut reviews = Vec::with_capacity(found.len());
        for (site,) in found {
            let took = self.latest_reviews(&site, most).await?;
            reviews.push((site, took));
        }
        Ok(reviews)
    }

    async fn latest_reviews(&self, site: &str, most: i64) -> Result<Vec<i64>, StoreError> {
        let rows: Vec<(i64,)> = sqlx::query_as(
            "SELECT reviewed_at - received_at FROM results
             WHERE site = $1 AND reviewed_at IS NOT NULL ORDER BY reviewed_at DESC LIMIT $2",
        )
        .bind(site.to_owned())
        .bind(most)
        .fetch_all(&self.pool)
        .await
        .map_err(failed("read a site's latest reviews"))?;
        Ok(rows.into_iter().map(|(ms,)| ms).collect())
    }
}
