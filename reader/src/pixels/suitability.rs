//! The gate before the model: it was made for frontal chest radiographs, gives a confident number for a hip as well, and
//! cannot tell. So what the header and the pixels can tell is asked first. One table; what is listed first wins.
//!
//! Each threshold on pixels was measured on the 5,856 labelled chest radiographs of Kermany et al. 2018 at 224 × 224 (text on
//! the 1,566 of them that there are at 512): each rule refuses none of them.

mod layout;

use serde::Deserialize;

use super::{INPUT_SIDE, ImageFacts, Pixels, Unreadable};
use crate::model::manifest::IntendedUse;
use crate::reason::Reason;

/// Shortest side that a chest radiograph may have, pixels: the model's input has 224, the smallest images of its training
/// set had 127 before they were scaled, and thumbnails and icons stay below.
pub const SMALLEST_SIDE: u32 = 200;

/// Grey levels between the 2nd and the 98th percentile of the model's input below which there is no image in it, whatever a
/// marker in its corner does. Measured: 79 at the least, 196 in the middle.
pub const LEAST_CONTRAST: u8 = 30;

/// Correlation with the mean film below which the grey sense is wrong. Measured: 0.21 at the least, 0.91 in the middle, and
/// the negative of a film has minus its value; two adult films of other makers have 0.18 and 0.44. Hips and shins, which
/// their header mostly tells before, have −0.7.
const INVERTED: f64 = -0.15;

/// Share of the model's input that may be all black (2 and less) or all white (253 and more): beyond it the exposure or its
/// window left nothing to read. Measured: 0.33 and 0.05 at the most.
const MOST_BLACK: f64 = 0.6;
const MOST_WHITE: f64 = 0.55;

/// Lines of a preview that look like text from which it is said. Measured: 3 at the most; four lines of 14-pixel letters
/// give 38 in the middle and 10 or more in 95 of 100 films.
const TEXT_LINES: u32 = 8;

/// What becomes of a patient outside the ages that the model was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutsideAge {
    /// The model is not asked.
    #[default]
    Abstain,
    /// It is asked, and the result says so: for a site that has measured it on its own patients.
    Caveat,
}

/// What the gate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Do not ask the model, for this reason.
    pub abstain: Option<Reason>,
    /// Ask it, and say this beside its answer.
    pub caveats: Vec<Reason>,
}

/// All that a rule may look at.
struct Case<'a> {
    facts: &'a ImageFacts,
    pixels: Option<&'a Pixels>,
    made_for: &'a IntendedUse,
    outside_age: OutsideAge,
}

enum Effect {
    Abstain,
    Caveat,
}

struct Rule {
    effect: Effect,
    code: &'static str,
    words: &'static str,
    applies: fn(&Case<'_>) -> bool,
}

use Effect::{Abstain, Caveat};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule { effect: Abstain, code: "not_a_radiograph", applies: other_modality,
        words: "The modality is not projection radiography; this model reads chest radiographs only." },
    Rule { effect: Abstain, code: "not_a_chest", applies: other_body_part,
        words: "The header says that this is not a chest; if it is one, correct Body Part Examined at the scanner and send again." },
    Rule { effect: Abstain, code: "view_not_frontal", applies: not_frontal,
        words: "This is a lateral or oblique view; the model reads frontal views (PA or AP) only." },
    Rule { effect: Abstain, code: "orientation_not_standard", applies: |c| orientation(c) == Orientation::Turned,
        words: "The header says that the image is mirrored, upside down or on its side; send it as it is looked at, the patient's left on the right and the feet below." },
    Rule { effect: Abstain, code: "age_not_intended", applies: |c| age_outside(c) && c.outside_age == OutsideAge::Abstain,
        words: "The patient is outside the ages that the model was made for, so it was not asked." },
    Rule { effect: Abstain, code: "multi_frame", applies: |c| c.facts.frames > 1,
        words: "The object holds several frames; only single radiographs are read." },
    Rule { effect: Abstain, code: "too_small", applies: too_small,
        words: "The image has a side under 200 pixels, too small for a radiograph; send the original instead of a thumbnail." },
    Rule { effect: Abstain, code: "no_contrast", applies: no_contrast,
        words: "The image is blank or almost so; look at the exposure and send it again." },
    Rule { effect: Abstain, code: "clipped_exposure", applies: clipped,
        words: "Most of the image is all black or all white; look at the exposure and the window, and send it again." },
    Rule { effect: Abstain, code: "inverted", applies: |c| c.pixels.is_some_and(|p| layout::likeness(&p.input) < INVERTED),
        words: "The image looks like a negative, or is no chest; look at Photometric Interpretation and send it again." },
    Rule { effect: Caveat, code: "body_part_unknown", applies: |c| c.facts.body_part.is_none(),
        words: "The header does not say which body part this is; it was read as a chest." },
    Rule { effect: Caveat, code: "view_unknown", applies: |c| !any_equal(c.facts.view.as_deref(), &c.made_for.views),
        words: "The header does not say that this is a frontal view; it was read as one." },
    Rule { effect: Caveat, code: "age_unknown", applies: |c| c.facts.age_years.is_none(),
        words: "The patient's age is not stated; whether the model was made for this patient is unknown." },
    Rule { effect: Caveat, code: "age_outside_intended_use", applies: |c| age_outside(c) && c.outside_age == OutsideAge::Caveat,
        words: "The patient is outside the ages that the model was made for; its answer is less reliable than measured." },
    Rule { effect: Caveat, code: "burned_in_annotation", applies: |c| c.facts.burned_in_annotation,
        words: "The image has text burned into its pixels, which can mislead the model and may identify the patient." },
    Rule { effect: Caveat, code: "text_in_image", applies: |c| c.pixels.is_some_and(|p| p.text_lines >= TEXT_LINES),
        words: "The image seems to have lines of text in its pixels, which can mislead the model and may identify the patient." },
];

