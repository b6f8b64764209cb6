//! The API, address by address, against a served gateway.

use gateway::auth::roles::Role;
use gateway::auth::sites::Sites;
use gateway::objects::{Objects, Part};
use gateway::store::images::ImageRow;
use gateway::store::{commit, images};
use serde_json::{Value, json};
use uuid::Uuid;

use super::samples::{abstained, read, shadow};
use super::world::{Answer, PASSWORD, World};

fn world() -> World {
    let world = World::without_broker();
    world.add_device("demo-1", "00");
    world
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn actions(world: &World) -> Vec<(String, String)> {
    let rows = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 100)).unwrap();
    rows.into_iter().rev().map(|row| (row.action, row.actor)).collect()
}

fn audited(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(action, actor)| ((*action).to_owned(), (*actor).to_owned())).collect()
}

#[test]
fn session() {
    let world = world();
    world.add_user("ada", Role::Reviewer);
    let mut client = world.stranger();
    assert_eq!(client.get("/api/v1/session").status, 401);

    let wrong = client.login("ada", "wrong");
    assert_eq!((wrong.status, wrong.header("content-type")), (401, "application/problem+json"));
    assert_eq!(wrong.json()["type"], "urn:hilum:problem:wrong-password");
    let nobody = client.login("nobody", PASSWORD);
    assert_eq!(nobody.json(), wrong.json(), "the answer tells whether an account exists");

    let opened = client.login("ada", PASSWORD);
    assert_eq!(opened.status, 200);
    let session = opened.json();
    assert_eq!(session["username"], "ada");
    assert_eq!(session["display_name"], "Dr ada");
    assert_eq!(session["role"], "reviewer");
    let may = json!([
        "keep_session",
        "hear_changes",
        "read_results",
        "give_verdict",
        "read_audit",
        "read_devices",
        "read_quality"
    ]);
    assert_eq!((&session["may"], &session["sites"]), (&may, &Value::Null));
    let cookie = opened.header("set-cookie");
    assert!(cookie.starts_with("hilum_session=") && cookie.contains("HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    assert!(!cookie.contains("Secure"), "a browser would not send it back over HTTP");
    assert_eq!(client.get("/api/v1/session").json(), session);

    client.csrf = "forged".into();
    assert_eq!(client.delete("/api/v1/session").json()["type"], "urn:hilum:problem:csrf");
    client.csrf = session["csrf"].as_str().unwrap().to_owned();
    assert_eq!(client.delete("/api/v1/session").status, 204);
    assert_eq!(client.get("/api/v1/session").status, 401);
    assert_eq!(
        actions(&world),
        audited(&[
            ("session.refused", "anonymous"),
            ("session.refused", "anonymous"),
            ("session.opened", "ada"),
            ("session.closed", "ada"),
        ])
    );
}

#[test]
fn session_is_locked_after_five_failures_even_for_the_right_password() {
    let world = world();
    world.add_user("ada", Role::Reviewer);
    world.add_user("bob", Role::Reviewer);
    let mut client = world.stranger();
    for _ in 0..5 {
        assert_eq!(client.login("ada", "wrong").status, 401);
    }
    let locked = client.login("ada", PASSWORD);
    assert_eq!((locked.status, &locked.json()["type"]), (429, &json!("urn:hilum:problem:locked-out")));
    assert!(locked.header("retry-after").parse::<u32>().unwrap() > 800);
    assert_eq!(client.login("bob", PASSWORD).status, 200);
    let trail = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 100)).unwrap();
    assert_eq!(trail.iter().filter(|row| row.detail.ends_with("locked for 15 minutes")).count(), 1);
}

#[test]
fn session_cookie_is_secure_behind_https() {
    let mut world = World::stopped();
    world.config.http.public_url = Some("https://hilum.example.org".into());
    world.add_user("ada", Role::Reviewer);
    world.start();
    let opened = world.stranger().login("ada", PASSWORD);
    assert!(opened.header("set-cookie").ends_with("; Secure"));
    assert!(opened.header("strict-transport-security").starts_with("max-age="));
}

