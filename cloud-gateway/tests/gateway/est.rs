//! Enrolment over the network as a second implementation meets it: curl speaks, openssl makes the requests and reads the
//! answers, and neither has a line of ours.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use gateway::auth::roles::Role;
use gateway::auth::sites::Sites;
use serde_json::json;
use wire::enrolment::sealing_key_name;
use wire::seal;

use super::enrolment::{gateway, words, write_config};
use super::world::World;

/// A device made of curl and openssl, in a folder of its own.
struct Stranger<'a> {
    world: &'a World,
    folder: PathBuf,
    sealing_key: String,
}

/// What curl was answered.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs openssl; its answer is text.
fn openssl(arguments: &[&str]) -> String {
    let done = run("openssl", arguments);
    assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

impl<'a> Stranger<'a> {
    fn new(world: &'a World, name: &str) -> Self {
        let folder = world.folder.path().join(format!("stranger-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let sealing_key = seal::generate(&mut rand::rng()).1.to_hex();
        let stranger = Self { world, folder, sealing_key };
        stranger.make_key("key.pem");
        stranger
    }

    fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn make_key(&self, name: &str) {
        openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &self.at(name)]);
    }

    /// Writes `request.b64`: what RFC 7030 wants a client to send.
    fn ask_for(&self, subject: &str, key: &str) -> String {
        let name = format!("subjectAltName=URI:{}", sealing_key_name(&self.sealing_key));
        let (der, body) = (self.at("request.der"), self.at("request.b64"));
        openssl(&[
            "req",
            "-new",
            "-key",
            &self.at(key),
            "-subj",
            subject,
            "-addext",
            &name,
            "-outform",
            "DER",
            "-out",
            &der,
        ]);
        openssl(&["base64", "-in", &der, "-out", &body]);
        body
    }

    fn curl(&self, path: &str, more: &[&str]) -> Answer {
        let url = format!("https://localhost:{}{path}", self.world.est_port());
        let ca = self.world.config.mqtt.ca.display().to_string();
        let (head, body) = (self.at("head"), self.at("body"));
        let mut arguments =
            vec!["--silent", "--show-error", "--max-time", "60", "--cacert", &ca, "-D", &head, "-o", &body];
        arguments.extend(["--write-out", "%{http_code}", &url]);
        arguments.extend(more);
        let done = run("curl", &arguments);
        assert!(done.status.success(), "curl {path}: {}", String::from_utf8_lossy(&done.stderr));
        let text = |file: &str| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        let status = String::from_utf8(done.stdout).unwrap().parse().unwrap();
        Answer { status, head: text(&head).to_lowercase(), body: text(&body) }
    }

    /// `simpleenroll` with a token as the password of HTTP's Basic scheme.
    fn enrol(&self, subject: &str, key: &str, user: &str) -> Answer {
        let body = format!("@{}", self.ask_for(subject, key));
        self.curl("/.well-known/est/simpleenroll", &["--user", user, "-H", PKCS10, "--data-binary", &body])
    }

    /// `simplereenroll` with the certificate in `certificate.pem` and its key.
    fn renew(&self, subject: &str, key: &str, new_key: &str) -> Answer {
        let body = format!("@{}", self.ask_for(subject, new_key));
        let (certificate, key) = (self.at("certificate.pem"), self.at(key));
        let shown = ["--cert", &certificate, "--key", &key, "-H", PKCS10, "--data-binary", &body];
        self.curl("/.well-known/est/simplereenroll", &shown)
    }

    /// Keeps the certificate of an answer as `certificate.pem` and gives openssl's description of it.
    fn keep(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.head.contains("content-type: application/pkcs7-mime; smime-type=certs-only"), "{}", answer.head);
        let (der, certificate) = (self.at("answer.der"), self.at("certificate.pem"));
        openssl(&["base64", "-d", "-in", &self.at("body"), "-out", &der]);
        let printed = openssl(&["pkcs7", "-inform", "DER", "-in", &der, "-print_certs"]);
        std::fs::write(&certificate, printed).unwrap();
        let ca = self.world.config.mqtt.ca.display().to_string();
        openssl(&["verify", "-CAfile", &ca, "-purpose", "sslclient", &certificate]);
        openssl(&["x509", "-in", &certificate, "-noout", "-text"])
    }
}

const PKCS10: &str = "Content-Type: application/pkcs10";

