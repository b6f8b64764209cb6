//! The stream of what changes (server-sent events, HTML standard section 9.2), for as long as the session lasts. It tells
//! each person of what he may read, at the sites that he sees, and never what it says.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior};

use super::Api;
use super::guard::Person;
use super::problem::Problem;
use crate::auth::token::Alive;
use crate::domain::when;
use crate::live::place::Place;
use crate::live::{Event, Heard, Kind, Message, Watch};

/// Streams at the same time: each holds a connection and some kilobytes. More than the reading rooms of a group of hospitals,
/// and half of the 1,024 files that a process may often have open.
pub const MAX_STREAMS: usize = 500;

/// How often a silent stream shows that it lives, and the session is looked at again: well under the 60 s after which
/// proxies give a connection up.
const LOOK: Duration = Duration::from_secs(15);

/// How long a browser waits before it comes back: long enough that a restart is over.
const RETRY: Duration = Duration::from_secs(2);

/// What a stream tells of one change.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Change<'a> {
    /// Of what kind of thing.
    kind: Kind,
    /// The result's or the device's name.
    subject: &'a str,
    /// At which site.
    site: &'a str,
    /// Whether this very account changed it.
    own: bool,
}

/// Hear what changes, for as long as the session lasts.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last id that was heard; what came after it is told again")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String, description = "Events: `change` with a Change; `resync` where \
            changes may have been missed, so that everything is to be read again; `reach` with {\"whole\": bool}, whether changes at other \
            replicas are heard; `end` with {\"why\": \"session_over\" | \"stopping\"}"),
        (status = 503, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn stream(
    State(api): State<Arc<Api>>,
    Extension(person): Extension<Person>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seat = api.seats.clone().try_acquire_owned().map_err(|_| Problem::too_many_streams())?;
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()).and_then(Place::read);
    let watch = api.live.watch(last.as_ref());
    let mut look = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let viewer = Viewer { api, person, watch, look, is_over: false, _seat: seat };
    let events = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    // Asks nginx, which would otherwise wait for more, to pass each event on.
    let at_once = [("x-accel-buffering", "no")];
    Ok((at_once, Sse::new(events).keep_alive(KeepAlive::new().interval(LOOK))).into_response())
}

/// One person at one stream.
struct Viewer {
    api: Arc<Api>,
    person: Person,
    watch: Watch,
    look: Interval,
    is_over: bool,
    _seat: OwnedSemaphorePermit,
}

impl Viewer {
    async fn next(&mut self) -> Option<sse::Event> {
        while !self.is_over {
            let heard = tokio::select! {
                biased;
                _ = self.look.tick() => match self.may_stay().await {
                    true => continue,
                    false => return Some(self.end("session_over")),
                },
                heard = self.watch.next() => heard,
            };
            if let Some(event) = self.tell(heard) {
                return Some(event);
            }
        }
        None
    }

    /// Looks at the session again, without using it: a page that is merely open keeps nobody signed in. What the account
    /// may see counts from now on. Where the database can't say, the stream ends, and the page asks anew.
    async fn may_stay(&mut self) -> bool {
        let Ok(token) = self.person.signed_in().map(|signed_in| signed_in.token.clone()) else { return false };
        let session = self.api.store.session(&token.hash(), Alive::at(when::now())).await;
        let Ok(Some(session)) = session else { return false };
        let Ok(person) = Person::of(session, token, &self.api.auth) else { return false };
        self.person = person;
        true
    }

    fn tell(&mut self, heard: Heard) -> Option<sse::Event> {
        match heard {
            Heard::Message(place, Message::Changed(event)) => {
                self.is_for_this_person(&event).then(|| self.change(&place, &event))
            }
            Heard::Message(place, Message::Missed) => Some(resync().id(place.to_string())),
            Heard::Message(_, Message::SessionOver { session }) => {
                let own = self.person.signed_in().is_ok_and(|signed_in| signed_in.token.hash() == session);
                own.then(|| self.end("session_over"))
            }
            Heard::Lost(None) => Some(resync()),
            Heard::Lost(Some(place)) => Some(resync().id(place.to_string())),
            Heard::Whole(whole) => Some(event("reach", &serde_json::json!({ "whole": whole })).retry(RETRY)),
            Heard::Closed => Some(self.end("stopping")),
        }
    }

    fn is_for_this_person(&self, event: &Event) -> bool {
        self.person.may(event.kind.act()) && self.person.sites.include(&event.site)
    }

    fn change(&self, place: &Place, changed: &Event) -> sse::Event {
        let own = changed.by.as_ref() == Some(&self.person.username);
        let change = Change { kind: changed.kind, subject: &changed.subject, site: &changed.site, own };
        event("change", &change).id(place.to_string())
    }

    fn end(&mut self, why: &str) -> sse::Event {
        self.is_over = true;
        event("end", &serde_json::json!({ "why": why }))
    }
}

fn resync() -> sse::Event {
    event("resync", &serde_json::json!({}))
}

/// As one line of JSON, which has no line breaks that the form could trip over.
fn event(name: &str, data: &impl Serialize) -> sse::Event {
    sse::Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
