//! What the gateway promises of its database, held by SQLite and by PostgreSQL alike.

use gateway::auth::sites::Sites;
use gateway::auth::token::Alive;
use gateway::domain::audit::{Action, Broken, Statement};
use gateway::domain::reading::Reading;
use gateway::domain::result::{self, NOT_URGENT};
use gateway::domain::review::Opinion;
use gateway::domain::review::second_reading::{self, Refused, State, Taken};
use gateway::domain::work_list::{Order, Sort};
use gateway::store::filters::{self, FilterRow};
use gateway::store::images::ImageRow;
use gateway::store::refusals::RefusedRow;
use gateway::store::results::NewResult;
use gateway::store::users::{self, UserRow};
use gateway::store::verdicts::{Given, Terms, VerdictRow, Withdrawn};
use gateway::store::work_list::{After, Filter};
use gateway::store::{Store, audit, commit, devices, images, messages, refusals, results, sessions, shadow, verdicts};
use sqlx::Executor;
use uuid::Uuid;
use wire::ids::{DeviceId, MessageId};
use wire::seal::KeyId;
use wire::topics::Up;
use wire::v1::TelemetryV1;

use super::samples;
use super::world::{add_device, fresh_postgres, used_since};

/// Runs a promise on a fresh database of each kind.
macro_rules! promise {
    ($name:ident, $store:ident, $body:block) => {
        mod $name {
            use super::*;

            async fn holds($store: Store) $body

            #[tokio::test]
            async fn on_sqlite() {
                let folder = tempfile::tempdir().unwrap();
                let store = Store::open(&format!("sqlite:{}", folder.path().join("store.sqlite").display())).await.unwrap();
                store.migrate().await.unwrap();
                holds(store).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                let store = Store::open(&fresh_postgres().await).await.unwrap();
                store.migrate().await.unwrap();
                holds(store).await;
            }
        }
    };
}
pub(crate) use promise;

fn device() -> DeviceId {
    "demo-1".parse().unwrap()
}

