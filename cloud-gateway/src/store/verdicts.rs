//! Verdicts and their withdrawals: appended, never changed. The latest that stands is copied onto its result for the work
//! list.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::sites::{bound, within};
use super::{Connection, Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::result::{self, NOT_URGENT};
use crate::domain::review::Opinion;
use crate::domain::review::second_reading::{self, Before, Giver, Reading, Refused, State, Taken};
use crate::domain::when::UnixMs;

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct VerdictRow {
    /// Its name, a `UUIDv7`.
    pub id: String,
    /// The result.
    pub result: String,
    /// Who gave it.
    pub reviewer: String,
    /// See [`crate::domain::review::Opinion`].
    pub verdict: String,
    /// Of [`crate::domain::review::codes::FINDINGS`].
    pub finding: Option<String>,
    /// Of [`crate::domain::review::codes::REASONS`].
    pub reason: Option<String>,
    /// The reviewer's words.
    pub note: Option<String>,
    /// [`crate::domain::review::region::Region`] as JSON.
    pub region: Option<String>,
    /// See [`Reading`].
    pub reading: String,
    /// Hash of the session that it was given in.
    pub given_in: Option<String>,
    /// When.
    pub given_at: i64,
    /// When it was taken back. Nothing that is given is given so: see [`withdraw`].
    pub withdrawn_at: Option<i64>,
}

impl VerdictRow {
    /// SHA-256 over what it says, in this order, each field with its length before it: what the audit trail holds of it.
    #[must_use]
    pub fn digest(&self) -> String {
        let texts = [&self.id, &self.result, &self.reviewer, &self.verdict, &self.reading];
        let more = [&self.finding, &self.reason, &self.note, &self.region];
        let mut sha = Sha256::new();
        let fields = texts.into_iter().map(Some).chain(more.into_iter().map(Option::as_ref));
        for field in fields.chain([Some(&self.given_at.to_string())]) {
            let text = field.map_or("", String::as_str);
            sha.update((text.len() as u64).to_be_bytes());
            sha.update([u8::from(field.is_some())]);
            sha.update(text.as_bytes());
        }
        hex::encode(sha.finalize())
    }
}

/// What became of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It counts.
    Stored {
        /// How many verdicts and withdrawals there are now.
        revision: i64,
        /// What it comes to.
        taken: Taken,
    },
    /// There is no such result.
    NoResult,
    /// Someone gave another one since the reviewer looked.
    Overtaken,
    /// It is not this reviewer's turn.
    Refused(Refused),
}

/// What became of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It counts no more.
    Done {
        /// The verdict that stands now.
        standing: Option<String>,
        /// How many verdicts and withdrawals there are now.
        revision: i64,
    },
    /// There is no such verdict on this result.
    NoVerdict,
    /// It is somebody else's, or of another session.
    NotHers,
    /// It was withdrawn before.
    Already,
    /// Another reader's was held against it.
    Compared,
}

/// What decides over a verdict beside itself and the result.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How many verdicts and withdrawals its reviewer saw; anything where it is not said.
    pub expected: Option<i64>,
    /// Whether she may decide between two others.
    pub lead: bool,
    /// Whether the result's name puts it into the sample for a second reading.
    pub sampled: bool,
}

/// A result whose row is locked.
#[derive(FromRow)]
struct Held {
    verdicts: i64,
    payload: String,
    second_reading: Option<String>,
}

/// What is copied onto a result of its verdicts.
struct Standing {
    verdict: Option<String>,
    reviewed_at: Option<UnixMs>,
    state: Option<State>,
    first_reader: Option<String>,
}

/// Appends a verdict on a result of these sites, as the reading that it comes to, whatever `verdict` says of that.
///
/// # Errors
/// [`StoreError::Query`]; [`StoreError::Content`] for rows that this program did not write.
pub async fn give(
    connection: &mut Connection,
    sites: &Sites,
    verdict: &VerdictRow,
    terms: Terms,
) -> Result<Given, StoreError> {
    let Some(held) = hold(connection, sites, &verdict.result, terms.expected, 1).await? else {
        let known = is_seen(connection, sites, &verdict.result).await?;
        return Ok(if known { Given::Overtaken } else { Given::NoResult });
    };
    let given = of_result(connection, &verdict.result).await?;
    let taken = match take(&held, &given, verdict, terms)? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Given::Refused(refused)),
    };
    append(connection, verdict, taken.reading).await?;
    let settled = taken.state != Some(State::Discordant);
    let earlier = standing(&given).last().map(|one| one.given_at);
    let now = Standing {
        verdict: settled.then(|| verdict.verdict.clone()),
        reviewed_at: settled.then(|| earlier.unwrap_or(verdict.given_at)),
        state: taken.state,
        first_reader: match taken.reading {
            Reading::First => Some(verdict.reviewer.clone()),
            Reading::Second | Reading::Adjudication => first_of(&given).map(|first| first.reviewer.clone()),
        },
    };
    stands(connection, &verdict.result, now, &held.payload).await?;
    Ok(Given::Stored { revision: held.verdicts, taken })
}

