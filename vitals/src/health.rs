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

/// `None`: well; `Some`: a sentence that says what is wrong.
type Condition = Option<String>;

/// What `/health/ready` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ready` or `not ready`.
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

    /// True when every part is well.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(Option::is_none)
    }

    /// Each part's state in words.
    #[must_use]
    pub fn report(&self) -> Report {
        let parts = self.lock();
        let ready = parts.values().all(Option::is_none);
        let words = |state: &Condition| state.clone().unwrap_or_else(|| "ok".to_owned());
        Report {
            status: if ready { "ready" } else { "not ready" },
            parts: parts.iter().map(|(name, state)| (*name, words(state))).collect(),
        }
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

impl Part {
    /// The part is well.
    pub fn up(&self) {
        self.set(None);
    }

    /// The part is not well; `reason` says why and what to do, and nothing about a patient.
    pub fn down(&self, reason: &str) {
        self.set(Some(reason.to_owned()));
    }

    fn set(&self, state: Condition) {
        let before = self.health.lock().insert(self.name, state.clone());
        match (before, state) {
            (Some(before), state) if before == state => {}
            (Some(Some(_)), None) => tracing::info!(part = self.name, "well again"),
            (Some(_), Some(reason)) => tracing::warn!(part = self.name, reason, "not well"),
            // Nothing is well before it was started.
            (None, Some(reason)) => tracing::debug!(part = self.name, reason, "not well yet"),
            (_, None) => {}
        }
    }
}

async fn ready(State(health): State<Health>) -> Response {
    let report = health.report();
    let status = if report.status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
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
}