/// A token that an operator made with the command.
fn token(world: &World, device: &str, more: &[&str]) -> String {
    let config = write_config(world);
    let mut order = vec!["enrol", "token", "--config", &config, "--device", device, "--site", "st-mary"];
    order.extend(more);
    let done = gateway(&order, "");
    assert!(done.status.success(), "{}", words(&done));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn revoke(world: &World, device: &str) {
    let done = gateway(&["device", "revoke", "--config", &write_config(world), "--reason", "stolen", device], "");
    assert!(done.status.success(), "{}", words(&done));
}

/// Newest first: action, subject, detail.
fn trail(world: &World) -> Vec<(String, String, String)> {
    let rows = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 50)).unwrap();
    rows.into_iter().map(|row| (row.action, row.subject, row.detail)).collect()
}

fn problem(answer: &Answer) -> String {
    let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body));
    problem["type"].as_str().unwrap().trim_start_matches("urn:hilum:problem:enrolment-").to_owned()
}

#[test]
fn curl_and_openssl_enrol_and_renew() {
    let world = World::without_broker();
    let stranger = Stranger::new(&world, "a");
    let authorities = stranger.curl("/.well-known/est/cacerts", &[]);
    let authority = stranger.keep_authority(&authorities);
    assert_eq!(authority.trim(), std::fs::read_to_string(&world.config.mqtt.ca).unwrap().trim());

    let wanted = stranger.curl("/.well-known/est/csrattrs", &[]);
    assert!(wanted.status == 200 && wanted.head.contains("content-type: application/csrattrs"), "{}", wanted.head);
    let der = stranger.at("csrattrs.der");
    openssl(&["base64", "-d", "-in", &stranger.at("body"), "-out", &der]);
    let wanted = openssl(&["asn1parse", "-inform", "DER", "-in", &der]);
    for sign in ["id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256", "Extension Request", "Subject Alternative Name"] {
        assert!(wanted.contains(sign), "{sign}: {wanted}");
    }

    let token = token(&world, "demo-1", &[]);
    let text = stranger.keep(&stranger.enrol("/CN=demo-1", "key.pem", &format!("demo-1:{token}")));
    for sign in ["Subject: CN = demo-1", "TLS Web Client Authentication", "Digital Signature", &stranger.sealing_key] {
        assert!(text.contains(sign), "{sign}: {text}");
    }
    for foreign in ["Server Authentication", "CA:TRUE", "DNS:"] {
        assert!(!text.contains(foreign), "{foreign}: {text}");
    }
    let standing = world.runtime.block_on(world.store.standing(&"demo-1".parse().unwrap())).unwrap().unwrap();
    assert_eq!((standing.site.as_str(), standing.sealing_key.as_str()), ("st-mary", stranger.sealing_key.as_str()));

    stranger.make_key("next.pem");
    let renewed = stranger.keep(&stranger.renew("/CN=demo-1", "key.pem", "next.pem"));
    let serial = |text: &str| text.lines().skip_while(|line| !line.contains("Serial Number")).nth(1).map(str::to_owned);
    assert_ne!(serial(&text), serial(&renewed));
    // And the next one with the next one.
    stranger.keep(&stranger.renew("/CN=demo-1", "next.pem", "next.pem"));
    let certificates = world.runtime.block_on(world.store.certificates(&"demo-1".parse().unwrap())).unwrap();
    assert_eq!(certificates.len(), 3);
    let actions: Vec<String> = trail(&world).into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions, ["certificate.renewed", "certificate.renewed", "device.enrolled", "token.made"]);
    assert!(world.runtime.block_on(world.store.verify_audit()).unwrap().is_ok());
}

impl Stranger<'_> {
    /// The certificate in an answer of `cacerts`, PEM.
    fn keep_authority(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let der = self.at("cacerts.der");
        openssl(&["base64", "-d", "-in", &self.at("body"), "-out", &der]);
        let printed = openssl(&["pkcs7", "-inform", "DER", "-in", &der, "-print_certs"]);
        printed.lines().skip_while(|line| !line.starts_with("-----BEGIN")).map(|line| format!("{line}\n")).collect()
    }
}

#[test]
fn a_token_lets_one_key_in_and_nobody_else() {
    let world = World::without_broker();
    let token = token(&world, "demo-1", &[]);
    let (owner, thief) = (Stranger::new(&world, "owner"), Stranger::new(&world, "thief"));
    let user = format!("demo-1:{token}");
    // Not for another device, whoever asks; and a refusal does not use it up.
    assert_eq!(problem(&thief.enrol("/CN=demo-2", "key.pem", &user)), "other-device");
    assert_eq!(problem(&thief.enrol("/CN=demo-1", "key.pem", &format!("demo-2:{token}"))), "other-device");
    owner.keep(&owner.enrol("/CN=demo-1", "key.pem", &user));
    // The answer was lost: the same device asks again.
    owner.keep(&owner.enrol("/CN=demo-1", "key.pem", &user));
    let stolen = thief.enrol("/CN=demo-1", "key.pem", &user);
    assert_eq!((stolen.status, problem(&stolen).as_str()), (401, "used-token"));
    assert!(stolen.head.contains("www-authenticate: basic"), "{}", stolen.head);
    let (action, _, detail) = trail(&world).swap_remove(0);
    assert_eq!(action, "enrolment.refused");
    assert!(detail.contains("simpleenroll: used_token"), "{detail}");
    // Nothing of the token is anywhere in the database or the trail.
    let database = std::fs::read(world.folder.path().join("gateway.sqlite")).unwrap();
    let letters = token.replace('-', "");
    assert!(!String::from_utf8_lossy(&database).contains(&letters));
}

