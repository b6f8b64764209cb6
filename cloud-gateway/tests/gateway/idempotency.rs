//! A change that is asked for twice happens once; answers that are known need not be sent again; other origins and bodies
//! without end are kept out.

use gateway::auth::roles::Role;
use gateway::store::idempotency::{Answer, Claim, KEPT_MS, Key};
use gateway::store::users::{self, UserRow};
use gateway::store::{Store, commit};
use serde_json::json;

use super::samples::read;
use super::store::promise;
use super::world::{Answer as Given, Client, World, fresh_postgres};

const KEY: (&str, &str) = ("idempotency-key", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"");

async fn key(store: &Store, username: &str) -> Key {
    let user = UserRow {
        username: username.into(),
        display_name: username.into(),
        role: "reviewer".into(),
        password_hash: String::new(),
        created_at: 0,
        disabled_at: None,
    };
    let mut work = store.begin().await.unwrap();
    assert!(users::add(&mut work, &user).await.unwrap());
    commit(work).await.unwrap();
    Key { username: username.into(), key_hash: "aa".into() }
}

promise!(a_key_is_one_persons_for_one_request_and_a_day, store, {
    let (ada, bob) = (key(&store, "ada").await, key(&store, "bob").await);
    let claim = async |key: &Key, request, now| store.claim_key(key, request, now).await.unwrap();
    assert_eq!(claim(&ada, "r1", 0).await, Claim::Taken);
    assert_eq!(claim(&ada, "r1", 1).await, Claim::Unanswered);
    assert_eq!(claim(&ada, "r2", 1).await, Claim::OtherRequest);
    assert_eq!(claim(&bob, "r2", 1).await, Claim::Taken);
    let answer = Answer { status: 201, content_type: Some("application/json".into()), body: "{\"a\":\"ü\"}".into() };
    store.answer_key(&ada, &answer).await.unwrap();
    assert_eq!(claim(&ada, "r1", KEPT_MS).await, Claim::Answered(answer));
    assert_eq!(claim(&ada, "r2", KEPT_MS).await, Claim::OtherRequest);
    assert_eq!(claim(&ada, "r2", KEPT_MS + 1).await, Claim::Taken);
    store.free_key(&ada).await.unwrap();
    assert_eq!(claim(&ada, "r3", KEPT_MS + 1).await, Claim::Taken);
});

fn verdicts(client: &Client, path: &str) -> usize {
    client.get(path).json()["verdicts"].as_array().unwrap().len()
}

#[test]
fn a_verdict_that_is_sent_again_is_answered_the_same_and_given_once() {
    let world = World::without_broker();
    world.add_device("demo-1", "00");
    let result = format!("/api/v1/results/{}", world.add_result(1, &read(0.9, 0)));
    let path = format!("{result}/verdicts");
    let (ada, bob) = (world.client("ada", Role::Reviewer), world.client("bob", Role::Reviewer));
    let give = |client: &Client, verdict: &str| client.post_with(&path, KEY, &json!({ "verdict": verdict }));
    let first = give(&ada, "agree");
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    let again = give(&ada, "agree");
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    assert_eq!((&again.bytes, again.header("content-type")), (&first.bytes, "application/json"));
    let other = give(&ada, "disagree");
    assert_eq!((other.status, &other.json()["type"]), (422, &json!("urn:hilum:problem:idempotency-key")));
    assert_eq!(verdicts(&ada, &result), 1);
    // A key is its person's own, and a refusal is an answer, too.
    assert_eq!(give(&bob, "agree").status, 201);
    assert_eq!(verdicts(&ada, &result), 2);
    let nothing = "/api/v1/results/00000000-0000-7000-8000-000000000000/verdicts";
    let statuses =
        [(); 2].map(|()| bob.post_with(nothing, ("idempotency-key", "k2"), &json!({ "verdict": "agree" })).status);
    assert_eq!(statuses, [404, 404]);
    assert_eq!(ada.post_with(&path, ("idempotency-key", "\"no good\""), &json!({ "verdict": "agree" })).status, 400);
    let secret = ada.post_with("/api/v1/account/second-factor", KEY, &json!({}));
    assert!(secret.status == 400 && secret.text().contains("takes no Idempotency-Key"), "{}", secret.text());
    let unknown = "UPDATE idempotency_keys SET status = NULL";
    world.runtime.block_on(sqlx::query(unknown).execute(world.store.pool())).unwrap();
    let broken_off = give(&ada, "agree");
    assert_eq!((broken_off.status, &broken_off.json()["type"]), (409, &json!("urn:hilum:problem:unanswered")));
    assert_eq!(verdicts(&ada, &result), 2);
}

