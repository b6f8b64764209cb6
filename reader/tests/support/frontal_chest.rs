//! The gate of a model that is made for chests from the front at any age, on a file's bytes through the whole preparation.

use reader::model::manifest::IntendedUse;
use reader::pixels::suitability::{OutsideAge, Verdict, gate};
use reader::pixels::{Limits, Pixels, Unreadable, prepare};

/// Its pixels, and what the gate says.
pub(crate) fn gated(bytes: &[u8]) -> (Result<Pixels, Unreadable>, Verdict) {
    let prepared = prepare(bytes, &Limits::default(), |_| ());
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let made_for = IntendedUse {
        population: String::new(),
        age_years: [0.0, 150.0],
        views: words(&["PA", "AP"]),
        body_parts: words(&["CHEST"]),
        not_for: vec![],
    };
    let facts = prepared.about.map(|about| about.facts);
    let verdict = gate(facts.as_ref(), prepared.pixels.as_ref(), &made_for, OutsideAge::Abstain);
    (prepared.pixels, verdict)
}