/// The code of each rule.
pub fn codes() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.code)
}

/// Modalities of PS3.3 C.7.3.1.1.1 that are, or may hold, a projection radiograph; OT is what a wrapped or scanned film has.
const RADIOGRAPHY: [&str; 5] = ["CR", "DX", "RG", "RF", "OT"];

/// View Positions, PS3.3 C.8.7.2.1 and C.8.11.1, that are not frontal.
const NOT_FRONTAL: [&str; 14] =
    ["LL", "RL", "LAT", "LATERAL", "LLD", "RLD", "LLO", "RLO", "RAO", "LAO", "RPO", "LPO", "ML", "LM"];

fn other_modality(case: &Case<'_>) -> bool {
    case.facts.modality.as_deref().is_some_and(|modality| !RADIOGRAPHY.contains(&modality))
}

/// Stated, and none of the intended words occurs in it ("PORT CHEST" is a chest).
fn other_body_part(case: &Case<'_>) -> bool {
    case.facts
        .body_part
        .as_deref()
        .is_some_and(|part| !case.made_for.body_parts.iter().any(|word| part.contains(&**word)))
}

fn not_frontal(case: &Case<'_>) -> bool {
    case.facts.view.as_deref().is_some_and(|view| NOT_FRONTAL.contains(&view))
        || orientation(case) == Orientation::Lateral
}

/// What Patient Orientation says of a film.
#[derive(PartialEq, Eq)]
enum Orientation {
    /// As it is looked at, or not said.
    Standard,
    /// Rows run to the front or the back: a view from the side.
    Lateral,
    /// Mirrored, upside down or on its side. It is not turned back here: finding, evidence map and the archive's viewer
    /// must speak of one image, the one that the scanner sent.
    Turned,
}

/// By the first letter of each direction, which is the main one (PS3.3 C.7.6.1.1.1).
fn orientation(case: &Case<'_>) -> Orientation {
    let Some((row, column)) = case.facts.orientation.as_deref().and_then(|both| both.split_once('\\')) else {
        return Orientation::Standard;
    };
    match (row.as_bytes().first(), column.as_bytes().first()) {
        (Some(b'L'), Some(b'F')) => Orientation::Standard,
        (Some(b'A' | b'P'), Some(b'F' | b'H')) | (Some(b'F' | b'H'), Some(b'A' | b'P')) => Orientation::Lateral,
        (Some(b'L' | b'R'), Some(b'F' | b'H')) | (Some(b'F' | b'H'), Some(b'L' | b'R')) => Orientation::Turned,
        // No direction of a standing or lying human in a frontal or lateral film: nothing is known.
        _ => Orientation::Standard,
    }
}

fn too_small(case: &Case<'_>) -> bool {
    let shortest = case.facts.rows.min(case.facts.columns);
    case.pixels.is_some() && shortest.is_some_and(|side| side < SMALLEST_SIDE)
}

