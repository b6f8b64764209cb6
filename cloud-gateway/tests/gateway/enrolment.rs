//! Taking devices in, through the command itself.

use gateway::auth::sites::Sites;
use std::path::Path;
use std::process::{Command, Output};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use wire::enrolment::{Enrolment, sealing_key_name};
use wire::seal;

use super::world::{PASSWORD, World};

pub fn write_config(world: &World) -> String {
    let (config, file) = (&world.config, world.folder.path().join("gateway.toml"));
    let (mqtt, ca, est) = (&config.mqtt, config.ca.as_ref().unwrap(), config.est.as_ref().unwrap());
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\ndashboard_dir = {:?}\n[database]\nurl = {:?}\n[objects]\ndir = {:?}\n\
         [mqtt]\nhost = \"localhost\"\nport = 1\nca = {:?}\ncertificate = {:?}\nkey = {:?}\n\
         [identity]\nhpke_key = {:?}\n[ca]\ncertificate = {:?}\nkey = {:?}\ncrl = {:?}\n\
         [est]\nlisten = \"127.0.0.1:0\"\npublic_url = {:?}\ncertificate = {:?}\nkey = {:?}\n",
        config.http.dashboard_dir,
        config.database.url,
        config.objects.dir,
        mqtt.ca,
        mqtt.certificate,
        mqtt.key,
        config.identity.hpke_key,
        ca.certificate,
        ca.key,
        ca.crl.as_ref().unwrap(),
        est.public_url,
        est.certificate,
        est.key,
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

pub fn gateway(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloud-gateway"))
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A command that ends before it reads has closed the pipe.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
    child.wait_with_output().unwrap()
}

pub fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A device's request, PEM, and its sealing key.
fn request(common_name: &str) -> (String, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // Asking for more than a device may be: it must be ignored.
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let sealing_key = seal::generate(&mut rand::rng()).1.to_hex();
    params.subject_alt_names = vec![
        SanType::URI(sealing_key_name(&sealing_key).try_into().unwrap()),
        SanType::DnsName("broker.example.org".try_into().unwrap()),
    ];
    (params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap(), sealing_key)
}

fn enrol(world: &World, request: &str) -> Result<Enrolment, String> {
    let config = write_config(world);
    let at = |name: &str| world.folder.path().join(name).display().to_string();
    std::fs::write(at("request.pem"), request).unwrap();
    let _ = std::fs::remove_file(at("enrolment.json"));
    let (out, asked) = (at("enrolment.json"), at("request.pem"));
    let output = gateway(&["enrol", "sign", "--config", &config, "--site", "st-mary", "--out", &out, &asked], "");
    if !output.status.success() {
        assert!(!Path::new(&out).exists());
        return Err(words(&output));
    }
    Ok(serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap())
}

#[test]
fn a_device_gets_a_certificate_for_its_name_and_nothing_more() {
    let world = World::stopped();
    let (request, sealing_key) = request("demo-1");
    let answer = enrol(&world, &request).unwrap();
    assert_eq!((answer.device.as_str(), answer.site.as_str()), ("demo-1", "st-mary"));
    let ours = gateway::identity::load(&world.config.identity.hpke_key).unwrap();
    assert_eq!(answer.gateway_sealing_key, ours.public().to_hex());
    assert_eq!(answer.authorities, std::fs::read_to_string(&world.config.mqtt.ca).unwrap());

    let (_, pem) = x509_parser::pem::parse_x509_pem(answer.certificate.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=demo-1");
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!certificate.is_ca());
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].to_string().contains(&sealing_key_name(&sealing_key)), "{names:?}");
    let days = (certificate.validity().not_after.timestamp() - certificate.validity().not_before.timestamp()) / 86_400;
    assert_eq!(days, 90);

    let standing = world.runtime.block_on(world.store.standing(&answer.device)).unwrap();
    assert_eq!(standing.unwrap().sealing_key, sealing_key);
    let trail = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 10)).unwrap();
    assert_eq!((trail[0].action.as_str(), trail[0].subject.as_str()), ("device.enrolled", "demo-1"));
}

#[test]
fn enrolling_again_replaces_the_keys_and_says_so() {
    let world = World::stopped();
    enrol(&world, &request("demo-1").0).unwrap();
    let (second, sealing_key) = request("demo-1");
    let answer = enrol(&world, &second).unwrap();
    let standing = world.runtime.block_on(world.store.standing(&answer.device)).unwrap();
    assert_eq!(standing.unwrap().sealing_key, sealing_key);
    let trail = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 10)).unwrap();
    assert!(trail[0].detail.contains("again, replacing its keys"), "{}", trail[0].detail);
}

#[test]
fn a_revoked_device_is_not_signed_for_by_mistake() {
    let world = World::stopped();
    enrol(&world, &request("demo-1").0).unwrap();
    let config = write_config(&world);
    let revoked = gateway(&["device", "revoke", "--config", &config, "--reason", "retired", "demo-1"], "");
    assert!(revoked.status.success(), "{}", words(&revoked));
    let refusal = enrol(&world, &request("demo-1").0).unwrap_err();
    assert!(refusal.contains("was revoked"), "{refusal}");
    let shown = |command: &[&str]| {
        let done = gateway(&[command, &["--config", &config]].concat(), "");
        String::from_utf8(done.stdout).unwrap()
    };
    assert!(shown(&["device", "list"]).contains("demo-1\tst-mary\trevoked (retired)"));
    assert!(shown(&["device", "show", "demo-1"]).contains(", revoked "));
    let nobody = gateway(&["device", "revoke", "--config", &config, "--reason", "other", "demo-9"], "");
    assert!(words(&nobody).contains("there is no device demo-9"), "{}", words(&nobody));
    let at = |name: &str| world.folder.path().join(name).display().to_string();
    let (out, asked) = (at("enrolment.json"), at("request.pem"));
    let again = ["enrol", "sign", "--config", &config, "--site", "st-mary", "--reinstate", "--out", &out, &asked];
    assert!(gateway(&again, "").status.success());
    assert!(shown(&["device", "list"]).contains("demo-1\tst-mary\tenrolled"));
}

