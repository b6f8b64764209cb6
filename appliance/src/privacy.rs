//! The only way out: what may be told of an image, by allow-list, and stand-ins for whose it is. Whatever is not on a list
//! stays here. It never passes on text that came from an image.

mod pseudonym;
mod tables;

use reader::pixels::preview::PreviewVoi;
use reader::pixels::{About, ImageFacts, Preview};
use reader::{Outcome, Reading, Reason};
use wire::ids::Pseudonym;
use wire::v1::image::{PreviewV1, SaliencyV1, VoiV1};
use wire::v1::result::{FactsV1, ReasonV1};

pub use pseudonym::{KeyError, PseudonymKey};

/// Greatest age told, years: 45 CFR 164.514(b)(2)(i)(C) counts every age over 89 as identifying.
const GREATEST_AGE: f32 = 89.0;

/// What may be told of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Stand-in for the study.
    pub study: Pseudonym,
    /// Stand-in for the object.
    pub instance: Pseudonym,
    /// Stand-in for the patient.
    pub patient: Pseudonym,
    /// The allow-listed facts.
    pub facts: FactsV1,
}

/// The gatekeeper.
#[derive(Debug)]
pub struct Privacy {
    key: PseudonymKey,
}

impl Privacy {
    /// With the site's key.
    #[must_use]
    pub fn new(key: PseudonymKey) -> Self {
        Self { key }
    }

    /// What may be told of an image, by the SOP Instance UID under which it was accepted and its header, if that was read.
    ///
    /// An image without a patient's number or a study is its own patient and study, so that strangers are never joined.
    #[must_use]
    pub fn tell(&self, sop_instance: &str, about: Option<&About>) -> Told {
        let identity = about.map(|about| &about.identity);
        // No value from a header holds a line feed, so this meets none of them.
        let its_own = format!("\n{sop_instance}");
        let study = identity.and_then(|identity| identity.study_instance_uid.as_deref()).unwrap_or(&its_own);
        let patient = identity.and_then(|identity| identity.patient_id.as_deref()).unwrap_or(&its_own);
        Told {
            study: self.key.pseudonym("study", study),
            instance: self.key.pseudonym("instance", sop_instance),
            patient: self.key.pseudonym("patient", patient),
            facts: about.map(|about| facts(&about.facts)).unwrap_or_default(),
        }
    }

    /// The picture that may be shown: none where the header says that text is burned into its pixels, or they look like it.
    #[must_use]
    pub fn picture(&self, reading: &Reading) -> Option<PreviewV1> {
        let burned_in = reading.about.as_ref().is_some_and(|about| about.facts.burned_in_annotation);
        let written = reading.caveats.iter().any(|caveat| caveat.code == "text_in_image");
        if burned_in || written { None } else { reading.preview.as_ref().map(preview) }
    }

    /// The evidence map, which holds nothing of the image's own pixels.
    #[must_use]
    pub fn saliency(&self, reading: &Reading) -> Option<SaliencyV1> {
        let Outcome::Read { saliency, .. } = &reading.outcome else { return None };
        Some(SaliencyV1 { rows: saliency.rows, columns: saliency.columns, values: saliency.values.clone() })
    }
}

/// A reason in words of our own: the decoding process has read hostile bytes, so its sentences are not passed on.
#[must_use]
pub fn reason(reason: &Reason) -> ReasonV1 {
    let (code, words) = tables::words(&reason.code);
    ReasonV1 { code: code.to_owned(), words: words.to_owned() }
}

/// Our own words for a reason's code; those for an unknown code where it is none of ours.
#[must_use]
pub fn words(code: &str) -> &'static str {
    tables::words(code).1
}

/// A reason's code where it is one of ours, else that of an unknown one.
#[must_use]
pub fn code(code: &str) -> &'static str {
    tables::words(code).0
}

fn facts(facts: &ImageFacts) -> FactsV1 {
    let size = |side: Option<u32>| side.filter(|side| *side <= u32::from(u16::MAX));
    FactsV1 {
        modality: tables::listed(facts.modality.as_deref(), &tables::MODALITIES),
        body_part: tables::listed(facts.body_part.as_deref(), &tables::BODY_PARTS),
        view: tables::listed(facts.view.as_deref(), &tables::VIEWS),
        sex: tables::listed(facts.sex.as_deref(), &tables::SEXES),
        age_years: facts.age_years.filter(|age| age.is_finite() && *age >= 0.0).map(|age| age.min(GREATEST_AGE) as u8),
        transfer_syntax: tables::listed(Some(&facts.transfer_syntax), &crate::dicom::syntax::TRANSFER_SYNTAXES),
        photometric: tables::listed(facts.photometric.as_deref(), &tables::PHOTOMETRICS),
        rows: size(facts.rows),
        columns: size(facts.columns),
        // Bits Allocated is at most 64 (PS3.5 8.1.1).
        bits_stored: facts.bits_stored.filter(|bits| *bits <= 64),
    }
}

fn preview(preview: &Preview) -> PreviewV1 {
    PreviewV1 {
        rows: preview.rows,
        columns: preview.columns,
        samples: preview.samples.clone(),
        packed: Vec::new(),
        offset: preview.offset,
        invert: preview.invert,
        voi: match preview.voi.clone() {
            PreviewVoi::Linear { center, width } => VoiV1::Linear { center, width },
            PreviewVoi::LinearExact { center, width } => VoiV1::LinearExact { center, width },
            PreviewVoi::Sigmoid { center, width } => VoiV1::Sigmoid { center, width },
            PreviewVoi::Lut { first, bits, data } => VoiV1::Lut { first, bits, data },
        },
    }
}

#[cfg(test)]
mod tests;
