//! Accounts as an administrator looks after them over the API.

use gateway::auth::roles::Role;
use gateway::auth::sites::Sites;
use serde_json::{Value, json};

use super::second_factor::App;
use super::world::{Client, PASSWORD, World};

const ACCOUNTS: &str = "/api/v1/accounts";

fn account(client: &Client, username: &str) -> Value {
    let list = client.get(ACCOUNTS).json();
    let found = list["items"].as_array().unwrap().iter().find(|item| item["username"] == username);
    found.cloned().unwrap_or(Value::Null)
}

fn said(world: &World) -> Vec<(String, String, String)> {
    let rows = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 100)).unwrap();
    let of_users =
        rows.into_iter().rev().filter(|row| row.action.starts_with("user.") || row.action.contains("factor"));
    of_users.map(|row| (row.actor, row.action, row.detail)).collect()
}

#[test]
fn an_account_is_made_changed_reset_and_switched_off() {
    let world = World::without_broker();
    let boss = world.client("boss", Role::Administrator);
    let new = json!({
        "username": "ada", "display_name": "Dr Ada", "role": "reviewer", "sites": ["st-mary"], "password": PASSWORD
    });
    assert_eq!((boss.post(ACCOUNTS, &new).status, boss.post(ACCOUNTS, &new).status), (201, 409));
    let shown = account(&boss, "ada");
    assert_eq!((&shown["sites"], &shown["has_second_factor"]), (&json!(["st-mary"]), &json!(false)));
    assert_eq!((&shown["disabled_at"], &shown["last_used_at"]), (&Value::Null, &Value::Null));
    assert_eq!(account(&boss, "boss")["sites"], Value::Null, "every site");
    let mut ada = world.stranger();
    assert_eq!(ada.login("ada", PASSWORD).status, 200);
    assert!(account(&boss, "ada")["last_used_at"].is_string());

    let path = format!("{ACCOUNTS}/ada");
    let wanted = json!({ "display_name": "Dr Ada", "role": "lead_reviewer", "sites": ["st-john"], "disabled": false });
    assert_eq!((boss.put(&path, &wanted).status, boss.put(&path, &wanted).status), (204, 204));
    let session = ada.get("/api/v1/session").json();
    assert_eq!((&session["role"], &session["sites"]), (&json!("lead_reviewer"), &json!(["st-john"])));
    App::set_up(&ada).unwrap();
    assert_eq!(boss.delete(&format!("{path}/second-factor")).status, 204);
    assert_eq!(boss.delete(&format!("{path}/second-factor")).status, 409);
    assert_eq!((ada.get("/api/v1/session").status, ada.login("ada", PASSWORD).status), (401, 200));
    assert_eq!(boss.post(&format!("{path}/password"), &json!({ "password": "another horse battery" })).status, 204);
    assert_eq!((ada.get("/api/v1/session").status, ada.login("ada", PASSWORD).status), (401, 401));
    let off = json!({ "display_name": "Dr Ada L", "role": "lead_reviewer", "sites": null, "disabled": true });
    assert_eq!(boss.put(&path, &off).status, 204);
    assert_eq!(ada.login("ada", "another horse battery").status, 401);
    assert_eq!(account(&boss, "ada")["sites"], Value::Null);

    let boss_said = |action: &str, detail: &str| ("boss".to_owned(), action.to_owned(), detail.to_owned());
    let own = |action: &str| ("ada".to_owned(), action.to_owned(), "by themselves".to_owned());
    assert_eq!(
        said(&world),
        [
            boss_said("user.added", "as reviewer"),
            boss_said("user.site_granted", "site st-mary"),
            boss_said("user.role_set", "to lead_reviewer"),
            boss_said("user.site_revoked", "site st-mary"),
            boss_said("user.site_granted", "site st-john"),
            own("second_factor.begun"),
            own("second_factor.set_up"),
            boss_said("second_factor.removed", ""),
            boss_said("user.password_set", ""),
            boss_said("user.renamed", ""),
            boss_said("user.site_revoked", "site st-john"),
            boss_said("user.site_granted", "every site"),
            boss_said("user.disabled", ""),
        ]
    );
    assert!(!boss.get(ACCOUNTS).text().contains("argon2"), "a hash is nobody's business");
}

#[test]
fn what_cannot_be_an_account_is_refused_in_words() {
    let world = World::without_broker();
    let boss = world.client("boss", Role::Administrator);
    let whole = json!({ "username": "ada", "display_name": "A", "role": "reviewer", "sites": ["st-mary"], "password": PASSWORD });
    for (field, value) in [
        ("username", json!("a b")),
        ("username", json!("key:1")),
        ("username", json!("operator")),
        ("display_name", json!("")),
        ("role", json!("root")),
        ("sites", json!(["*"])),
        ("sites", json!("st-mary")),
        ("password", json!("short")),
    ] {
        let mut broken = whole.clone();
        broken[field] = value;
        let answer = boss.post(ACCOUNTS, &broken);
        assert_eq!((answer.status, &answer.json()["type"]), (400, &json!("urn:hilum:problem:bad-request")), "{broken}");
    }
    let mut without = whole;
    without.as_object_mut().unwrap().remove("sites");
    assert_eq!(boss.post(ACCOUNTS, &without).status, 400, "who says nothing of sites does not mean every site");
    assert_eq!(account(&boss, "ada"), Value::Null);
}

#[test]
fn nobody_shuts_herself_out() {
    let world = World::without_broker();
    let boss = world.client("boss", Role::Administrator);
    let path = format!("{ACCOUNTS}/boss");
    for (role, disabled, status) in
        [("auditor", false, 409), ("administrator", true, 409), ("administrator", false, 204)]
    {
        let wanted = json!({ "display_name": "Boss", "role": role, "sites": null, "disabled": disabled });
        assert_eq!(boss.put(&path, &wanted).status, status, "{wanted}");
    }
    assert_eq!(boss.get("/api/v1/session").status, 200);
}
