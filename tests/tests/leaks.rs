//! Who has the disks, the logs and the network of a device learns nothing of its patients: every file that a whole run leaves is
//! searched for everything that the images said of them. The same search over what was sent finds all of it.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::house::{House, HousePlan};
use lab::modality::{self, Modality};
use lab::{journal, patience, place, tap};
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
    // In SQLite the gateway's database lies among the files that are searched.
    let plan = HousePlan { folder, database: None, dashboard_port: None, device: "lab-1".to_owned() };
    let wire = plan.folder.join("wire.bytes");
    let mut house = House::prepare(&plan, |hospital| {
        hospital.broker_port = tap::tapped(hospital.broker_port, &wire).unwrap();
    })
    .unwrap();
    let images = house.folder.join("images");
    let films = films(&images);
    let search = Search::of(&films);
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

    house.hospital.start_agent().unwrap();
    house.wait_until_drained(FILMS + 1).unwrap();
    assert!(std::fs::metadata(&wire).unwrap().len() > 100_000, "the line was not listened in on");
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

fn drop_clean(house: &mut House) {
    assert!(house.hospital.stop_agent().unwrap().success());
    assert!(house.hospital.stop_appliance().unwrap().success());
    assert!(house.cloud.stop().unwrap().success());
}
