//! What was refused, as those who look after devices read it: page by page, of their own sites, with what becomes of it.

use gateway::auth::roles::Role;
use gateway::auth::sites::Sites;
use gateway::domain::audit::{Action, Statement};
use gateway::store::refusals::{self, AfterLetter, RefusedRow};
use gateway::store::{Store, commit};
use serde_json::json;

use super::samples::read;
use super::store::promise;
use super::world::{World, add_device_at, fresh_postgres};

async fn refuse(store: &Store, number: i64, device: Option<&str>, message: Option<&str>, reason: &'static str) {
    let row = RefusedRow {
        fingerprint: format!("{number:064x}"),
        device: device.map(str::to_owned),
        message: message.map(str::to_owned),
        reason,
        words: format!("because of {reason}"),
    };
    let statement = Statement {
        at: number * 1_000,
        actor: "broker".into(),
        action: Action::MessageRejected,
        subject: row.fingerprint.clone(),
        detail: String::new(),
    };
    let mut work = store.begin().await.unwrap();
    refusals::record(&mut work, &row, &statement).await.unwrap();
    commit(work).await.unwrap();
}

promise!(pages_of_refusals_meet_exactly_and_hold_one_sites_own, store, {
    add_device_at(&store, "demo-1", "00", "st-mary").await;
    add_device_at(&store, "demo-2", "00", "st-john").await;
    for (number, device) in
        [(1, Some("demo-1")), (2, Some("demo-2")), (3, Some("nobody")), (4, None), (5, Some("demo-1"))]
    {
        refuse(&store, number, device, None, "seal").await;
    }
    let hers = Sites::granted(["st-mary".to_owned()]);
    for (sites, expected) in [(Sites::All, vec![5, 4, 3, 2, 1]), (hers, vec![5, 1]), (Sites::granted([]), vec![])] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let rows = store.dead_letters(&sites, after.as_ref(), 2).await.unwrap();
            let Some(last) = rows.last() else { break };
            after = Some(AfterLetter { last_at: last.last_at, fingerprint: last.fingerprint.clone() });
            seen.extend(rows.iter().map(|row| row.first_at / 1_000));
        }
        assert_eq!(seen, expected, "{sites:?}");
    }
    refuse(&store, 1, Some("demo-1"), None, "seal").await;
    assert_eq!(store.dead_letters(&Sites::All, None, 9).await.unwrap().iter().map(|row| row.times).max(), Some(2));
});

#[test]
fn an_operator_reads_why_and_what_becomes_of_it() {
    let world = World::without_broker();
    world.add_device_at("demo-1", "st-mary");
    world.add_device_at("demo-2", "st-john");
    world.add_result(1, &read(0.9, 0));
    let (stored, gone) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
    world.runtime.block_on(async {
        let enter = "INSERT INTO messages (device, message, kind, stored_at) VALUES ('demo-1', $1, 'result', 1)";
        sqlx::query(enter).bind(stored).execute(world.store.pool()).await.unwrap();
        refuse(&world.store, 1, Some("demo-1"), Some(stored), "unknown_device").await;
        refuse(&world.store, 2, Some("demo-1"), Some(gone), "implausible").await;
        refuse(&world.store, 3, Some("demo-1"), Some(gone), "not_stored").await;
        refuse(&world.store, 4, None, None, "no_certificate").await;
        refuse(&world.store, 5, Some("demo-2"), Some(gone), "seal").await;
    });
    let olga = world.client_at("olga", Role::FleetOperator, &["st-mary"]);
    let first = olga.get("/api/v1/dead-letters?limit=2").json();
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let second = olga.get(&format!("/api/v1/dead-letters?limit=2&cursor={cursor}")).json();
    assert_eq!(second["next_cursor"], json!(null));
    let fates = [&first["items"][0], &first["items"][1], &second["items"][0]].map(|item| item["fate"].clone());
    assert_eq!(fates, [json!("sent_again"), json!("given_up"), json!("stored_since")]);
    assert_eq!(first["items"][0]["words"], "because of not_stored");
    assert_eq!((&first["items"][0]["site"], &first["items"][0]["times"]), (&json!("st-mary"), &json!(1)));
    let all = world.client("root", Role::Administrator).get("/api/v1/dead-letters").json();
    let fates: Vec<_> = all["items"].as_array().unwrap().iter().map(|item| item["fate"].clone()).collect();
    assert_eq!(fates[..2], [json!("sent_again"), json!("no_message")]);
    assert_eq!(olga.get("/api/v1/dead-letters?cursor=x").status, 400);
    assert_eq!(world.client("ada", Role::Reviewer).get("/api/v1/dead-letters").status, 403);
}
