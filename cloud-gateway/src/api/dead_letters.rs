//! The messages that were not stored, and what becomes of each, to be read.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::extract::Query;
use super::guard::Person;
use super::problem::Problem;
use super::{Api, cursor, view};
use crate::ingest::judge::Refusal;
use crate::store::StoreError;
use crate::store::refusals::DeadLetterRow;

/// Which part of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Entries on this page, 1 to 200; 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was sent again, and stored.
    StoredSince,
    /// Its device keeps it and goes on sending it.
    SentAgain,
    /// Its device was told that it can't be true, keeps it apart and sends it no more.
    GivenUp,
    /// There is no message to be sent again: somebody or something was not let in.
    NoMessage,
}

/// One refusal, however often it came.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeadLetter {
    /// The same for each repetition.
    id: String,
    /// Whose topic it came on, or whose certificate was shown.
    device: Option<String>,
    /// Where that device stands.
    site: Option<String>,
    /// The message's own id.
    message: Option<String>,
    /// Stable, `snake_case`.
    reason: String,
    /// Why, and what to do.
    words: String,
    /// RFC 3339, milliseconds, UTC.
    first_at: String,
    /// When it came last.
    last_at: String,
    /// How often it came.
    times: i64,
    /// What becomes of it.
    fate: Fate,
}

/// A page of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeadLetters {
    /// The latest first.
    items: Vec<DeadLetter>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// List what was refused or could not be stored, the latest first.
#[utoipa::path(
    get, path = "/api/v1/dead-letters", tag = "devices", params(Wanted),
    responses(
        (status = 200, description = "A page, of devices at the sites that you may see", body = DeadLetters),
        (status = 400, description = "A parameter makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<DeadLetters>, Problem> {
    let limit = cursor::limit(wanted.limit)?;
    let after = wanted.cursor.as_deref().map(cursor::letter).transpose()?;
    // One more than asked for tells whether there is a next page.
    let mut rows = api.store.dead_letters(&person.sites, after.as_ref(), limit + 1).await?;
    let whole = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > whole;
    rows.truncate(whole);
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor::after_letter(row.last_at, &row.fingerprint));
    Ok(Json(DeadLetters { items: rows.into_iter().map(letter).collect::<Result<_, _>>()?, next_cursor }))
}

fn letter(row: DeadLetterRow) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        first_at: view::instant(row.first_at)?,
        last_at: view::instant(row.last_at)?,
        fate: fate(row.message.is_some(), row.stored != 0, &row.reason),
        id: row.fingerprint,
        device: row.device,
        site: row.site,
        message: row.message,
        reason: row.reason,
        words: row.words,
        times: row.times,
    })
}

fn fate(is_message: bool, is_stored: bool, reason: &str) -> Fate {
    match (is_message, is_stored) {
        (false, _) => Fate::NoMessage,
        (true, true) => Fate::StoredSince,
        (true, false) if reason == Refusal::Implausible(String::new()).code() => Fate::GivenUp,
        (true, false) => Fate::SentAgain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_final_is_given_up_unless_it_was_stored_after_all() {
        for (is_message, is_stored, reason, expected) in [
            (true, false, "implausible", Fate::GivenUp),
            (true, true, "implausible", Fate::StoredSince),
            (true, false, "unknown_device", Fate::SentAgain),
            (true, true, "not_stored", Fate::StoredSince),
            (false, false, "no_certificate", Fate::NoMessage),
        ] {
            assert_eq!(fate(is_message, is_stored, reason), expected, "{reason}");
        }
        assert!(Refusal::Implausible(String::new()).is_final() && !Refusal::NotStored.is_final());
    }
}
