//! A DICOM object as the decoding process reads it: the header always, the pixels where no codec of others takes part. What
//! a codec does with hostile bytes is the sandbox's to survive, and is tested there.

use reader::pixels::decode::{self, Opened};
use reader::pixels::{About, Limits, Pixels};

/// Uncompressed syntaxes: Implicit VR, Explicit VR in both orders, deflated.
const PLAIN: [&str; 4] = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"];

/// Longest text of a fact, characters.
const LONGEST: usize = 64;

/// As the sandbox has it, with fewer pixels: the time goes into headers.
const PIXELS: u64 = 1 << 20;

pub(crate) fn header(data: &[u8]) {
    let limits = Limits { pixels: PIXELS, ..Limits::default() };
    let Ok(object) = decode::open(data, &limits) else { return };
    let about = object.about();
    bounded(&about);
    if PLAIN.contains(&about.facts.transfer_syntax.as_str()) {
        pixels(&object);
    }
}

fn bounded(about: &About) {
    let facts = &about.facts;
    let texts =
        [&facts.sop_class, &facts.modality, &facts.body_part, &facts.view, &facts.laterality, &facts.photometric];
    for text in texts.into_iter().flatten() {
        // Upper case of one character may be three.
        assert!(text.chars().count() <= 3 * LONGEST, "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let identity = &about.identity;
    for uid in [&identity.study_instance_uid, &identity.series_instance_uid, &identity.sop_instance_uid] {
        assert!(uid.iter().all(|uid| uid.len() <= LONGEST && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')));
    }
    assert!(identity.patient_name.iter().all(|name| name.chars().count() <= 3 * LONGEST + 2));
}

fn pixels(object: &Opened<'_>) {
    let Ok(frame) = object.decode() else { return };
    assert!((frame.rows * frame.columns) as u64 <= PIXELS);
    let pixels = Pixels::from_frame(&frame);
    assert_eq!(pixels.input.len(), reader::pixels::INPUT_SIDE * reader::pixels::INPUT_SIDE);
    assert!(pixels.preview.is_sound(), "the service would take its own decoder for one that was taken over");
}
