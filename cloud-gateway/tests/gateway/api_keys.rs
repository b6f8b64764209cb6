//! Keys of programs: what they open, where, for how long, and what they never open.

use gateway::api::guard::{GATES, Gate};
use gateway::auth::roles::{Act, Role};
use gateway::auth::sites::Sites;
use gateway::store::api_keys::{self, KeyRow};
use gateway::store::{Store, commit};
use serde_json::{Value, json};

use super::enrolment::{gateway, words, write_config};
use super::samples::read;
use super::store::promise;
use super::world::{Answer, Client, World, fresh_postgres};

const KEYS: &str = "/api/v1/api-keys";

fn with(client: &Client, secret: &str, path: &str) -> Answer {
    client.get_with(path, ("authorization", &format!("Bearer {secret}")))
}

fn make(boss: &Client, acts: &[&str], sites: &Value) -> (String, String) {
    let made = boss.post(KEYS, &json!({ "name": "archive", "acts": acts, "sites": sites, "days": 30 }));
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    (made["secret"].as_str().unwrap().to_owned(), made["key"]["id"].as_str().unwrap().to_owned())
}

promise!(a_key_is_in_force_until_it_ends_or_is_revoked, store, {
    let row = KeyRow {
        id: "one".into(),
        name: "archive".into(),
        acts: vec![Act::ReadResults, Act::ReadAudit],
        sites: Sites::of(Some(["st-john".to_owned(), "st-mary".to_owned()].into())),
        made_by: "boss".into(),
        made_at: 5,
        expires_at: 100,
        last_used_at: None,
        revoked_at: None,
    };
    let other = KeyRow { id: "two".into(), sites: Sites::All, made_at: 4, ..row.clone() };
    let mut work = store.begin().await.unwrap();
    api_keys::add(&mut work, &row, "hash", &["st-mary".into(), "st-john".into()]).await.unwrap();
    api_keys::add(&mut work, &other, "other", &["*".into()]).await.unwrap();
    commit(work).await.unwrap();
    assert_eq!(store.api_keys().await.unwrap(), [row.clone(), other.clone()]);
    assert_eq!(store.api_key("hash", 99).await.unwrap(), Some(row));
    assert_eq!(store.api_key("other", 99).await.unwrap(), Some(other));
    for (hash, now) in [("hash", 100), ("nothing", 5)] {
        assert_eq!(store.api_key(hash, now).await.unwrap(), None, "{hash} {now}");
    }
    store.touch_api_key("one", 50).await.unwrap();
    let mut work = store.begin().await.unwrap();
    for (id, done) in [("one", true), ("one", false), ("three", false)] {
        assert_eq!(api_keys::revoke(&mut work, id, 60).await.unwrap(), done, "{id}");
    }
    commit(work).await.unwrap();
    assert_eq!(store.api_key("hash", 61).await.unwrap(), None);
    let kept = store.api_keys().await.unwrap().remove(0);
    assert_eq!((kept.last_used_at, kept.revoked_at), (Some(50), Some(60)));
});

#[test]
fn a_key_reads_what_its_scopes_and_sites_hold_and_nothing_else() {
    let world = World::without_broker();
    world.add_device_at("demo-1", "st-mary");
    world.add_device_at("demo-2", "st-john");
    let (hers, foreign) = (world.add_result(1, &read(0.9, 0)), world.add_result_of("demo-2", 2, &read(0.9, 0)));
    let boss = world.client("boss", Role::Administrator);
    let program = world.stranger();
    let (secret, id) = make(&boss, &["read_results"], &json!(["st-mary"]));
    assert_eq!(with(&program, &secret, "/api/v1/results").json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(with(&program, &secret, &format!("/api/v1/results/{hers}")).status, 200);
    assert_eq!(with(&program, &secret, &format!("/api/v1/results/{foreign}")).status, 404);
    // With every scope that there is, each route that is not one of them stays shut, and so does each that changes something.
    let (wide, _) = make(&boss, &["read_results", "read_audit", "read_devices", "read_quality"], &Value::Null);
    for (method, path, gate) in GATES.iter().filter(|(_, _, gate)| *gate != Gate::Open) {
        let Gate::Needs(act) = gate else { unreachable!() };
        if method == "GET" && act.is_for_keys() {
            continue;
        }
        let (path, header) = (path.replace(['{', '}'], ""), format!("Bearer {wide}"));
        let answer = program.ask_with(method.as_str(), &path, ("authorization", &header));
        assert_eq!(answer.status, 403, "{method} {path}");
    }
    let read_by = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 50)).unwrap();
    assert!(read_by.iter().any(|row| row.actor == format!("key:{id}") && row.action == "result.viewed"));
    let listed = boss.get(KEYS).json();
    let used = listed["items"].as_array().unwrap().iter().find(|key| key["id"] == *id).unwrap();
    assert!(used["last_used_at"].is_string() && !listed.to_string().contains(&secret), "{listed}");

    assert_eq!(boss.delete(&format!("{KEYS}/{id}")).status, 204);
    assert_eq!(boss.delete(&format!("{KEYS}/{id}")).status, 404);
    assert_eq!(with(&program, &secret, "/api/v1/results").status, 401);
    // Whoever sends a key is who the key is, whatever cookie comes with it.
    assert_eq!(with(&boss, &secret, "/api/v1/results").status, 401);
    let hashes = sqlx::query_as("SELECT key_hash FROM api_keys");
    let hashes: Vec<(String,)> = world.runtime.block_on(hashes.fetch_all(world.store.pool())).unwrap();
    for (hash,) in hashes {
        assert_eq!(with(&program, &hash, "/api/v1/results").status, 401, "a copy of the database opens something");
    }
}