/// The same from the dashboard, by who looks after the devices of one site.
#[test]
fn a_token_from_the_dashboard_lets_a_device_in_at_ones_own_site_only() {
    let world = World::without_broker();
    world.add_device_at("elsewhere-1", "st-john");
    let technician = world.client_at("ada", Role::SiteTechnician, &["st-mary"]);
    let ask = |device: &str, site: &str| technician.post("/api/v1/claims", &json!({ "device": device, "site": site }));
    let made = ask("demo-1", "st-mary");
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let (action, subject, detail) = trail(&world).swap_remove(0);
    assert_eq!((action.as_str(), subject.as_str()), ("token.made", "demo-1"), "{detail}");
    assert!(
        made["command"].as_str().unwrap().contains(&format!("--url {} --pin ", "https://localhost:8443")),
        "{made}"
    );
    assert!(made["qr"]["path"].as_str().unwrap().starts_with("M0 0h1v1h-1z"));
    let user = format!("demo-1:{}", made["token"].as_str().unwrap());
    let owner = Stranger::new(&world, "owner");
    owner.keep(&owner.enrol("/CN=demo-1", "key.pem", &user));

    // Neither a device nor a site of others, and no name of what is there.
    for (device, site) in [("demo-2", "st-john"), ("elsewhere-1", "st-mary")] {
        let refused = ask(device, site);
        assert_eq!((refused.status, refused.text().contains("st-john")), (404, false), "{}", refused.text());
    }
    for body in [
        json!({ "device": "Demo 1", "site": "st-mary" }),
        json!({ "device": "demo-1", "site": "" }),
        json!({ "device": "demo-1", "site": "st-mary", "valid_hours": 745 }),
        json!({ "device": "demo-1", "site": "st-mary", "valid_hours": 0 }),
        json!({ "device": "demo-1", "site": "st-mary", "valid_hours": i64::MAX }),
        json!({ "device": "demo-1", "site": "st-mary", "colour": "red" }),
    ] {
        assert_eq!(technician.post("/api/v1/claims", &body).status, 400, "{body}");
    }
    revoke(&world, "demo-1");
    assert_eq!(ask("demo-1", "st-mary").status, 409);
    let again = technician.post("/api/v1/claims", &json!({ "device": "demo-1", "site": "st-mary", "reinstate": true }));
    assert_eq!(again.status, 201, "{}", again.text());
    let listed = technician.get("/api/v1/devices").json();
    assert_eq!(listed["items"][0]["troubles"][0]["code"], "revoked", "{listed}");
    assert!(listed["items"][0]["certificate_expires_at"].is_string(), "{listed}");
}

#[test]
fn where_nobody_can_enrol_no_token_is_made() {
    let mut world = World::stopped();
    world.config.est = None;
    world.start();
    let operator = world.client("ada", Role::FleetOperator);
    let refused = operator.post("/api/v1/claims", &json!({ "device": "demo-1", "site": "st-mary" }));
    assert_eq!((refused.status, refused.text().contains("[est]")), (409, true), "{}", refused.text());
}

