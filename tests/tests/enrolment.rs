//! A device joins over the network, renews, loses power in the middle of it, and is shut out: both real programs, a real
//! mosquitto, and nothing between them but TLS.

#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use lab::courier::{self, Courier, Papers, Parcel};
use lab::house::House;
use lab::modality::{self, Modality};
use lab::{journal, patience, place, process};

/// What `hilum-sync-agent` said.
struct Said {
    done: bool,
    words: String,
}

fn agent(arguments: &[&str], identity: &Path) -> Said {
    let mut command = Command::new(place::program("hilum-sync-agent").unwrap());
    command.args(arguments).arg("--identity-dir").arg(identity).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    Said { done: status.success(), words }
}

fn enrol(house: &House, token: &str, identity: &Path) -> Said {
    let ca = house.authority.certificate("ca").display().to_string();
    agent(&["enrol", "--url", &house.cloud.est_address(), "--token", token, "--ca", &ca], identity)
}

/// A token that the operator makes.
fn token(house: &House, device: &str, more: &[&str]) -> String {
    let order = [&["enrol", "token", "--device", device, "--site", "lab"], more].concat();
    house.cloud.order(&order).unwrap().trim().to_owned()
}

fn certificate(identity: &Path) -> String {
    courier::certificate(identity).unwrap()
}

/// Connects to the broker with an identity's own certificate and key, through mosquitto's own client: its answer.
fn knock(house: &House, identity: &Path) -> Output {
    let papers = Papers::of_device(identity, &house.folder.join("knock.pem")).unwrap();
    let courier = Courier::new(house, "knock", Some(papers));
    courier.publish(&Parcel::empty("hilum/v1/lab-1/up/telemetry")).unwrap()
}

fn send(house: &House, name: &str, films: usize, seed: u64) {
    let files = modality::draw(&house.folder.join(name), films, seed).unwrap();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted));
}

fn trail(house: &House) -> String {
    let page: serde_json::Value = house.cloud.log_in().unwrap().get("/api/v1/audit?limit=100").unwrap();
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| format!("{} {} {}\n", item["action"], item["subject"], item["detail"]))
        .collect()
}

#[test]
fn a_device_joins_with_one_command_and_takes_up_its_next_certificate_while_it_runs() {
    let mut house = House::for_test("est").unwrap();
    house.cloud.start().unwrap();
    let identity = house.hospital.identity();
    std::fs::remove_dir_all(&identity).unwrap();
    let joined = enrol(&house, &token(&house, "lab-1", &[]), &identity);
    assert!(joined.done && joined.words.contains("this device is now lab-1 at lab"), "{}", joined.words);
    house.hospital.start_appliance().unwrap();
    house.hospital.start_agent().unwrap();
    send(&house, "before", 1, 17);
    house.wait_until_drained(1).unwrap();

    let first = certificate(&identity);
    let renewed = agent(&["renew"], &identity);
    assert!(renewed.done, "{}", renewed.words);
    assert_ne!(certificate(&identity), first);
    let log = house.hospital.plan.folder.join("hilum-sync-agent.log");
    patience::until("the sync-agent to take its new certificate up", patience::START, || {
        let text = std::fs::read_to_string(&log)?;
        let again = text.split("there is another certificate").nth(1);
        Ok(again.filter(|rest| rest.contains("draining the outbox")).map(|_| ()))
    })
    .unwrap();
    send(&house, "after", 2, 18);
    house.wait_until_drained(3).unwrap();
    let trail = trail(&house);
    for action in ["token.made", "device.enrolled", "certificate.renewed"] {
        assert!(trail.contains(action), "{action}: {trail}");
    }
}

#[test]
fn every_mistake_at_the_device_is_told_in_plain_words() {
    let mut house = House::for_test("est-mistakes").unwrap();
    house.cloud.start().unwrap();
    let identity = house.folder.join("other-identity");
    let url = house.cloud.est_address();
    let ca = house.authority.certificate("ca").display().to_string();
    // The authority of somebody else, and the pin of another certificate.
    let strange = lab::authority::Authority::found(&house.folder.join("strange")).unwrap();
    let strange_ca = strange.certificate("ca").display().to_string();
    let nobody = format!("https://localhost:{}", lab::ports::free().unwrap());
    let good = token(&house, "lab-2", &[]);
    let wrong = "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa";
    for (arguments, words) in [
        (["--url", &url, "--token", wrong, "--ca", &ca], "the token is not known here"),
        (["--url", &url, "--token", &good, "--ca", &strange_ca], "do not go on before the operator has compared"),
        (["--url", &url, "--token", &good, "--pin", &"0".repeat(64)], "not the one of the pin"),
        (["--url", &nobody, "--token", &good, "--ca", &ca], "nothing listens there"),
        (["--url", "https://nobody.invalid", "--token", &good, "--ca", &ca], "the name is not known"),
        (["--url", "http://localhost", "--token", &good, "--ca", &ca], "no address of a gateway"),
    ] {
        let said = agent(&[&["enrol"], &arguments[..]].concat(), &identity);
        assert!(!said.done && said.words.contains(words), "{words}: {}", said.words);
    }
    // None of that used the token up; the pin that the operator was shown lets this gateway be known without its authority.
    let openssl = ["x509", "-noout", "-fingerprint", "-sha256", "-in"].map(str::to_owned);
    let file = house.authority.certificate("est").display().to_string();
    let pin = process::finish(Path::new("openssl"), openssl.into_iter().chain([file])).unwrap();
    let joined = agent(&["enrol", "--url", &url, "--token", &good, "--pin", pin.trim()], &identity);
    assert!(joined.done, "{}", joined.words);
    let thief = enrol(&house, &good, &house.folder.join("thief"));
    assert!(!thief.done && thief.words.contains("used already"), "{}", thief.words);
    assert_eq!(std::fs::read_dir(house.folder.join("thief")).unwrap().count(), 1, "a refused device keeps only next/");
}