#[test]
fn results() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    let empty = client.get("/api/v1/results").json();
    assert_eq!(empty, json!({ "items": [], "next_cursor": null, "total": 0, "total_is_exact": true }));

    let likely = world.add_result(1, &read(0.9, 10));
    let unlikely = world.add_result(2, &read(0.1, 40));
    let hip = world.add_result(3, &abstained(50));
    let likeliest = world.add_result(4, &read(0.95, 0));
    let everything = [likeliest, likely, hip, unlikely].map(|id| id.to_string());

    let page = client.get("/api/v1/results").json();
    assert_eq!(ids(&page), everything);
    assert_eq!((&page["total"], &page["next_cursor"]), (&json!(4), &Value::Null));

    let mut paged = Vec::new();
    let mut address = "/api/v1/results?limit=1".to_owned();
    loop {
        let page = client.get(&address).json();
        assert_eq!(page["total"], 4);
        paged.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        address = format!("/api/v1/results?limit=1&cursor={cursor}");
    }
    assert_eq!(paged, everything);

    for (query, expected) in [
        ("finding=positive", vec![likeliest, likely]),
        ("finding=negative", vec![unlikely]),
        ("finding=none", vec![hip]),
        ("reviewed=true", vec![]),
        ("device=demo-1&finding=none", vec![hip]),
        ("device=demo-2", vec![]),
        ("site=st-mary&finding=negative", vec![unlikely]),
        ("site=st-john", vec![]),
        ("model=pneumonia-cxr%401.0.0", vec![likeliest, likely, unlikely]),
        ("verdict=uncertain", vec![]),
        ("sort=received", vec![likeliest, likely, unlikely, hip]),
        ("sort=received&reverse=true", vec![hip, unlikely, likely, likeliest]),
        ("sort=probability", vec![likeliest, likely, unlikely, hip]),
        ("sort=model", vec![hip, likeliest, likely, unlikely]),
    ] {
        let page = client.get(&format!("/api/v1/results?{query}")).json();
        assert_eq!(ids(&page), expected.iter().map(ToString::to_string).collect::<Vec<_>>(), "{query}");
        assert_eq!(page["total"], expected.len());
    }
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "finding=maybe",
        "colour=red",
        "reviewed=yes",
        "sort=colour",
        "verdict=maybe",
        "site=%00",
    ] {
        let answer = client.get(&format!("/api/v1/results?{query}"));
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"), "{query}");
    }
}

#[test]
fn a_page_goes_on_in_its_own_order_only() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    for number in 1..4 {
        world.add_result(number, &read(0.9, 0));
    }
    let first = client.get("/api/v1/results?limit=1&sort=age").json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let go_on = |more: &str| client.get(&format!("/api/v1/results?limit=1&cursor={cursor}{more}")).status;
    assert_eq!((go_on("&sort=age"), go_on(""), go_on("&sort=age&reverse=true")), (200, 400, 400));
}

