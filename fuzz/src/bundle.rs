//! What a stick or a download brings under the name of a model: archives, which nobody has vouched for yet, and manifests
//! and distributions as their publisher's mistake may have made them.

use std::fs;
use std::path::Path;

use reader::finding::Finding;
use reader::model::archive::unpack;
use reader::model::bundle;
use reader::model::calibration::Rule;
use reader::model::distribution::Distribution;
use reader::model::manifest::DistributionFile;

pub(crate) fn bundle(data: &[u8]) {
    match crate::view(data, 3) {
        Some((0, rest)) => manifest(rest),
        Some((1, rest)) => distribution(rest),
        Some((_, rest)) => archive(rest),
        None => {}
    }
}

fn manifest(json: &[u8]) {
    let Ok(manifest) = bundle::manifest(json, Path::new("manifest.json")) else { return };
    for site in manifest.sites.keys().map(String::as_str).chain(["nowhere"]) {
        let rule = Rule::at(&manifest, site);
        for logit in [-30.0, 0.0, 30.0] {
            let Finding { probability, .. } = Finding::new(logit, &rule);
            assert!((0.0..=1.0).contains(&probability), "{probability} at {site}");
        }
    }
    let written = serde_json::to_vec(&manifest).expect("it came from JSON");
    assert!(bundle::manifest(&written, Path::new("manifest.json")).is_ok_and(|again| again == manifest));
}

/// The manifest's words as JSON, a zero, and the numbers.
fn distribution(data: &[u8]) {
    let (rule, numbers) = crate::cut(data);
    let Ok(rule) = serde_json::from_slice::<DistributionFile>(rule) else { return };
    let dimensions = rule.dimensions as usize;
    if let Ok(distribution) = Distribution::new(rule, numbers.to_vec()) {
        assert!(4 * dimensions <= numbers.len(), "as many numbers as it says");
        let distance = distribution.distance(&vec![0.5; dimensions]);
        assert!(!distance.is_nan(), "a distance is a number or infinite");
    }
}

fn archive(bytes: &[u8]) {
    let folder = crate::outbox::scratch();
    let (archive, into) = (folder.path().join("bundle.tar"), folder.path().join("into"));
    fs::write(&archive, bytes).and_then(|()| fs::create_dir(&into)).expect("room for a few files");
    let done = unpack(&archive, &into);
    let outside = fs::read_dir(folder.path()).expect("our own folder").count();
    assert_eq!(outside, 2, "an archive writes into its own folder and nowhere else");
    if let Err(error) = done {
        let words = error.to_string();
        assert!(!words.contains(['\u{1b}', '\n', '\0']), "what came is not repeated to a terminal: {words:?}");
    }
}
