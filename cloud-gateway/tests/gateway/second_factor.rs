//! The second factor: set up, asked for, used once, lost, given up, and what a copy of the database is good for.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use gateway::auth::roles::Role;
use gateway::auth::sites::Sites;
use gateway::store::second_factors::{self, FactorRow};
use gateway::store::users::{self, UserRow};
use gateway::store::{Store, commit};
use serde_json::json;

use super::enrolment::{gateway, words, write_config};
use super::store::promise;
use super::world::{Answer, Client, PASSWORD, World, fresh_postgres};

/// Where one's own second factor is.
const FACTOR: &str = "/api/v1/account/second-factor";

/// An authenticator app, made from RFC 6238 alone.
pub struct App {
    secret: Vec<u8>,
    began: i64,
}

impl App {
    /// Takes a secret up; `None` where the account may not have one.
    pub fn begin(client: &Client) -> Option<Self> {
        let begun = client.post(FACTOR, &json!({ "password": PASSWORD }));
        (begun.status == 201).then(|| {
            let secret = BASE32_NOPAD.decode(begun.json()["secret"].as_str().unwrap().as_bytes()).unwrap();
            Self {
                secret,
                began: i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30).unwrap(),
            }
        })
    }

    /// Takes a secret up and confirms it by the present code; with the recovery codes.
    pub fn set_up(client: &Client) -> Option<(Self, Vec<String>)> {
        let app = Self::begin(client)?;
        let confirmed = client.post(&format!("{FACTOR}/confirmation"), &json!({ "code": app.code(0) }));
        assert_eq!(confirmed.status, 200, "{}", confirmed.text());
        let codes = confirmed.json()["recovery_codes"].as_array().unwrap().clone();
        Some((app, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()))
    }

    /// Takes away whatever this client's account has.
    pub fn forget(world: &World, client: &Client) {
        let Some(name) = client.get("/api/v1/session").json()["username"].as_str().map(str::to_owned) else { return };
        world.runtime.block_on(async {
            let mut work = world.store.begin().await.unwrap();
            second_factors::remove(&mut work, &name).await.unwrap();
            commit(work).await.unwrap();
        });
    }

    /// The code of `later` steps after the secret was taken up. The gateway takes those of a step before and after now.
    pub fn code(&self, later: i64) -> String {
        let counter = u64::try_from(self.began + later).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &counter.to_be_bytes());
        let offset = usize::from(tag.as_ref()[19] & 15);
        let number = u32::from_be_bytes(tag.as_ref()[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// A code that is none of those around now.
    fn wrong(&self) -> String {
        let good: Vec<String> = (-2..=3).map(|later| self.code(later)).collect();
        (0..10).map(|digit| format!("00000{digit}")).find(|code| !good.contains(code)).unwrap()
    }
}

fn sign_in(client: &mut Client, username: &str, code: &str) -> Answer {
    let body = json!({ "username": username, "password": PASSWORD, "code": code });
    let answer = client.post("/api/v1/session", &body);
    if answer.status == 200 {
        client.csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
    }
    answer
}

fn said(world: &World) -> Vec<(String, String)> {
    let rows = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 100)).unwrap();
    let without_address = |detail: String| detail.replace("from 127.0.0.1", "");
    rows.into_iter().rev().map(|row| (row.action, without_address(row.detail))).collect()
}