fn message(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn row(number: u128, probability: f64, later: i64) -> NewResult {
    let reading = samples::read(probability, later);
    NewResult {
        supersedes: None,
        id: result::id(&device(), message(number)),
        device: device().to_string(),
        message: message(number).to_string(),
        received_at: reading.received_at_ms,
        stored_at: reading.received_at_ms + 1,
        finding: result::finding(&reading),
        urgency: result::urgency(&reading),
        keys: result::keys(&reading),
        payload: serde_json::to_string(&reading).unwrap(),
        reading: Reading::of(&reading),
    }
}

async fn insert(store: &Store, row: &NewResult) {
    let mut work = store.begin().await.unwrap();
    results::insert(&mut work, row).await.unwrap();
    commit(work).await.unwrap();
}

fn said(action: Action, subject: &str) -> Statement {
    Statement { at: 5, actor: "ada".into(), action, subject: subject.into(), detail: "naïve \"words\"".into() }
}

/// A verdict of Ada's, to be changed where a test looks at it.
fn verdict() -> VerdictRow {
    VerdictRow {
        id: "v".into(),
        result: String::new(),
        reviewer: "ada".into(),
        verdict: "agree".into(),
        finding: None,
        reason: None,
        note: None,
        region: None,
        reading: "first".into(),
        given_in: None,
        given_at: 1,
        withdrawn_at: None,
    }
}

/// Anybody's, and none of a sample.
fn terms(expected: Option<i64>) -> Terms {
    Terms { expected, lead: false, sampled: false }
}

/// The only reading there is.
fn stored(revision: i64) -> Given {
    Given::Stored { revision, taken: Taken { reading: second_reading::Reading::First, state: None } }
}

async fn add_user(store: &Store, username: &str) -> bool {
    let user = UserRow {
        username: username.into(),
        display_name: "Ada".into(),
        role: "reviewer".into(),
        password_hash: "x".into(),
        created_at: 1,
        disabled_at: None,
    };
    let mut work = store.begin().await.unwrap();
    let added = users::add(&mut work, &user).await.unwrap();
    commit(work).await.unwrap();
    added
}

promise!(a_message_has_one_effect_however_often_it_comes, store, {
    add_device(&store, "demo-1", "00").await;
    for (attempt, first) in [(1, true), (2, false), (3, false)] {
        let mut work = store.begin().await.unwrap();
        let entered = messages::enter(&mut work, &device(), message(7), Up::Result, 1).await.unwrap();
        assert_eq!(entered, first, "attempt {attempt}");
        commit(work).await.unwrap();
    }
});

promise!(what_is_not_committed_never_was, store, {
    add_device(&store, "demo-1", "00").await;
    let mut work = store.begin().await.unwrap();
    assert!(messages::enter(&mut work, &device(), message(7), Up::Result, 1).await.unwrap());
    results::insert(&mut work, &row(7, 0.9, 0)).await.unwrap();
    drop(work);
    assert_eq!(store.count_results(&Sites::All, &Filter::default()).await.unwrap(), 0);
    let mut work = store.begin().await.unwrap();
    assert!(messages::enter(&mut work, &device(), message(7), Up::Result, 1).await.unwrap());
});

promise!(the_work_list_is_urgent_first_then_newest_and_pages_meet_exactly, store, {
    add_device(&store, "demo-1", "00").await;
    add_device(&store, "demo-2", "00").await;
    let mut expected = Vec::new();
    // Equal probabilities and equal times on purpose: the last key has to decide.
    for (number, probability, later) in
        [(1, 0.9, 10), (2, 0.9, 20), (3, 0.6, 30), (4, 0.1, 40), (5, 0.2, 40), (6, 0.3, 5)]
    {
        let row = row(number, probability, later);
        insert(&store, &row).await;
        expected.push((row.urgency, row.received_at, row.id.to_string()));
    }
    expected.sort_by(|a, b| b.partial_cmp(a).unwrap());
    let all = Filter::default();
    let mut found = Vec::new();
    let mut after: Option<After> = None;
    loop {
        let page = store.results(&Sites::All, &all, Order::default(), after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place(Sort::Priority));
        found.extend(page.into_iter().map(|row| (row.urgency, row.received_at, row.id)));
    }
    assert_eq!(found, expected);
    for (filter, count) in [
        (Filter { finding: Some("positive".into()), ..Filter::default() }, 3),
        (Filter { finding: Some("negative".into()), ..Filter::default() }, 3),
        (Filter { finding: Some("none".into()), ..Filter::default() }, 0),
        (Filter { reviewed: Some(true), ..Filter::default() }, 0),
        (Filter { reviewed: Some(false), ..Filter::default() }, 6),
        (Filter { device: Some("demo-1".into()), ..Filter::default() }, 6),
        (Filter { device: Some("demo-2".into()), ..Filter::default() }, 0),
    ] {
        assert_eq!(store.count_results(&Sites::All, &filter).await.unwrap(), count, "{filter:?}");
        assert_eq!(
            store.results(&Sites::All, &filter, Order::default(), None, 100).await.unwrap().len() as i64,
            count,
            "{filter:?}"
        );
    }
});

promise!(a_result_in_the_place_of_another_hides_it_and_keeps_it, store, {
    add_device(&store, "demo-1", "00").await;
    let earlier = row(1, 0.9, 0);
    let later = NewResult { supersedes: Some(earlier.id), ..row(2, 0.1, 1) };
    insert(&store, &later).await;
    insert(&store, &earlier).await;
    let shown = store.results(&Sites::All, &Filter::default(), Order::default(), None, 10).await.unwrap();
    assert_eq!(shown.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [later.id.to_string()]);
    assert_eq!(store.count_results(&Sites::All, &Filter::default()).await.unwrap(), 1);
    assert_eq!(
        store.devices(&Sites::All).await.unwrap()[0].results,
        1,
        "a device's results are those that the work list shows"
    );
    let (hidden, shown) = (store.result(&Sites::All, earlier.id).await.unwrap().unwrap(), &shown[0]);
    assert_eq!((hidden.replaces, hidden.replaced_by), (None, Some(later.id.to_string())));
    assert_eq!((&shown.replaces, &shown.replaced_by), (&Some(earlier.id.to_string()), &None));
    // One that never came is not named: there would be nothing behind the link.
    let alone = NewResult { supersedes: Some(Uuid::nil()), ..row(3, 0.1, 2) };
    insert(&store, &alone).await;
    assert_eq!(store.result(&Sites::All, alone.id).await.unwrap().unwrap().replaces, None);
});

promise!(a_result_comes_back_as_it_was_sent, store, {
    add_device(&store, "demo-1", "00").await;
    let sent = row(1, 0.123_456_789_012_345_67, 0);
    insert(&store, &sent).await;
    let stored = store.result(&Sites::All, sent.id).await.unwrap().unwrap();
    assert_eq!(stored.decoded().unwrap(), samples::read(0.123_456_789_012_345_67, 0));
    assert_eq!((stored.has_image, stored.verdict, stored.verdicts), (0, None, 0));
    assert!(store.result(&Sites::All, Uuid::nil()).await.unwrap().is_none());
});

promise!(the_latest_verdict_counts_and_none_is_lost, store, {
    add_device(&store, "demo-1", "00").await;
    assert!(add_user(&store, "ada").await);
    let sent = row(1, 0.9, 0);
    insert(&store, &sent).await;
    let give = async |id: u128, opinion: &str, expected: Option<i64>| {
        let verdict = VerdictRow {
            id: Uuid::from_u128(id).to_string(),
            result: sent.id.to_string(),
            reviewer: "ada".into(),
            verdict: opinion.into(),
            note: (opinion == "disagree").then(|| "artefact".to_owned()),
            given_at: i64::try_from(id).unwrap(),
            ..verdict()
        };
        let mut work = store.begin().await.unwrap();
        let given = verdicts::give(&mut work, &Sites::All, &verdict, terms(expected)).await.unwrap();
        commit(work).await.unwrap();
        given
    };
    assert_eq!(give(1, "agree", Some(0)).await, stored(1));
    assert_eq!(give(2, "disagree", Some(0)).await, Given::Overtaken);
    assert_eq!(give(2, "disagree", None).await, stored(2));
    let stored = store.result(&Sites::All, sent.id).await.unwrap().unwrap();
    assert_eq!((stored.verdict.as_deref(), stored.verdicts), (Some("disagree"), 2));
    assert!((stored.urgency - NOT_URGENT).abs() < f64::EPSILON);
    let all = store.verdicts(&Sites::All, sent.id).await.unwrap();
    assert_eq!(all.iter().map(|verdict| verdict.verdict.as_str()).collect::<Vec<_>>(), ["disagree", "agree"]);
    assert_eq!(all[0].note.as_deref(), Some("artefact"));
    assert!(store.pool().execute("DELETE FROM verdicts").await.unwrap_err().to_string().contains("append-only"));
});

promise!(a_withdrawn_verdict_gives_way_to_the_one_before_it, store, {
    add_device(&store, "demo-1", "00").await;
    assert!(add_user(&store, "ada").await);
    let sent = row(1, 0.9, 0);
    insert(&store, &sent).await;
    for (id, opinion, session) in [("a", "uncertain", "one"), ("b", "unreadable", "two")] {
        let given_in = Some(session.into());
        let row =
            VerdictRow { id: id.into(), result: sent.id.to_string(), verdict: opinion.into(), given_in, ..verdict() };
        let mut work = store.begin().await.unwrap();
        verdicts::give(&mut work, &Sites::All, &row, terms(None)).await.unwrap();
        commit(work).await.unwrap();
    }
    let withdraw = async |id: &str, reviewer: &str, session: &str| {
        let mut work = store.begin().await.unwrap();
        let result = sent.id.to_string();
        let done = verdicts::withdraw(&mut work, id, &result, (reviewer, session), 9).await.unwrap();
        if matches!(done, Withdrawn::Done { .. }) {
            commit(work).await.unwrap();
        }
        done
    };
    assert_eq!(withdraw("c", "ada", "two").await, Withdrawn::NoVerdict);
    assert_eq!(withdraw("b", "eve", "two").await, Withdrawn::NotHers);
    assert_eq!(withdraw("b", "ada", "one").await, Withdrawn::NotHers);
    let standing = Some("uncertain".to_owned());
    assert_eq!(withdraw("b", "ada", "two").await, Withdrawn::Done { standing, revision: 3 });
    assert_eq!(withdraw("b", "ada", "two").await, Withdrawn::Already);
    let stored = store.result(&Sites::All, sent.id).await.unwrap().unwrap();
    assert_eq!((stored.verdict.as_deref(), stored.verdicts, stored.urgency), (Some("uncertain"), 3, NOT_URGENT));
    assert_eq!(withdraw("a", "ada", "one").await, Withdrawn::Done { standing: None, revision: 4 });
    let stored = store.result(&Sites::All, sent.id).await.unwrap().unwrap();
    assert_eq!((stored.verdict, stored.verdicts, stored.urgency), (None, 4, sent.urgency), "as urgent as it came");
    let kept = store.verdicts(&Sites::All, sent.id).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.withdrawn_at).collect::<Vec<_>>(), [Some(9), Some(9)]);
    let forget = store.pool().execute("DELETE FROM withdrawals").await;
    assert!(forget.unwrap_err().to_string().contains("append-only"));
});

