//! What a page hears of changes while it is open: what its person may read, at her sites, until her session is over.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, channel};

use gateway::auth::roles::Role;
use gateway::live::{Event, Kind};
use serde_json::{Value, json};
use wire::topics::Up;
use wire::v1::TelemetryV1;

use super::broker::PATIENCE;
use super::ingest::{Chain, id};
use super::samples::{self, read};
use super::world::{Client, World};

/// One event of a stream.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub name: String,
    pub id: String,
    pub data: Value,
}

/// An open stream.
pub struct Stream(Receiver<Told>);

impl Stream {
    /// Listens, and is told first how far the gateway hears.
    pub fn open(client: &Client, last: &str) -> Self {
        let response = client.open("/api/v1/events", ("last-event-id", last));
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut event = Told { name: String::new(), id: String::new(), data: Value::Null };
            for line in BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok) {
                match line.split_once(": ") {
                    Some(("event", name)) => event.name = name.to_owned(),
                    Some(("id", id)) => event.id = id.to_owned(),
                    Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                    // A comment or the time to wait.
                    Some(_) => {}
                    None if line.is_empty() && !event.name.is_empty() => {
                        let whole = std::mem::replace(
                            &mut event,
                            Told { name: String::new(), id: String::new(), data: Value::Null },
                        );
                        if tell.send(whole).is_err() {
                            return;
                        }
                    }
                    None => {}
                }
            }
        });
        Self(told)
    }

    /// The next event.
    pub fn next(&self) -> Told {
        self.0.recv_timeout(PATIENCE).expect("an event")
    }

    /// The next event of this name; what comes before it is passed over.
    pub fn until(&self, name: &str) -> Told {
        loop {
            let told = self.next();
            if told.name == name {
                return told;
            }
        }
    }

    /// The next change, and nothing else before it.
    pub fn change(&self) -> (String, String) {
        let told = self.next();
        assert_eq!(told.name, "change", "{told:?}");
        let text = |key: &str| told.data[key].as_str().unwrap().to_owned();
        (text("kind"), text("subject"))
    }

    /// Whether it has ended, with nothing more told.
    pub fn has_ended(&self) -> bool {
        self.0.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
    }
}

/// A new stream, past its beginning.
pub fn listening(client: &Client) -> Stream {
    let stream = Stream::open(client, "");
    assert_eq!((stream.next().name.as_str(), stream.next().name.as_str()), ("reach", "resync"));
    stream
}

#[test]
fn a_verdict_is_heard_by_who_may_read_it_and_its_giver_knows_it_as_her_own() {
    let world = World::without_broker();
    world.add_device_at("demo-1", "st-mary");
    let result = world.add_result(1, &read(0.9, 0)).to_string();
    let ada = world.client("ada", Role::Reviewer);
    let others = [
        ("bob", Role::Reviewer, "st-mary", true),
        ("eve", Role::Reviewer, "st-john", false),
        ("fay", Role::FleetOperator, "st-mary", false),
    ]
    .map(|(name, role, site, hears)| (listening(&world.client_at(name, role, &[site])), hears));
    let own = listening(&ada);
    let given =
        ada.post(&format!("/api/v1/results/{result}/verdicts"), &json!({ "verdict": "agree", "note": "a secret" }));
    assert_eq!(given.status, 201);
    let told = own.next();
    assert_eq!(told.data, json!({ "kind": "verdict", "subject": result, "site": "st-mary", "own": true }));
    for (stream, hears) in others {
        // What follows shows that nothing came before it.
        world.live().announce(Event::new(Kind::Device, "demo-1", "st-mary"));
        world.live().announce(Event::new(Kind::Device, "demo-2", "st-john"));
        let first = stream.next();
        assert_eq!(first.data["kind"] == "verdict", hears, "{first:?}");
        assert_eq!(first.data["own"], false);
    }
}

#[test]
fn what_a_device_sends_is_heard_once_it_is_stored() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    let stream = listening(&chain.world.client("ada", Role::Reviewer));
    let name = |number| gateway::domain::result::id(&"demo-1".parse().unwrap(), id(number)).to_string();
    for _ in 0..2 {
        chain.run(device.send(Up::Result, id(1), &read(0.9, 0)));
        chain.run(device.receipt());
    }
    chain.run(device.send(Up::Image, id(2), &samples::image(id(1))));
    chain.run(device.receipt());
    chain.run(device.send(Up::Telemetry, id(3), &TelemetryV1::default()));
    assert_eq!(stream.change(), ("result".into(), name(1)));
    // The second copy changed nothing.
    assert_eq!(stream.change(), ("image".into(), name(1)));
    assert_eq!(stream.change(), ("device".into(), "demo-1".into()));
}

#[test]
fn who_comes_back_hears_what_came_meanwhile_or_that_it_is_not_known() {
    let world = World::without_broker();
    let ada = world.client("ada", Role::Reviewer);
    let change = |name: &str| world.live().announce(Event::new(Kind::Device, name, "st-mary"));
    let stream = listening(&ada);
    change("a");
    let last = stream.next().id;
    drop(stream);
    change("b");
    let stream = Stream::open(&ada, &last);
    assert_eq!(stream.next().data, json!({ "whole": true }));
    assert_eq!(stream.change(), ("device".into(), "b".into()));
    for unknown in ["0000000000000000-1", "nonsense"] {
        let stream = Stream::open(&ada, unknown);
        assert_eq!((stream.next().name.as_str(), stream.next().name.as_str()), ("reach", "resync"), "{unknown}");
    }
}

#[test]
fn a_stream_ends_with_its_session_and_keeps_it_no_longer_alive() {
    let mut world = World::without_broker();
    let (ada, bob) = (world.client("ada", Role::Reviewer), world.client("bob", Role::Reviewer));
    let (leaving, idle) = (listening(&ada), listening(&bob));
    assert_eq!(ada.delete("/api/v1/session").status, 204);
    assert_eq!(leaving.next().data, json!({ "why": "session_over" }));
    assert!(leaving.has_ended());
    let age = "UPDATE sessions SET last_used_at = last_used_at - 1700000";
    world.runtime.block_on(sqlx::query(age).execute(world.store.pool())).unwrap();
    // A page that asks by itself is answered, and so is one that listens; neither counts as use.
    drop(listening(&bob));
    assert_eq!(bob.get_with("/api/v1/session", ("x-hilum-unattended", "1")).status, 200);
    let query = sqlx::query_as("SELECT COUNT(*) FROM sessions WHERE last_used_at < $1");
    let recent = gateway::domain::when::now() - 1_000_000;
    let (unused,): (i64,) = world.runtime.block_on(query.bind(recent).fetch_one(world.store.pool())).unwrap();
    assert_eq!(unused, 1);
    let age = "UPDATE sessions SET last_used_at = last_used_at - 100001";
    world.runtime.block_on(sqlx::query(age).execute(world.store.pool())).unwrap();
    assert_eq!(idle.next().data, json!({ "why": "session_over" }));
    assert!(idle.has_ended());
    assert_eq!(bob.get("/api/v1/events").status, 401);
    let carol = listening(&world.client("carol", Role::Reviewer));
    world.stop();
    assert_eq!(carol.next().data, json!({ "why": "stopping" }));
    assert!(carol.has_ended());
}
