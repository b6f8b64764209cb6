//! The numbers about the model's quality, from stored readings to answers: both databases hold them, and what is said of a
//! few known studies is what was done to them.

use gateway::auth::roles::Role;
use gateway::auth::sites::Sites;
use gateway::domain::reading::Reading;
use gateway::domain::result;
use gateway::store::readings::Which;
use gateway::store::results::NewResult;
use gateway::store::{Store, commit, results};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;
use wire::ids::{DeviceId, MessageId};
use wire::v1::ResultV1;
use wire::v1::result::OutcomeV1;

use super::samples::{RECEIVED, abstained, read};
use super::store::promise;
use super::world::{Client, World, add_device_at, fresh_postgres};

const DAY: i64 = 86_400_000;

fn new(device: &str, number: u128, reading: &ResultV1, supersedes: Option<Uuid>) -> NewResult {
    let (device, message): (DeviceId, _) = (device.parse().unwrap(), MessageId(Uuid::from_u128(number)));
    NewResult {
        supersedes,
        id: result::id(&device, message),
        device: device.to_string(),
        message: message.to_string(),
        received_at: reading.received_at_ms,
        stored_at: reading.received_at_ms + 1_000,
        finding: result::finding(reading),
        urgency: result::urgency(reading),
        keys: result::keys(reading),
        payload: serde_json::to_string(reading).unwrap(),
        reading: Reading::of(reading),
    }
}

async fn insert(store: &Store, row: &NewResult) {
    let mut work = store.begin().await.unwrap();
    results::insert(&mut work, row).await.unwrap();
    commit(work).await.unwrap();
}

/// Every column of every counted row, as texts.
async fn counted(store: &Store) -> Vec<Vec<String>> {
    let columns = "result, device, site, CAST(received_at AS TEXT), CAST(stored_at AS TEXT), outcome, COALESCE(reason, ''),
        COALESCE(model, ''), CAST(probability AS TEXT), CAST(permille AS TEXT), CAST(positive AS TEXT), sex, age_band, modality,
        view, photometric, bits_stored";
    let rows = sqlx::query(AssertSqlSafe(format!("SELECT {columns} FROM readings ORDER BY result")));
    let rows = rows.fetch_all(store.pool()).await.unwrap();
    let text = |row: &sqlx::any::AnyRow, place| row.get::<Option<String>, _>(place).unwrap_or_default();
    rows.iter().map(|row| (0..17).map(|place| text(row, place)).collect()).collect()
}

promise!(what_was_stored_before_is_counted_as_what_comes_now, store, {
    add_device_at(&store, "demo-1", "00", "st-john").await;
    let mut readings: Vec<ResultV1> = [0.0, 0.29, 0.5, 0.999, 1.0].map(|probability| read(probability, 0)).into();
    readings.push(abstained(5));
    for (years, sex) in [(None, None), (Some(0), Some("F")), (Some(5), Some("X")), (Some(89), Some("M"))] {
        let mut reading = read(0.25, 1);
        reading.facts.age_years = years;
        reading.facts.sex = sex.map(str::to_owned);
        (reading.facts.view, reading.facts.bits_stored) = (None, None);
        readings.push(reading);
    }
    for (number, reading) in readings.iter().enumerate() {
        insert(&store, &new("demo-1", number as u128, reading, None)).await;
    }
    let replaced = result::id(&"demo-1".parse().unwrap(), MessageId(Uuid::from_u128(0)));
    insert(&store, &new("demo-1", 99, &read(0.7, 9), Some(replaced))).await;
    let now = counted(&store).await;
    assert_eq!(now.len(), readings.len(), "the one in whose place another stands is counted, or another is not");

    // The migration's own statement, over what a gateway of before would have left.
    let migrations = [
        include_str!("../../migrations/sqlite/0010_quality.sql"),
        include_str!("../../migrations/postgres/0010_quality.sql"),
    ];
    sqlx::query("DELETE FROM readings").execute(store.pool()).await.unwrap();
    let mut filled = 0;
    for migration in migrations {
        let statement = &migration[migration.find("INSERT INTO readings").unwrap()..];
        filled += usize::from(sqlx::query(statement).execute(store.pool()).await.is_ok());
    }
    assert_eq!(filled, 1, "one of the two is this database's");
    assert_eq!(counted(&store).await, now);
});

promise!(what_was_not_read_keeps_no_reading_after_it_out, store, {
    add_device_at(&store, "demo-1", "00", "st-mary").await;
    // On one connection, which keeps to the types that it was told first.
    let mut work = store.begin().await.unwrap();
    for (number, reading) in [(1, abstained(1)), (2, read(0.7, 2)), (3, abstained(3)), (4, read(0.2, 4))] {
        results::insert(&mut work, &new("demo-1", number, &reading, None)).await.unwrap();
    }
    commit(work).await.unwrap();
    assert_eq!(counted(&store).await.len(), 4);
    let unread: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM readings WHERE probability IS NULL")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(unread.0, 2);
});

