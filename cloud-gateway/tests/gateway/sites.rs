//! What a person sees of sites that are not hers: nothing, and the same nothing as of what never was.

use gateway::auth::roles::Role;
use gateway::auth::sites::Sites;
use gateway::domain::audit::{Action, Statement};
use gateway::domain::reading::Reading;
use gateway::domain::result;
use gateway::domain::work_list::{Order, Sort};
use gateway::store::results::NewResult;
use gateway::store::users::{self, Change, UserRow};
use gateway::store::work_list::Filter;
use gateway::store::{Store, audit, commit, results, sessions, sites};
use serde_json::{Value, json};
use uuid::Uuid;
use wire::ids::{DeviceId, MessageId};

use super::enrolment::{gateway, words, write_config};
use super::samples::{self, read, shadow};
use super::store::promise;
use super::world::{PASSWORD, World, add_device_at, fresh_postgres, used_since};

fn these(names: &[&str]) -> Sites {
    Sites::granted(names.iter().map(|name| (*name).to_owned()))
}

async fn add_result(store: &Store, device: &str, number: u128) -> Uuid {
    let (device, message): (DeviceId, _) = (device.parse().unwrap(), MessageId(Uuid::from_u128(number)));
    // The device calls its site what it likes.
    let reading = samples::read(0.9, 0);
    let row = NewResult {
        supersedes: None,
        id: result::id(&device, message),
        device: device.to_string(),
        message: message.to_string(),
        received_at: reading.received_at_ms,
        stored_at: reading.received_at_ms,
        finding: result::finding(&reading),
        urgency: result::urgency(&reading),
        keys: result::keys(&reading),
        payload: serde_json::to_string(&reading).unwrap(),
        reading: Reading::of(&reading),
    };
    let mut work = store.begin().await.unwrap();
    results::insert(&mut work, &row).await.unwrap();
    commit(work).await.unwrap();
    row.id
}

promise!(a_result_belongs_to_the_site_that_its_device_was_enrolled_for, store, {
    add_device_at(&store, "demo-1", "00", "st-mary").await;
    add_device_at(&store, "demo-2", "00", "st-john").await;
    let (hers, foreign) = (add_result(&store, "demo-1", 1).await, add_result(&store, "demo-2", 2).await);
    assert_eq!(store.result(&Sites::All, foreign).await.unwrap().unwrap().site, "st-john");
    for (sites, seen) in [
        (these(&["st-mary"]), vec![hers]),
        (these(&["st-john"]), vec![foreign]),
        (these(&["st-mary", "st-john", "elsewhere"]), vec![hers, foreign]),
        (these(&["St-Mary", "st-mary%", "_t-mary"]), vec![]),
        (these(&[]), vec![]),
        (Sites::All, vec![hers, foreign]),
    ] {
        let filter = Filter::default();
        let mut found: Vec<String> = store
            .results(&sites, &filter, Order::default(), None, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.id)
            .collect();
        let mut expected: Vec<String> = seen.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{sites:?}");
        assert_eq!(store.count_results(&sites, &filter).await.unwrap(), seen.len() as i64, "{sites:?}");
        assert_eq!(store.devices(&sites).await.unwrap().len(), seen.len(), "{sites:?}");
        for id in [hers, foreign] {
            assert_eq!(store.result(&sites, id).await.unwrap().is_some(), seen.contains(&id), "{sites:?}");
        }
    }
});

promise!(the_second_page_of_one_site_goes_on_where_the_first_ended, store, {
    add_device_at(&store, "demo-1", "00", "st-mary").await;
    add_device_at(&store, "demo-2", "00", "st-john").await;
    for number in 1..=6 {
        add_result(&store, if number % 2 == 0 { "demo-1" } else { "demo-2" }, number).await;
    }
    let (sites, filter) = (these(&["st-mary"]), Filter::default());
    let whole = store.results(&sites, &filter, Order::default(), None, 10).await.unwrap();
    let first = &whole[0];
    let after = first.place(Sort::Priority);
    let rest = store.results(&sites, &filter, Order::default(), Some(&after), 10).await.unwrap();
    let names = |rows: &[results::ResultRow]| rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    assert_eq!((whole.len(), names(&rest)), (3, names(&whole[1..])));
});

