//! A gateway that is asked to stop while it is in use: what it took is answered and kept, and it leaves in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway::auth::roles::Role;
use serde_json::{Value, json};
use wire::topics::Up;

use super::broker::PATIENCE;
use super::events;
use super::ingest::{Chain, id};
use super::replicas::{self, Program};
use super::samples::read;
use super::world::{Client, PASSWORD, free_port};

/// Where the steps stand in the log, in their order.
const STEPS: [&str; 4] = [
    "stopping: no more requests are taken, and streams have ended",
    "stopping: what was asked is answered",
    "stopping: the broker is left",
    "stopped",
];

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Gives verdicts until nobody listens any more; how many were answered as given.
fn judge(client: &Client, path: &str, busy: &AtomicBool) -> usize {
    let mut given = 0;
    // An error is a connection that was refused, or closed before anything was answered on it.
    while let Ok(answer) = client.try_post(path, &json!({ "verdict": "agree" })) {
        assert_eq!(answer.status, 201, "an answer that was begun is whole");
        assert!(answer.json()["id"].is_string());
        given += 1;
        busy.store(true, Ordering::Relaxed);
    }
    given
}

#[test]
fn a_gateway_that_is_asked_to_stop_under_load_answers_what_it_took_and_leaves_in_order() {
    let chain = Chain::start();
    let world = &chain.world;
    world.add_user("ada", Role::Reviewer);
    let mut device = chain.device("demo-1");
    let result = world.add_result(100, &read(0.9, 0)).to_string();
    // A second gateway, a process of its own on the same database and broker, is the one that stops.
    let port = free_port();
    std::fs::write(world.folder.path().join("redis.password"), "none").unwrap();
    let mut second: Program = replicas::gateway(world, port, free_port(), 0);
    let mut client = Client::new(([127, 0, 0, 1], port).into());
    let report = |client: &Client| client.try_get("/health/ready").map(|answer| answer.json()).unwrap_or(Value::Null);
    until("the second gateway takes messages", || report(&client)["parts"]["broker"] == "ok");
    assert_eq!(client.login("ada", PASSWORD).status, 200);
    let stream = events::listening(&client);
    let (path, busy) = (format!("/api/v1/results/{result}/verdicts"), AtomicBool::new(false));
    let given: usize = std::thread::scope(|scope| {
        let judges: Vec<_> = (0..4).map(|_| scope.spawn(|| judge(&client, &path, &busy))).collect();
        until("verdicts are being given", || busy.load(Ordering::Relaxed));
        for number in 1..=20 {
            chain.run(device.send(Up::Result, id(number), &read(0.5, 0)));
        }
        second.terminate();
        judges.into_iter().map(|judge| judge.join().unwrap()).sum()
    });
    assert_eq!(stream.until("end").data, json!({ "why": "stopping" }));
    assert!(second.wait().success());
    let count = |sql: &'static str| -> i64 {
        let row: (i64,) = chain.run(sqlx::query_as(sql).fetch_one(world.store.pool())).unwrap();
        row.0
    };
    let kept = usize::try_from(count("SELECT COUNT(*) FROM verdicts")).unwrap();
    assert!(given <= kept && kept <= given + 4, "{given} were answered, {kept} are kept");
    // Between the two gateways each message was stored once and receipted, whoever took it.
    for _ in 1..=20 {
        chain.run(device.receipt());
    }
    assert_eq!(count("SELECT COUNT(*) FROM messages"), 20);
    let log = std::fs::read_to_string(replicas::log(world, port)).unwrap();
    let places: Vec<_> = STEPS.map(|step| log.find(&format!("\"message\":\"{step}\""))).into_iter().collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{log}");
}
