//! The audit trail, to be read.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::extract::Query;
use super::guard::Person;
use super::problem::Problem;
use super::{Api, cursor, view};
use crate::store::StoreError;
use crate::store::audit::AuditRow;

/// Which part of the trail.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Entries on this page, 1 to 200; 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One entry.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Entry {
    /// Its place, from 1.
    id: i64,
    /// When; RFC 3339, milliseconds, UTC.
    at: String,
    /// Who.
    actor: String,
    /// What, such as `verdict.given`.
    action: String,
    /// To what.
    subject: String,
    /// A few words more.
    detail: String,
    /// SHA-256 over the entry before and this one.
    hash: String,
}

/// A page of the trail.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Trail {
    /// Newest first.
    items: Vec<Entry>,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
}

/// Read who did what, without what is about another site's result or device.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", params(Wanted),
    responses((status = 200, description = "A page", body = Trail))
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Trail>, Problem> {
    let limit = cursor::limit(wanted.limit)?;
    let before = wanted.cursor.as_deref().map(cursor::entry).transpose()?;
    // One more than asked for tells whether there is a next page: who sees one site alone finds gaps in the numbers.
    let mut rows = api.store.audit_page(&person.sites, before, limit + 1).await?;
    let whole = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > whole;
    rows.truncate(whole);
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor::after_entry(row.sequence));
    let items = rows.into_iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Json(Trail { items, next_cursor }))
}

fn entry(row: AuditRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: row.sequence,
        at: view::instant(row.at)?,
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        detail: row.detail,
        hash: row.hash,
    })
}
