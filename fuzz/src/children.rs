//! What the decoding and the inference process answer. They parse hostile files and run others' code, so each may have been
//! taken over: its parent believes its words only as far as this.

use reader::inference::worker::frame as inference;
use reader::pixels::sandbox::frame::{Reply, read};

/// Longest embedding that any model has, numbers.
const EMBEDDING: usize = 4096;

pub(crate) fn children(data: &[u8]) {
    match crate::view(data, 3) {
        Some((0, rest)) => reply(rest),
        Some((1, rest)) => word(rest),
        Some((_, rest)) => answer(rest),
        None => {}
    }
}

/// A length and so many bytes.
fn framed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

fn reply(cbor: &[u8]) {
    let Ok(Some(reply)) = read::<Reply>(&mut framed(cbor).as_slice()) else { return };
    if !reply.is_sound() {
        return;
    }
    if let Reply::Done { pixels: Ok(pixels), .. } = reply {
        let preview = &pixels.preview;
        let (rows, columns) = (usize::from(preview.rows), usize::from(preview.columns));
        assert!((1..=1024).contains(&rows) && (1..=1024).contains(&columns), "as the gateway and a capture take them");
        assert_eq!(preview.display().len(), rows * columns);
    }
}

fn word(cbor: &[u8]) {
    if let Ok(inference::Word::Ready(ready)) = inference::read(&mut framed(cbor).as_slice()) {
        let distribution = ready.model.distribution.as_ref();
        for length in [0, 1, EMBEDDING] {
            let _ = distribution.map(|distribution| distribution.judge(&vec![0.5; length]));
        }
    }
}

fn answer(data: &[u8]) {
    let Some((count, body)) = crate::view(data, 65) else { return };
    let whole = [&7_u64.to_le_bytes()[..], &framed(body)].concat();
    let Ok(found) = inference::read_answer(&mut whole.as_slice(), 7, count.into()) else { return };
    if let inference::Answer::Outputs { outputs, compute_ms } = &found {
        assert!(outputs.len() == usize::from(count) && compute_ms.is_finite());
        for output in outputs {
            let map = &output.saliency;
            assert_eq!(map.values.len(), usize::from(map.rows) * usize::from(map.columns));
            assert!(output.logit.is_finite() && !map.values.is_empty());
        }
        if !outputs.is_empty() {
            let mut written = Vec::new();
            inference::write_answer(&mut written, 7, &found).expect("memory takes all");
            assert_eq!(written, whole, "one form for each answer");
        }
    }
}
