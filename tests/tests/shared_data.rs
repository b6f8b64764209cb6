//! Real radiographs in many transfer syntaxes, hips, tibias and files without pixels, where the folder with them lies
//! beside the repository. `conversation` is the counterpart that runs everywhere.

#![cfg(test)]

use std::path::PathBuf;

use lab::house::House;
use lab::modality::{self, Modality};
use lab::place;

fn folder() -> PathBuf {
    let beside = || place::root().join("../shared/data");
    std::env::var_os("HILUM_SHARED_DATA").map_or_else(beside, PathBuf::from).join("dicom")
}

#[test]
fn every_real_file_is_answered_with_a_finding_or_a_reason() {
    let folder = folder();
    if !folder.is_dir() {
        println!("NOT RUN: {} is not there; HILUM_SHARED_DATA names another place", folder.display());
        return;
    }
    let mut files = modality::listing(&folder).unwrap();
    files.extend(modality::listing(&folder.join("derived_chest_transcodes")).unwrap());
    files.retain(|file| file.extension().is_some_and(|end| end == "dcm"));
    let mut house = House::for_test("shared-data").unwrap();
    house.start().unwrap();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert_eq!(answers.len(), files.len());
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.is_accepted());
    for answer in &refused {
        assert!(answer.words.len() > 10, "{answer:?} gives no reason");
    }
    // Files of the same bytes are one image: the one without a preamble is among the transcodes, too.
    let images: std::collections::BTreeSet<String> =
        lab::journal::entries(&house.hospital.outbox()).unwrap().into_iter().map(|entry| entry.digest).collect();
    assert!(images.len() + 2 >= accepted.len(), "{} images of {} accepted files", images.len(), accepted.len());
    let entries = house.wait_until_drained(images.len()).unwrap();
    let results = house.cloud.log_in().unwrap().results().unwrap();
    assert_eq!(results.len(), entries.len());
    for result in &results {
        let said = result.finding.is_some() || result.reason.as_ref().is_some_and(|reason| !reason.words.is_empty());
        assert!(said, "{result:?} says nothing");
    }
    let read = results.iter().filter(|result| result.outcome == "read").count();
    assert!(read >= 26, "{read} films were read; the 26 transcodes of a chest film are");
}
