//! Every route of the API's own description against every role, at a site that is hers and at one that is not: what the
//! table says is what a stranger, a role and a forger get, and whatever changes something leaves a record.

use gateway::api::guard::{Gate, gate};
use gateway::api_keys::{self, Wanted};
use gateway::auth::roles::{Act, Role};
use gateway::auth::sites::Sites;
use gateway::domain::when;
use gateway::objects::{Objects, Part};
use gateway::store::images::ImageRow;
use gateway::store::users::{self, UserRow};
use gateway::store::{commit, images, second_factors};
use serde_json::{Value, json};
use uuid::Uuid;

use super::samples::{read, shadow};
use super::second_factor::App;
use super::world::{Answer, Client, PASSWORD, World};

/// One operation of the API's description.
struct Route {
    method: ureq::http::Method,
    path: String,
}

/// What stands at one site: the names that go into an address.
struct Place {
    result: String,
    device: &'static str,
}

impl Route {
    /// All that is served at `/api/v1/openapi.json`.
    fn all(world: &World) -> Vec<Self> {
        let document = world.stranger().get("/api/v1/openapi.json").json();
        let paths = document["paths"].as_object().unwrap();
        let operations = |(path, methods): (&String, &Value)| -> Vec<Self> {
            let names = methods.as_object().unwrap().keys();
            names.map(|name| Self { method: name.to_uppercase().parse().unwrap(), path: path.clone() }).collect()
        };
        paths.iter().flat_map(operations).collect()
    }

    fn changes_something(&self) -> bool {
        !self.method.is_safe()
    }

    /// What is sent with it. A route that changes something says here how it is asked, or these tests fail.
    fn body(&self, world: &World, client: &Client) -> Value {
        match self.path.as_str() {
            "/api/v1/results/{id}/verdicts" => json!({ "verdict": "agree" }),
            "/api/v1/results/{id}/verdicts/{verdict}/withdrawal" | "/api/v1/results/{id}/second-reading" => Value::Null,
            "/api/v1/claims" => json!({ "device": "demo-9", "site": "st-mary" }),
            "/api/v1/filters" => json!({ "name": "mine", "query": "finding=positive&sort=age" }),
            "/api/v1/accounts" => {
                json!({ "username": Uuid::new_v4().to_string(), "role": "auditor", "sites": ["st-mary"], "password": PASSWORD })
            }
            "/api/v1/accounts/{username}" => {
                json!({ "display_name": "C", "role": "auditor", "sites": ["st-mary"], "disabled": true })
            }
            "/api/v1/accounts/{username}/password" => json!({ "password": PASSWORD }),
            "/api/v1/api-keys" => {
                json!({ "name": "archive", "acts": ["read_results"], "sites": ["st-mary"], "days": 1 })
            }
            "/api/v1/account/password" => json!({ "current": PASSWORD, "new": PASSWORD }),
            "/api/v1/account/second-factor" => {
                App::forget(world, client);
                json!({ "password": PASSWORD })
            }
            "/api/v1/account/second-factor/confirmation" => {
                App::forget(world, client);
                json!({ "code": App::begin(client).map_or_else(String::new, |app| app.code(0)) })
            }
            "/api/v1/account/second-factor/removal" => {
                App::forget(world, client);
                json!({ "code": App::set_up(client).map_or_else(String::new, |(app, _)| app.code(1)) })
            }
            path => panic!("{} {path}: say in Route::body what it takes", self.method),
        }
    }

    fn ask(&self, world: &World, client: &Client, at: &Place) -> Answer {
        let name = match self.path.split('/').nth(3) {
            Some("devices") => at.device.to_owned(),
            Some("api-keys") => self.key(world, at),
            _ => at.result.clone(),
        };
        let path = self.path.replace("{id}", &name).replace("{verdict}", &self.verdict(client, at));
        let path = path.replace("{filter}", &self.filter(client, at)).replace("{username}", &self.account(world, at));
        match self.method.as_str() {
            // A stream has no end; what it tells of other sites is tried beside its own tests.
            "GET" if path == "/api/v1/events" => client.head(&path),
            "GET" if path == "/api/v1/verdict-export" => client.get("/api/v1/verdict-export?format=csv"),
            "GET" => client.get(&path),
            "DELETE" => client.delete(&path),
            "POST" => client.post(&path, &self.body(world, client)),
            "PUT" => client.put(&path, &self.body(world, client)),
            other => panic!("{other} {path}: this test does not know how to ask that"),
        }
    }

