//! A watched folder: what comes in, what does not and why, and what becomes of each file.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states its expectations")]

mod support;

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use appliance::folder::{Done, FolderConfig};
use support::{Scp, eventually, film};
use tempfile::TempDir;

struct Desk {
    scp: Scp,
    folder: TempDir,
}

impl Desk {
    fn open(done: Done) -> Self {
        let (scp, folder) = (Scp::start(), tempfile::tempdir().unwrap());
        let path = folder.path().to_owned();
        scp.watch(FolderConfig { path, source: "FILM-DESK".parse().unwrap(), done });
        Self { scp, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn listed(&self, name: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.at(name)) else { return vec![] };
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    }
}

#[test]
fn films_come_in_and_leave_the_folder() {
    let desk = Desk::open(Done::Delete);
    film(&desk.at("one.dcm"), 1);
    // As careful programs do it: written under a name of their own, renamed when whole.
    film(&desk.at(".two.part"), 2);
    eventually(|| desk.scp.accepted() == 1);
    assert!(desk.at(".two.part").exists());
    std::fs::rename(desk.at(".two.part"), desk.at("two with $(reboot);.dcm")).unwrap();
    eventually(|| desk.scp.accepted() == 2 && desk.listed("").is_empty());
    assert_eq!(desk.scp.refusals(), "");
}

#[test]
fn what_is_kept_is_kept_under_a_name_of_our_own() {
    let desk = Desk::open(Done::Keep);
    film(&desk.at("Doe^Jane.dcm"), 1);
    eventually(|| desk.listed("done").len() == 1 && desk.listed("").is_empty());
    assert!(!desk.listed("done")[0].to_string_lossy().contains("Doe"));
    assert_eq!(desk.scp.accepted(), 1);
}

#[test]
fn what_is_no_image_for_us_is_put_aside_with_the_reason() {
    let desk = Desk::open(Done::Delete);
    std::fs::write(desk.at("film.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
    let secret = desk.folder.path().with_extension("elsewhere");
    std::fs::write(&secret, "secret").unwrap();
    symlink(&secret, desk.at("link.dcm")).unwrap();
    eventually(|| desk.listed("refused").len() == 2);
    let told =
        desk.listed("refused").into_iter().find(|path| path.extension().is_some_and(|end| end == "txt")).unwrap();
    let words = std::fs::read_to_string(told).unwrap();
    assert!(words.starts_with("film.png\n") && words.contains("hilum-appliance wrap"), "{words}");
    assert!(desk.scp.refusals().contains("A file in the folder of FILM-DESK was refused"), "{}", desk.scp.refusals());
    assert!(!desk.scp.refusals().contains("film.png"), "a name may be a patient's");
    assert_eq!(desk.scp.accepted(), 0);
    // The link is neither followed nor moved.
    assert!(desk.at("link.dcm").exists() && secret.exists());
    std::fs::remove_file(secret).unwrap();
}
