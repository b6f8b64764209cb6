//! What is counted: one narrow row for each result that stands, written with it, and read in groups or as cases. It computes
//! nothing of them.

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::results::{ResultRow, SELECT};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::reading::Reading;
use crate::domain::when::UnixMs;

mod narrowed;

pub use narrowed::Which;
use narrowed::{Bind, Narrowed};

/// Readings of one group.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct GroupRow {
    /// The device that read them.
    pub device: String,
    /// Where it stands.
    pub site: String,
    /// The patients' sex.
    pub sex: String,
    /// The patients' age.
    pub age_band: String,
    /// 1 where they were called positive.
    pub positive: i64,
    /// How many.
    pub n: i64,
}

/// A reading that was judged.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct JudgedRow {
    /// When the scanner got its success status.
    pub received_at: i64,
    /// The device that read it.
    pub device: String,
    /// Where it stands.
    pub site: String,
    /// The patient's sex.
    pub sex: String,
    /// The patient's age.
    pub age_band: String,
    /// 0 to 1.
    pub probability: f64,
    /// 1 where it was called positive.
    pub positive: i64,
    /// The verdict that counts, `agree` or `disagree`.
    pub verdict: String,
}

/// Results with equal facts of the image, as far as these are counted.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct InputRow {
    /// See [`Reading`].
    pub outcome: String,
    /// See [`Reading`].
    pub reason: Option<String>,
    /// See [`Reading`].
    pub modality: String,
    /// See [`Reading`].
    pub view: String,
    /// See [`Reading`].
    pub photometric: String,
    /// See [`Reading`].
    pub bits_stored: String,
    /// See [`Reading`].
    pub sex: String,
    /// See [`Reading`].
    pub age_band: String,
    /// How many.
    pub n: i64,
}

/// Results of one device with one outcome.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OutcomeRow {
    /// The device.
    pub device: String,
    /// Where it stands.
    pub site: String,
    /// `read`, `abstained` or `unreadable`.
    pub outcome: String,
    /// How many.
    pub n: i64,
}

/// How long one judged result took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct TurnaroundRow {
    /// When the scanner got its success status.
    pub received_at: i64,
    /// When it was stored here.
    pub stored_at: i64,
    /// When the first verdict was given that stands; none where the verdict came in another way.
    pub first_verdict_at: Option<i64>,
}

/// Counts a result, unless another stands in its place; and no more the one in whose place it stands.
///
/// # Errors
/// [`StoreError::Query`].
pub(super) async fn insert(
    connection: &mut Connection,
    result: Uuid,
    reading: &Reading,
    supersedes: Option<Uuid>,
) -> Result<(), StoreError> {
    // Two texts, so that no number that is bound is ever NULL: sqlx's `Any` calls a NULL f64 a float4, a connection keeps to what it
    // was told first, and PostgreSQL then refuses every real probability.
    let said = if reading.score.is_some() { "NULL, $9, $10, $11, $12" } else { "$9, NULL, NULL, NULL, NULL" };
    let query = sqlx::query(AssertSqlSafe(counting(said)))
        .bind(result.to_string())
        .bind(reading.outcome)
        .bind(reading.sex)
        .bind(reading.age_band)
        .bind(reading.modality.clone())
        .bind(reading.view.clone())
        .bind(reading.photometric.clone())
        .bind(reading.bits_stored.clone());
    let query = match &reading.score {
        Some(score) => query
            .bind(score.model.clone())
            .bind(score.probability)
            .bind(score.permille())
            .bind(i64::from(score.positive)),
        None => query.bind(reading.reason.clone().unwrap_or_default()),
    };
    query.execute(&mut *connection).await.map_err(failed("count a result"))?;
    let Some(earlier) = supersedes else { return Ok(()) };
    sqlx::query("DELETE FROM readings WHERE result = $1")
        .bind(earlier.to_string())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("count a result no more"))
}

/// Counts the result `$1`, unless another stands in its place; `said` are its reason, model, probability, permille and call.
fn counting(said: &str) -> String {
    format!(
        "INSERT INTO readings (result, device, site, received_at, stored_at, outcome, sex, age_band, modality, view,
             photometric, bits_stored, reason, model, probability, permille, positive)
         SELECT id, device, site, received_at, stored_at, $2, $3, $4, $5, $6, $7, $8, {said} FROM results
         WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM results AS newer WHERE newer.supersedes = $1)"
    )
}

/// A verdict that awaits a blind second reader settles nothing yet, and must be found in no number.
const JUDGED: &str = "FROM results JOIN readings ON readings.result = results.id
     WHERE results.verdict IS NOT NULL AND results.verdict IN ('agree', 'disagree')
         AND COALESCE(results.second_reading, '') <> 'awaiting'";

/// The newest first, by the index of the judged.
const NEWEST_JUDGED: &str = "ORDER BY results.received_at DESC, results.id DESC";

fn groups_text(condition: &str) -> String {
    format!(
        "SELECT device, site, sex, age_band, positive, COUNT(*) AS n FROM readings
         WHERE {condition} AND positive IS NOT NULL GROUP BY device, site, sex, age_band, positive"
    )
}

/// The period bounds both tables: a planner does not know that their times are the same.
fn judged_text(columns: &str, narrowed: &mut Narrowed, which: &Which, limit: i64) -> String {
    narrowed.and("results.received_at >=", which.from.map(Bind::Number));
    narrowed.and("results.received_at <", which.to.map(Bind::Number));
    let limit = narrowed.place(Bind::Number(limit));
    format!("SELECT {columns} {JUDGED} AND {} {NEWEST_JUDGED} LIMIT {limit}", narrowed.text)
}