promise!(a_replaced_result_is_not_counted_whichever_comes_first, store, {
    add_device_at(&store, "demo-1", "00", "st-mary").await;
    let earlier = new("demo-1", 1, &read(0.9, 0), None);
    for (first, second) in [(2, 1), (1, 2)] {
        let later = new("demo-1", 10 + first, &read(0.1, 5), Some(earlier.id));
        let (one, two) = if first == 1 { (&earlier, &later) } else { (&later, &earlier) };
        insert(&store, one).await;
        insert(&store, two).await;
        let rows = counted(&store).await;
        assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [later.id.to_string()], "{second} last");
        for table in ["readings", "results"] {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(store.pool()).await.unwrap();
        }
    }
});

promise!(every_count_is_narrowed_to_the_sites_and_to_what_is_asked, store, {
    add_device_at(&store, "demo-1", "00", "st-mary").await;
    add_device_at(&store, "demo-2", "00", "st-john").await;
    for (number, device, probability) in [(1, "demo-1", 0.9), (2, "demo-1", 0.2), (3, "demo-2", 0.8)] {
        insert(&store, &new(device, number, &read(probability, number as i64), None)).await;
    }
    insert(&store, &new("demo-2", 4, &abstained(4), None)).await;
    let mary = Sites::granted(["st-mary".to_owned()]);
    let all = Which::default();
    for (sites, which, read, every) in [
        (&Sites::All, all.clone(), 3, 4),
        (&mary, all.clone(), 2, 2),
        (&Sites::granted([]), all.clone(), 0, 0),
        (&mary, Which { site: Some("st-john".into()), ..all.clone() }, 0, 0),
        (&Sites::All, Which { device: Some("demo-2".into()), ..all.clone() }, 1, 2),
        (&Sites::All, Which { from: Some(RECEIVED + 2), to: Some(RECEIVED + 4), ..all.clone() }, 2, 2),
        (&Sites::All, Which { positive: Some(false), ..all.clone() }, 1, 1),
        (&Sites::All, Which { read: Some(false), ..all.clone() }, 0, 1),
        (&Sites::All, Which { permille_from: Some(200), permille_to: Some(201), ..all.clone() }, 1, 1),
        (&Sites::All, Which { model: Some("pneumonia-cxr@2".into()), ..all }, 0, 0),
    ] {
        let groups = store.reading_groups(sites, &which).await.unwrap();
        assert_eq!(groups.iter().map(|group| group.n).sum::<i64>(), read, "{sites:?} {which:?}");
        let scores = store.scores(sites, &which).await.unwrap();
        assert_eq!(scores.iter().map(|(_, n)| n).sum::<i64>(), read, "{sites:?} {which:?}");
        let inputs = store.inputs(sites, &which).await.unwrap();
        assert_eq!(inputs.iter().map(|row| row.n).sum::<i64>(), every, "{sites:?} {which:?}");
        let outcomes = store.outcomes(sites, &which).await.unwrap();
        assert_eq!(outcomes.iter().map(|row| row.n).sum::<i64>(), every, "{sites:?} {which:?}");
        let studies = store.studies_behind(sites, &which, None, 10).await.unwrap();
        assert_eq!(studies.len() as i64, every, "{sites:?} {which:?}");
        assert!(store.judged_readings(sites, &which, 10).await.unwrap().is_empty());
        assert!(store.turnarounds(sites, &which, 10).await.unwrap().is_empty());
        let first = store.first_reading(sites, &which).await.unwrap();
        assert_eq!(first.is_some(), every > 0, "{sites:?} {which:?}");
        assert_eq!(store.reading_sources(sites, &which).await.unwrap().is_empty(), read == 0, "{sites:?} {which:?}");
    }
});

/// A reading of this probability by a patient of this sex.
fn of(sex: &str, probability: f64, later: i64) -> ResultV1 {
    let mut reading = read(probability, later);
    reading.facts.sex = Some(sex.to_owned());
    reading
}

/// The studies behind a number, all pages of them.
fn behind(client: &Client, link: &Value) -> Vec<String> {
    let link = link.as_str().unwrap();
    let mut ids = Vec::new();
    let mut address = format!("{link}&limit=2");
    loop {
        let page = client.get(&address);
        assert_eq!(page.status, 200, "{address}: {}", page.text());
        let page = page.json();
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { return ids };
        address = format!("{link}&limit=2&cursor={cursor}");
    }
}

