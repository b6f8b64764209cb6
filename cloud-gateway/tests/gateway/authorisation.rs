//! Every route against every role: what the table says is what a stranger, a role and a forger get.

use gateway::api::guard::{GATES, Gate};
use gateway::auth::roles::Role;
use serde_json::json;

use super::samples::read;
use super::world::{Answer, Client, World};

fn ask(client: &Client, method: &str, path: &str) -> Answer {
    match method {
        "GET" => client.get(path),
        "DELETE" => client.delete(path),
        "POST" => client.post(path, &json!({ "verdict": "agree" })),
        other => panic!("the table has a method that this test does not know: {other}"),
    }
}

#[test]
fn the_table_is_what_happens() {
    let world = World::without_broker();
    world.add_device("demo-1", "00");
    let id = world.add_result(1, &read(0.9, 0)).to_string();
    for (line, (method, route, gate)) in GATES.iter().enumerate() {
        let Gate::Needs(act) = gate else { continue };
        let path = route.replace("{id}", &id);
        let stranger = ask(&world.stranger(), method.as_str(), &path);
        assert_eq!(stranger.status, 401, "{method} {route} let a stranger in");
        for role in Role::ALL {
            let name = format!("{}-{line}", role.as_str());
            let client = world.client(&name, role);
            let status = ask(&client, method.as_str(), &path).status;
            // 404 is an answer: there is no image here.
            let passed = matches!(status, 200 | 201 | 204 | 404);
            assert_eq!(passed, role.may(*act), "{method} {route} answered {status} to the {}", role.as_str());
            assert!(passed || status == 403, "{method} {route} answered {status}");
        }
    }
}

#[test]
fn an_idle_session_is_over() {
    let world = World::without_broker();
    let client = world.client("ada", Role::Reviewer);
    assert_eq!(client.get("/api/v1/session").status, 200);
    let age = "UPDATE sessions SET last_used_at = last_used_at - 1800001";
    world.runtime.block_on(sqlx::query(age).execute(world.store.pool())).unwrap();
    assert_eq!(client.get("/api/v1/session").status, 401);
}

#[test]
fn use_keeps_a_session_alive() {
    let world = World::without_broker();
    let client = world.client("ada", Role::Reviewer);
    let age = "UPDATE sessions SET last_used_at = last_used_at - 1700000";
    for _ in 0..2 {
        world.runtime.block_on(sqlx::query(age).execute(world.store.pool())).unwrap();
        assert_eq!(client.get("/api/v1/session").status, 200);
    }
}

#[test]
fn a_copy_of_the_database_opens_no_session() {
    let world = World::without_broker();
    let _client = world.client("ada", Role::Reviewer);
    let query = sqlx::query_as("SELECT token_hash, username FROM sessions");
    let row: (String, String) = world.runtime.block_on(query.fetch_one(world.store.pool())).unwrap();
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let address = format!("http://{}/api/v1/session", world.address());
    let answer = agent.get(&address).header("cookie", format!("hilum_session={}", row.0)).call().unwrap();
    assert_eq!(answer.status().as_u16(), 401);
}