#[test]
fn every_stranger_is_refused_with_a_reason_and_a_record_and_then_made_to_wait() {
    let world = World::without_broker();
    let stranger = Stranger::new(&world, "s");
    let token = token(&world, "demo-1", &["--valid", "1m"]);
    let hash = gateway::enrolment::claim::ClaimToken::parse(&token).unwrap().hash();
    let late = sqlx::query("UPDATE claims SET expires_at = 1 WHERE token_hash = $1").bind(hash);
    world.runtime.block_on(late.execute(world.store.pool())).unwrap();
    let wrong = "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa";
    let body = format!("@{}", stranger.ask_for("/CN=demo-1", "key.pem"));
    let post =
        |path: &str, more: &[&str]| stranger.curl(path, &[&["-H", PKCS10, "--data-binary", &body], more].concat());
    let (enroll, reenroll) = ("/.well-known/est/simpleenroll", "/.well-known/est/simplereenroll");
    let bearer = format!("Authorization: Bearer {wrong}");
    let answers = [
        (post(enroll, &[]), 401, "no-credential"),
        (post(enroll, &["-H", &bearer]), 401, "unknown-token"),
        (post(enroll, &["--user", &format!(":{token}")]), 401, "expired-token"),
        (post(reenroll, &["--user", &format!(":{token}")]), 401, "no-credential"),
        (stranger.curl("/.well-known/hilum/papers", &[]), 401, "no-credential"),
    ];
    for (answer, status, kind) in &answers {
        assert_eq!((answer.status, problem(answer).as_str()), (*status, *kind));
    }
    let refused = trail(&world).into_iter().filter(|(action, ..)| action == "enrolment.refused").count();
    assert_eq!(refused, answers.len());
    let sixth = post(enroll, &[]);
    assert_eq!((sixth.status, problem(&sixth).as_str()), (429, "locked-out"));
    assert!(sixth.head.contains("retry-after: "), "{}", sixth.head);
    // It is counted, and does not fill the trail.
    let refused_now = trail(&world).into_iter().filter(|(action, ..)| action == "enrolment.refused").count();
    assert_eq!(refused_now, refused);
    // What anybody may have is still to be had.
    assert_eq!(stranger.curl("/.well-known/est/cacerts", &[]).status, 200);
}

#[test]
fn what_is_no_request_is_refused_before_anything_is_written() {
    let world = World::without_broker();
    let stranger = Stranger::new(&world, "s");
    let token = token(&world, "demo-1", &[]);
    let user = format!(":{token}");
    let enroll = "/.well-known/est/simpleenroll";
    let pem = stranger.at("request.pem");
    stranger.ask_for("/CN=demo-1", "key.pem");
    openssl(&["req", "-inform", "DER", "-in", &stranger.at("request.der"), "-out", &pem]);
    let large = stranger.at("large");
    std::fs::write(&large, vec![b'A'; 70_000]).unwrap();
    let post = |file: &str, kind: &str| {
        stranger.curl(enroll, &["--user", &user, "-H", kind, "--data-binary", &format!("@{file}")])
    };
    let as_pem = post(&pem, PKCS10);
    assert_eq!((as_pem.status, problem(&as_pem).as_str()), (400, "bad-body"));
    let as_text = post(&stranger.at("request.b64"), "Content-Type: text/plain");
    assert_eq!((as_text.status, problem(&as_text).as_str()), (415, "media-type"));
    assert_eq!(post(&large, PKCS10).status, 413);
    assert_eq!(stranger.curl(enroll, &[]).status, 405);
    assert!(world.runtime.block_on(world.store.devices(&Sites::All)).unwrap().is_empty());
    stranger.keep(&stranger.enrol("/CN=demo-1", "key.pem", &user));
}

#[test]
fn a_revoked_device_gets_nothing_until_an_operator_lets_it_in_again() {
    let world = World::without_broker();
    let stranger = Stranger::new(&world, "s");
    let (first, spare) = (token(&world, "demo-1", &[]), token(&world, "demo-1", &[]));
    let text = stranger.keep(&stranger.enrol("/CN=demo-1", "key.pem", &format!(":{first}")));
    revoke(&world, "demo-1");

    let renewal = stranger.renew("/CN=demo-1", "key.pem", "key.pem");
    assert_eq!((renewal.status, problem(&renewal).as_str()), (403, "revoked"));
    let (action, subject, detail) = trail(&world).swap_remove(0);
    assert_eq!(action, "enrolment.refused");
    assert!(subject.starts_with("certificate:") && detail.contains("simplereenroll: revoked"), "{subject} {detail}");
    // A token from before the revocation has ended with it, and a new one has to be meant.
    let with_spare = stranger.enrol("/CN=demo-1", "key.pem", &format!(":{spare}"));
    assert_eq!((with_spare.status, problem(&with_spare).as_str()), (403, "revoked"));
    let config = write_config(&world);
    let plain = gateway(&["enrol", "token", "--config", &config, "--device", "demo-1", "--site", "st-mary"], "");
    assert!(words(&plain).contains("--reinstate"), "{}", words(&plain));

    // The list names exactly that certificate, and openssl heeds it.
    let (list, chain) = (stranger.at("body"), stranger.at("chain.pem"));
    let answer = stranger.curl("/.well-known/hilum/ca.crl", &[]);
    assert!(answer.head.contains("content-type: application/pkix-crl"), "{}", answer.head);
    let shown = openssl(&["crl", "-inform", "DER", "-in", &list, "-noout", "-text"]);
    let serial =
        text.lines().skip_while(|line| !line.contains("Serial Number")).nth(1).unwrap().trim().replace(':', "");
    assert!(shown.contains(&serial.to_uppercase()) && shown.contains("Key Compromise"), "{serial}: {shown}");
    assert!(shown.contains("Version 2"), "{shown}");
    let ca = std::fs::read_to_string(&world.config.mqtt.ca).unwrap();
    let crl = std::fs::read_to_string(world.config.ca.as_ref().unwrap().crl.as_ref().unwrap()).unwrap();
    std::fs::write(&chain, ca + &crl).unwrap();
    let verified = run("openssl", &["verify", "-crl_check", "-CAfile", &chain, &stranger.at("certificate.pem")]);
    assert!(String::from_utf8_lossy(&verified.stderr).contains("certificate revoked"), "{verified:?}");

    let back = token(&world, "demo-1", &["--reinstate"]);
    let old = stranger.at("old.pem");
    std::fs::rename(stranger.at("certificate.pem"), &old).unwrap();
    stranger.make_key("new.pem");
    stranger.keep(&stranger.enrol("/CN=demo-1", "new.pem", &format!(":{back}")));
    stranger.keep(&stranger.renew("/CN=demo-1", "new.pem", "new.pem"));
    // The old certificate stays withdrawn.
    std::fs::rename(&old, stranger.at("certificate.pem")).unwrap();
    let by_the_old = stranger.renew("/CN=demo-1", "key.pem", "key.pem");
    assert_eq!((by_the_old.status, problem(&by_the_old).as_str()), (403, "revoked-certificate"));
}