#[test]
fn a_second_reader_sees_nothing_of_the_first_and_a_lead_decides() {
    let mut world = World::stopped();
    world.config.review.second_read_share = 1.0;
    world.start();
    world.add_device("demo-1", "00");
    let (ada, bob) = (world.client("ada", Role::Reviewer), world.client("bob", Role::Reviewer));
    let (eve, auditor) = (world.client("eve", Role::LeadReviewer), world.client("max", Role::Auditor));
    let id = world.add_result(1, &read(0.9, 0));
    let (page, address) = (format!("/api/v1/results/{id}"), format!("/api/v1/results/{id}/verdicts"));
    let secret = json!({ "verdict": "disagree", "finding": "effusion", "reason": "missed", "note": "left base" });
    assert_eq!(ada.post(&address, &secret).json()["second_reading"], "awaiting");

    for blind in [&bob, &eve] {
        let shown = blind.get(&page);
        let detail = shown.json();
        assert_eq!(
            (&detail["blinded"], &detail["verdict"], &detail["verdicts"]),
            (&json!(true), &Value::Null, &json!([]))
        );
        for text in [shown.text(), blind.get("/api/v1/results").text(), blind.get("/api/v1/audit").text()] {
            for word in ["disagree", "effusion", "missed", "left base"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
        assert_eq!(ids(&blind.get("/api/v1/results?second_reading=awaiting").json()), [id.to_string()]);
        assert_eq!(blind.get("/api/v1/results?verdict=disagree").json()["total"], 0);
    }
    assert_eq!(ada.get("/api/v1/results?second_reading=awaiting").json()["total"], 0, "hers is the first");
    assert_eq!(ada.get(&page).json()["verdicts"][0]["finding"], "effusion");
    assert_eq!(auditor.get(&page).json()["verdict"], "disagree", "who gives no verdicts is not blind");

    let second = bob.post(&address, &json!({ "verdict": "agree" })).json();
    assert_eq!((&second["second_reading"], &second["can_withdraw"]), (&json!("discordant"), &json!(false)));
    let shown = bob.get(&page).json();
    assert_eq!((&shown["verdict"], shown["verdicts"].as_array().unwrap().len()), (&Value::Null, 2));
    let back = format!("{address}/{}/withdrawal", second["id"].as_str().unwrap());
    assert_eq!(bob.post(&back, &Value::Null).status, 409);
    assert_eq!(ada.post(&address, &json!({ "verdict": "agree" })).status, 409);
    assert_eq!(eve.post(&address, &json!({ "verdict": "agree" })).json()["second_reading"], "adjudicated");
    let shown = ada.get(&page).json();
    assert_eq!((&shown["verdict"], &shown["verdicts"][0]["reading"]), (&json!("agree"), &json!("adjudication")));

    assert_eq!(bob.get("/api/v1/agreement").status, 403);
    let agreement = eve.get("/api/v1/agreement").json();
    assert_eq!((&agreement["films"], &agreement["pairs"][0]["films"]), (&json!(1), &json!(1)));
    assert_eq!((&agreement["pairs"][0]["first"], &agreement["pairs"][0]["second"]), (&json!("ada"), &json!("bob")));
}

#[test]
fn a_second_reading_can_be_asked_for() {
    let world = world();
    let (ada, bob) = (world.client("ada", Role::Reviewer), world.client("bob", Role::Reviewer));
    let id = world.add_result(1, &read(0.9, 0));
    let (ask, give) = (format!("/api/v1/results/{id}/second-reading"), format!("/api/v1/results/{id}/verdicts"));
    for _ in 0..2 {
        let asked = ada.post(&ask, &Value::Null);
        assert_eq!((asked.status, asked.json()), (200, json!({ "second_reading": "requested" })));
    }
    assert_eq!(
        ada.post_with(&give, ("if-match", "\"0\""), &json!({ "verdict": "agree" })).json()["second_reading"],
        "awaiting"
    );
    assert_eq!(
        ada.post(&give, &json!({ "verdict": "uncertain" })).json()["second_reading"],
        "awaiting",
        "her own mind"
    );
    assert_eq!(bob.post(&give, &json!({ "verdict": "uncertain" })).json()["second_reading"], "concordant");
    assert_eq!(bob.post(&give, &json!({ "verdict": "agree" })).status, 409);
    assert_eq!(ada.post(&ask, &Value::Null).json()["second_reading"], "concordant");
    let asked = actions(&world).into_iter().filter(|(action, _)| action == "second_reading.asked").count();
    assert_eq!(asked, 1, "asking again changes nothing");
}

/// What fhir.resources reads in answers.
fn parsed(answers: &[Answer]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut python = std::process::Command::new(root.join("target/hilum/python/dicom/bin/python"));
    python.arg(root.join("tests/dicom/read_resources.py"));
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/fhir+json"), "{}", answer.text());
        let file = folder.path().join(format!("{number}.json"));
        std::fs::write(&file, &answer.bytes).unwrap();
        python.arg(file);
    }
    let done = python.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn a_result_is_fhir_that_a_parser_takes() {
    let world = world();
    let (ada, bob) = (world.client("ada", Role::Reviewer), world.client("bob", Role::Reviewer));
    let (film, hip) = (world.add_result(1, &read(0.9, 0)), world.add_result(2, &abstained(0)));
    add_image(&world, film);
    let region = json!({ "shape": "rectangle", "points": [[0, 0], [2, 1]] });
    let full =
        json!({ "verdict": "disagree", "finding": "effusion", "reason": "missed", "note": "Mr X", "region": region });
    let verdict = ada.post(&format!("/api/v1/results/{film}/verdicts"), &full).json();
    let verdict = verdict["id"].as_str().unwrap();
    let get = |kind: &str, id: &str| ada.get(&format!("/fhir/R4/{kind}/{id}"));
    let mut answers = Vec::new();
    for id in [film.to_string(), hip.to_string()] {
        answers.extend(["DiagnosticReport", "Observation", "ImagingStudy"].map(|kind| get(kind, &id)));
    }
    answers.push(get("Observation", verdict));
    let read = parsed(&answers);
    assert_eq!(read[0], json!({ "kind": "DiagnosticReport", "id": film, "entries": [] }));
    assert_eq!((&read[2]["kind"], &read[6]["id"]), (&json!("ImagingStudy"), &json!(verdict)));
    let report = answers[0].json();
    assert_eq!(report["result"][1]["reference"], format!("Observation/{verdict}"));
    assert_eq!(report["subject"]["identifier"]["value"], "p".repeat(26));
    assert_eq!(answers[1].json()["component"][0]["valueQuantity"]["value"], 0.9);
    assert_eq!(answers[4].json()["interpretation"][0]["coding"][0]["code"], "IND");
    assert!(!answers[6].text().contains("Mr X"), "nobody knows whom a note names");
    assert_eq!(get("Observation", &Uuid::nil().to_string()).status, 404);

    // A second reader learns nothing here either.
    ada.post(&format!("/api/v1/results/{film}/second-reading"), &Value::Null);
    assert_eq!(bob.get(&format!("/fhir/R4/Observation/{verdict}")).status, 404);
    let report = bob.get(&format!("/fhir/R4/DiagnosticReport/{film}")).json();
    assert_eq!(report["result"].as_array().unwrap().len(), 1);
}

#[test]
fn verdicts_are_exported_by_stand_ins() {
    let world = world();
    let (ada, max) = (world.client("ada", Role::Reviewer), world.client("max", Role::Auditor));
    let (one, two) = (world.add_result(1, &read(0.9, 0)), world.add_result(2, &read(0.2, 0)));
    let full = json!({ "verdict": "disagree", "finding": "effusion", "reason": "missed", "note": "Mr X" });
    ada.post(&format!("/api/v1/results/{one}/verdicts"), &full);
    ada.post(&format!("/api/v1/results/{two}/verdicts"), &json!({ "verdict": "uncertain" }));
    assert_eq!(ada.get("/api/v1/verdict-export?format=csv").status, 403);
    assert_eq!(max.get("/api/v1/verdict-export?format=xml").status, 400);

    let table = max.get("/api/v1/verdict-export?format=csv");
    assert!(table.header("content-disposition").contains("verdicts.csv"));
    let text = table.text();
    let lines: Vec<Vec<&str>> = text.trim_end().split("\r\n").map(|line| line.split(',').collect()).collect();
    assert_eq!((lines.len(), lines[1].len()), (3, lines[0].len()));
    let of = |line: usize, column: &str| lines[line][lines[0].iter().position(|name| *name == column).unwrap()];
    assert_eq!((of(1, "verdict"), of(1, "finding"), of(1, "reason")), ("disagree", "effusion", "missed"));
    assert_eq!((of(1, "has_note"), of(1, "probability"), of(1, "ai_finding")), ("true", "0.9", "positive"));
    assert_eq!((of(2, "result_id"), of(2, "withdrawn_at")), (two.to_string().as_str(), ""));
    for word in ["ada", "Mr X"] {
        assert!(!text.contains(word), "{word}");
    }
    let rest = max.get(&format!("/api/v1/verdict-export?format=csv&after={}", of(1, "verdict_id")));
    assert_eq!(rest.text().trim_end().split("\r\n").count(), 2);

    let bundle = max.get("/api/v1/verdict-export?format=fhir");
    assert_eq!(parsed(std::slice::from_ref(&bundle))[0]["entries"], json!(["Observation", "Observation"]));
    assert!(!bundle.text().contains("Mr X") && !bundle.text().contains("ada"));

    ada.post(&format!("/api/v1/results/{one}/second-reading"), &Value::Null);
    assert!(!max.get("/api/v1/verdict-export?format=csv").text().contains("effusion"), "it awaits a blind reader");
    assert_eq!(actions(&world).into_iter().filter(|(action, _)| action == "verdicts.exported").count(), 4);
}

#[test]
fn filters_are_kept_for_each_account() {
    let world = world();
    let (ada, bob) = (world.client("ada", Role::Reviewer), world.client("bob", Role::Reviewer));
    assert_eq!(ada.get("/api/v1/filters").json(), json!({ "items": [] }));
    let mine = json!({ "name": " To do ", "query": "reviewed=false&sort=received" });
    let kept = ada.post("/api/v1/filters", &mine).json();
    assert_eq!((&kept["name"], &kept["query"]), (&json!("To do"), &json!("reviewed=false&sort=received")));
    assert_eq!(ada.get("/api/v1/filters").json()["items"], json!([kept]));
    assert_eq!(bob.get("/api/v1/filters").json(), json!({ "items": [] }));
    let address = format!("/api/v1/filters/{}", kept["id"].as_str().unwrap());
    assert_eq!(bob.delete(&address).status, 404);
    assert_eq!((ada.delete(&address).status, ada.delete(&address).status), (204, 404));
    for (name, query) in [
        ("", ""),
        ("x\ny", ""),
        (&*"x".repeat(61), ""),
        ("x", "sort=colour"),
        ("x", "cursor=abc"),
        ("x", "limit=5"),
        ("x", "patient=abc"),
        ("x", "site=a b"),
        ("x", &*"x".repeat(601)),
    ] {
        let refused = ada.post("/api/v1/filters", &json!({ "name": name, "query": query }));
        assert_eq!(refused.status, 400, "{name:?} {query:?}");
    }
    for number in 0..30 {
        assert_eq!(ada.post("/api/v1/filters", &json!({ "name": number.to_string(), "query": "" })).status, 200);
    }
    assert_eq!(ada.post("/api/v1/filters", &json!({ "name": "one more", "query": "" })).status, 409);
    let words = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 100)).unwrap();
    assert!(words.iter().all(|row| !row.detail.contains("To do")), "a name is its owner's words");
}