fn take(
    held: &Held,
    given: &[VerdictRow],
    verdict: &VerdictRow,
    terms: Terms,
) -> Result<Result<Taken, Refused>, StoreError> {
    let opinion = |name: &str| Opinion::from_name(name).ok_or(StoreError::Content { what: "verdict" });
    let first = first_of(given).map(|one| Ok((one.reviewer.as_str(), opinion(&one.verdict)?))).transpose()?;
    let reviewers: Vec<&str> = given.iter().map(|one| one.reviewer.as_str()).collect();
    let before = Before { state: held.state()?, sampled: terms.sampled, first, reviewers: &reviewers };
    let giver = Giver { username: &verdict.reviewer, lead: terms.lead };
    Ok(second_reading::take(&before, giver, opinion(&verdict.verdict)?))
}

/// Those that were not withdrawn, newest first.
fn standing(given: &[VerdictRow]) -> impl DoubleEndedIterator<Item = &VerdictRow> {
    given.iter().filter(|one| one.withdrawn_at.is_none())
}

/// The first reader's, where it stands.
fn first_of(given: &[VerdictRow]) -> Option<&VerdictRow> {
    standing(given).find(|one| one.reading == Reading::First.as_str())
}

impl Held {
    fn state(&self) -> Result<Option<State>, StoreError> {
        let read = |name: &String| State::from_name(name).ok_or(StoreError::Content { what: "second reading" });
        self.second_reading.as_ref().map(read).transpose()
    }
}

async fn append(connection: &mut Connection, verdict: &VerdictRow, reading: Reading) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO verdicts (id, result, reviewer, verdict, finding, reason, note, region, given_in, given_at, reading)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(verdict.id.clone())
    .bind(verdict.result.clone())
    .bind(verdict.reviewer.clone())
    .bind(verdict.verdict.clone())
    .bind(verdict.finding.clone())
    .bind(verdict.reason.clone())
    .bind(verdict.note.clone())
    .bind(verdict.region.clone())
    .bind(verdict.given_in.clone())
    .bind(verdict.given_at)
    .bind(reading.as_str())
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("append a verdict"))
}

/// Takes back this reviewer's verdict `id` on `result`, given in `session`. The latest of the others stands again; without
/// one the result is as urgent as it was.
///
/// # Errors
/// [`StoreError::Query`]; [`StoreError::Content`] for a result that this program did not write.
pub async fn withdraw(
    connection: &mut Connection,
    id: &str,
    result: &str,
    by: (&str, &str),
    at: UnixMs,
) -> Result<Withdrawn, StoreError> {
    let Some(held) = hold(connection, &Sites::All, result, None, 1).await? else { return Ok(Withdrawn::NoVerdict) };
    let given = of_result(connection, result).await?;
    let Some(verdict) = given.iter().find(|one| one.id == id) else { return Ok(Withdrawn::NoVerdict) };
    if verdict.reviewer != by.0 || verdict.given_in.as_deref() != Some(by.1) {
        return Ok(Withdrawn::NotHers);
    }
    if verdict.withdrawn_at.is_some() {
        return Ok(Withdrawn::Already);
    }
    let (state, reading) = (held.state()?, Reading::from_name(&verdict.reading));
    if !reading.is_some_and(|reading| second_reading::can_withdraw(state, reading)) {
        return Ok(Withdrawn::Compared);
    }
    sqlx::query("INSERT INTO withdrawals (verdict, withdrawn_at) VALUES ($1, $2)")
        .bind(id.to_owned())
        .bind(at)
        .execute(&mut *connection)
        .await
        .map_err(failed("append a withdrawal"))?;
    // Newest first: the last of them was the first.
    let left: Vec<&VerdictRow> = standing(&given).filter(|one| one.id != id).collect();
    let now = Standing {
        verdict: left.first().map(|one| one.verdict.clone()),
        reviewed_at: left.last().map(|one| one.given_at),
        state,
        first_reader: left.first().map(|one| one.reviewer.clone()),
    };
    let done = Withdrawn::Done { standing: now.verdict.clone(), revision: held.verdicts };
    stands(connection, result, now, &held.payload).await?;
    Ok(done)
}

/// Asks for a second reading of a result of these sites. How far it is then, and whether this asked for it; nothing where there
/// is no such result.
///
/// # Errors
/// [`StoreError::Query`]; [`StoreError::Content`] for rows that this program did not write.
pub async fn request_second(
    connection: &mut Connection,
    sites: &Sites,
    result: &str,
) -> Result<Option<(State, bool)>, StoreError> {
    let Some(held) = hold(connection, sites, result, None, 0).await? else { return Ok(None) };
    let given = of_result(connection, result).await?;
    let first = first_of(&given);
    let state = held.state()?;
    let Some(asked) = second_reading::requested(state, first.is_some()) else {
        return Ok(state.map(|state| (state, false)));
    };
    sqlx::query("UPDATE results SET second_reading = $2, first_reader = $3 WHERE id = $1")
        .bind(result.to_owned())
        .bind(asked.as_str())
        .bind(first.map(|one| one.reviewer.clone()))
        .execute(connection)
        .await
        .map_err(failed("ask for a second reading"))?;
    Ok(Some((asked, true)))
}

