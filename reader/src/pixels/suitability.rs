//! The gate before the model: it was made for frontal chest radiographs, gives a confident number for a hip as well, and
//! cannot tell. So what the header and the pixels can tell is asked first. One table; what is listed first wins.

use super::{INPUT_SIDE, ImageFacts, Pixels, Unreadable};
use crate::model::manifest::IntendedUse;
use crate::reason::Reason;

/// Shortest side that a chest radiograph may have, pixels: the model's input has 224, the smallest images of its training
/// set had 127 before they were scaled, and thumbnails and icons stay below.
pub const SMALLEST_SIDE: u32 = 200;

/// Grey levels between the darkest and the brightest pixel of the model's input below which there is no image in it: a
/// blank or fully exposed plate has noise of a few levels.
pub const LEAST_CONTRAST: u8 = 16;

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
    Rule { effect: Abstain, code: "multi_frame", applies: |c| c.facts.frames > 1,
        words: "The object holds several frames; only single radiographs are read." },
    Rule { effect: Abstain, code: "too_small", applies: too_small,
        words: "The image has a side under 200 pixels, too small for a radiograph; send the original instead of a thumbnail." },
    Rule { effect: Abstain, code: "no_contrast", applies: no_contrast,
        words: "The image is blank or almost so; look at the exposure and send it again." },
    Rule { effect: Caveat, code: "body_part_unknown", applies: |c| c.facts.body_part.is_none(),
        words: "The header does not say which body part this is; it was read as a chest." },
    Rule { effect: Caveat, code: "view_unknown", applies: |c| !any_equal(c.facts.view.as_deref(), &c.made_for.views),
        words: "The header does not say that this is a frontal view; it was read as one." },
    Rule { effect: Caveat, code: "age_unknown", applies: |c| c.facts.age_years.is_none(),
        words: "The patient's age is not stated; whether the model was made for this patient is unknown." },
    Rule { effect: Caveat, code: "age_outside_intended_use", applies: age_outside,
        words: "The patient is outside the ages that the model was made for; its answer is less reliable than measured." },
    Rule { effect: Caveat, code: "burned_in_annotation", applies: |c| c.facts.burned_in_annotation,
        words: "The image has text burned into its pixels, which can mislead the model and may identify the patient." },
];

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
}

fn too_small(case: &Case<'_>) -> bool {
    let shortest = case.facts.rows.min(case.facts.columns);
    case.pixels.is_some() && shortest.is_some_and(|side| side < SMALLEST_SIDE)
}

fn no_contrast(case: &Case<'_>) -> bool {
    case.pixels.is_some_and(|pixels| {
        debug_assert_eq!(pixels.input.len(), INPUT_SIDE * INPUT_SIDE);
        let low = pixels.input.iter().min().copied().unwrap_or(0);
        let high = pixels.input.iter().max().copied().unwrap_or(0);
        high - low < LEAST_CONTRAST
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
pub fn gate(facts: Option<&ImageFacts>, pixels: Result<&Pixels, &Unreadable>, made_for: &IntendedUse) -> Verdict {
    let Some(facts) = facts else { return Verdict::default() };
    let case = Case { facts, pixels: pixels.ok(), made_for };
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

    fn pixels(low: u8, high: u8) -> Pixels {
        let mut input = vec![low; INPUT_SIDE * INPUT_SIDE];
        input[7] = high;
        let voi = PreviewVoi::LinearExact { center: 127.5, width: 255.0 };
        Pixels { input, preview: Preview { rows: 1, columns: 1, samples: vec![0, 0], offset: 0, invert: false, voi } }
    }

    #[test]
    fn a_childs_frontal_chest_passes_without_reservation() {
        assert_eq!(gate(Some(&chest()), Ok(&pixels(0, 255)), &intended()), Verdict::default());
    }

    #[test]
    fn each_abstention_has_its_case() {
        type Change = fn(&mut ImageFacts);
        let cases: [(&str, Change); 6] = [
            ("not_a_radiograph", |f| f.modality = Some("CT".into())),
            ("not_a_chest", |f| f.body_part = Some("HIP".into())),
            ("view_not_frontal", |f| f.view = Some("LL".into())),
            ("multi_frame", |f| f.frames = 2),
            ("too_small", |f| f.columns = Some(199)),
            // Two reasons: the first of the table is given.
            ("not_a_chest", |f| (f.body_part, f.view) = (Some("EXTREMITY".into()), Some("LL".into()))),
        ];
        for (code, change) in cases {
            let mut facts = chest();
            change(&mut facts);
            let verdict = gate(Some(&facts), Ok(&pixels(0, 255)), &intended());
            assert_eq!(verdict.abstain.map(|r| r.code).as_deref(), Some(code));
        }
        let flat = gate(Some(&chest()), Ok(&pixels(100, 115)), &intended());
        assert_eq!(flat.abstain.map(|r| r.code).as_deref(), Some("no_contrast"));
    }

    #[test]
    fn each_caveat_has_its_case() {
        type Change = fn(&mut ImageFacts);
        let cases: [(&str, Change); 6] = [
            ("body_part_unknown", |f| f.body_part = None),
            ("view_unknown", |f| f.view = None),
            ("view_unknown", |f| f.view = Some("ERECT".into())),
            ("age_unknown", |f| f.age_years = None),
            ("age_outside_intended_use", |f| f.age_years = Some(7.0)),
            ("burned_in_annotation", |f| f.burned_in_annotation = true),
        ];
        for (code, change) in cases {
            let mut facts = chest();
            change(&mut facts);
            let verdict = gate(Some(&facts), Ok(&pixels(0, 255)), &intended());
            assert_eq!(verdict.abstain, None, "{code}");
            assert_eq!(verdict.caveats.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), [code]);
        }
    }

    #[test]
    fn words_around_chest_are_a_chest_and_six_and_a_half_is_six() {
        let facts = ImageFacts { body_part: Some("PORT CHEST".into()), age_years: Some(6.5), ..chest() };
        assert_eq!(gate(Some(&facts), Ok(&pixels(0, 255)), &intended()), Verdict::default());
    }

    #[test]
    fn header_rules_hold_without_pixels_and_pixel_rules_do_not() {
        let hip = ImageFacts { body_part: Some("HIP".into()), ..chest() };
        let verdict = gate(Some(&hip), Err(&Unreadable::DecoderCrashed), &intended());
        assert_eq!(verdict.abstain.map(|r| r.code).as_deref(), Some("not_a_chest"));
        let tiny = ImageFacts { rows: Some(32), ..chest() };
        assert_eq!(gate(Some(&tiny), Err(&Unreadable::NoPixelData), &intended()).abstain, None);
        assert_eq!(gate(None, Err(&Unreadable::NotDicom), &intended()), Verdict::default());
    }
}