#[test]
fn turnaround_is_measured_from_the_receipt_to_the_first_verdict_that_stands() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    let none = json!({ "items": [{ "site": "st-mary", "median_ms": null, "reviews": 0 }] });
    assert_eq!(client.get("/api/v1/turnaround").json(), none);
    let id = world.add_result(1, &read(0.9, 0));
    let address = format!("/api/v1/results/{id}/verdicts");
    let before = gateway::domain::when::now();
    let given = client.post(&address, &json!({ "verdict": "agree" })).json();
    client.post(&address, &json!({ "verdict": "disagree" }));
    let measured = client.get("/api/v1/turnaround").json()["items"][0].clone();
    let waited = before - super::samples::RECEIVED;
    assert_eq!(measured["reviews"], 1);
    assert!((waited..waited + 60_000).contains(&measured["median_ms"].as_i64().unwrap()), "{measured}");
    let shown = client.get(&format!("/api/v1/results/{id}")).json();
    for verdict in [&given["id"], &shown["verdicts"][0]["id"]] {
        let back = client.post(&format!("{address}/{}/withdrawal", verdict.as_str().unwrap()), &Value::Null);
        assert_eq!(back.status, 200);
    }
    assert_eq!(client.get("/api/v1/turnaround").json(), none);
}

#[test]
fn a_result_in_the_list_has_exactly_the_contracts_fields() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    let id = world.add_result(1, &read(0.9, 0));
    assert_eq!(
        client.get("/api/v1/results").json()["items"][0],
        json!({
            "id": id, "device": "demo-1", "site": "st-mary",
            "received_at": "2026-01-02T03:00:45.678Z", "stored_at": "2026-01-02T03:00:46.678Z",
            "study": "s".repeat(26), "patient": "p".repeat(26),
            "modality": "DX", "view": "PA", "age_band": "1-5", "sex": "F",
            "outcome": "read", "finding": "positive", "probability": 0.9, "threshold": 0.5, "reason": null,
            "model": { "id": "pneumonia-cxr", "version": "1.0.0" }, "provider": "CPU",
            "has_image": false, "verdict": null, "second_reading": null,
            "stages_ms": { "receive": 12.5, "decode": 40.0, "queue": 1.25, "infer": 8.0, "total": 61.75 },
        })
    );
    let hip = world.add_result(2, &abstained(0));
    let item = client.get(&format!("/api/v1/results/{hip}")).json();
    assert_eq!(item["outcome"], "abstained");
    assert_eq!(item["reason"], json!({ "code": "not_a_chest", "words": "The header says HIP." }));
    for null in ["finding", "probability", "threshold", "model", "provider", "image", "saliency"] {
        assert_eq!(item[null], Value::Null, "{null}");
    }
}

