//! What was asked for under which Idempotency-Key, and what it was answered. It holds hashes of keys and requests, and answers
//! for as long as they are given again.

use sqlx::FromRow;

use super::{Store, StoreError, failed};
use crate::domain::when::UnixMs;

/// How long a key is remembered: a day, as clients that keep what they could not send expect at least.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// One person's key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Whose.
    pub username: String,
    /// SHA-256 of it, hexadecimal.
    pub key_hash: String,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its media type, where it had a body.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: it is this request's now.
    Taken,
    /// It was sent with another request.
    OtherRequest,
    /// Nobody knows yet what becomes of its request.
    Unanswered,
    /// Its request was answered so.
    Answered(Answer),
}

#[derive(FromRow)]
struct Row {
    request: String,
    status: Option<i64>,
    content_type: Option<String>,
    answer: Option<String>,
}

impl Store {
    /// Takes a key for a request, or says what it stands for; those from before `now` less [`KEPT_MS`] are forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_key(&self, key: &Key, request: &str, now: UnixMs) -> Result<Claim, StoreError> {
        sqlx::query("DELETE FROM idempotency_keys WHERE begun_at < $1")
            .bind(now - KEPT_MS)
            .execute(&self.pool)
            .await
            .map_err(failed("forget old idempotency keys"))?;
        let taken = sqlx::query(
            "INSERT INTO idempotency_keys (username, key_hash, request, begun_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(key.username.clone())
        .bind(key.key_hash.clone())
        .bind(request.to_owned())
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(failed("take an idempotency key"))?;
        if taken.rows_affected() == 1 {
            return Ok(Claim::Taken);
        }
        let row: Option<Row> = sqlx::query_as(
            "SELECT request, status, content_type, answer FROM idempotency_keys WHERE username = $1 AND key_hash = $2",
        )
        .bind(key.username.clone())
        .bind(key.key_hash.clone())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("look up an idempotency key"))?;
        // Given back this very moment: the next try finds it free.
        let Some(row) = row else { return Ok(Claim::Unanswered) };
        row.claim(request)
    }

    /// Notes what a request was answered.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn answer_key(&self, key: &Key, answer: &Answer) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE idempotency_keys SET status = $3, content_type = $4, answer = $5
             WHERE username = $1 AND key_hash = $2",
        )
        .bind(key.username.clone())
        .bind(key.key_hash.clone())
        .bind(i64::from(answer.status))
        .bind(answer.content_type.clone())
        .bind(answer.body.clone())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(failed("note the answer to an idempotency key"))
    }

    /// Gives a key back whose request changed nothing.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn free_key(&self, key: &Key) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM idempotency_keys WHERE username = $1 AND key_hash = $2")
            .bind(key.username.clone())
            .bind(key.key_hash.clone())
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed("give an idempotency key back"))
    }
}

impl Row {
    fn claim(self, request: &str) -> Result<Claim, StoreError> {
        if self.request != request {
            return Ok(Claim::OtherRequest);
        }
        let Some(status) = self.status else { return Ok(Claim::Unanswered) };
        let status = u16::try_from(status).map_err(|_| StoreError::Content { what: "status" })?;
        let body = self.answer.unwrap_or_default();
        Ok(Claim::Answered(Answer { status, content_type: self.content_type, body }))
    }
}