promise!(a_verdict_says_one_of_four_things, store, {
    add_device(&store, "demo-1", "00").await;
    assert!(add_user(&store, "ada").await);
    let sent = row(1, 0.9, 0);
    insert(&store, &sent).await;
    for opinion in Opinion::ALL {
        let id = opinion.as_str().to_owned();
        let row = VerdictRow { id: id.clone(), result: sent.id.to_string(), verdict: id, ..verdict() };
        let mut work = store.begin().await.unwrap();
        verdicts::give(&mut work, &Sites::All, &row, terms(None)).await.unwrap();
        commit(work).await.unwrap();
    }
    let other = VerdictRow { id: "x".into(), result: sent.id.to_string(), verdict: "maybe".into(), ..verdict() };
    let mut work = store.begin().await.unwrap();
    assert!(verdicts::give(&mut work, &Sites::All, &other, terms(None)).await.unwrap_err().is_about_content());
});

promise!(a_verdict_on_nothing_is_told_apart_from_a_late_one, store, {
    assert!(add_user(&store, "ada").await);
    let verdict = VerdictRow { result: Uuid::nil().to_string(), ..verdict() };
    let mut work = store.begin().await.unwrap();
    assert_eq!(verdicts::give(&mut work, &Sites::All, &verdict, terms(None)).await.unwrap(), Given::NoResult);
});

