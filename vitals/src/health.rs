//! Whether a service is well, part by part, and what is wrong where it is not. It never decides what is healthy: each
//! part's owner says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

/// The parts of one service. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Condition>>>,
}

/// One part, in its owner's hands.
#[derive(Clone, Debug)]
pub struct Part {
    health: Health,
    name: &'static str,
}

/// How a part is, with a sentence that says what is wrong where it is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Well,
    /// The service goes on without it, less well.
    Degraded(String),
    /// The service can't do its work.
    Down(String),
}

/// What `/health/ready` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ready`, `degraded` (ready, but less good than it should be) or `not ready`.
    pub status: &'static str,
    /// Each part: `ok`, or what is wrong and what to do.
    pub parts: BTreeMap<&'static str, String>,
}

impl Health {
    /// Adds a part that is not well yet, for the given reason.
    #[must_use]
    pub fn part(&self, name: &'static str, reason: &str) -> Part {
        let part = Part { health: self.clone(), name };
        part.down(reason);
        part
    }

    /// True when no part is down.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.lock().values().any(|state| matches!(state, Condition::Down(_)))
    }

    /// Each part's state in words.
    #[must_use]
    pub fn report(&self) -> Report {
        let parts = self.lock();
        let down = parts.values().any(|state| matches!(state, Condition::Down(_)));
        let degraded = parts.values().any(|state| matches!(state, Condition::Degraded(_)));
        let status = match (down, degraded) {
            (true, _) => "not ready",
            (false, true) => "degraded",
            (false, false) => "ready",
        };
        Report { status, parts: parts.iter().map(|(name, state)| (*name, state.words())).collect() }
    }

    /// `/health/live`, `/health/ready` and `/metrics`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self, metrics: PrometheusHandle) -> Router<S> {
        Router::new()
            .route("/health/live", get(|| async { Json(serde_json::json!({ "status": "live" })) }))
            .route("/health/ready", get(ready).with_state(self.clone()))
            .route("/metrics", get(exposition).with_state(metrics))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Condition>> {
        // A map of words has no invariant that a panic could break.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    fn words(&self) -> String {
        match self {
            Self::Well => "ok".to_owned(),
            Self::Degraded(reason) | Self::Down(reason) => reason.clone(),
        }
    }
}

impl Part {
    /// The part is well.
    pub fn up(&self) {
        self.set(Condition::Well);
    }

    /// The part is not well, and the service goes on without it; `reason` says what is lost and what to do.
    pub fn degraded(&self, reason: &str) {
        self.set(Condition::Degraded(reason.to_owned()));
    }

    /// The part is not well; `reason` says why and what to do, and nothing about a patient.
    pub fn down(&self, reason: &str) {
        self.set(Condition::Down(reason.to_owned()));
    }

    fn set(&self, state: Condition) {
        let before = self.health.lock().insert(self.name, state.clone());
        match (before, state) {
            (Some(before), state) if before == state => {}
            (None | Some(Condition::Well), Condition::Well) => {}
            (Some(_), Condition::Well) => tracing::info!(part = self.name, "well again"),
            // Nothing is well before it was started.
            (None, state) => tracing::debug!(part = self.name, reason = state.words(), "not well yet"),
            (Some(_), state) => tracing::warn!(part = self.name, reason = state.words(), "not well"),
        }
    }
}

async fn ready(State(health): State<Health>) -> Response {
    let report = health.report();
    let status = if report.status == "not ready" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(report)).into_response()
}

async fn exposition(State(metrics): State<PrometheusHandle>) -> Response {
    // Version 0.0.4 is the text format's; Prometheus asks for it by name.
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_that_is_not_well_is_enough_and_is_named() {
        let health = Health::default();
        let (database, broker) =
            (health.part("database", "not opened yet"), health.part("broker", "not connected yet"));
        assert!(!health.is_ready());
        database.up();
        let report = health.report();
        assert_eq!(report.status, "not ready");
        assert_eq!(report.parts["database"], "ok");
        assert_eq!(report.parts["broker"], "not connected yet");
        broker.up();
        assert!(health.is_ready());
        broker.down("the broker closed the connection");
        assert_eq!(health.report().parts["broker"], "the broker closed the connection");
    }

    #[test]
    fn what_is_degraded_is_named_and_keeps_nobody_out() {
        let health = Health::default();
        let (database, redis) = (health.part("database", "not opened yet"), health.part("redis", "not asked yet"));
        redis.degraded("each replica counts by itself");
        assert_eq!(health.report().status, "not ready", "the database is still down");
        database.up();
        assert!(health.is_ready());
        assert_eq!(health.report().status, "degraded");
        assert_eq!(health.report().parts["redis"], "each replica counts by itself");
        redis.up();
        assert_eq!(health.report().status, "ready");
    }
}