/// Objects and row of a 2 × 2 picture.
fn add_image(world: &World, result: Uuid) {
    let objects = Objects::open(&world.config.objects.dir).unwrap();
    objects.put("0198", Part::Preview, &[1, 0, 2, 0, 3, 0, 255, 15]).unwrap();
    objects.put("0198", Part::VoiLut, &[0, 0, 255, 15]).unwrap();
    objects.put("0198", Part::Saliency, &[0, 128, 255]).unwrap();
    let row = ImageRow {
        result: result.to_string(),
        device: "demo-1".into(),
        message: "m".into(),
        stored_at: 1,
        image_rows: 2,
        image_columns: 2,
        sample_offset: -1024,
        inverted: 1,
        voi: r#"{"kind":"lut","center":null,"width":null,"lut_first":-5,"lut_bits":12}"#.into(),
        saliency_rows: Some(1),
        saliency_columns: Some(3),
        object: "0198".into(),
    };
    world.runtime.block_on(async {
        let mut work = world.store.begin().await.unwrap();
        images::insert(&mut work, &row).await.unwrap();
        commit(work).await.unwrap();
    });
}

#[test]
fn result_by_id() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    let id = world.add_result(1, &read(0.9, 0));
    add_image(&world, id);
    let shown = client.get(&format!("/api/v1/results/{id}")).json();
    assert_eq!(shown["has_image"], true);
    assert_eq!(
        shown["image"],
        json!({
            "rows": 2, "columns": 2, "source_rows": 2048, "source_columns": 1760, "bits_stored": 12,
            "photometric": "MONOCHROME1", "invert": true, "offset": -1024,
            "voi": { "kind": "lut", "center": null, "width": null, "lut_first": -5, "lut_bits": 12 },
        })
    );
    assert_eq!(shown["saliency"], json!({ "rows": 1, "columns": 3 }));
    assert_eq!(
        shown["model"],
        json!({
            "id": "pneumonia-cxr", "version": "1.0.0", "title": "Pneumonia on paediatric chest radiographs",
            "digest": "ab".repeat(32), "calibration": { "slope": 1.5, "intercept": -0.25 },
            "operating_point": { "name": "default", "threshold": 0.5, "sensitivity": 0.96, "specificity": 0.91,
                                 "measured_on": "624 test images" },
        })
    );
    assert_eq!(shown["caveats"], json!([{ "code": "age_unknown", "words": "The header gives no age." }]));
    assert_eq!((&shown["verdicts"], &shown["verdict_etag"]), (&json!([]), &json!("\"0\"")));
    assert_eq!(actions(&world), audited(&[("session.opened", "ada"), ("result.viewed", "ada")]));
    for missing in [Uuid::nil().to_string(), "x".into()] {
        assert_eq!(client.get(&format!("/api/v1/results/{missing}")).status, 404, "{missing}");
    }
}

