//! Results: inserted once, then read in the order in which a reviewer should see them.

use sqlx::FromRow;
use uuid::Uuid;
use wire::v1::ResultV1;

use super::{Connection, Store, StoreError, failed};

/// A result on its way in.
#[derive(Clone, Debug)]
pub struct NewResult {
    /// Its name in the API.
    pub id: Uuid,
    /// The device it came from.
    pub device: String,
    /// The message it came in.
    pub message: String,
    /// Where the device stands.
    pub site: String,
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

macro_rules! select {
    () => {
        "SELECT results.id, results.device, results.site, results.received_at, results.stored_at, results.urgency,
             results.verdict, results.verdicts, results.payload,
             CASE WHEN images.result IS NULL THEN 0 ELSE 1 END AS has_image,
             (SELECT older.id FROM results AS older WHERE older.id = results.supersedes) AS replaces,
             (SELECT newer.id FROM results AS newer WHERE newer.supersedes = results.id
              ORDER BY newer.stored_at DESC, newer.id DESC LIMIT 1) AS replaced_by
         FROM results LEFT JOIN images ON images.result = results.id "
    };
}

macro_rules! filtered {
    () => {
        "WHERE ($1 IS NULL OR COALESCE(results.finding, 'none') = $1)
             AND ($2 IS NULL OR (CASE WHEN results.verdict IS NULL THEN 0 ELSE 1 END) = $2)
             AND ($3 IS NULL OR results.device = $3)
             AND NOT EXISTS (SELECT 1 FROM results AS newer WHERE newer.supersedes = results.id) "
    };
}

macro_rules! ordered {
    () => {
        "ORDER BY results.urgency DESC, results.received_at DESC, results.id DESC LIMIT $4"
    };
}

const FIRST_PAGE: &str = concat!(select!(), filtered!(), ordered!());
const NEXT_PAGE: &str = concat!(
    select!(),
    filtered!(),
    "AND (results.urgency, results.received_at, results.id) < ($5, $6, $7) ",
    ordered!()
);
const ONE: &str = concat!(select!(), "WHERE results.id = $1");
const COUNT: &str = concat!("SELECT COUNT(*) FROM results ", filtered!());

/// Inserts a result whose message was entered in the same transaction.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn insert(connection: &mut Connection, result: &NewResult) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO results (id, device, message, site, received_at, stored_at, finding, urgency, payload, supersedes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(result.id.to_string())
    .bind(result.device.clone())
    .bind(result.message.clone())
    .bind(result.site.clone())
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

impl Store {
    /// One page: urgent first, then newest received first. What another result stands in the place of is left out, whichever
    /// of the two came first; it is kept, and found by its id.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn results(
        &self,
        filter: &Filter,
        after: Option<&After>,
        limit: i64,
    ) -> Result<Vec<ResultRow>, StoreError> {
        let query = sqlx::query_as(if after.is_some() { NEXT_PAGE } else { FIRST_PAGE })
            .bind(filter.finding.clone())
            .bind(filter.reviewed.map(i64::from))
            .bind(filter.device.clone())
            .bind(limit);
        let query = match after {
            Some(after) => query.bind(after.urgency).bind(after.received_at).bind(after.id.clone()),
            None => query,
        };
        query.fetch_all(&self.pool).await.map_err(failed("list results"))
    }

    /// How many there are.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn count_results(&self, filter: &Filter) -> Result<i64, StoreError> {
        let (count,): (i64,) = sqlx::query_as(COUNT)
            .bind(filter.finding.clone())
            .bind(filter.reviewed.map(i64::from))
            .bind(filter.device.clone())
            .fetch_one(&self.pool)
            .await
            .map_err(failed("count results"))?;
        Ok(count)
    }

    /// One result.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn result(&self, id: Uuid) -> Result<Option<ResultRow>, StoreError> {
        sqlx::query_as(ONE).bind(id.to_string()).fetch_optional(&self.pool).await.map_err(failed("read a result"))
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
