//! From a file's bytes to what the model and the reviewer need of it: the 224 × 224 grey image and a preview, with the
//! facts and the identity that the header holds. [`prepare`] is what the sandboxed child runs; services call
//! [`sandbox::Sandbox`] instead and never parse a hostile byte in their own process.

pub mod decode;
pub mod facts;
pub mod grayscale;
pub mod identity;
pub mod limits;
mod object;
pub mod plain;
pub mod preview;
pub mod sandbox;
pub mod suitability;
pub mod tensor;
mod text;
pub mod unreadable;
pub mod wrap;

use std::time::Instant;

use serde::{Deserialize, Serialize};

pub use facts::ImageFacts;
pub use identity::Identity;
pub use limits::Limits;
pub use object::{Unavailable, load};
pub use preview::Preview;
pub use unreadable::Unreadable;

/// Side of the model's square input, pixels: the bundle's contract, checked against each manifest.
pub const INPUT_SIDE: usize = 224;

/// What a header says of the image and of whom it shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What may be told, and what the gate decides by.
    pub facts: ImageFacts,
    /// What must not be told outside the hospital: for pseudonyms, and for reports to its own systems.
    pub identity: Identity,
}

/// The pixels, ready for the model and the reviewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pixels {
    /// `INPUT_SIDE`² grey bytes, row-major, 0 black, MONOCHROME2 sense.
    #[serde(with = "serde_bytes")]
    pub input: Vec<u8>,
    /// What a reviewer sees, under the same grey-scale transform.
    pub preview: Preview,
    /// Lines of the preview that run through what looks like text.
    pub text_lines: u32,
}

/// One file, prepared as far as it could be.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Absent where not even the header could be read.
    pub about: Option<About>,
    /// The pixels, or why there are none.
    pub pixels: Result<Pixels, Unreadable>,
    /// Time that decoding, grey-scale, resize and preview took, milliseconds.
    pub decode_ms: f64,
}

/// Decodes and prepares the Part 10 bytes of one object in this process. `header` is told what the header says before any pixel
/// is decoded, so that it is known even if a decoder then brings the process down.
pub fn prepare(object: &[u8], limits: &Limits, header: impl FnOnce(&About)) -> Prepared {
    let started = Instant::now();
    let (about, pixels) = match decode::open(object, limits) {
        Err(unreadable) => (None, Err(unreadable)),
        Ok(object) => {
            let about = object.about();
            header(&about);
            (Some(about), object.decode().map(|frame| Pixels::from_frame(&frame)))
        }
    };
    Prepared { about, pixels, decode_ms: started.elapsed().as_secs_f64() * 1e3 }
}

impl Pixels {
    /// Grey-scale, resize and preview of a decoded frame.
    #[must_use]
    pub fn from_frame(frame: &grayscale::Frame<'_>) -> Self {
        let size = (frame.rows, frame.columns);
        let input = tensor::resize_area_rows(frame.display_rows(), size, (INPUT_SIDE, INPUT_SIDE));
        let preview = Preview::from_frame(frame);
        let text_lines = text::lines(&preview.display(), preview.columns.into()) as u32;
        Self { input, preview, text_lines }
    }
}