#[test]
fn result_image_saliency_and_voi_lut() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    let (with, without) = (world.add_result(1, &read(0.9, 0)), world.add_result(2, &read(0.9, 0)));
    add_image(&world, with);
    for (part, bytes) in
        [("image", [1, 0, 2, 0, 3, 0, 255, 15].as_slice()), ("voi-lut", &[0, 0, 255, 15]), ("saliency", &[0, 128, 255])]
    {
        let answer = client.get(&format!("/api/v1/results/{with}/{part}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/octet-stream"), "{part}");
        assert_eq!(answer.bytes, bytes, "{part}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(client.get(&format!("/api/v1/results/{without}/{part}")).status, 404, "{part}");
    }
}

#[test]
fn result_verdicts() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    let (likeliest, likely) = (world.add_result(1, &read(0.9, 0)), world.add_result(2, &read(0.8, 0)));
    let address = format!("/api/v1/results/{likeliest}/verdicts");

    let given = client.post(&address, &json!({ "verdict": "disagree", "note": "Motion.\nRepeat?" }));
    assert_eq!(given.status, 201);
    let verdict = given.json();
    assert_eq!((&verdict["reviewer"], &verdict["verdict"]), (&json!("ada"), &json!("disagree")));
    assert_eq!((&verdict["note"], &verdict["result"]), (&json!("Motion.\nRepeat?"), &json!(likeliest)));
    assert_eq!((&verdict["verdict_etag"], &verdict["can_withdraw"]), (&json!("\"1\""), &json!(true)));
    let page = client.get("/api/v1/results").json();
    assert_eq!(ids(&page), [likely, likeliest].map(|id| id.to_string()), "what was reviewed is no longer urgent");
    assert_eq!(page["items"][1]["verdict"], "disagree");
    assert_eq!(client.get("/api/v1/results?reviewed=true").json()["total"], 1);

    assert_eq!(client.post_with(&address, ("if-match", "\"0\""), &json!({ "verdict": "agree" })).status, 412);
    assert_eq!(client.post_with(&address, ("if-match", "\"1\""), &json!({ "verdict": "agree" })).status, 201);
    let shown = client.get(&format!("/api/v1/results/{likeliest}")).json();
    assert_eq!((&shown["verdict"], &shown["verdict_etag"]), (&json!("agree"), &json!("\"2\"")));
    assert_eq!(shown["verdicts"][1]["id"], verdict["id"]);

    for body in [json!({}), json!({ "verdict": "maybe" }), json!({ "verdict": "agree", "note": "x".repeat(2_001) })] {
        assert_eq!(client.post(&address, &body).status, 400, "{body}");
    }
    let nowhere = format!("/api/v1/results/{}/verdicts", Uuid::nil());
    assert_eq!(client.post(&nowhere, &json!({ "verdict": "agree" })).status, 404);

    let trail = client.get("/api/v1/audit").json();
    let newest =
        &trail["items"].as_array().unwrap().iter().find(|item| item["action"] == "verdict.given").unwrap().clone();
    assert_eq!(
        (
            &newest["actor"],
            &newest["subject"],
            &json!(newest["detail"].as_str().unwrap().starts_with("first reading; "))
        ),
        (&json!("ada"), &json!(likeliest), &json!(true))
    );
}

#[test]
fn a_verdict_with_everything_comes_back_whole() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    let (with, without) = (world.add_result(1, &read(0.9, 0)), world.add_result(2, &read(0.9, 0)));
    add_image(&world, with);
    let codes = client.get("/api/v1/verdict-codes").json();
    assert_eq!(codes["reasons"][1], json!({ "code": "missed", "words": "A finding was missed", "with": ["disagree"] }));
    let region = json!({ "shape": "rectangle", "points": [[0, 0], [2, 1]] });
    let full =
        json!({ "verdict": "disagree", "finding": "effusion", "reason": "missed", "note": "left", "region": region });
    let given = client.post(&format!("/api/v1/results/{with}/verdicts"), &full);
    assert_eq!(given.status, 201, "{}", given.text());
    let shown = client.get(&format!("/api/v1/results/{with}")).json()["verdicts"][0].clone();
    for (name, value) in full.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!(shown["withdrawn_at"], Value::Null);
    let trail = client.get("/api/v1/audit").json();
    let said = trail["items"].as_array().unwrap().iter().find(|item| item["action"] == "verdict.given").unwrap();
    let detail = said["detail"].as_str().unwrap();
    let words = "first reading, with a finding, a reason, a note, a region; SHA-256 ";
    assert!(detail.starts_with(words) && detail.len() == words.len() + 64, "its words stay on its page: {detail}");

    let drawn = |points: Value| json!({ "verdict": "agree", "region": { "shape": "rectangle", "points": points } });
    for (result, body) in [
        (with, json!({ "verdict": "agree", "finding": "broken_arm" })),
        (with, json!({ "verdict": "agree", "reason": "missed" })),
        (with, drawn(json!([[0, 0], [3, 1]]))),
        (with, drawn(json!([[0, 0], [-1, 1]]))),
        (with, drawn(json!([[0, 0], [0, 1]]))),
        (without, drawn(json!([[0, 0], [1, 1]]))),
    ] {
        let refused = client.post(&format!("/api/v1/results/{result}/verdicts"), &body);
        assert_eq!((refused.status, refused.header("content-type")), (400, "application/problem+json"), "{body}");
    }
    assert_eq!(client.get("/api/v1/results?reviewed=true").json()["total"], 1);
    let nowhere = format!("/api/v1/results/{}/verdicts", Uuid::nil());
    assert_eq!(client.post(&nowhere, &drawn(json!([[0, 0], [1, 1]]))).status, 404);
}