fn no_contrast(case: &Case<'_>) -> bool {
    case.pixels.is_some_and(|pixels| {
        debug_assert_eq!(pixels.input.len(), INPUT_SIDE * INPUT_SIDE);
        let mut counts = [0; 1 << 8];
        pixels.input.iter().for_each(|grey| counts[usize::from(*grey)] += 1);
        percentile(&counts, 98) - percentile(&counts, 2) < LEAST_CONTRAST
    })
}

/// The least grey with more than `percent` percent of the pixels at or below it; `counts` has the pixels of each grey.
fn percentile(counts: &[usize; 1 << 8], percent: usize) -> u8 {
    let below = counts.iter().sum::<usize>() * percent / 100;
    let sums = counts.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    (0..=u8::MAX).zip(sums).find(|(_, sum)| *sum > below).map_or(0, |(grey, _)| grey)
}

fn clipped(case: &Case<'_>) -> bool {
    case.pixels.is_some_and(|pixels| {
        let share = |of: fn(u8) -> bool| {
            pixels.input.iter().filter(|grey| of(**grey)).count() as f64 / pixels.input.len().max(1) as f64
        };
        share(|grey| grey <= 2) > MOST_BLACK || share(|grey| grey >= 253) > MOST_WHITE
    })
}

fn age_outside(case: &Case<'_>) -> bool {
    let [least, greatest] = case.made_for.age_years;
    case.facts.age_years.is_some_and(|age| age < least || age.floor() > greatest)
}

fn any_equal(value: Option<&str>, list: &[String]) -> bool {
    value.is_some_and(|value| list.iter().any(|word| word.eq_ignore_ascii_case(value)))
}