/// The same code that the running service asks each minute, with the clock of a day to come.
#[test]
fn a_certificate_is_renewed_after_two_thirds_of_its_life_and_not_before() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let mut house = House::for_test("est-due").unwrap();
    house.cloud.start().unwrap();
    let identity = house.hospital.identity();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = sync_agent::identity::IdentityFolder(identity.clone());
    let began = folder.load().unwrap().certificate.from_ms;
    let on_day = |day: i64| runtime.block_on(sync_agent::renewal::look(&folder, began + day * DAY_MS));
    let first = certificate(&identity);
    assert!(!on_day(1).unwrap() && !on_day(59).unwrap());
    assert_eq!(certificate(&identity), first);
    // Two thirds and a twelfth of 90 days.
    assert!(on_day(68).unwrap());
    assert_ne!(certificate(&identity), first);
    assert!(knock(&house, &identity).status.success());
    // A clock that is years ahead gets no certificate that is over by then, and keeps the one that it has.
    let kept = certificate(&identity);
    let words = on_day(10_000).unwrap_err().to_string();
    assert!(words.contains("set the clock"), "{words}");
    assert_eq!(certificate(&identity), kept);
}

/// Wherever the power goes, the device has one whole identity that the gateway takes, and the next renewal works.
#[test]
fn a_device_that_is_killed_in_the_middle_of_its_renewal_loses_nothing() {
    let mut house = House::for_test("est-killed").unwrap();
    house.cloud.start().unwrap();
    let identity = house.hospital.identity();
    let began = Instant::now();
    assert!(agent(&["renew"], &identity).done);
    let whole = began.elapsed();
    let (mut switched, mut kept) = (0, 0);
    // The gateway gives a device ten certificates a day: one for joining, one above, one at the end.
    for eighths in 1..=7 {
        let before = certificate(&identity);
        let mut command = process::command(&place::program("hilum-sync-agent").unwrap());
        command.args(["renew", "--identity-dir"]).arg(&identity);
        let mut renewing = process::Process::start("renew", command, &house.folder.join("renew.log")).unwrap();
        std::thread::sleep(whole * eighths / 8);
        renewing.kill().unwrap();
        if certificate(&identity) == before {
            kept += 1;
        } else {
            switched += 1;
        }
        let answer = knock(&house, &identity);
        assert!(answer.status.success(), "after {eighths}/8 of {whole:?}: {}", String::from_utf8_lossy(&answer.stderr));
    }
    let last = agent(&["renew"], &identity);
    assert!(last.done, "{kept} kept, {switched} switched: {}", last.words);
    assert!(knock(&house, &identity).status.success());
    let keys = std::fs::read_dir(&identity).unwrap().flatten().count();
    assert_eq!(keys, 4, "an old key was left behind");
}

/// What happens to a connection that is open when its device is revoked was found by trying mosquitto 2.0: a list that is
/// read again is asked at handshakes only. So the gateway refuses what still comes over it, and a restart of the broker, which
/// costs nobody a message, ends it.
#[test]
fn a_revoked_device_is_refused_by_gateway_est_and_broker() {
    let mut house = House::for_test("revoked").unwrap();
    house.start().unwrap();
    let identity = house.hospital.identity();
    send(&house, "before", 1, 17);
    house.wait_until_drained(1).unwrap();
    assert!(knock(&house, &identity).status.success());

    let said = house.cloud.order(&["device", "revoke", "--reason", "stolen", "lab-1"]).unwrap();
    assert!(said.contains("names 1 certificates"), "{said}");
    house.broker.reload().unwrap();
    patience::until("the broker to refuse the revoked certificate", patience::START, || {
        Ok((!knock(&house, &identity).status.success()).then_some(()))
    })
    .unwrap();

    // The agent's own connection is older than the list and still open: what it sends is refused, and kept on the device.
    send(&house, "after", 1, 18);
    let outbox = house.hospital.outbox();
    let result = patience::until("the new film to be read", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok(entries.into_iter().nth(1).and_then(|entry| entry.result))
    })
    .unwrap();
    let refusal = format!("\"message.rejected\" \"{result}\" \"revoked: the device was revoked");
    patience::until("the gateway to refuse the revoked device's result", patience::BATCH, || {
        Ok(trail(&house).replace('-', "").contains(&refusal).then_some(()))
    })
    .unwrap();
    assert!(journal::waiting(&outbox).unwrap().waiting > 0, "a refused message was given up");

    house.broker.kill().unwrap();
    house.broker.restart().unwrap();
    let agent_port = house.hospital.plan.agent_port;
    patience::until("the sync-agent to find itself shut out", patience::START, || {
        Ok((!lab::api::is_ready(agent_port)).then_some(()))
    })
    .unwrap();
    let renewal = agent(&["renew"], &identity);
    assert!(!renewal.done && renewal.words.contains("revoked"), "{}", renewal.words);

    // Let in again by an operator, with new keys, it brings what it kept.
    let back = token(&house, "lab-1", &["--reinstate"]);
    let joined = enrol(&house, &back, &identity);
    assert!(joined.done, "{}", joined.words);
    house.wait_until_drained(2).unwrap();
    let trail = trail(&house);
    for sign in ["device.revoked", "message.rejected", "enrolment.refused", "again after its revocation"] {
        assert!(trail.contains(sign), "{sign}: {trail}");
    }
}