#[test]
fn a_verdict_is_taken_back_by_its_reviewer_in_her_session_only() {
    let world = world();
    let (mut ada, eve) = (world.client("ada", Role::Reviewer), world.client("eve", Role::LeadReviewer));
    let id = world.add_result(1, &read(0.9, 0));
    let address = format!("/api/v1/results/{id}/verdicts");
    let given = ada.post(&address, &json!({ "verdict": "unreadable", "reason": "motion" })).json();
    let back = format!("{address}/{}/withdrawal", given["id"].as_str().unwrap());
    assert_eq!(eve.post(&back, &Value::Null).json()["type"], "urn:hilum:problem:not-yours");
    assert_eq!(eve.get(&format!("/api/v1/results/{id}")).json()["verdicts"][0]["can_withdraw"], false);

    let done = ada.post(&back, &Value::Null);
    assert_eq!((done.status, done.json()), (200, json!({ "verdict": null, "verdict_etag": "\"2\"" })));
    assert_eq!(ada.post(&back, &Value::Null).status, 409);
    let stale = ada.post_with(&address, ("if-match", "\"1\""), &json!({ "verdict": "agree" }));
    assert_eq!(stale.status, 412, "a withdrawal overtakes, too");
    let shown = ada.get(&format!("/api/v1/results/{id}")).json();
    assert_eq!((&shown["verdict"], &shown["verdict_etag"]), (&Value::Null, &done.json()["verdict_etag"]));
    assert!(shown["verdicts"][0]["withdrawn_at"].is_string() && shown["verdicts"][0]["can_withdraw"] == false);
    assert_eq!(ids(&ada.get("/api/v1/results?reviewed=false").json()), [id.to_string()]);

    let again = ada.post(&address, &json!({ "verdict": "agree" })).json();
    assert_eq!(ada.login("ada", PASSWORD).status, 200);
    let back = format!("{address}/{}/withdrawal", again["id"].as_str().unwrap());
    assert_eq!(ada.post(&back, &Value::Null).status, 403, "another session of the same account");
    let trail = ada.get("/api/v1/audit").json();
    let withdrawn = trail["items"].as_array().unwrap().iter().find(|item| item["action"] == "verdict.withdrawn");
    assert_eq!(withdrawn.unwrap()["detail"], given["id"]);
}

#[test]
fn a_verdict_needs_the_sessions_own_page() {
    let world = world();
    let mut client = world.client("ada", Role::Reviewer);
    let id = world.add_result(1, &read(0.9, 0));
    let csrf = std::mem::take(&mut client.csrf);
    let address = format!("/api/v1/results/{id}/verdicts");
    for forged in ["", "x", &csrf[1..]] {
        client.csrf = forged.to_owned();
        let answer = client.post(&address, &json!({ "verdict": "agree" }));
        assert_eq!((answer.status, &answer.json()["type"]), (403, &json!("urn:hilum:problem:csrf")), "{forged}");
    }
    assert_eq!(client.get("/api/v1/results?reviewed=true").json()["total"], 0);
}

#[test]
fn audit() {
    let world = world();
    let client = world.client("ada", Role::Auditor);
    let id = world.add_result(1, &read(0.9, 0));
    for _ in 0..3 {
        client.get(&format!("/api/v1/results/{id}"));
    }
    let first = client.get("/api/v1/audit?limit=3").json();
    assert_eq!(
        first["items"].as_array().unwrap().iter().map(|i| i["id"].as_i64().unwrap()).collect::<Vec<_>>(),
        [4, 3, 2]
    );
    assert_eq!(first["items"][0]["action"], "result.viewed");
    assert_eq!(first["items"][0]["hash"].as_str().unwrap().len(), 64);
    let rest = client.get(&format!("/api/v1/audit?cursor={}", first["next_cursor"].as_str().unwrap())).json();
    assert_eq!((&rest["items"][0]["action"], &rest["next_cursor"]), (&json!("session.opened"), &Value::Null));
    assert_eq!(world.runtime.block_on(world.store.verify_audit()).unwrap(), Ok(4));
}