const PERIOD: &str = "from=2026-01-01T00:00:00Z&to=2026-12-31T00:00:00Z";

/// Women: 30 of 30 pneumonias found. Men: 20 of 40. All of it judged, and 40 negatives of each called so.
fn judged_world() -> (World, Client) {
    let world = World::without_broker();
    world.add_device_at("demo-1", "st-mary");
    let client = world.client("ada", Role::Reviewer);
    let mut number = 0;
    let kinds = [
        ("F", 0.9, 30, true),
        ("M", 0.8, 20, true),
        ("M", 0.3, 20, true),
        ("F", 0.1, 40, false),
        ("M", 0.2, 40, false),
    ];
    let mut rows = Vec::new();
    for (sex, probability, times, pneumonia) in kinds {
        for _ in 0..times {
            number += 1;
            let reading = of(sex, probability, i64::try_from(number).unwrap());
            rows.push((new("demo-1", number, &reading, None), (probability >= 0.5) == pneumonia));
        }
    }
    world.runtime.block_on(async {
        let mut work = world.store.begin().await.unwrap();
        for (row, agreed) in &rows {
            results::insert(&mut work, row).await.unwrap();
            sqlx::query("UPDATE results SET verdict = $2, verdicts = 1 WHERE id = $1")
                .bind(row.id.to_string())
                .bind(if *agreed { "agree" } else { "disagree" })
                .execute(&mut *work)
                .await
                .unwrap();
            sqlx::query(
                "INSERT INTO verdicts (id, result, reviewer, verdict, given_at) VALUES ($1, $2, 'ada', $3, $4)",
            )
            .bind(Uuid::new_v4().to_string())
            .bind(row.id.to_string())
            .bind(if *agreed { "agree" } else { "disagree" })
            .bind(row.received_at + 60_000)
            .execute(&mut *work)
            .await
            .unwrap();
        }
        commit(work).await.unwrap();
    });
    (world, client)
}