promise!(two_readings_go_their_way_and_what_counts_follows, store, {
    add_device(&store, "demo-1", "00").await;
    for name in ["ada", "bob", "eve"] {
        assert!(add_user(&store, name).await);
    }
    let sent = row(1, 0.9, 0);
    insert(&store, &sent).await;
    let give = async |id: &str, reviewer: &str, lead: bool, opinion: &str| {
        let (result, given_at) = (sent.id.to_string(), i64::try_from(id.len()).unwrap());
        let row = VerdictRow { id: id.into(), result, reviewer: reviewer.into(), verdict: opinion.into(), ..verdict() };
        let row = VerdictRow { given_at, given_in: Some("one".into()), ..row };
        let mut work = store.begin().await.unwrap();
        let given = verdicts::give(&mut work, &Sites::All, &row, Terms { lead, sampled: true, expected: None }).await;
        let given = given.unwrap();
        if matches!(given, Given::Stored { .. }) {
            commit(work).await.unwrap();
        }
        given
    };
    let now = async || {
        let row = store.result(&Sites::All, sent.id).await.unwrap().unwrap();
        (row.second_reading, row.first_reader, row.verdict, row.urgency)
    };
    let some = |text: &str| Some(text.to_owned());
    let taken = |revision, reading, state| Given::Stored { revision, taken: Taken { reading, state: Some(state) } };
    assert_eq!(give("a", "ada", false, "agree").await, taken(1, second_reading::Reading::First, State::Awaiting));
    assert_eq!(now().await, (some("awaiting"), some("ada"), some("agree"), NOT_URGENT));
    assert_eq!(
        give("bb", "bob", false, "disagree").await,
        taken(2, second_reading::Reading::Second, State::Discordant)
    );
    assert_eq!(
        now().await,
        (some("discordant"), some("ada"), None, sent.urgency),
        "nothing counts until it is decided"
    );
    assert_eq!(give("ccc", "eve", false, "agree").await, Given::Refused(Refused::AwaitsAdjudication));
    assert_eq!(give("ccc", "bob", true, "agree").await, Given::Refused(Refused::AwaitsAdjudication));
    let mut work = store.begin().await.unwrap();
    let result = sent.id.to_string();
    let back = verdicts::withdraw(&mut work, "bb", &result, ("bob", "one"), 9).await.unwrap();
    assert_eq!(back, Withdrawn::Compared);
    drop(work);
    assert_eq!(
        give("dddd", "eve", true, "uncertain").await,
        taken(3, second_reading::Reading::Adjudication, State::Adjudicated)
    );
    assert_eq!(now().await, (some("adjudicated"), some("ada"), some("uncertain"), NOT_URGENT));
    assert_eq!(give("eeeee", "ada", true, "agree").await, Given::Refused(Refused::Closed));
    let rows = store.verdicts(&Sites::All, sent.id).await.unwrap();
    let readings: Vec<&str> = rows.iter().map(|row| row.reading.as_str()).collect();
    assert_eq!(readings, ["adjudication", "second", "first"]);
    let twice = store.read_twice(&Sites::All, 10).await.unwrap();
    assert_eq!((twice.len(), &*twice[0].first_reader, &*twice[0].first), (1, "ada", "agree"));
    assert_eq!((&*twice[0].second_reader, &*twice[0].second), ("bob", "disagree"));
    assert_eq!(store.read_twice(&Sites::granted(["st-john".to_owned()]), 10).await.unwrap(), []);
});