#[test]
fn devices() {
    let world = world();
    let client = world.client("ada", Role::Administrator);
    world.add_result(1, &read(0.9, 0));
    assert_eq!(
        client.get("/api/v1/devices").json(),
        json!({ "items": [{
            "id": "demo-1", "site": "st-mary", "enrolled_at": "1970-01-01T00:00:01.000Z",
            "last_seen_at": null, "results": 1, "queue_depth": null, "oldest_ms": null, "rejected": null,
            "sync_agent_version": null, "certificate_expires_at": null, "revoked_at": null,
            "newest": {
                "received_at": "2026-01-02T03:00:45.678Z", "appliance_version": "0.1.0",
                "model": { "id": "pneumonia-cxr", "version": "1.0.0" }, "provider": "CPU",
            },
            "troubles": [{
                "code": "never_heard_of",
                "words": "It was enrolled and never heard of: does its sync-agent run, and does it reach the broker?",
            }],
            "shadow": null,
        }] })
    );
}

#[test]
fn a_devices_shadow() {
    let world = world();
    let client = world.client("ada", Role::Administrator);
    assert_eq!(client.get("/api/v1/devices/demo-1/shadow").json(), json!({ "items": [] }));
    world.add_shadow(1, &shadow(60_000));
    let answer = client.get("/api/v1/devices/demo-1/shadow").json();
    let window = &answer["items"][0];
    assert_eq!(&client.get("/api/v1/devices").json()["items"][0]["shadow"], window);
    assert_eq!(window["to"], "2026-01-02T03:01:45.678Z");
    assert_eq!(window["agreement"].as_f64().map(|share| (share * 1000.0).round()), Some(667.0));
    assert_eq!((&window["correlation"], &window["candidate"]["version"]), (&Value::Null, &json!("1.1.0")));
    assert_eq!(client.get("/api/v1/devices/demo-2/shadow").status, 404);
}

#[test]
fn openapi_and_docs() {
    let world = world();
    let client = world.stranger();
    let document = client.get("/api/v1/openapi.json").json();
    assert_eq!(document["openapi"].as_str().unwrap().split('.').next(), Some("3"));
    let docs = client.get("/api/docs/");
    assert_eq!(docs.status, 200);
    assert!(docs.text().contains("swagger"));
    assert!(docs.header("content-security-policy").contains("style-src 'self' 'unsafe-inline'"));
}

#[test]
fn every_answer_tells_the_browser_what_not_to_do() {
    let world = world();
    let client = world.stranger();
    for path in ["/", "/api/v1/results", "/api/v1/nothing", "/api/v1/openapi.json"] {
        let answer = client.get(path);
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("img-src 'self' data: blob:"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "{path}: not where browsers come without TLS");
    }
    assert_eq!(client.get("/api/v1/nothing").status, 404);
}

#[test]
fn too_much_and_nonsense_are_refused_as_problems() {
    let world = world();
    let client = world.stranger();
    let large = client.post("/api/v1/session", &json!({ "username": "x".repeat(100_000), "password": "x" }));
    assert_eq!((large.status, large.header("content-type")), (413, "application/problem+json"));
    let nonsense = client.post("/api/v1/session", &json!([1]));
    assert_eq!(nonsense.status, 400);
    let wrong_method = client.delete("/api/v1/results");
    assert_eq!((wrong_method.status, wrong_method.header("content-type")), (405, "application/problem+json"));
}

#[test]
fn dashboard() {
    let world = world();
    let client = world.stranger();
    let missing = client.get("/");
    assert_eq!(missing.status, 503);
    assert!(missing.text().contains("npm ci") && missing.text().contains("dashboard_dir"), "{}", missing.text());

    let dist = &world.config.http.dashboard_dir;
    std::fs::create_dir_all(dist.join("assets")).unwrap();
    std::fs::write(dist.join("index.html"), "<title>Hilum</title>").unwrap();
    std::fs::write(dist.join("assets/index-abc.js"), "let x;").unwrap();
    for page in ["/", "/results/0198", "/audit"] {
        let answer = client.get(page);
        assert_eq!((answer.status, answer.text().as_str()), (200, "<title>Hilum</title>"), "{page}");
        assert_eq!(
            (answer.header("cache-control"), answer.header("content-type")),
            ("no-cache", "text/html"),
            "{page}"
        );
    }
    let script = client.get("/assets/index-abc.js");
    assert_eq!((script.status, script.text().as_str()), (200, "let x;"));
    assert!(script.header("cache-control").contains("immutable"));
    for nothing in ["/assets/gone.js", "/..%2fgateway.sqlite", "/%2e%2e/gateway.sqlite"] {
        assert_eq!(client.get(nothing).status, 404, "{nothing}");
    }
}

#[test]
fn health_and_metrics() {
    let world = world();
    let client = world.client("ada", Role::Reviewer);
    assert_eq!(client.get("/health/live").status, 200);
    let ready = client.get("/health/ready");
    assert_eq!(ready.status, 503);
    let broker = ready.json()["parts"]["broker"].as_str().unwrap().to_owned();
    assert!(broker.contains("not connected"), "{broker}");
    client.get("/api/v1/results");
    let metrics = client.get("/metrics").text();
    let line = r#"http_requests_total{method="GET",path="/api/v1/results",status="200"}"#;
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("http_request_duration_seconds_bucket"), "{metrics}");
}