#[test]
fn a_request_that_is_not_its_own_is_refused_and_leaves_nothing() {
    let world = World::stopped();
    for (bad, sign) in [
        (request("Gateway 1").0, "one common name alone"),
        ("x".to_owned(), "not PKCS#10"),
        (String::new(), "not PKCS#10"),
    ] {
        let refusal = enrol(&world, &bad).unwrap_err();
        assert!(refusal.contains(sign), "{sign}: {refusal}");
    }
    assert!(world.runtime.block_on(world.store.devices(&Sites::All)).unwrap().is_empty());
}

#[test]
fn an_account_made_by_the_command_can_log_in() {
    let mut world = World::stopped();
    let config = write_config(&world);
    let add = ["user", "add", "--config", &config, "--username", "ada", "--role", "reviewer"];
    let short = gateway(&add, "short\n");
    assert!(words(&short).contains("shorter than 12"), "{}", words(&short));
    let added = gateway(&add, &format!("{PASSWORD}\n"));
    assert!(added.status.success(), "{}", words(&added));
    let again = gateway(&add, &format!("{PASSWORD}\n"));
    assert!(words(&again).contains("named ada already"), "{}", words(&again));
    world.start();
    assert_eq!(world.stranger().login("ada", PASSWORD).status, 200);
    let verified = gateway(&["audit", "verify", "--config", &config], "");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("holds, 2 entries"), "{}", words(&verified));
}

#[test]
fn what_keeps_it_from_starting_is_said_with_its_remedy() {
    let world = World::without_broker();
    let config = write_config(&world);
    let good = std::fs::read_to_string(&config).unwrap();
    let folder = world.folder.path().display().to_string();
    let taken = world.address().to_string();
    std::fs::write(world.folder.path().join("junk"), "junk").unwrap();
    for (from, to, sign) in [
        ("127.0.0.1:0", taken.as_str(), "change [http] listen"),
        ("hpke.key", "gateway.pem", "[identity] hpke_key"),
        ("hpke.key", "missing.key", "identity init"),
        ("gateway.key", "broker.key", "[mqtt] key) does not belong"),
        ("/ca.pem", "/junk", "[mqtt] ca"),
        ("/objects", "/junk", "[objects] dir"),
        (&format!("sqlite:{folder}/gateway.sqlite"), "postgres://nobody@127.0.0.1:1/none", "[database] url"),
        ("[objects]", "[object]", "object"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(&config, good.replacen(from, to, 1)).unwrap();
        let output = gateway(&["serve", "--config", &config], "");
        assert!(!output.status.success());
        assert!(words(&output).contains(sign), "{sign}: {}", words(&output));
    }
}

#[test]
fn a_certificate_from_before_they_were_written_down_comes_onto_the_list() {
    let world = World::stopped();
    let enrolment = enrol(&world, &request("demo-1").0).unwrap();
    // As the migration leaves what it finds.
    let blank = "UPDATE certificates SET serial = ''";
    world.runtime.block_on(sqlx::query(blank).execute(world.store.pool())).unwrap();
    let config = write_config(&world);
    let revoked = gateway(&["device", "revoke", "--config", &config, "--reason", "stolen", "demo-1"], "");
    let revoked = String::from_utf8(revoked.stdout).unwrap();
    assert!(revoked.contains("certificate import"), "{revoked}");
    let crl = world.config.ca.as_ref().unwrap().crl.clone().unwrap();
    let named = || {
        let shown = Command::new("openssl").args(["crl", "-noout", "-text", "-in"]).arg(&crl).output().unwrap();
        String::from_utf8(shown.stdout).unwrap().matches("Serial Number").count()
    };
    assert_eq!(named(), 0);
    let import = |pem: &str| {
        let file = world.folder.path().join("earlier.pem");
        std::fs::write(&file, pem).unwrap();
        gateway(&["certificate", "import", "--config", &config, file.to_str().unwrap()], "")
    };
    let (strange, _) = request("demo-1");
    assert!(words(&import(&strange)).contains("this is no certificate in PEM"));
    let own = rcgen::generate_simple_self_signed(["demo-1".to_owned()]).unwrap();
    assert!(words(&import(&own.cert.pem())).contains("[ca] certificate did not sign this"));
    assert_eq!(named(), 0);
    for _ in 0..2 {
        let done = import(&enrolment.certificate);
        assert!(done.status.success(), "{}", words(&done));
        assert_eq!(named(), 1);
    }
    // And one that was replaced before: the database has never heard of it.
    let forget = "DELETE FROM certificates";
    world.runtime.block_on(sqlx::query(forget).execute(world.store.pool())).unwrap();
    assert!(import(&enrolment.certificate).status.success());
    assert_eq!(named(), 1);
    let trail = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 1)).unwrap();
    assert_eq!((trail[0].action.as_str(), trail[0].subject.as_str()), ("certificate.noted", "demo-1"));
}