promise!(the_trail_names_no_other_sites_results_and_devices, store, {
    add_device_at(&store, "demo-1", "00", "st-mary").await;
    add_device_at(&store, "demo-2", "00", "st-john").await;
    let (hers, foreign) = (add_result(&store, "demo-1", 1).await, add_result(&store, "demo-2", 2).await);
    for (actor, action, subject) in [
        ("ada", Action::ResultViewed, hers.to_string()),
        ("bob", Action::ResultViewed, foreign.to_string()),
        ("operator", Action::DeviceEnrolled, "demo-2".to_owned()),
        ("device:demo-2", Action::MessageRejected, "whatever".to_owned()),
        ("device:demo-1", Action::MessageRejected, "whatever".to_owned()),
        ("bob", Action::SessionOpened, "bob".to_owned()),
    ] {
        let statement = Statement { at: 1, actor: actor.into(), action, subject, detail: String::new() };
        store.audit(&statement).await.unwrap();
    }
    for (sites, seen) in [
        (these(&["st-mary"]), vec![6, 5, 1]),
        (these(&["st-john"]), vec![6, 4, 3, 2]),
        (these(&[]), vec![6]),
        (Sites::All, vec![6, 5, 4, 3, 2, 1]),
    ] {
        let page = store.audit_page(&sites, None, 10).await.unwrap();
        assert_eq!(page.iter().map(|row| row.sequence).collect::<Vec<_>>(), seen, "{sites:?}");
    }
});

promise!(grants_are_kept_and_a_switched_off_account_has_no_session, store, {
    let user = UserRow {
        username: "ada".into(),
        display_name: "Ada".into(),
        role: "lead_reviewer".into(),
        password_hash: "x".into(),
        created_at: 1,
        disabled_at: None,
    };
    let mut work = store.begin().await.unwrap();
    assert!(users::add(&mut work, &user).await.unwrap());
    sessions::open(&mut work, "hash", "ada", 5, used_since(0)).await.unwrap();
    commit(work).await.unwrap();
    let sites = async || store.session("hash", used_since(0)).await.unwrap().unwrap().sites;
    assert_eq!(sites().await, these(&[]));
    let mut work = store.begin().await.unwrap();
    for (site, first) in [("st-mary", true), ("st-john", true), ("st-mary", false)] {
        assert_eq!(sites::grant(&mut work, "ada", site).await.unwrap(), first);
    }
    assert!(sites::withdraw(&mut work, "ada", "st-john").await.unwrap());
    assert!(!sites::withdraw(&mut work, "ada", "st-john").await.unwrap());
    commit(work).await.unwrap();
    assert_eq!(sites().await, these(&["st-mary"]));
    for (change, open) in
        [(Change::Role(Role::Auditor), true), (Change::Disabled(Some(9)), false), (Change::Disabled(None), true)]
    {
        let mut work = store.begin().await.unwrap();
        assert!(users::change(&mut work, "ada", change).await.unwrap());
        commit(work).await.unwrap();
        assert_eq!(store.session("hash", used_since(0)).await.unwrap().is_some(), open);
    }
    assert_eq!(store.session("hash", used_since(0)).await.unwrap().unwrap().role, "auditor");
    let mut work = store.begin().await.unwrap();
    assert!(!users::change(&mut work, "eve", Change::Disabled(None)).await.unwrap());
    assert_eq!(sessions::close_all(&mut work, "ada").await.unwrap(), 1);
    audit::append(
        &mut work,
        &Statement {
            at: 1,
            actor: "operator".into(),
            action: Action::UserDisabled,
            subject: "ada".into(),
            detail: String::new(),
        },
    )
    .await
    .unwrap();
    commit(work).await.unwrap();
    assert!(store.session("hash", used_since(0)).await.unwrap().is_none());
});