#[test]
fn a_renewal_is_for_the_same_device_with_the_same_sealing_key_and_not_without_end() {
    let world = World::without_broker();
    let mut stranger = Stranger::new(&world, "s");
    let token = token(&world, "demo-1", &[]);
    stranger.keep(&stranger.enrol("/CN=demo-1", "key.pem", &format!(":{token}")));
    let other = stranger.renew("/CN=demo-2", "key.pem", "key.pem");
    assert_eq!((other.status, problem(&other).as_str()), (403, "other-device"));
    let own = std::mem::replace(&mut stranger.sealing_key, seal::generate(&mut rand::rng()).1.to_hex());
    let resealed = stranger.renew("/CN=demo-1", "key.pem", "key.pem");
    assert_eq!((resealed.status, problem(&resealed).as_str()), (403, "other-sealing-key"));
    stranger.sealing_key = own;
    for _ in 1..10 {
        stranger.keep(&stranger.renew("/CN=demo-1", "key.pem", "key.pem"));
    }
    let eleventh = stranger.renew("/CN=demo-1", "key.pem", "key.pem");
    assert_eq!((eleventh.status, problem(&eleventh).as_str()), (429, "too-many"));
    assert!(eleventh.head.contains("retry-after: 3600"), "{}", eleventh.head);
}

#[test]
fn what_speaks_an_older_tls_or_shows_a_foreign_certificate_is_not_let_in_and_written_down() {
    let world = World::without_broker();
    let stranger = Stranger::new(&world, "s");
    let server = format!("localhost:{}", world.est_port());
    let ca = world.config.mqtt.ca.display().to_string();
    let old = run("openssl", &["s_client", "-connect", &server, "-tls1_2", "-CAfile", &ca]);
    assert!(!old.status.success());
    // A certificate for the right name, signed by itself.
    let (key, certificate) = (stranger.at("key.pem"), stranger.at("own.pem"));
    openssl(&["req", "-x509", "-new", "-key", &key, "-subj", "/CN=demo-1", "-days", "1", "-out", &certificate]);
    let url = format!("https://{server}/.well-known/hilum/papers");
    let shown = run("curl", &["--silent", "--cacert", &ca, "--cert", &certificate, "--key", &key, &url]);
    assert!(!shown.status.success());
    // A certificate of the authority that is no device's.
    let (gateways, key) =
        (world.config.mqtt.certificate.display().to_string(), world.config.mqtt.key.display().to_string());
    let known = stranger.curl("/.well-known/hilum/papers", &["--cert", &gateways, "--key", &key]);
    assert_eq!((known.status, problem(&known).as_str()), (403, "unknown-certificate"));
    let details: Vec<String> = trail(&world).into_iter().map(|(_, _, detail)| detail).collect();
    for sign in ["handshake: tls_version", "handshake: foreign_certificate", "papers: unknown_certificate"] {
        assert!(details.iter().any(|detail| detail.starts_with(sign)), "{sign}: {details:?}");
    }
}