#[test]
fn many_at_once_under_one_key_are_one() {
    let world = World::without_broker();
    world.add_device("demo-1", "00");
    let result = format!("/api/v1/results/{}", world.add_result(1, &read(0.9, 0)));
    let path = format!("{result}/verdicts");
    let ada = world.client("ada", Role::Reviewer);
    let ask = || ada.post_with(&path, KEY, &json!({ "verdict": "agree" })).status;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 201 | 409)), "{statuses:?}");
    assert_eq!(ask(), 201, "the answer is known by now");
    assert_eq!(verdicts(&ada, &result), 1);
}

#[test]
fn what_is_known_is_not_sent_again() {
    let world = World::without_broker();
    world.add_device("demo-1", "00");
    let ada = world.client("ada", Role::Reviewer);
    let asked = |path: &str, tag: &str| -> Given { ada.get_with(path, ("if-none-match", tag)) };
    for path in ["/api/v1/devices", "/api/v1/results", "/api/v1/session"] {
        let first = ada.get(path);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() == 34, "{path}: {tag}");
        let known = asked(path, &format!("\"other\", {tag}"));
        assert_eq!((known.status, known.bytes.len(), known.header("etag")), (304, 0, tag.as_str()), "{path}");
        assert_eq!(asked(path, "\"other\"").bytes, first.bytes, "{path}");
    }
    let before = ada.get("/api/v1/results").header("etag").to_owned();
    world.add_result(1, &read(0.9, 0));
    assert_eq!(asked("/api/v1/results", &before).status, 200);
}

#[test]
fn a_body_without_end_is_refused_in_words() {
    let world = World::without_broker();
    world.add_device("demo-1", "00");
    let path = format!("/api/v1/results/{}/verdicts", world.add_result(1, &read(0.9, 0)));
    let ada = world.client("ada", Role::Reviewer);
    let large = json!({ "verdict": "agree", "note": "n".repeat(70_000) });
    for answer in [ada.post(&path, &large), ada.post_with(&path, KEY, &large)] {
        assert_eq!((answer.status, &answer.json()["type"]), (413, &json!("urn:hilum:problem:too-large")));
    }
}

#[test]
fn only_named_origins_may_ask_with_a_persons_session() {
    let mut world = World::stopped();
    world.start();
    let allowed = |world: &World, origin: &str| -> String {
        world
            .stranger()
            .get_with("/api/v1/session", ("origin", origin))
            .header("access-control-allow-origin")
            .to_owned()
    };
    assert_eq!(allowed(&world, "https://ris.example.org"), "", "nobody is named by default");
    world.stop();
    world.config.http.allowed_origins = vec!["https://ris.example.org".into()];
    world.start();
    assert_eq!(allowed(&world, "https://ris.example.org"), "https://ris.example.org");
    assert_eq!(allowed(&world, "https://ris.example.org.evil.example"), "");
    let may = world.stranger().preflight("/api/v1/results/x/verdicts", "https://ris.example.org");
    assert_eq!(may.status, 200);
    assert!(may.header("access-control-allow-headers").contains("x-hilum-csrf"), "{:?}", may.headers);
    assert_eq!(may.header("access-control-allow-credentials"), "true");
    assert_eq!(may.header("strict-transport-security"), "", "no https here");
    assert_eq!(may.header("x-frame-options"), "DENY");
}
