//! Results: inserted once, then read one by one; the list of them is `work_list`'s.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;
use wire::v1::ResultV1;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed, readings};
use crate::auth::sites::Sites;
use crate::domain::reading::Reading;
use crate::domain::result::Keys;

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
    /// What else it is sorted by.
    pub keys: Keys,
    /// As the device sent it, JSON.
    pub payload: String,
    /// What is counted of it.
    pub reading: Reading,
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
    /// See [`crate::domain::result::urgency`].
    pub urgency: f64,
    /// See [`Keys::probability`].
    pub probability: f64,
    /// See [`Keys::age_years`].
    pub age_years: i64,
    /// See [`Keys::model`].
    pub model: String,
    /// See [`crate::domain::review::second_reading::State`].
    pub second_reading: Option<String>,
    /// Whose verdict a second reader must not see.
    pub first_reader: Option<String>,
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

/// Rows of [`ResultRow`].
pub(super) const SELECT: &str =
    "SELECT results.id, results.device, results.site, results.received_at, results.stored_at, results.urgency,
             results.probability, results.age_years, results.model, results.second_reading, results.first_reader, results.verdict, results.verdicts, results.payload,
             CASE WHEN images.result IS NULL THEN 0 ELSE 1 END AS has_image,
             (SELECT older.id FROM results AS older WHERE older.id = results.supersedes) AS replaces,
             (SELECT newer.id FROM results AS newer WHERE newer.supersedes = results.id
              ORDER BY newer.stored_at DESC, newer.id DESC LIMIT 1) AS replaced_by
         FROM results LEFT JOIN images ON images.result = results.id";

/// Inserts a result whose message was entered in the same transaction. Its site is the one that its device was enrolled for,
/// whatever the device calls it: who sees a result is not the device's to say.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn insert(connection: &mut Connection, result: &NewResult) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO results (id, device, message, site, received_at, stored_at, finding, urgency, payload, supersedes,
             probability, age_years, model)
         VALUES ($1, $2, $3, (SELECT site FROM devices WHERE id = $2), $4, $5, $6, $7, $8, $9, $10, $11, $12)",
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
    .bind(result.keys.probability)
    .bind(result.keys.age_years)
    .bind(result.keys.model.clone())
    .execute(&mut *connection)
    .await
    .map_err(failed("insert a result"))?;
    readings::insert(connection, result.id, &result.reading, result.supersedes).await
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
