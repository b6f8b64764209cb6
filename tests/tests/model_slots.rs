//! Another model on a running appliance while images flow: installed, compared, put in force, refused, taken back. Each
//! image gets its one result, by the model that was in force, and the comparison arrives in the cloud.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::house::{House, HousePlan};
use lab::modality::{self, Modality};
use lab::{api, patience, place, postgres, process};
use serde_json::Value;

/// Sent before, between and after the changes; a handful for each.
const FILMS: usize = 24;

/// A publisher of variants of the tiny bundle, as OpenSSL makes one.
struct Publisher {
    folder: PathBuf,
}

impl Publisher {
    fn new(folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let publisher = Self { folder };
        let (key, public) = (publisher.at("publisher.key"), publisher.at("publisher.pub"));
        openssl(&["genpkey", "-algorithm", "ed25519", "-out", key.to_str().unwrap()]);
        openssl(&["pkey", "-in", key.to_str().unwrap(), "-pubout", "-out", public.to_str().unwrap()]);
        publisher
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The tiny bundle under another version, signed by OpenSSL, as an archive.
    fn bundle(&self, version: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let (bundle, archive) = (self.at(version), self.at(&format!("{version}.tar.gz")));
        let copied = Command::new("cp").arg("-r").arg(tiny()).arg(&bundle).status().unwrap();
        assert!(copied.success());
        let file = bundle.join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        manifest["version"] = version.into();
        change(&mut manifest);
        std::fs::write(&file, manifest.to_string()).unwrap();
        let (key, signature) = (self.at("publisher.key"), bundle.join("manifest.sig"));
        let paths = [&key, &file, &signature].map(|path| path.to_str().unwrap().to_owned());
        openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", &paths[0], "-in", &paths[1], "-out", &paths[2]]);
        let made = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&bundle).arg(".").status().unwrap();
        assert!(made.success());
        archive
    }
}

fn openssl(arguments: &[&str]) {
    process::finish(Path::new("openssl"), arguments).unwrap();
}

fn tiny() -> PathBuf {
    place::root().join("reader/tests/models/tiny")
}

/// `hilum-appliance model …`: whether it worked, and what it said.
fn model(house: &House, order: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(place::program("hilum-appliance").unwrap());
    command.args(["model", order, "--config"]).arg(house.hospital.appliance_config()).args(arguments);
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    println!("model {order} {arguments:?}: {said}");
    (done.status.success(), said)
}

/// The beginning of the digest under which `archive` was installed.
fn install(house: &House, archive: &Path) -> String {
    let (done, said) = model(house, "install", &[archive.to_str().unwrap()]);
    assert!(done, "{said}");
    let (_, rest) = said.split_once("is installed as ").unwrap();
    rest.split(';').next().unwrap().to_owned()
}

fn house(kind: &str, publisher: &Publisher) -> House {
    let database = Some(postgres::fresh_database().unwrap());
    let plan =
        HousePlan { folder: place::fresh(kind).unwrap(), database, dashboard_port: None, device: "lab-1".to_owned() };
    House::prepare(&plan, |hospital| {
        hospital.bundle = tiny();
        hospital.trusted_keys = vec![tiny().with_extension("pub"), publisher.at("publisher.pub")];
    })
    .unwrap()
}

#[test]
fn models_come_and_go_while_images_flow_and_none_is_lost() {
    let publisher = Publisher::new(place::fresh("publisher").unwrap());
    let mut house = house("model-slots", &publisher);
    house.start().unwrap();
    let films = modality::draw(&house.folder.join("images"), FILMS, 5).unwrap();
    let scanner = Modality::known(house.hospital.plan.dicom_port);
    let sending = std::thread::spawn(move || scanner.send_all(&films));

    let next = install(&house, &publisher.bundle("2.0.0", |_| ()));
    let (done, said) = model(&house, "activate", &[&next]);
    assert!(done && said.contains("2.0.0") && said.contains("is in force"), "{said}");

    // A model that answers wrongly here changes nothing; nor does one that nobody vouches for, or that is not there.
    let wrong = publisher.bundle("3.0.0", |manifest| manifest["golden"][0]["logit"] = 1.5.into());
    let wrong = install(&house, &wrong);
    let (done, said) = model(&house, "activate", &[&wrong]);
    assert!(!done && said.contains("nothing has changed") && said.contains("ramp.png"), "{said}");
    let stranger = Publisher::new(place::fresh("stranger").unwrap());
    let (done, said) = model(&house, "install", &[stranger.bundle("4.0.0", |_| ()).to_str().unwrap()]);
    assert!(!done && said.contains("none of the 2 publisher key(s)"), "{said}");
    assert!(!model(&house, "activate", &["ffff"]).0);
    let (_, listed) = model(&house, "list", &[]);
    assert!(listed.lines().any(|line| line.contains("2.0.0") && line.contains("in force")), "{listed}");
    assert!(listed.lines().any(|line| line.contains("1.0.0") && line.contains("in force before")), "{listed}");

    assert!(sending.join().unwrap().unwrap().iter().all(modality::Answer::is_accepted));
    house.wait_until_drained(FILMS).unwrap();
    let last = films_by_version(&house, FILMS + 1, 6, "2.0.0");
    assert!(model(&house, "rollback", &[]).0);
    let versions = films_by_version(&house, FILMS + 2, 7, "1.0.0");
    assert!(last.iter().chain(&versions).all(|version| ["1.0.0", "2.0.0"].contains(&version.as_str())));
}