promise!(a_second_reading_is_asked_for_once, store, {
    add_device(&store, "demo-1", "00").await;
    assert!(add_user(&store, "ada").await);
    let (fresh, reviewed) = (row(1, 0.9, 0), row(2, 0.9, 0));
    insert(&store, &fresh).await;
    insert(&store, &reviewed).await;
    let given = VerdictRow { result: reviewed.id.to_string(), ..verdict() };
    let mut work = store.begin().await.unwrap();
    verdicts::give(&mut work, &Sites::All, &given, terms(None)).await.unwrap();
    commit(work).await.unwrap();
    let ask = async |result: Uuid| {
        let mut work = store.begin().await.unwrap();
        let asked = verdicts::request_second(&mut work, &Sites::All, &result.to_string()).await.unwrap();
        commit(work).await.unwrap();
        asked
    };
    assert_eq!(ask(fresh.id).await, Some((State::Requested, true)));
    assert_eq!(ask(fresh.id).await, Some((State::Requested, false)));
    assert_eq!(ask(reviewed.id).await, Some((State::Awaiting, true)));
    assert_eq!(ask(Uuid::nil()).await, None);
    let stored = store.result(&Sites::All, reviewed.id).await.unwrap().unwrap();
    assert_eq!(stored.first_reader.as_deref(), Some("ada"));
    for (reader, verdict, found) in [("ada", None, 0), ("bob", None, 1), ("bob", Some("agree"), 0)] {
        let second_reading = Some("awaiting".to_owned());
        let (reader, verdict) = (Some(reader.to_owned()), verdict.map(str::to_owned));
        let filter = Filter { second_reading, reader, verdict, ..Filter::default() };
        assert_eq!(store.count_results(&Sites::All, &filter).await.unwrap(), found, "{filter:?}");
    }
});