    /// A verdict that whoever asks has just given, where the address names one and she may.
    fn verdict(&self, client: &Client, at: &Place) -> String {
        if !self.path.contains("{verdict}") {
            return String::new();
        }
        let given = client.post(&format!("/api/v1/results/{}/verdicts", at.result), &json!({ "verdict": "agree" }));
        if given.status == 201 { given.json()["id"].as_str().unwrap().to_owned() } else { Uuid::nil().to_string() }
    }

    /// A filter that whoever asks has just kept, where the address names one; at another site, one that nobody keeps.
    fn filter(&self, client: &Client, at: &Place) -> String {
        if !self.path.contains("{filter}") || at.device == "demo-2" {
            return Uuid::nil().to_string();
        }
        let kept = client.post("/api/v1/filters", &json!({ "name": "another", "query": "" }));
        if kept.status == 200 { kept.json()["id"].as_str().unwrap().to_owned() } else { Uuid::nil().to_string() }
    }

    /// Somebody else's account with a second factor, where the address names one; at another site, nobody's.
    fn account(&self, world: &World, at: &Place) -> String {
        if !self.path.contains("{username}") || at.device == "demo-2" {
            return "nobody".to_owned();
        }
        let user = UserRow {
            username: "colleague".into(),
            display_name: "Colleague".into(),
            role: "auditor".into(),
            password_hash: "x".into(),
            created_at: 0,
            disabled_at: None,
        };
        world.runtime.block_on(async {
            let mut work = world.store.begin().await.unwrap();
            users::add(&mut work, &user).await.unwrap();
            second_factors::begin(&mut work, "colleague", "x").await.unwrap();
            commit(work).await.unwrap();
        });
        user.username
    }

    /// A key that was just made, where the address names one; at another site, none.
    fn key(&self, world: &World, at: &Place) -> String {
        if !self.path.contains("{id}") || at.device == "demo-2" {
            return Uuid::nil().to_string();
        }
        let wanted = Wanted { name: "archive".into(), acts: vec![Act::ReadResults], sites: Sites::All, days: 1 };
        let made = api_keys::make(&world.store, "operator", when::now(), wanted, rand::random());
        world.runtime.block_on(made).unwrap().1.id
    }

    fn opens_session(&self) -> bool {
        gate(&self.method, &self.path) == Some(Gate::Open)
    }