/// Sends one more film and waits until `total` have their results; the newest must be by `version`. Gives all versions.
fn films_by_version(house: &House, total: usize, seed: u64, version: &str) -> Vec<String> {
    let film = modality::draw(&house.folder.join(format!("more-{seed}")), 1, seed).unwrap();
    assert!(Modality::known(house.hospital.plan.dicom_port).send_all(&film).unwrap()[0].is_accepted());
    let database = house.cloud.database();
    let query = "SELECT payload::json->'outcome'->'model'->>'version' FROM results ORDER BY received_at";
    let versions = patience::until("the result of one more film", patience::BATCH, || {
        let versions: Vec<String> = postgres::query(&database, query)?.lines().map(str::to_owned).collect();
        Ok((versions.len() >= total).then_some(versions))
    })
    .unwrap();
    assert_eq!((versions.len(), versions.last().map(String::as_str)), (total, Some(version)), "{versions:?}");
    versions
}

#[test]
fn a_candidate_watches_and_its_comparison_alone_reaches_the_cloud() {
    const WATCHED: usize = 8;
    let publisher = Publisher::new(place::fresh("publisher").unwrap());
    let mut house = house("model-shadow", &publisher);
    house.start().unwrap();
    // Another threshold: what is positive for the one is not for the other.
    let candidate = publisher.bundle("2.0.0", |m| m["operating_points"][0]["threshold"] = 0.999.into());
    let candidate = install(&house, &candidate);
    let (done, said) = model(&house, "shadow", &[&candidate]);
    assert!(done && said.contains("watches"), "{said}");
    let films = modality::draw(&house.folder.join("images"), WATCHED, 8).unwrap();
    let scanner = Modality::known(house.hospital.plan.dicom_port);
    assert!(scanner.send_all(&films).unwrap().iter().all(modality::Answer::is_accepted));
    house.wait_until_drained(WATCHED).unwrap();
    assert!(model(&house, "shadow", &["--off"]).0);

    let cloud = house.cloud.log_in().unwrap();
    // What was still waiting for the candidate when it was ended makes a window of its own.
    let windows = patience::until("the whole comparison in the cloud", patience::BATCH, || {
        let answer: Value = cloud.get("/api/v1/devices/lab-1/shadow")?;
        let windows = answer["items"].as_array().cloned().unwrap_or_default();
        Ok((sum(&windows, "pairs") + sum(&windows, "missed") == WATCHED as u64).then_some(windows))
    })
    .unwrap();
    assert!(sum(&windows, "pairs") > 0);
    for window in &windows {
        let versions = (&window["active"]["version"], &window["candidate"]["version"]);
        assert_eq!(versions, (&"1.0.0".into(), &"2.0.0".into()));
        // The same weights: the probabilities agree to the last bit, and only the thresholds differ.
        assert_eq!((&window["mean_difference"], &window["candidate_only"]), (&0.0.into(), &0.into()), "{window}");
    }
    let results = cloud.results().unwrap();
    let positive = results.iter().filter(|result| result.finding.as_deref() == Some("positive")).count() as u64;
    assert!(sum(&windows, "active_only") + sum(&windows, "both_positive") <= positive, "{positive}: {windows:?}");
    let query = "SELECT count(*) FROM results WHERE payload LIKE '%2.0.0%'";
    assert_eq!(postgres::query(&house.cloud.database(), query).unwrap(), "0", "the candidate reads for nobody");
}

fn sum(windows: &[Value], field: &str) -> u64 {
    windows.iter().filter_map(|window| window[field].as_u64()).sum()
}

#[test]
fn a_model_that_fails_at_the_start_is_set_aside_for_the_one_before_it_and_health_says_so() {
    let publisher = Publisher::new(place::fresh("publisher").unwrap());
    let mut house = house("model-fallback", &publisher);
    house.hospital.start_appliance().unwrap();
    let wrong = publisher.bundle("3.0.0", |manifest| manifest["golden"][0]["logit"] = 1.5.into());
    let wrong = install(&house, &wrong);
    house.hospital.stop_appliance().unwrap();
    let (done, said) = model(&house, "activate", &[&wrong]);
    assert!(done && said.contains("does not run"), "{said}");
    let port = house.hospital.plan.appliance_port;
    house.hospital.launch_appliance().unwrap();
    patience::until("health to tell of the way back", patience::START, || {
        let said = api::health(port).map(|(_, said)| said).unwrap_or_default();
        Ok((said.contains("version 1.0.0 reads instead") && said.contains("ramp.png")).then_some(()))
    })
    .unwrap();
    let socket = house.hospital.plan.folder.join("state/control.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // Putting a sound one in force by hand is the answer to it.
    let sound = install(&house, &publisher.bundle("5.0.0", |_| ()));
    assert!(model(&house, "activate", &[&sound]).0);
    patience::until("health to be content", patience::START, || Ok(api::is_ready(port).then_some(()))).unwrap();
}