#[test]
fn the_numbers_are_those_of_the_studies_behind_them() {
    let (world, client) = judged_world();
    let said = client.get(&format!("/api/v1/quality/accuracy?{PERIOD}"));
    assert_eq!(said.status, 200, "{}", said.text());
    let said = said.json();
    let cells = &said["cells"];
    for (cell, n) in [("true_positives", 50), ("false_positives", 0), ("true_negatives", 80), ("false_negatives", 20)] {
        assert_eq!(cells[cell], n, "{cell}");
        assert_eq!(behind(&client, &cells["studies"][cell]).len(), n, "{cell}");
    }
    assert_eq!(said["rates"]["sensitivity"]["n"], 70);
    let close = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-9;
    assert!(close(&said["rates"]["sensitivity"]["value"], 50.0 / 70.0), "{}", said["rates"]);
    // All was judged, so that nothing is to be corrected.
    assert!(close(&said["corrected_false_negative_rate"]["value"], 20.0 / 70.0), "{said}");
    assert!(close(&said["auc"]["value"], 1.0), "every pneumonia has a higher probability: {}", said["auc"]);
    // (30·0.1² + 20·0.2² + 20·0.7² + 40·0.1² + 40·0.2²) / 150.
    assert!(close(&said["brier"]["value"], 12.9 / 150.0), "{}", said["brier"]);
    assert_eq!((&said["brier"]["n"], said["narrowed"].as_bool()), (&150.into(), Some(false)));
    let in_bins = said["diagram"].as_array().unwrap().iter().map(|bin| behind(&client, &bin["studies"]).len());
    assert_eq!(in_bins.collect::<Vec<_>>(), [0, 40, 40, 20, 0, 0, 0, 0, 20, 30]);
    assert_eq!(said["rates"]["negative_predictive_value"]["hits"], 80);
    let none = client.get(&format!("/api/v1/quality/accuracy?{PERIOD}&device=other")).json();
    assert_eq!(
        (&none["auc"], &none["brier"], &none["rates"]["sensitivity"]["value"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );

    let said = client.get(&format!("/api/v1/quality/fairness?{PERIOD}")).json();
    let dimension =
        |name: &str| said["dimensions"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    let sexes = dimension("sex");
    let (women, men) = (&sexes["groups"][0], &sexes["groups"][1]);
    assert_eq!((&women["name"], &men["name"]), (&"F".into(), &"M".into()));
    assert!(close(&women["gap"]["value"], -0.5) && close(&men["gap"]["value"], 0.5), "{sexes}");
    assert!(close(&men["false_negative_rate"]["value"], 0.5), "{men}");
    assert_eq!(
        (behind(&client, &men["missed_studies"]).len(), behind(&client, &women["missed_studies"]).len()),
        (20, 0)
    );
    assert_eq!(behind(&client, &women["studies"]).len(), 70);
    // There is but one site: it has nothing to be compared with.
    assert_eq!(dimension("site")["groups"][0]["gap"], Value::Null);
    assert_eq!(dimension("sex_and_age_band")["groups"][1]["name"], "M, 1-5");

    let said = client.get(&format!("/api/v1/quality/flow?{PERIOD}")).json();
    assert!(close(&said["first_verdict_seconds"]["median"]["value"], 60.0), "{said}");
    assert!(close(&said["delivery_seconds"]["p90"]["value"], 1.0), "{said}");
    assert_eq!(said["outcomes"][0]["share"]["hits"], 150);
    drop(world);
}

#[test]
fn a_shift_of_the_scores_is_seen_against_the_first_weeks() {
    let world = World::without_broker();
    world.add_device_at("demo-1", "st-mary");
    let client = world.client("ada", Role::Auditor);
    let mut rows = Vec::new();
    // 200 scores from 0.00 to 0.49 in the first weeks; then 200 of the same, or of twice as much.
    let after = |weeks: i64| weeks * 7 * DAY;
    for (period, factor) in [(0, 1.0), (after(5), 1.0), (after(8), 2.0)] {
        for place in 0..200u32 {
            let probability = f64::from(place % 50) / 100.0 * factor;
            let number = rows.len() as u128;
            rows.push(new("demo-1", number, &read(probability, period + i64::from(place)), None));
        }
    }
    rows.push(new("demo-1", 9_999, &abstained(after(8)), None));
    world.runtime.block_on(async {
        let mut work = world.store.begin().await.unwrap();
        for row in &rows {
            results::insert(&mut work, row).await.unwrap();
        }
        commit(work).await.unwrap();
    });
    let said = |from: i64, to: i64| {
        let time = |later| gateway::domain::when::rfc3339(RECEIVED + later).unwrap();
        let answer = client.get(&format!("/api/v1/quality/drift?from={}&to={}", time(from), time(to)));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["items"][0].clone()
    };
    let steady = said(after(5), after(6));
    assert_eq!(
        (&steady["state"], &steady["reference"]["n"], &steady["current"]["n"]),
        (&"steady".into(), &200.into(), &200.into())
    );
    assert!(steady["psi"]["value"].as_f64().unwrap() < 1e-9, "{steady}");
    let shifted = said(after(8), after(9));
    assert_eq!(shifted["state"], "changed_much", "{shifted}");
    assert!((shifted["ks"]["distance"].as_f64().unwrap() - 0.5).abs() < 0.02, "{}", shifted["ks"]);
    let outcome = &shifted["inputs"][0];
    assert_eq!((&outcome["fact"], &outcome["values"][0]["value"]), (&"outcome".into(), &"not_a_chest".into()));
    assert_eq!(said(0, after(2))["state"], "collecting_reference");
    let few = said(after(8) + 190, after(9));
    assert_eq!((&few["state"], &few["psi"]), (&"too_few".into(), &Value::Null));
    // The auditor may look at the studies, too.
    assert_eq!(behind(&client, &few["current"]["studies"]).len(), 10);
}

#[test]
fn what_makes_no_sense_is_answered_with_what_would() {
    let world = World::without_broker();
    let client = world.client("ada", Role::Reviewer);
    for query in [
        "accuracy?from=yesterday",
        "accuracy?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "fairness?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "drift?device=a%00b",
        "studies?cursor=nonsense",
        "studies?from=1",
        "studies?sex=%00",
        "studies?limit=201",
        "flow?colour=red",
    ] {
        let answer = client.get(&format!("/api/v1/quality/{query}"));
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"), "{query}");
    }
}

/// What /metrics says of these numbers: it is told within the watch's first round, which begins with the gateway.
#[test]
fn the_metrics_name_the_scores() {
    let mut world = World::stopped();
    world.add_device_at("demo-1", "st-mary");
    let now = gateway::domain::when::now();
    let mut reading = read(0.9, 0);
    reading.received_at_ms = now - DAY;
    assert!(matches!(reading.outcome, OutcomeV1::Read(_)));
    world.runtime.block_on(insert(&world.store, &new("demo-1", 1, &reading, None)));
    world.start();
    let client = world.stranger();
    let wanted = [
        "data_quality_score{device=\"demo-1\"} 1",
        "model_drift_score{device=\"demo-1\",model=\"pneumonia-cxr@1.0.0\"} NaN",
        "bias_detection_score{demographic_group=\"sex: F\"} NaN",
    ];
    let until = std::time::Instant::now() + super::broker::PATIENCE;
    loop {
        let told = client.get("/metrics").text();
        if wanted.iter().all(|line| told.contains(line)) {
            break;
        }
        assert!(std::time::Instant::now() < until, "{told}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
