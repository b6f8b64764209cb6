//! Who has the disks, the logs and the network of a device or of its cloud learns nothing of its patients: every file that a whole
//! run leaves, PostgreSQL's and a carried folder's among them, and every byte on the four lines between device, broker, gateway and
//! browser, is searched for everything that the images said of them.
//!
//! For each kind of place the same search finds what is there to be found: in what was sent and in the device's database once it
//! is decrypted, the patients; in PostgreSQL's tables and log and in the dashboard's answers, which are plain, the names that
//! stand for them; and those not where a line is encrypted or a folder sealed.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::house::{House, HousePlan};
use lab::modality::{self, Modality};
use lab::postgres::{self, Postgres};
use lab::{api, cloud, journal, patience, place, process, tap};
use memchr::memmem::Finder;

/// Films that are read; one more is broken and goes to quarantine.
const FILMS: usize = 3;

/// One image, and what its header says of its patient.
struct Film {
    file: PathBuf,
    said: Vec<(&'static str, String)>,
}

impl Film {
    fn new(folder: &Path, file: PathBuf, number: usize) -> Self {
        let root = format!("1.2.826.0.1.3680043.8.498.9077123.{number}");
        let said = vec![
            ("(0010,0010)", format!("ZYXLEAKER{number}^BRUNHILDE")),
            ("(0010,0020)", format!("LEAKPID-90210-{number}")),
            ("(0010,0030)", format!("1901020{}", number + 1)),
            ("(0008,0050)", format!("LEAKACC77{number}")),
            ("(0008,0018)", format!("{root}.1")),
            ("(0020,000d)", format!("{root}.2")),
            ("(0020,000e)", format!("{root}.3")),
        ];
        let mut change = Command::new("dcmodify");
        change.current_dir(folder).arg("-nb");
        for (tag, value) in &said {
            change.args(["-i", &format!("{tag}={value}")]);
        }
        assert!(change.arg(&file).status().unwrap().success());
        Self { file, said }
    }
}

/// Everything that was said, in each way that a text may be written; a padded text contains the unpadded one.
struct Search {
    needles: Vec<(String, Finder<'static>)>,
}

impl Search {
    fn of(films: &[Film]) -> Self {
        let mut needles = Vec::new();
        for (tag, value) in films.iter().flat_map(|film| &film.said) {
            // A name is as telling in its parts.
            for word in std::iter::once(value.as_str()).chain(value.split('^').filter(|part| *part != value)) {
                let wide = |order: fn(u16) -> [u8; 2]| word.encode_utf16().flat_map(order).collect::<Vec<u8>>();
                for (form, bytes) in [
                    ("UTF-8", word.as_bytes().to_vec()),
                    ("small letters", word.to_lowercase().into_bytes()),
                    ("UTF-16 LE", wide(u16::to_le_bytes)),
                    ("UTF-16 BE", wide(u16::to_be_bytes)),
                    ("hexadecimal", hex::encode(word).into_bytes()),
                ] {
                    needles.push((format!("{tag} {word} in {form}"), Finder::new(&bytes).into_owned()));
                }
            }
        }
        Self { needles }
    }

    /// A search for these words alone.
    fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let needle = |word: &str| (word.to_owned(), Finder::new(word.as_bytes()).into_owned());
        Self { needles: words.into_iter().map(needle).collect() }
    }

    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        self.needles.iter().filter(|(_, finder)| finder.find(bytes).is_some()).map(|(name, _)| name.as_str()).collect()
    }

    /// What is found under `folder`, in names of files too; and how many bytes were looked at.
    fn found_under(&self, folder: &Path, besides: &[&str]) -> (Vec<String>, u64) {
        let (mut found, mut bytes) = (Vec::new(), 0);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.extend(self.found_in(name.as_bytes()).iter().map(|what| format!("{what}: the name {name}")));
            if path.is_symlink() || besides.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                let (more, looked_at) = self.found_under(&path, besides);
                found.extend(more);
                bytes += looked_at;
            } else if path.is_file() {
                let content = std::fs::read(&path).unwrap();
                bytes += content.len() as u64;
                found.extend(self.found_in(&content).iter().map(|what| format!("{what}: {}", path.display())));
            }
        }
        (found, bytes)
    }
}