promise!(what_is_good_once_is_good_once, store, {
    let user = UserRow {
        username: "ada".into(),
        display_name: "Ada".into(),
        role: "reviewer".into(),
        password_hash: "x".into(),
        created_at: 1,
        disabled_at: None,
    };
    let mut work = store.begin().await.unwrap();
    assert!(users::add(&mut work, &user).await.unwrap());
    assert!(second_factors::begin(&mut work, "ada", "first").await.unwrap());
    assert!(second_factors::begin(&mut work, "ada", "second").await.unwrap(), "begun again");
    commit(work).await.unwrap();
    let begun: FactorRow = store.second_factor("ada").await.unwrap().unwrap();
    let mut work = store.begin().await.unwrap();
    let stale = FactorRow { secret: "first".into(), ..begun.clone() };
    assert!(!second_factors::confirm(&mut work, &stale, 5).await.unwrap(), "another one was begun meanwhile");
    assert!(second_factors::confirm(&mut work, &begun, 5).await.unwrap());
    assert!(!second_factors::confirm(&mut work, &begun, 6).await.unwrap());
    assert!(!second_factors::begin(&mut work, "ada", "third").await.unwrap(), "a confirmed one stays");
    for (step, fresh) in [(10, true), (10, false), (9, false), (11, true)] {
        assert_eq!(second_factors::use_step(&mut work, "ada", step).await.unwrap(), fresh, "{step}");
    }
    second_factors::add_recovery(&mut work, "ada", "hash").await.unwrap();
    for (hash, good) in [("other", false), ("hash", true), ("hash", false)] {
        assert_eq!(second_factors::use_recovery(&mut work, "ada", hash).await.unwrap(), good, "{hash}");
    }
    second_factors::add_recovery(&mut work, "ada", "left").await.unwrap();
    commit(work).await.unwrap();
    let row = store.second_factor("ada").await.unwrap().unwrap();
    assert_eq!((row.secret.as_str(), row.confirmed_at, row.last_step), ("second", Some(5), 11));
    assert_eq!(store.recovery_codes_left("ada").await.unwrap(), 1);
    let mut work = store.begin().await.unwrap();
    second_factors::reseal(&mut work, &stale, "lost").await.unwrap();
    second_factors::reseal(&mut work, &row, "anew").await.unwrap();
    commit(work).await.unwrap();
    assert_eq!(store.second_factors().await.unwrap()[0].secret, "anew");
    let mut work = store.begin().await.unwrap();
    assert!(second_factors::remove(&mut work, "ada").await.unwrap());
    assert!(!second_factors::remove(&mut work, "ada").await.unwrap());
    commit(work).await.unwrap();
    assert_eq!(store.recovery_codes_left("ada").await.unwrap(), 0);
});

#[test]
fn it_is_set_up_asked_for_and_given_up() {
    let world = World::without_broker();
    let (ada, other) = (world.client("ada", Role::Reviewer), {
        let mut other = world.stranger();
        other.login("ada", PASSWORD);
        other
    });
    assert_eq!(ada.get("/api/v1/session").json()["second_factor"], "none");
    assert_eq!(ada.post(FACTOR, &json!({ "password": "wrong" })).status, 403);
    let app = App::begin(&ada).unwrap();
    let confirmation = format!("{FACTOR}/confirmation");
    assert_eq!(ada.post(&confirmation, &json!({ "code": app.wrong() })).status, 403);
    assert_eq!(world.stranger().login("ada", PASSWORD).status, 200, "what is not confirmed is not asked for");
    let (app, codes) = App::set_up(&ada).unwrap();
    assert_eq!((codes.len(), ada.post(&confirmation, &json!({ "code": app.code(1) })).status), (10, 409));
    assert_eq!(ada.post(FACTOR, &json!({ "password": PASSWORD })).status, 409);
    assert_eq!(ada.get("/api/v1/session").json()["second_factor"], "set_up");
    assert_eq!(other.get("/api/v1/session").status, 401, "who came in without it is out");

    let mut again = world.stranger();
    let wanted = again.login("ada", PASSWORD);
    assert_eq!((wanted.status, wanted.json()), (202, json!({ "code_wanted": true })));
    assert_eq!((wanted.header("set-cookie"), again.get("/api/v1/session").status), ("", 401));
    let replayed = sign_in(&mut again, "ada", &app.code(0));
    assert_eq!((replayed.status, &replayed.json()["type"]), (401, &json!("urn:hilum:problem:wrong-code")));
    assert_eq!(sign_in(&mut again, "ada", &app.code(1)).status, 200);
    assert_eq!(sign_in(&mut world.stranger(), "ada", &app.code(1)).status, 401, "a code is good once");
    assert_eq!(sign_in(&mut again, "ada", &codes[3].to_uppercase()).status, 200);
    assert_eq!(sign_in(&mut world.stranger(), "ada", &codes[3]).status, 401, "a recovery code is good once");
    let state = again.get(FACTOR).json();
    assert_eq!((&state["recovery_codes_left"], &state["required"]), (&json!(9), &json!(false)));
    assert!(state["since"].is_string());

    assert_eq!(again.post(&format!("{FACTOR}/removal"), &json!({ "code": codes[4] })).status, 204);
    assert_eq!(ada.get("/api/v1/session").status, 401);
    assert_eq!(world.stranger().login("ada", PASSWORD).status, 200);
    let trail = said(&world);
    for expected in [
        ("second_factor.begun", "by themselves"),
        ("second_factor.set_up", "by themselves"),
        ("session.refused", ", wrong code"),
        ("session.opened", ", with a code"),
        ("session.opened", ", with a recovery code"),
        ("second_factor.removed", "by themselves"),
    ] {
        assert!(
            trail.iter().any(|(action, detail)| (action.as_str(), detail.as_str()) == expected),
            "{expected:?}: {trail:?}"
        );
    }
}