/// Applies the table. Header rules hold for undecodable pixels too, so that a hip in an unknown compression is a hip;
/// without a header there is nothing to say.
#[must_use]
pub fn gate(
    facts: Option<&ImageFacts>,
    pixels: Result<&Pixels, &Unreadable>,
    made_for: &IntendedUse,
    outside_age: OutsideAge,
) -> Verdict {
    let Some(facts) = facts else { return Verdict::default() };
    let case = Case { facts, pixels: pixels.ok(), made_for, outside_age };
    let mut verdict = Verdict::default();
    for rule in RULES.iter().filter(|rule| (rule.applies)(&case)) {
        let reason = Reason::new(rule.code, rule.words);
        match rule.effect {
            Abstain if verdict.abstain.is_none() => verdict.abstain = Some(reason),
            Abstain => {}
            Caveat => verdict.caveats.push(reason),
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Preview;
    use crate::pixels::preview::PreviewVoi;

    fn intended() -> IntendedUse {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
        IntendedUse {
            population: "children".into(),
            age_years: [0.0, 6.0],
            views: words(&["PA", "AP"]),
            body_parts: words(&["CHEST", "THORAX"]),
            not_for: vec![],
        }
    }

    fn chest() -> ImageFacts {
        ImageFacts {
            modality: Some("DX".into()),
            body_part: Some("CHEST".into()),
            view: Some("PA".into()),
            age_years: Some(4.0),
            rows: Some(2048),
            columns: Some(2000),
            frames: 1,
            ..ImageFacts::default()
        }
    }

    /// Left `low`, right `high`.
    fn pixels(low: u8, high: u8) -> Pixels {
        let input =
            (0..INPUT_SIDE * INPUT_SIDE).map(|i| if i % INPUT_SIDE < INPUT_SIDE / 2 { low } else { high }).collect();
        let voi = PreviewVoi::LinearExact { center: 127.5, width: 255.0 };
        Pixels {
            input,
            preview: Preview { rows: 1, columns: 1, samples: vec![0, 0], offset: 0, invert: false, voi },
            text_lines: 0,
        }
    }

    #[test]
    fn a_childs_frontal_chest_passes_without_reservation() {
        assert_eq!(gate(Some(&chest()), Ok(&pixels(0, 255)), &intended(), OutsideAge::Abstain), Verdict::default());
    }

    #[test]
    fn each_abstention_has_its_case() {
        type Change = fn(&mut ImageFacts);
        let cases: [(&str, Change); 12] = [
            ("not_a_radiograph", |f| f.modality = Some("CT".into())),
            ("not_a_chest", |f| f.body_part = Some("HIP".into())),
            ("view_not_frontal", |f| f.view = Some("LL".into())),
            ("multi_frame", |f| f.frames = 2),
            ("too_small", |f| f.columns = Some(199)),
            ("age_not_intended", |f| f.age_years = Some(7.0)),
            ("orientation_not_standard", |f| f.orientation = Some("R\\F".into())),
            ("orientation_not_standard", |f| f.orientation = Some("L\\H".into())),
            ("orientation_not_standard", |f| f.orientation = Some("FL\\R".into())),
            ("view_not_frontal", |f| f.orientation = Some("A\\F".into())),
            ("view_not_frontal", |f| f.orientation = Some("F\\P".into())),
            // Two reasons: the first of the table is given.
            ("not_a_chest", |f| (f.body_part, f.view) = (Some("EXTREMITY".into()), Some("LL".into()))),
        ];
        for (code, change) in cases {
            let mut facts = chest();
            change(&mut facts);
            let verdict = gate(Some(&facts), Ok(&pixels(0, 255)), &intended(), OutsideAge::Abstain);
            assert_eq!(verdict.abstain.map(|r| r.code).as_deref(), Some(code));
        }
        let mut marked = pixels(100, 115);
        marked.input[7] = 255;
        let mut white = pixels(0, 255);
        white.input[..INPUT_SIDE * 60].fill(255);
        for (image, code) in [(marked, "no_contrast"), (pixels(0, 2), "no_contrast"), (white, "clipped_exposure")] {
            let verdict = gate(Some(&chest()), Ok(&image), &intended(), OutsideAge::Abstain);
            assert_eq!(verdict.abstain.map(|r| r.code).as_deref(), Some(code));
        }
    }

    #[test]
    fn what_may_be_turned_and_what_is_not_known_passes() {
        for orientation in [None, Some("L\\F"), Some("LF\\FR"), Some("X\\Y")] {
            let facts = ImageFacts { orientation: orientation.map(str::to_owned), ..chest() };
            let verdict = gate(Some(&facts), Ok(&pixels(0, 255)), &intended(), OutsideAge::Abstain);
            assert_eq!(verdict, Verdict::default(), "{orientation:?}");
        }
    }

    #[test]
    fn a_site_may_have_the_model_asked_for_other_ages_and_text_is_said() {
        let old = ImageFacts { age_years: Some(70.0), ..chest() };
        let written = Pixels { text_lines: TEXT_LINES, ..pixels(0, 255) };
        let verdict = gate(Some(&old), Ok(&written), &intended(), OutsideAge::Caveat);
        assert_eq!(verdict.abstain, None);
        let codes: Vec<_> = verdict.caveats.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(codes, ["age_outside_intended_use", "text_in_image"]);
    }

    #[test]
    fn each_caveat_has_its_case() {
        type Change = fn(&mut ImageFacts);
        let cases: [(&str, Change); 5] = [
            ("body_part_unknown", |f| f.body_part = None),
            ("view_unknown", |f| f.view = None),
            ("view_unknown", |f| f.view = Some("ERECT".into())),
            ("age_unknown", |f| f.age_years = None),
            ("burned_in_annotation", |f| f.burned_in_annotation = true),
        ];
        for (code, change) in cases {
            let mut facts = chest();
            change(&mut facts);
            let verdict = gate(Some(&facts), Ok(&pixels(0, 255)), &intended(), OutsideAge::Abstain);
            assert_eq!(verdict.abstain, None, "{code}");
            assert_eq!(verdict.caveats.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), [code]);
        }
    }

    #[test]
    fn words_around_chest_are_a_chest_and_six_and_a_half_is_six() {
        let facts = ImageFacts { body_part: Some("PORT CHEST".into()), age_years: Some(6.5), ..chest() };
        assert_eq!(gate(Some(&facts), Ok(&pixels(0, 255)), &intended(), OutsideAge::Abstain), Verdict::default());
    }

    #[test]
    fn header_rules_hold_without_pixels_and_pixel_rules_do_not() {
        let hip = ImageFacts { body_part: Some("HIP".into()), ..chest() };
        let verdict = gate(Some(&hip), Err(&Unreadable::DecoderCrashed), &intended(), OutsideAge::Abstain);
        assert_eq!(verdict.abstain.map(|r| r.code).as_deref(), Some("not_a_chest"));
        let tiny = ImageFacts { rows: Some(32), ..chest() };
        assert_eq!(gate(Some(&tiny), Err(&Unreadable::NoPixelData), &intended(), OutsideAge::Abstain).abstain, None);
        assert_eq!(gate(None, Err(&Unreadable::NotDicom), &intended(), OutsideAge::Abstain), Verdict::default());
    }
}