fn films(folder: &Path) -> Vec<Film> {
    let drawn = modality::draw(folder, FILMS + 1, 21).unwrap();
    let films: Vec<Film> =
        drawn.into_iter().enumerate().map(|(number, file)| Film::new(folder, file, number)).collect();
    // Its pixels are fewer than its header says: it is kept, and cannot be read.
    let broken = &films[FILMS].file;
    let rows = Command::new("dcmodify").args(["-nb", "-m", "(0028,0010)=60000"]).arg(broken).status().unwrap();
    assert!(rows.success());
    films
}

#[test]
fn nothing_that_a_run_leaves_behind_names_a_patient() {
    let folder = place::fresh("leaks").unwrap();
    // One of its own, so that its whole folder can be searched.
    let server = Postgres::start(&folder.join("postgres.log")).unwrap();
    let database = Some(postgres::fresh_database_on(&server.address).unwrap());
    let plan = HousePlan { folder, database, dashboard_port: None, device: "lab-1".to_owned() };
    let wire = plan.folder.join("wire.bytes");
    let mut house = House::prepare(&plan, |hospital| {
        hospital.broker_port = tap::tapped(hospital.broker_port, &wire).unwrap();
    })
    .unwrap();
    let images = house.folder.join("images");
    let films = films(&images);
    let search = Search::of(&films);
    listen_in_on_the_gateway(&house);
    house.cloud.start().unwrap();
    house.hospital.start_appliance().unwrap();
    let files: Vec<PathBuf> = films.iter().map(|film| film.file.clone()).collect();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted), "{answers:?}");

    // Before the cloud was told: all of it waits on the device, much of it in the database's log.
    let outbox = house.hospital.outbox();
    patience::until("every image to be answered", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok((entries.len() == FILMS + 1 && entries.iter().all(|entry| entry.state != "accepted")).then_some(()))
    })
    .unwrap();
    let state = house.folder.join("hospital/state");
    let (found, looked_at) = search.found_under(&state, &[]);
    assert_eq!(found, Vec::<String>::new(), "with everything waiting");
    assert!(looked_at > 100_000, "{looked_at} bytes are no images");
    for part in ["outbox.sqlite", "outbox.sqlite-wal", "quarantine", "spool"] {
        assert!(state.join(part).exists(), "there is no {part} to be searched");
    }

    let carried = carry(&house);
    house.hospital.start_agent().unwrap();
    house.wait_until_drained(FILMS + 1).unwrap();
    enrol_another(&house);
    let results = look_at_everything(&house);
    postgres::query(&house.cloud.database(), "CHECKPOINT").unwrap();
    in_the_cloud(&search, &house, &server, &results);
    on_the_lines(&house, &results, &carried);
    drop_clean(&mut house);
    let (found, _) = search.found_under(&house.folder, &["images"]);
    assert_eq!(found, Vec::<String>::new(), "after everything was sent");

    can_find(&search, &films, &images);
    let plain = journal::plain(&outbox).unwrap();
    let told = search.found_in(&plain);
    for uid in films.iter().flat_map(|film| film.said.iter().filter(|(tag, _)| *tag == "(0008,0018)")) {
        assert!(
            told.iter().any(|found| found.contains(&uid.1)),
            "decrypted, the database does not name {}: {told:?}",
            uid.1
        );
    }
}

/// The search finds each word where it is: in the objects that were sent, and in a file of the other ways to write it.
fn can_find(search: &Search, films: &[Film], images: &Path) {
    let (found, _) = search.found_under(images, &[]);
    for (tag, value) in films.iter().flat_map(|film| &film.said) {
        let wanted = format!("{tag} {value} in UTF-8: ");
        assert!(found.iter().any(|one| one.starts_with(&wanted)), "what was sent does not hold {wanted}");
        let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!search.found_in(&wide).is_empty() && !search.found_in(hex::encode(value).as_bytes()).is_empty());
    }
}

/// Between the gateway and the broker.
fn listen_in_on_the_gateway(house: &House) {
    let config = house.cloud.config();
    let text = std::fs::read_to_string(&config).unwrap();
    let (own, tapped) =
        (house.broker.port, tap::tapped(house.broker.port, &house.folder.join("gateway.bytes")).unwrap());
    let bent = text.replace(&format!("\nport = {own}\n"), &format!("\nport = {tapped}\n"));
    assert_ne!(bent, text);
    std::fs::write(config, bent).unwrap();
}

/// What waits goes onto a stick, too.
fn carry(house: &House) -> PathBuf {
    let stick = house.folder.join("stick");
    place::make(&stick).unwrap();
    let mut export = Command::new(place::program("hilum-sync-agent").unwrap());
    export.args(["export", "--to"]).arg(&stick).arg("--config").arg(house.hospital.agent_config());
    assert!(export.status().unwrap().success());
    stick
}