promise!(an_accounts_filters_are_its_own_and_only_so_many, store, {
    assert!(add_user(&store, "ada").await && add_user(&store, "bob").await);
    let save = async |id: &str, username: &str, name: &str, query: &str| {
        let row =
            FilterRow { id: id.into(), username: username.into(), name: name.into(), query: query.into(), saved_at: 1 };
        let mut work = store.begin().await.unwrap();
        let saved = filters::save(&mut work, &row, 2).await.unwrap();
        commit(work).await.unwrap();
        saved
    };
    assert_eq!(save("1", "ada", "mine", "a").await.as_deref(), Some("1"));
    assert_eq!(save("2", "ada", "yours", "b").await.as_deref(), Some("2"));
    assert_eq!(save("3", "ada", "third", "c").await, None);
    assert_eq!(save("4", "ada", "mine", "d").await.as_deref(), Some("1"), "the same name is the same filter");
    assert_eq!(save("5", "bob", "mine", "e").await.as_deref(), Some("5"));
    let kept = store.filters("ada").await.unwrap();
    let kept: Vec<(&str, &str)> = kept.iter().map(|row| (row.name.as_str(), row.query.as_str())).collect();
    assert_eq!(kept, [("mine", "d"), ("yours", "b")]);
    let mut work = store.begin().await.unwrap();
    assert!(!filters::remove(&mut work, "bob", "1").await.unwrap());
    assert!(filters::remove(&mut work, "ada", "1").await.unwrap());
    commit(work).await.unwrap();
    assert_eq!((store.filters("ada").await.unwrap().len(), store.filters("bob").await.unwrap().len()), (1, 1));
});

promise!(the_audit_trail_is_a_chain_and_shows_tampering, store, {
    for subject in ["a", "b", "c"] {
        store.audit(&said(Action::ResultViewed, subject)).await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap(), Ok(3));
    let page = store.audit_page(&Sites::All, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|row| row.subject.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    let rest = store.audit_page(&Sites::All, Some(page[1].sequence), 2).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.subject.as_str()).collect::<Vec<_>>(), ["a"]);

    let forge = "UPDATE audit SET actor = 'eve' WHERE sequence = 2";
    assert!(store.pool().execute(forge).await.unwrap_err().to_string().contains("append-only"));
    // Whoever may drop a trigger gets further, and is seen.
    for drop in ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_append_only ON audit"] {
        let _ = store.pool().execute(drop).await;
    }
    store.pool().execute(forge).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap(), Err(Broken::Altered(2)));
});

promise!(a_cut_off_audit_trail_is_seen, store, {
    for subject in ["a", "b"] {
        store.audit(&said(Action::ResultViewed, subject)).await.unwrap();
    }
    for drop in ["DROP TRIGGER audit_no_delete", "DROP TRIGGER audit_append_only ON audit"] {
        let _ = store.pool().execute(drop).await;
    }
    store.pool().execute("DELETE FROM audit WHERE sequence = 2").await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap(), Err(Broken::Missing(2)));
});

promise!(concurrent_writers_keep_the_chain_whole, store, {
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for entry in 0..5 {
                store.audit(&said(Action::ResultViewed, &format!("{writer}/{entry}"))).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap(), Ok(40));
});

promise!(what_was_undone_left_no_trace_in_the_chain, store, {
    let mut work = store.begin().await.unwrap();
    audit::append(&mut work, &said(Action::UserAdded, "ada")).await.unwrap();
    drop(work);
    store.audit(&said(Action::UserAdded, "bob")).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap(), Ok(1));
});