#[test]
fn wrong_codes_lock_the_account_wherever_they_come_from() {
    let mut world = World::stopped();
    world.config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    world.start();
    let (app, codes) = App::set_up(&world.client("ada", Role::Reviewer)).unwrap();
    let from = |address: u8, code: &str| {
        let body = json!({ "username": "ada", "password": PASSWORD, "code": code });
        let header = format!("192.0.2.{address}");
        world.stranger().post_with("/api/v1/session", ("x-forwarded-for", &header), &body).status
    };
    for address in 1..=5 {
        assert_eq!(from(address, &app.wrong()), 401, "{address}");
    }
    assert_eq!((from(6, &app.code(1)), from(7, &codes[0])), (429, 429));
    let (_, last) = said(&world).pop().unwrap();
    assert!(last.ends_with("wrong code; locked for 15 minutes"), "{last}");
}

#[test]
fn a_role_that_must_have_one_may_do_nothing_before() {
    let mut world = World::stopped();
    world.config.auth.second_factor_required = vec![Role::Auditor];
    world.start();
    let (auditor, reviewer) = (world.client("eve", Role::Auditor), world.client("ada", Role::Reviewer));
    assert_eq!(reviewer.get("/api/v1/results").status, 200);
    let session = auditor.get("/api/v1/session").json();
    assert_eq!((&session["second_factor"], &session["may"]), (&json!("due"), &json!(["keep_session"])));
    let refused = auditor.get("/api/v1/results");
    assert_eq!((refused.status, &refused.json()["type"]), (403, &json!("urn:hilum:problem:second-factor-due")));
    assert_eq!(auditor.get(FACTOR).json()["required"], true);
    App::set_up(&auditor).unwrap();
    assert_eq!((auditor.get("/api/v1/results").status, auditor.get("/api/v1/audit").status), (200, 200));
}

#[test]
fn another_password_ends_every_other_session() {
    let world = World::without_broker();
    let (ada, mut other) = (world.client("ada", Role::Reviewer), world.stranger());
    assert_eq!(other.login("ada", PASSWORD).status, 200);
    let change =
        |current: &str, new: &str| ada.post("/api/v1/account/password", &json!({ "current": current, "new": new }));
    for (current, new, status) in [
        ("wrong", "another horse battery", 403),
        (PASSWORD, "short", 400),
        (PASSWORD, &"x".repeat(257), 400),
        (PASSWORD, "another horse battery", 204),
        (PASSWORD, "another horse battery", 403),
    ] {
        assert_eq!(change(current, new).status, status, "{current} {new}");
    }
    assert_eq!((ada.get("/api/v1/session").status, other.get("/api/v1/session").status), (200, 401));
    assert_eq!(world.stranger().login("ada", PASSWORD).status, 401);
    assert_eq!(world.stranger().login("ada", "another horse battery").status, 200);
    assert!(said(&world).contains(&("user.password_set".into(), "by themselves".into())));
}

#[test]
fn its_secret_outlives_the_key_that_it_lay_under_and_is_in_no_copy_of_the_database() {
    let world = World::without_broker();
    let (app, _) = App::set_up(&world.client("ada", Role::Reviewer)).unwrap();
    let config = write_config(&world);
    let ordered = |arguments: &[&str]| {
        let output = gateway(arguments, "");
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let kept = || world.runtime.block_on(world.store.second_factor("ada")).unwrap().unwrap().secret;
    let before = kept();
    assert!(!before.contains(&hex::encode(&app.secret)), "the secret lies open");
    ordered(&["identity", "rotate", "--config", &config]);
    let first = ordered(&["identity", "list", "--config", &config]).split('\t').next().unwrap().to_owned();
    ordered(&["identity", "retire", "--config", &config, &first]);
    assert_ne!(kept(), before);
    assert_eq!(sign_in(&mut world.stranger(), "ada", &app.code(1)).status, 200, "the old key is gone, the app is not");

    assert!(ordered(&["user", "list", "--config", &config]).contains("\tsecond factor\t"));
    ordered(&["user", "reset-second-factor", "--config", &config, "--username", "ada"]);
    assert_eq!(world.stranger().login("ada", PASSWORD).status, 200);
    let output = gateway(&["user", "reset-second-factor", "--config", &config, "--username", "ada"], "");
    assert!(!output.status.success() && words(&output).contains("has no second factor"), "{}", words(&output));
    assert_eq!(said(&world).iter().filter(|(action, _)| action == "second_factor.removed").count(), 1);
}