#[test]
fn another_sites_row_is_answered_like_one_that_never_was() {
    let world = World::without_broker();
    world.add_device_at("demo-1", "st-mary");
    world.add_device_at("demo-2", "st-john");
    let (hers, foreign) = (world.add_result(1, &read(0.9, 0)), world.add_result_of("demo-2", 2, &read(0.9, 0)));
    world.add_shadow(3, &shadow(60_000));
    let (ada, eve) =
        (world.client_at("ada", Role::LeadReviewer, &["st-mary"]), world.client_at("eve", Role::Reviewer, &[]));
    assert_eq!(ada.get("/api/v1/session").json()["sites"], json!(["st-mary"]));
    let page = ada.get("/api/v1/results").json();
    assert_eq!((&page["total"], &page["items"][0]["id"]), (&json!(1), &json!(hers.to_string())));
    assert_eq!(
        eve.get("/api/v1/results").json(),
        json!({ "items": [], "next_cursor": null, "total": 0, "total_is_exact": true })
    );
    let names = |client: &super::world::Client| client.get("/api/v1/devices").json()["items"].clone();
    assert_eq!(
        (names(&ada)[0]["id"].clone(), names(&ada)[1].clone(), names(&eve)),
        (json!("demo-1"), Value::Null, json!([]))
    );

    let never = Uuid::nil();
    for (path, kind) in [
        ("/api/v1/results/{id}", "result"),
        ("/api/v1/results/{id}/image", "image"),
        ("/api/v1/results/{id}/voi-lut", "image"),
        ("/api/v1/results/{id}/saliency", "image"),
    ] {
        let ask = |id: Uuid| ada.get(&path.replace("{id}", &id.to_string()));
        assert_eq!((ask(foreign).status, ask(foreign).json()), (404, ask(never).json()), "{kind}");
    }
    assert_eq!(ada.get("/api/v1/devices/demo-1/shadow").status, 200);
    assert_eq!(ada.get("/api/v1/devices/demo-2/shadow").json(), ada.get("/api/v1/devices/demo-9/shadow").json());
    let verdict = |id: Uuid| ada.post(&format!("/api/v1/results/{id}/verdicts"), &json!({ "verdict": "agree" }));
    assert_eq!((verdict(foreign).status, verdict(foreign).json()), (404, verdict(never).json()));
    assert_eq!(verdict(hers).status, 201);
    let untouched = world.runtime.block_on(world.store.result(&Sites::All, foreign)).unwrap().unwrap();
    assert_eq!(untouched.verdicts, 0);
}

#[test]
fn accounts_are_looked_after_by_command() {
    let world = World::without_broker();
    let config = write_config(&world);
    let user = |arguments: &[&str], input: &str| {
        let mut all = vec!["user", arguments[0], "--config", &config];
        all.extend(&arguments[1..]);
        gateway(&all, input)
    };
    let done = |arguments: &[&str], input: &str| {
        let output = user(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let add = ["add", "--username", "ada", "--role", "reviewer", "--site", "st-mary", "--display-name", "Dr Ada"];
    assert!(done(&add, PASSWORD).contains("ada sees st-mary"));
    let list = || done(&["list"], "");
    assert_eq!(list(), "ada\treviewer\tenabled\tpassword alone\tst-mary\tDr Ada\n");
    done(&["set-role", "--username", "ada", "--role", "lead_reviewer"], "");
    done(&["grant", "--username", "ada", "--site", "st-john", "--site", "st-mary"], "");
    assert_eq!(list(), "ada\tlead_reviewer\tenabled\tpassword alone\tst-john, st-mary\tDr Ada\n");
    done(&["revoke", "--username", "ada", "--site", "st-john"], "");
    let mut ada = world.stranger();
    assert_eq!(ada.login("ada", PASSWORD).json()["role"], "lead_reviewer");

    done(&["disable", "--username", "ada"], "");
    assert_eq!(ada.get("/api/v1/session").status, 401);
    assert_eq!(world.stranger().login("ada", PASSWORD).json(), world.stranger().login("nobody", PASSWORD).json());
    assert!(list().contains("\tdisabled\t"));
    done(&["enable", "--username", "ada"], "");
    assert_eq!(ada.login("ada", PASSWORD).status, 200);
    done(&["password", "--username", "ada"], "another horse battery");
    assert_eq!(ada.get("/api/v1/session").status, 401, "who had the old password is signed out");
    assert_eq!(ada.login("ada", "another horse battery").status, 200);

    for (arguments, remedy) in [
        (&["grant", "--username", "eve", "--all-sites"][..], "user list"),
        (&["disable", "--username", "eve"], "user list"),
        (&["grant", "--username", "ada", "--site", "*"], "--all-sites"),
        (&["grant", "--username", "ada"], "--all-sites"),
        (&["grant", "--username", "ada", "--all-sites", "--site", "x"], "--all-sites"),
        (&["set-role", "--username", "ada", "--role", "root"], "site_technician"),
    ] {
        let output = user(arguments, "");
        assert!(!output.status.success() && words(&output).contains(remedy), "{arguments:?}: {}", words(&output));
    }
    let rows = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 50)).unwrap();
    let said: Vec<(&str, &str)> = rows
        .iter()
        .rev()
        .filter(|row| row.action.starts_with("user."))
        .map(|row| (row.action.as_str(), row.detail.as_str()))
        .collect();
    let expected = [
        ("user.added", "as reviewer"),
        ("user.site_granted", "site st-mary"),
        ("user.role_set", "to lead_reviewer"),
        ("user.site_granted", "site st-john"),
        ("user.site_revoked", "site st-john"),
        ("user.disabled", ""),
        ("user.enabled", ""),
        ("user.password_set", ""),
    ];
    assert_eq!(said, expected);
}