promise!(enrolling_again_replaces_the_keys, store, {
    add_device(&store, "demo-1", "aa").await;
    add_device(&store, "demo-1", "bb").await;
    assert_eq!(store.standing(&device()).await.unwrap().unwrap().sealing_key, "bb");
    assert_eq!(store.standing(&"demo-2".parse().unwrap()).await.unwrap(), None);
    assert_eq!(store.devices(&Sites::All).await.unwrap().len(), 1);
});

promise!(telemetry_that_was_overtaken_changes_nothing, store, {
    add_device(&store, "demo-1", "00").await;
    insert(&store, &row(1, 0.9, 0)).await;
    for (at_ms, queue_depth) in [(10, 5), (30, 7), (20, 6)] {
        let state = TelemetryV1 { at_ms, queue_depth, ..TelemetryV1::default() };
        let mut work = store.begin().await.unwrap();
        devices::telemetry(&mut work, &device(), &state).await.unwrap();
        devices::seen(&mut work, &device(), at_ms, &KeyId("00".into())).await.unwrap();
        commit(work).await.unwrap();
    }
    let device = store.devices(&Sites::All).await.unwrap().remove(0);
    assert_eq!((device.queue_depth, device.last_seen_at, device.results), (Some(7), Some(20), 1));
});

promise!(shadow_windows_are_listed_newest_first_and_by_device, store, {
    add_device(&store, "demo-1", "00").await;
    add_device(&store, "demo-2", "00").await;
    for (number, later) in [(1, 10), (2, 30), (3, 20)] {
        let mut work = store.begin().await.unwrap();
        shadow::insert(&mut work, &device(), message(number), &samples::shadow(later), 7).await.unwrap();
        commit(work).await.unwrap();
    }
    let windows = store.shadow_windows(&Sites::All, "demo-1", 2).await.unwrap();
    let ends: Vec<i64> = windows.iter().map(|row| row.decoded().unwrap().to_ms - samples::RECEIVED).collect();
    assert_eq!((ends, windows[0].stored_at), (vec![30, 20], 7));
    assert!(store.shadow_windows(&Sites::All, "demo-2", 2).await.unwrap().is_empty());
});

promise!(an_image_may_come_first_and_the_first_stays, store, {
    add_device(&store, "demo-1", "00").await;
    let sent = row(1, 0.9, 0);
    let image = ImageRow {
        result: sent.id.to_string(),
        device: "demo-1".into(),
        message: message(2).to_string(),
        stored_at: 1,
        image_rows: 2,
        image_columns: 3,
        sample_offset: -1024,
        inverted: 1,
        voi: "{}".into(),
        saliency_rows: None,
        saliency_columns: None,
        object: "one".into(),
    };
    let mut work = store.begin().await.unwrap();
    images::insert(&mut work, &image).await.unwrap();
    images::insert(&mut work, &ImageRow { object: "two".into(), ..image.clone() }).await.unwrap();
    commit(work).await.unwrap();
    insert(&store, &sent).await;
    assert_eq!(store.image(&Sites::All, sent.id).await.unwrap(), Some(image));
    assert_eq!(store.result(&Sites::All, sent.id).await.unwrap().unwrap().has_image, 1);
});

promise!(the_same_refused_bytes_are_one_row, store, {
    let refused = RefusedRow {
        fingerprint: "f".into(),
        device: None,
        message: None,
        reason: "seal",
        words: "it does not open".into(),
    };
    let statement = Statement {
        at: 1,
        actor: "device:demo-1".into(),
        action: Action::MessageRejected,
        subject: "f".into(),
        detail: "seal: it does not open".into(),
    };
    for first in [true, false, false] {
        let mut work = store.begin().await.unwrap();
        assert_eq!(refusals::record(&mut work, &refused, &statement).await.unwrap(), first);
        commit(work).await.unwrap();
    }
    assert_eq!(
        store.audit_page(&Sites::All, None, 10).await.unwrap().len(),
        1,
        "the trail can be filled with one message"
    );
});