/// A device that joins over the network, for what goes over EST's line.
fn enrol_another(house: &House) {
    let line = tap::tapped(house.cloud.plan.est_port, &house.folder.join("est.bytes")).unwrap();
    let token = house.cloud.order(&["enrol", "token", "--device", "lab-2", "--site", "lab"]).unwrap();
    let mut join = Command::new(place::program("hilum-sync-agent").unwrap());
    join.args(["enrol", "--url", &format!("https://localhost:{line}"), "--token", token.trim(), "--ca"]);
    join.arg(house.authority.certificate("ca")).arg("--identity-dir").arg(house.folder.join("identity-2"));
    assert!(join.status().unwrap().success());
}

/// Everything that a browser is given of every result, over a line that is listened in on.
fn look_at_everything(house: &House) -> Vec<api::ResultSummary> {
    let line = tap::tapped(house.cloud.plan.port, &house.folder.join("dashboard.bytes")).unwrap();
    let address = format!("http://127.0.0.1:{line}");
    let browser = api::Api::log_in(&address, cloud::REVIEWER, &house.cloud.plan.password).unwrap();
    let results = browser.results().unwrap();
    assert_eq!(results.len(), FILMS + 1);
    for result in &results {
        for path in ["", "/image", "/saliency", "/voi-lut"] {
            browser.bytes(&format!("/api/v1/results/{}{path}", result.id)).unwrap();
        }
    }
    for path in ["/api/v1/devices", "/api/v1/audit?limit=100", "/metrics", "/"] {
        browser.bytes(path).unwrap();
    }
    results
}

/// PostgreSQL's files as they lie there, its log of changes among them, and its tables as text: a long value may be
/// compressed in its files.
fn in_the_cloud(search: &Search, house: &House, server: &Postgres, results: &[api::ResultSummary]) {
    let dump = process::finish(Path::new("pg_dump"), [house.cloud.database()]).unwrap();
    assert_eq!(search.found_in(dump.as_bytes()), Vec::<&str>::new(), "in PostgreSQL's tables");
    let (found, _) = search.found_under(&server.data(), &[]);
    assert_eq!(found, Vec::<String>::new(), "in PostgreSQL's files");
    let studies = Search::words(results.iter().map(|result| result.study.as_str()));
    assert_eq!(studies.found_in(dump.as_bytes()).len(), results.len(), "the tables hold what stands for the patients");
    for part in ["base", "pg_wal"] {
        let names = Search::words(results.iter().map(|result| result.id.as_str()));
        let (found, _) = names.found_under(&server.data().join(part), &[]);
        let all = results.iter().all(|result| found.iter().any(|one| one.starts_with(&result.id)));
        assert!(all, "a search of {part} does not find what is there: {found:?}");
    }
}

/// What is plain on the one line that is not encrypted is on none of the others, and not on the stick.
fn on_the_lines(house: &House, results: &[api::ResultSummary], stick: &Path) {
    let words = results.iter().map(|result| result.study.as_str()).chain(["lab-1", "lab-2"]);
    let search = Search::words(words);
    let told = |line: &str| search.found_in(&std::fs::read(house.folder.join(line)).unwrap()).len();
    assert_eq!(told("dashboard.bytes"), results.len() + 2, "the dashboard's answers were not listened in on");
    for line in ["wire.bytes", "gateway.bytes", "est.bytes"] {
        let length = std::fs::metadata(house.folder.join(line)).unwrap().len();
        assert!(length > 2_000, "{line} was not listened in on: {length} bytes");
        assert_eq!(told(line), 0, "{line} is not encrypted");
    }
    let images = std::fs::metadata(house.folder.join("wire.bytes")).unwrap().len();
    assert!(images > 100_000, "{images} bytes are no images");
    let sealed = Search::words(results.iter().map(|result| result.study.as_str()));
    let (found, bytes) = sealed.found_under(stick, &[]);
    assert_eq!(found, Vec::<String>::new(), "the carried folder is not sealed");
    assert!(bytes > 100_000, "{bytes} bytes were carried");
}

fn drop_clean(house: &mut House) {
    assert!(house.hospital.stop_agent().unwrap().success());
    assert!(house.hospital.stop_appliance().unwrap().success());
    assert!(house.cloud.stop().unwrap().success());
}