#[test]
fn a_key_of_nothing_of_peoples_or_without_an_end_is_not_made() {
    let world = World::without_broker();
    let boss = world.client("boss", Role::Administrator);
    for body in [
        json!({ "name": "", "acts": ["read_results"], "sites": null, "days": 1 }),
        json!({ "name": "a", "acts": [], "sites": null, "days": 1 }),
        json!({ "name": "a", "acts": ["manage_accounts"], "sites": null, "days": 1 }),
        json!({ "name": "a", "acts": ["read_results", "give_verdict"], "sites": null, "days": 1 }),
        json!({ "name": "a", "acts": ["read_results"], "sites": [], "days": 1 }),
        json!({ "name": "a", "acts": ["read_results"], "sites": ["*"], "days": 1 }),
        json!({ "name": "a", "acts": ["read_results"], "sites": null, "days": 0 }),
        json!({ "name": "a", "acts": ["read_results"], "sites": null, "days": 367 }),
        json!({ "name": "a", "acts": ["read_results"], "sites": null }),
        json!({ "name": "a", "acts": ["read_results"], "days": 1 }),
    ] {
        assert_eq!(boss.post(KEYS, &body).status, 400, "{body}");
    }
    assert_eq!(boss.get(KEYS).json(), json!({ "items": [] }));
}

#[test]
fn keys_are_looked_after_by_command() {
    let world = World::without_broker();
    let config = write_config(&world);
    let ordered = |arguments: &[&str]| {
        let mut all = vec!["api-key", arguments[0], "--config", &config];
        all.extend(&arguments[1..]);
        let output = gateway(&all, "");
        (output.status.success(), String::from_utf8(output.stdout.clone()).unwrap(), words(&output))
    };
    let (made, secret, _) = ordered(&["add", "--name", "archive", "--act", "read_audit", "--all-sites", "--days", "7"]);
    assert!(made && with(&world.stranger(), secret.trim(), "/api/v1/audit").status == 200);
    let list = ordered(&["list"]).1;
    assert!(list.contains("\tarchive\tin force\tread_audit\tevery site\t"), "{list}");
    let id = list.split('\t').next().unwrap();
    assert!(ordered(&["revoke", id]).0 && ordered(&["list"]).1.contains("\trevoked\t"));
    assert_eq!(with(&world.stranger(), secret.trim(), "/api/v1/audit").status, 401);
    for (arguments, remedy) in [
        (&["revoke", id][..], "list of keys"),
        (&["add", "--name", "a", "--act", "read_audit"], "which sites"),
        (&["add", "--name", "a", "--all-sites", "--act", "give_verdict"], "read_devices"),
        (&["add", "--name", "a", "--all-sites"], "--act"),
    ] {
        let (done, _, words) = ordered(arguments);
        assert!(!done && words.contains(remedy), "{arguments:?}: {words}");
    }
    let rows = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 50)).unwrap();
    let said: Vec<_> = rows.iter().rev().map(|row| (row.action.as_str(), row.detail.as_str())).collect();
    assert_eq!(said, [("api_key.made", "read_audit, for 7 days"), ("api_key.revoked", "")]);
}
