//! From the scanner's C-STORE to the reviewer's verdict: the three programs, a real mosquitto with mutual TLS, a real
//! PostgreSQL, and at the end a real browser.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::api::{Api, ResultSummary};
use lab::cloud::REVIEWER;
use lab::house::House;
use lab::modality::{self, Modality};
use lab::pseudonym::{Kind, pseudonym};
use lab::{api, journal, place, postgres};
use serde_json::{Value, json};

/// Enough for two pages of nothing and two batches of the model, few enough for a minute.
const FILMS: usize = 12;

/// Who sets up a second factor, so that the reviewer need not type a code in each test.
const TWO_FACTORS: &str = "two-factors";

/// Who looks after accounts.
const ADMINISTRATOR: &str = "administrator";
/// Who lets devices in.
const OPERATOR: &str = "fleet-operator";

#[test]
fn films_become_results_that_a_reviewer_sees_and_judges() {
    let mut house = House::for_test("image-to-review").unwrap();
    house.start().unwrap();
    let mut files = modality::draw(&house.folder.join("images"), FILMS, 7).unwrap();
    files.push(cut_short(&files[0], &house.folder.join("cut-short.dcm")));
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert!(answers.iter().all(lab::modality::Answer::is_accepted), "{answers:#?}");

    // The cut film has the UID of a whole one and other bytes: both were promised, both get a result.
    let entries = house.wait_until_drained(files.len()).unwrap();
    let api = house.cloud.log_in().unwrap();
    let results = api.results().unwrap();
    let mut wanted: Vec<String> =
        entries.iter().map(|entry| entry.result_id(&house.hospital.plan.device).unwrap().unwrap()).collect();
    let mut shown: Vec<String> = results.iter().map(|result| result.id.clone()).collect();
    wanted.sort();
    shown.sort();
    assert_eq!(shown, wanted, "one result for each journal row, and no other");

    assert_eq!(results.iter().filter(|result| result.outcome == "read").count(), FILMS, "{results:#?}");
    let broken = results.iter().find(|result| result.outcome == "unreadable").expect("the cut film is answered");
    assert!(broken.reason.as_ref().is_some_and(|reason| reason.words.len() > 20), "{broken:#?}");
    let read =
        results.iter().find(|result| result.outcome == "read" && result.has_image).expect("a film with its image");
    its_picture_is_whole(&api, read);
    its_verdict_is_kept(&api, read);
    nothing_about_the_patient_left(&mut house, &files);
    they_are_measured(&house);
    a_browser_finds_its_way(&house);
}

/// The first half of a film: the header whole, the pixels not.
fn cut_short(film: &Path, target: &Path) -> PathBuf {
    let bytes = std::fs::read(film).unwrap();
    std::fs::write(target, &bytes[..bytes.len() / 2]).unwrap();
    target.to_owned()
}

fn its_picture_is_whole(api: &Api, result: &ResultSummary) {
    let detail: Value = api.get(&format!("/api/v1/results/{}", result.id)).unwrap();
    let size = |of: &Value| of["rows"].as_u64().unwrap() * of["columns"].as_u64().unwrap();
    let (status, samples) = api.bytes(&format!("/api/v1/results/{}/image", result.id)).unwrap();
    assert_eq!((status, samples.len() as u64), (200, 2 * size(&detail["image"])));
    let greys: std::collections::BTreeSet<_> = samples.chunks(2).collect();
    assert!(greys.len() > 64, "a film has more than {} greys", greys.len());
    let (status, evidence) = api.bytes(&format!("/api/v1/results/{}/saliency", result.id)).unwrap();
    assert_eq!((status, evidence.len() as u64), (200, size(&detail["saliency"])));
    assert_eq!(evidence.iter().max(), Some(&255), "the strongest evidence is the scale's end");
}

fn its_verdict_is_kept(api: &Api, result: &ResultSummary) {
    let path = format!("/api/v1/results/{}/verdicts", result.id);
    let given = api.post(&path, &json!({ "verdict": "disagree", "note": "the costophrenic angle is clear" })).unwrap();
    assert_eq!(given["reviewer"], REVIEWER);
    let detail: Value = api.get(&format!("/api/v1/results/{}", result.id)).unwrap();
    assert_eq!(detail["verdicts"][0]["note"], "the costophrenic angle is clear");
    assert_eq!(detail["verdict"], "disagree");
    let audit: Value = api.get("/api/v1/audit?limit=50").unwrap();
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().filter_map(|item| item["action"].as_str()).collect();
    for action in ["device.enrolled", "session.opened", "result.viewed", "verdict.given"] {
        assert!(actions.contains(&action), "{action} is not in {actions:?}");
    }
}