/// Copies what stands onto the result. Where nothing does, it is as urgent as it was.
async fn stands(connection: &mut Connection, result: &str, now: Standing, payload: &str) -> Result<(), StoreError> {
    let sent = serde_json::from_str(payload).map_err(|_| StoreError::Content { what: "result" })?;
    let urgency = if now.verdict.is_some() { NOT_URGENT } else { result::urgency(&sent) };
    sqlx::query(
        "UPDATE results SET verdict = $2, urgency = $3, reviewed_at = $4, second_reading = $5, first_reader = $6
         WHERE id = $1",
    )
    .bind(result.to_owned())
    .bind(now.verdict)
    .bind(urgency)
    .bind(now.reviewed_at)
    .bind(now.state.map(|state| state.as_str().to_owned()))
    .bind(now.first_reader)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("note what stands on a result"))
}

/// A result's verdicts, newest first, within a transaction that has seen that the person may.
async fn of_result(connection: &mut Connection, result: &str) -> Result<Vec<VerdictRow>, StoreError> {
    sqlx::query_as(AssertSqlSafe(of_result_text("1 = 1")))
        .bind(result.to_owned())
        .fetch_all(connection)
        .await
        .map_err(failed("read verdicts"))
}

fn of_result_text(condition: &str) -> String {
    format!(
        "SELECT verdicts.id, verdicts.result, verdicts.reviewer, verdicts.verdict, verdicts.finding, verdicts.reason,
             verdicts.note, verdicts.region, verdicts.reading, verdicts.given_in, verdicts.given_at, withdrawals.withdrawn_at
         FROM verdicts JOIN results ON results.id = verdicts.result
         LEFT JOIN withdrawals ON withdrawals.verdict = verdicts.id
         WHERE verdicts.result = $1 AND {condition} ORDER BY verdicts.given_at DESC, verdicts.id DESC"
    )
}

/// Locks a result of these sites and counts so many changes of its verdicts more; nothing where it is not there, or not as expected. Whoever gives or
/// takes back another verdict meanwhile waits for this one.
async fn hold(
    connection: &mut Connection,
    sites: &Sites,
    result: &str,
    expected: Option<i64>,
    changes: i64,
) -> Result<Option<Held>, StoreError> {
    let text = format!(
        "UPDATE results SET verdicts = verdicts + $3 WHERE id = $1 AND ($2 IS NULL OR verdicts = $2) AND {}
         RETURNING verdicts, payload, second_reading",
        within(sites, "results.site", 4)
    );
    let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(result.to_owned()).bind(expected).bind(changes);
    for site in bound(sites) {
        query = query.bind(site);
    }
    query.fetch_optional(connection).await.map_err(failed("hold a result"))
}

async fn is_seen(connection: &mut Connection, sites: &Sites, result: &str) -> Result<bool, StoreError> {
    let text = format!("SELECT id FROM results WHERE id = $1 AND {}", within(sites, "results.site", 2));
    let mut query = sqlx::query_as::<_, (String,)>(AssertSqlSafe(text)).bind(result.to_owned());
    for site in bound(sites) {
        query = query.bind(site);
    }
    Ok(query.fetch_optional(connection).await.map_err(failed("look up a result"))?.is_some())
}

impl Store {
    /// The result that a verdict is on, where it is of these sites.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn result_of_verdict(&self, sites: &Sites, verdict: Uuid) -> Result<Option<String>, StoreError> {
        let text = format!(
            "SELECT verdicts.result FROM verdicts JOIN results ON results.id = verdicts.result
             WHERE verdicts.id = $1 AND {}",
            within(sites, "results.site", 2)
        );
        let mut query = sqlx::query_as::<_, (String,)>(AssertSqlSafe(text)).bind(verdict.to_string());
        for site in bound(sites) {
            query = query.bind(site);
        }
        let row = query.fetch_optional(&self.pool).await.map_err(failed("look up a verdict's result"))?;
        Ok(row.map(|(result,)| result))
    }

    /// A result's verdicts, newest first.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verdicts(&self, sites: &Sites, result: Uuid) -> Result<Vec<VerdictRow>, StoreError> {
        let text = of_result_text(&within(sites, "results.site", 2));
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(result.to_string());
        for site in bound(sites) {
            query = query.bind(site);
        }
        query.fetch_all(&self.pool).await.map_err(failed("read verdicts"))
    }
}