promise!(a_session_ends_when_it_is_idle_or_closed, store, {
    assert!(add_user(&store, "ada").await);
    assert!(!add_user(&store, "ada").await, "a name was given twice");
    let mut work = store.begin().await.unwrap();
    sessions::open(&mut work, "hash", "ada", 100, used_since(0)).await.unwrap();
    commit(work).await.unwrap();
    assert_eq!(store.session("hash", used_since(100)).await.unwrap().unwrap().username, "ada");
    assert!(store.session("hash", used_since(101)).await.unwrap().is_none());
    store.touch_session("hash", 200).await.unwrap();
    assert_eq!(store.session("hash", used_since(101)).await.unwrap().unwrap().last_used_at, 200);
    assert!(store.session("other", used_since(0)).await.unwrap().is_none());
    // However much it is used: it was opened at 100.
    for (opened_since, is_open) in [(100, true), (101, false)] {
        let alive = Alive { used_since: 0, opened_since };
        assert_eq!(store.session("hash", alive).await.unwrap().is_some(), is_open);
    }
    let mut work = store.begin().await.unwrap();
    sessions::close(&mut work, "hash").await.unwrap();
    commit(work).await.unwrap();
    assert!(store.session("hash", used_since(0)).await.unwrap().is_none());
});

promise!(migrating_twice_changes_nothing, store, {
    add_device(&store, "demo-1", "00").await;
    store.migrate().await.unwrap();
    assert_eq!(store.devices(&Sites::All).await.unwrap().len(), 1);
});

/// A verdict from before there were four kinds of them.
const EARLIER: [&str; 5] = [
    "INSERT INTO devices (id, site, sealing_key, certificate_fingerprint, enrolled_at) VALUES ('d', 's', '', '', 0)",
    "INSERT INTO users (username, display_name, role, password_hash, created_at) VALUES ('ada', '', 'reviewer', '', 0)",
    "INSERT INTO results (id, device, message, site, received_at, stored_at, urgency, verdict, verdicts, payload)
     VALUES ('r1', 'd', 'm1', 's', 1, 1, -1, 'disagree', 1, '{}'), ('r2', 'd', 'm2', 's', 1, 1, 0.5, NULL, 0, '{}')",
    "INSERT INTO verdicts (id, result, reviewer, verdict, note, given_at) VALUES ('v', 'r1', 'ada', 'disagree', 'n', 7)",
    "INSERT INTO messages (device, message, kind, stored_at) VALUES ('d', 'm1', 'result', 1)",
];

async fn verdicts_from_before_are_kept(store: Store, earlier: sqlx::migrate::Migrator) {
    earlier.run_to(7, store.pool()).await.unwrap();
    for statement in EARLIER {
        store.pool().execute(statement).await.unwrap();
    }
    store.migrate().await.unwrap();
    let rows: Vec<(String, Option<String>, i64)> =
        sqlx::query_as("SELECT id, verdict, verdicts FROM results ORDER BY id").fetch_all(store.pool()).await.unwrap();
    assert_eq!(rows, [("r1".into(), Some("disagree".into()), 1), ("r2".into(), None, 0)]);
    let kept: (String, String, i64, Option<String>) =
        sqlx::query_as("SELECT verdict, note, given_at, given_in FROM verdicts").fetch_one(store.pool()).await.unwrap();
    assert_eq!(kept, ("disagree".into(), "n".into(), 7, None));
}

#[tokio::test]
async fn verdicts_from_before_are_kept_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.path().join("store.sqlite").display())).await.unwrap();
    verdicts_from_before_are_kept(store, sqlx::migrate!("migrations/sqlite")).await;
}

#[tokio::test]
async fn verdicts_from_before_are_kept_on_postgres() {
    let store = Store::open(&fresh_postgres().await).await.unwrap();
    verdicts_from_before_are_kept(store, sqlx::migrate!("migrations/postgres")).await;
}