    fn ends_session(&self) -> bool {
        self.method == "DELETE" && self.path == "/api/v1/session"
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A device at each of two sites, with everything that one can have.
fn two_sites(world: &World) -> (Place, Place) {
    let [own, foreign] = [("demo-1", "st-mary", 1), ("demo-2", "st-john", 2)].map(|(device, site, number)| {
        world.add_device_at(device, site);
        let result = world.add_result_of(device, number, &read(0.9, 0));
        add_picture(world, device, result);
        world.add_shadow_of(device, number + 10, &shadow(60_000));
        Place { result: result.to_string(), device }
    });
    (own, foreign)
}

/// The same place with a result that nobody has touched yet.
fn untouched(world: &World, place: &Place, number: usize) -> Place {
    let result = world.add_result_of(place.device, 1_000 + number as u128, &read(0.9, 0));
    add_picture(world, place.device, result);
    Place { result: result.to_string(), device: place.device }
}

fn add_picture(world: &World, device: &str, result: Uuid) {
    let objects = Objects::open(&world.config.objects.dir).unwrap();
    for part in [Part::Preview, Part::VoiLut, Part::Saliency] {
        objects.put(&result.to_string(), part, b"1234").unwrap();
    }
    let row = ImageRow {
        result: result.to_string(),
        device: device.into(),
        message: Uuid::nil().to_string(),
        stored_at: 1,
        image_rows: 1,
        image_columns: 2,
        sample_offset: 0,
        inverted: 0,
        voi: r#"{"kind":"linear","center":1.0,"width":2.0}"#.into(),
        saliency_rows: None,
        saliency_columns: None,
        object: result.to_string(),
    };
    world.runtime.block_on(async {
        let mut work = world.store.begin().await.unwrap();
        images::insert(&mut work, &row).await.unwrap();
        commit(work).await.unwrap();
    });
}

/// Who may read results but sees one site meets the other one's in nothing that she is answered.
fn names_nothing_of(place: &Place, answer: &Answer) -> bool {
    let text = answer.text();
    ![place.result.as_str(), place.device, "st-john"].iter().any(|name| text.contains(name))
}

#[test]
fn the_table_is_what_happens() {
    let world = World::without_broker();
    let (own, foreign) = two_sites(&world);
    let routes = Route::all(&world);
    assert!(routes.len() > 10, "the description names {} operations", routes.len());
    for (number, role) in Role::ALL.into_iter().enumerate() {
        let own = untouched(&world, &own, number);
        let client = world.client_at(role.as_str(), role, &["st-mary"]);
        for route in routes.iter().filter(|route| !route.opens_session() && !route.ends_session()) {
            let Some(Gate::Needs(act)) = gate(&route.method, &route.path) else { panic!("{route} has no gate") };
            let (hers, others) = (route.ask(&world, &client, &own), route.ask(&world, &client, &foreign));
            if !role.may(act) {
                // Refused before anybody looks: the answer does not tell what is there.
                assert_eq!((hers.status, others.status), (403, 403), "{route}, {role:?}");
                continue;
            }
            assert!(matches!(hers.status, 200 | 201 | 204), "{route}, {role:?}: {}", hers.text());
            let expected = if route.path.contains('{') { 404 } else { hers.status };
            assert_eq!(others.status, expected, "{route}, {role:?}, at another site");
            assert!(names_nothing_of(&foreign, &others), "{route}, {role:?}: {}", others.text());
        }
        for route in routes.iter().filter(|route| route.ends_session()) {
            assert_eq!(route.ask(&world, &client, &own).status, 204, "{route}, {role:?}");
        }
    }
}

#[test]
fn nobody_gets_in_without_a_session_or_changes_anything_from_another_page() {
    let world = World::without_broker();
    let (own, _) = two_sites(&world);
    for route in Route::all(&world).iter().filter(|route| !route.opens_session()) {
        assert_eq!(route.ask(&world, &world.stranger(), &own).status, 401, "{route} let a stranger in");
    }
    let mut forger = world.client("ada", Role::LeadReviewer);
    forger.csrf.clear();
    for route in Route::all(&world).iter().filter(|route| route.changes_something() && !route.opens_session()) {
        let answer = route.ask(&world, &forger, &own);
        assert_eq!((answer.status, &answer.json()["type"]), (403, &json!("urn:hilum:problem:csrf")), "{route}");
    }
}

#[test]
fn whatever_changes_something_leaves_a_record() {
    let world = World::without_broker();
    let (own, _) = two_sites(&world);
    for (line, route) in Route::all(&world).iter().filter(|route| route.changes_something()).enumerate() {
        let able = |role: &Role| match gate(&route.method, &route.path) {
            Some(Gate::Needs(act)) => role.may(act),
            gate => gate == Some(Gate::Open),
        };
        let (role, name) = (Role::ALL.into_iter().find(able).unwrap(), format!("person-{line}"));
        let own = untouched(&world, &own, line);
        let mut client = world.client(&name, role);
        let trail = || world.runtime.block_on(world.store.audit_page(&Sites::All, None, 1)).unwrap().remove(0);
        let before = trail().sequence;
        let status = if route.opens_session() {
            client.login(&name, PASSWORD).status
        } else {
            route.ask(&world, &client, &own).status
        };
        assert!(matches!(status, 200 | 201 | 204), "{route} answered {status}");
        let newest = trail();
        assert!(newest.sequence > before && newest.actor == name, "{route} left no record of who did it");
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
fn no_use_keeps_a_session_for_more_than_a_shift() {
    let world = World::without_broker();
    let client = world.client("ada", Role::Reviewer);
    for (age, status) in [(43_100_000, 200), (100_001, 401)] {
        let older = sqlx::AssertSqlSafe(format!("UPDATE sessions SET opened_at = opened_at - {age}"));
        world.runtime.block_on(sqlx::query(older).execute(world.store.pool())).unwrap();
        assert_eq!(client.get("/api/v1/session").status, status, "{age}");
    }
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
