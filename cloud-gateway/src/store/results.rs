//! Results: inserted once, then read in the order in which a reviewer should see them.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;
use wire::v1::ResultV1;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;

/// A result on its way in.
#[derive(Clone, Debug)]
pub struct NewResult {
    /// Its name in the API.
    pub id: Uuid,
    /// The device it came from.
    pub device: String,
    /// The message it came in.
    pub message: String,
    /// When the scanner got its success status.
    pub received_at: i64,
    /// When it was stored.
    pub stored_at: i64,
    /// See [`crate::domain::result::finding`].
    pub finding: Option<&'static str>,
    /// See [`crate::domain::result::urgency`].
    pub urgency: f64,
    /// As the device sent it, JSON.
    pub payload: String,
    /// The result in whose place it stands.
    pub supersedes: Option<Uuid>,
}

/// A stored result.
#[derive(Clone, Debug, FromRow)]
pub struct ResultRow {
    /// Its name in the API.
    pub id: String,
    /// The device it came from.
    pub device: String,
    /// Where the device stands.
    pub site: String,
    /// When the scanner got its success status.
    pub received_at: i64,
    /// When it was stored.
    pub stored_at: i64,
    /// First sorting key.
    pub urgency: f64,
    /// The latest verdict.
    pub verdict: Option<String>,
    /// How many verdicts there are.
    pub verdicts: i64,
    /// JSON of [`ResultV1`].
    pub payload: String,
    /// 1 where its picture is there.
    pub has_image: i64,
    /// The result in whose place it stands, where that one is stored too.
    pub replaces: Option<String>,
    /// The result that stands in its place, where one does.
    pub replaced_by: Option<String>,
}

/// Where a page begins: after the result with exactly these keys.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// First key.
    pub urgency: f64,
    /// Second key.
    pub received_at: i64,
    /// Third key.
    pub id: String,
}

/// Which results are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `positive`, `negative` or `none`.
    pub finding: Option<String>,
    /// Whether a verdict was given.
    pub reviewed: Option<bool>,
    /// Of one device.
    pub device: Option<String>,
}

const SELECT: &str =
    "SELECT results.id, results.device, results.site, results.received_at, results.stored_at, results.urgency,
             results.verdict, results.verdicts, results.payload,
             CASE WHEN images.result IS NULL THEN 0 ELSE 1 END AS has_image,
             (SELECT older.id FROM results AS older WHERE older.id = results.supersedes) AS replaces,
             (SELECT newer.id FROM results AS newer WHERE newer.supersedes = results.id
              ORDER BY newer.stored_at DESC, newer.id DESC LIMIT 1) AS replaced_by
         FROM results LEFT JOIN images ON images.result = results.id";

const FILTERED: &str = "WHERE ($1 IS NULL OR COALESCE(results.finding, 'none') = $1)
             AND ($2 IS NULL OR (CASE WHEN results.verdict IS NULL THEN 0 ELSE 1 END) = $2)
             AND ($3 IS NULL OR results.device = $3)
             AND NOT EXISTS (SELECT 1 FROM results AS newer WHERE newer.supersedes = results.id)";

const ORDERED: &str = "ORDER BY results.urgency DESC, results.received_at DESC, results.id DESC LIMIT $4";

fn page(sites: &Sites, next: bool) -> String {
    let (after, first) =
        if next { ("AND (results.urgency, results.received_at, results.id) < ($5, $6, $7)", 8) } else { ("", 5) };
    format!("{SELECT} {FILTERED} {after} AND {} {ORDERED}", within(sites, "results.site", first))
}

/// Inserts a result whose message was entered in the same transaction. Its site is the one that its device was enrolled for,
/// whatever the device calls it: who sees a result is not the device's to say.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn insert(connection: &mut Connection, result: &NewResult) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO results (id, device, message, site, received_at, stored_at, finding, urgency, payload, supersedes)
         VALUES ($1, $2, $3, (SELECT site FROM devices WHERE id = $2), $4, $5, $6, $7, $8, $9)",
    )
    .bind(result.id.to_string())
    .bind(result.device.clone())
    .bind(result.message.clone())
    .bind(result.received_at)
    .bind(result.stored_at)
    .bind(result.finding.map(str::to_owned))
    .bind(result.urgency)
    .bind(result.payload.clone())
    .bind(result.supersedes.map(|id| id.to_string()))
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("insert a result"))
}

/// Where a result's device stands, if there is such a result.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn site(connection: &mut Connection, id: Uuid) -> Result<Option<String>, StoreError> {
    let found: Option<(String,)> = sqlx::query_as("SELECT site FROM results WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await
        .map_err(failed("look up a result's site"))?;
    Ok(found.map(|(site,)| site))
}

impl Store {
    /// One page: urgent first, then newest received first. What another result stands in the place of is left out, whichever
    /// of the two came first; it is kept, and found by its id.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn results(
        &self,
        sites: &Sites,
        filter: &Filter,
        after: Option<&After>,
        limit: i64,
    ) -> Result<Vec<ResultRow>, StoreError> {
        let mut query = sqlx::query_as(AssertSqlSafe(page(sites, after.is_some())))
            .bind(filter.finding.clone())
            .bind(filter.reviewed.map(i64::from))
            .bind(filter.device.clone())
            .bind(limit);
        if let Some(after) = after {
            query = query.bind(after.urgency).bind(after.received_at).bind(after.id.clone());
        }
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("list results"))
    }

    /// How many there are.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn count_results(&self, sites: &Sites, filter: &Filter) -> Result<i64, StoreError> {
        let text = format!("SELECT COUNT(*) FROM results {FILTERED} AND {}", within(sites, "results.site", 4));
        let mut query = sqlx::query_as(AssertSqlSafe(text))
            .bind(filter.finding.clone())
            .bind(filter.reviewed.map(i64::from))
            .bind(filter.device.clone());
        for site in bound(sites) {
            query = query.bind(site);
        }
        let (count,): (i64,) = query.fetch_one(&self.pool).await.map_err(failed("count results"))?;
        Ok(count)
    }

    /// One result.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn result(&self, sites: &Sites, id: Uuid) -> Result<Option<ResultRow>, StoreError> {
        let text = format!("{SELECT} WHERE results.id = $1 AND {}", within(sites, "results.site", 2));
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(id.to_string());
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_optional(&self.pool).await.map_err(failed("read a result"))
    }
}

impl ResultRow {
    /// What the device said.
    ///
    /// # Errors
    /// [`StoreError::Content`].
    pub fn decoded(&self) -> Result<ResultV1, StoreError> {
        serde_json::from_str(&self.payload).map_err(|_| StoreError::Content { what: "result" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite says it would do, step by step, but for what it does within one row.
    async fn plan(text: String) -> String {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.path().join("plan.sqlite").display())).await.unwrap();
        store.migrate().await.unwrap();
        let text = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(text).fetch_all(store.pool()).await.unwrap();
        let outer = steps.into_iter().filter(|(_, parent, _, _)| *parent == 0);
        outer.map(|(_, _, _, step)| step).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn a_page_walks_an_index_and_sorts_nothing() {
        for (sites, index) in [
            (Sites::All, "SCAN results USING INDEX results_work_list"),
            (Sites::granted(["st-mary".to_owned()]), "results USING INDEX results_of_site (site=?"),
        ] {
            for next in [false, true] {
                let steps = plan(page(&sites, next)).await;
                let walked = steps.contains(index) || (next && steps.contains("results_work_list"));
                assert!(walked && !steps.contains("FOR ORDER BY"), "{sites:?}, next {next}:\n{steps}");
            }
        }
    }
}