/// The names and numbers that stood in the sent files are in no log, no metric and nowhere in the database; the stand-ins
/// are those that the site's key gives.
fn nothing_about_the_patient_left(house: &mut House, files: &[PathBuf]) {
    let entries = journal::entries(&house.hospital.outbox()).unwrap();
    let mut identities: Vec<String> = entries.iter().map(|entry| entry.sop_instance.clone()).collect();
    let studies = files.iter().map(|file| dcmdump(file, "0020,000d"));
    let studies: Vec<String> = studies.collect();
    identities.extend(studies.iter().cloned());
    identities.extend(files.iter().map(|file| dcmdump(file, "0010,0020")));
    identities.extend(files.iter().map(|file| dcmdump(file, "0010,0010")));
    identities.retain(|identity| identity.len() > 4);
    let database = house.cloud.database();
    let mut places =
        vec![("the database".to_owned(), lab::process::finish(Path::new("pg_dump"), [&database]).unwrap())];
    for (name, log) in house.logs() {
        places.push((format!("the log of {name}"), std::fs::read_to_string(log).unwrap()));
    }
    let plan = &house.hospital.plan;
    for port in [plan.appliance_port, plan.agent_port, house.cloud.plan.port] {
        places.push((
            format!("the metrics at {port}"),
            api::text(&format!("http://127.0.0.1:{port}/metrics")).unwrap().1,
        ));
    }
    for (place, text) in &places {
        assert!(!text.is_empty(), "{place} is empty");
        for identity in &identities {
            assert!(!text.contains(identity.as_str()), "{place} holds {identity}");
        }
    }
    let stand_in = pseudonym(&house.pseudonym_key, Kind::Study, &studies[0]);
    assert!(places[0].1.contains(&stand_in), "{stand_in} is not in the database");
}

fn dcmdump(file: &Path, tag: &str) -> String {
    let text =
        lab::process::finish(Path::new("dcmdump"), ["-q".as_ref(), "+P".as_ref(), tag.as_ref(), file.as_os_str()]);
    let text = text.unwrap_or_default();
    text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(value, _)| value.trim()).to_owned()
}

/// The names that dashboards and alerts are built on.
fn they_are_measured(house: &House) {
    let plan = &house.hospital.plan;
    let appliance = api::text(&format!("http://127.0.0.1:{}/metrics", plan.appliance_port)).unwrap().1;
    let gateway = api::text(&format!("http://127.0.0.1:{}/metrics", house.cloud.plan.port)).unwrap().1;
    for name in ["pneumonia_predictions_total", "model_inference_duration_seconds"] {
        assert!(appliance.contains(name), "the appliance does not measure {name}");
    }
    for name in ["http_requests_total", "http_request_duration_seconds"] {
        assert!(gateway.contains(name), "the gateway does not measure {name}");
    }
    let rows = postgres::query(&house.cloud.database(), "SELECT count(*) FROM results").unwrap();
    assert_eq!(rows, (FILMS + 1).to_string());
}

fn a_browser_finds_its_way(house: &House) {
    let folder = place::root().join("tests/playwright");
    let runner = folder.join("node_modules/.bin/playwright");
    assert!(runner.exists(), "{} is missing: run `cargo xtask setup`", runner.display());
    let mut playwright = Command::new(runner);
    playwright.arg("test").current_dir(&folder).env("HILUM_URL", house.cloud.address());
    playwright.env("HILUM_USER", REVIEWER).env("HILUM_PASSWORD", &house.cloud.plan.password);
    house.cloud.add_user(TWO_FACTORS, "auditor").unwrap();
    house.cloud.add_user(ADMINISTRATOR, "administrator").unwrap();
    playwright.env("HILUM_FACTOR_USER", TWO_FACTORS).env("HILUM_ADMINISTRATOR", ADMINISTRATOR);
    for (variable, username, role) in
        [("HILUM_SECOND", "second-reader", "reviewer"), ("HILUM_LEAD", "lead-reader", "lead_reviewer")]
    {
        house.cloud.add_user(username, role).unwrap();
        playwright.env(variable, username);
    }
    house.cloud.add_user(OPERATOR, "fleet_operator").unwrap();
    playwright.env("HILUM_OPERATOR", OPERATOR);
    if std::env::var_os("HILUM_SCREENSHOTS").is_none() {
        playwright.env("HILUM_SCREENSHOTS", house.folder.join("screenshots"));
    }
    // Reviewers may read the audit log only in the demo's role model; the account for it is made here.
    let done = playwright.output().unwrap();
    let words = format!("{}\n{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{words}");
    assert!(done.status.success(), "Playwright: {}", done.status);
    assert!(words.contains("passed"), "Playwright ran nothing");
}