const JUDGED_COLUMNS: &str =
    "results.received_at, readings.device, readings.site, readings.sex, readings.age_band, readings.probability,
     readings.positive, results.verdict";

const TURNAROUND_COLUMNS: &str = "results.received_at, results.stored_at,
     (SELECT MIN(verdicts.given_at) FROM verdicts WHERE verdicts.result = results.id
          AND NOT EXISTS (SELECT 1 FROM withdrawals WHERE withdrawals.verdict = verdicts.id)) AS first_verdict_at";

impl Store {
    /// How many readings there are of each kind of patient, by device and by what they were called.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn reading_groups(&self, sites: &Sites, which: &Which) -> Result<Vec<GroupRow>, StoreError> {
        let narrowed = Narrowed::of(sites, which);
        let text = groups_text(&narrowed.text);
        narrowed.all(self, text, "count the readings").await
    }

    /// The newest readings that a reviewer agreed or disagreed with.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn judged_readings(
        &self,
        sites: &Sites,
        which: &Which,
        limit: i64,
    ) -> Result<Vec<JudgedRow>, StoreError> {
        let mut narrowed = Narrowed::of(sites, which);
        narrowed.text.push_str(" AND readings.positive IS NOT NULL");
        let text = judged_text(JUDGED_COLUMNS, &mut narrowed, which, limit);
        narrowed.all(self, text, "read the judged readings").await
    }

    /// How long the newest results took that a reviewer agreed or disagreed with.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn turnarounds(
        &self,
        sites: &Sites,
        which: &Which,
        limit: i64,
    ) -> Result<Vec<TurnaroundRow>, StoreError> {
        let mut narrowed = Narrowed::of(sites, which);
        let text = judged_text(TURNAROUND_COLUMNS, &mut narrowed, which, limit);
        narrowed.all(self, text, "read how long results took").await
    }

    /// Each device and model that read something, with the device's site.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn reading_sources(
        &self,
        sites: &Sites,
        which: &Which,
    ) -> Result<Vec<(String, String, String)>, StoreError> {
        let narrowed = Narrowed::of(sites, which);
        let text = format!(
            "SELECT DISTINCT device, site, model FROM readings WHERE {} AND model IS NOT NULL ORDER BY device, model",
            narrowed.text
        );
        narrowed.all(self, text, "list what reads").await
    }

    /// When the first of these readings' images was received.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn first_reading(&self, sites: &Sites, which: &Which) -> Result<Option<UnixMs>, StoreError> {
        let narrowed = Narrowed::of(sites, which);
        let text = first_text(&narrowed.text);
        let rows: Vec<(i64,)> = narrowed.all(self, text, "look up a first reading").await?;
        Ok(rows.first().map(|(first,)| *first))
    }

    /// How many readings there are of each thousandth of probability.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn scores(&self, sites: &Sites, which: &Which) -> Result<Vec<(i64, i64)>, StoreError> {
        let narrowed = Narrowed::of(sites, which);
        let text = format!(
            "SELECT permille, COUNT(*) FROM readings WHERE {} AND permille IS NOT NULL GROUP BY permille",
            narrowed.text
        );
        narrowed.all(self, text, "count the scores").await
    }

    /// How many results there are of each kind of image, read or not.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn inputs(&self, sites: &Sites, which: &Which) -> Result<Vec<InputRow>, StoreError> {
        let narrowed = Narrowed::of(sites, which);
        let text = format!(
            "SELECT outcome, reason, modality, view, photometric, bits_stored, sex, age_band, COUNT(*) AS n FROM readings
             WHERE {} GROUP BY outcome, reason, modality, view, photometric, bits_stored, sex, age_band",
            narrowed.text
        );
        narrowed.all(self, text, "count the images").await
    }

    /// How many results there are of each outcome, by device.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn outcomes(&self, sites: &Sites, which: &Which) -> Result<Vec<OutcomeRow>, StoreError> {
        let narrowed = Narrowed::of(sites, which);
        let text = format!(
            "SELECT device, site, outcome, COUNT(*) AS n FROM readings WHERE {} GROUP BY device, site, outcome",
            narrowed.text
        );
        narrowed.all(self, text, "count the outcomes").await
    }

    /// The results behind a number, newest received first, after the one of this time and name.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn studies_behind(
        &self,
        sites: &Sites,
        which: &Which,
        after: Option<(UnixMs, String)>,
        limit: i64,
    ) -> Result<Vec<ResultRow>, StoreError> {
        let mut narrowed = Narrowed::of(sites, which);
        if which.verdict.is_some() {
            narrowed.text.push_str(" AND COALESCE(results.second_reading, '') <> 'awaiting'");
        }
        let text = studies_text(&mut narrowed, after, limit);
        narrowed.all(self, text, "list the studies behind a number").await
    }
}

fn first_text(condition: &str) -> String {
    format!("SELECT received_at FROM readings WHERE {condition} ORDER BY received_at LIMIT 1")
}

fn studies_text(narrowed: &mut Narrowed, after: Option<(UnixMs, String)>, limit: i64) -> String {
    if let Some((received_at, result)) = after {
        let (received_at, result) = (narrowed.place(Bind::Number(received_at)), narrowed.place(Bind::Text(result)));
        narrowed.text.push_str(&format!(" AND (readings.received_at, readings.result) < ({received_at}, {result})"));
    }
    let limit = narrowed.place(Bind::Number(limit));
    format!(
        "{SELECT} JOIN readings ON readings.result = results.id WHERE {}
         ORDER BY readings.received_at DESC, readings.result DESC LIMIT {limit}",
        narrowed.text
    )
}

#[cfg(test)]
mod tests;
