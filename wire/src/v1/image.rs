//! The de-identified picture of one radiograph: reduced samples with their grey-scale recipe, and the saliency map.

mod packed;

use serde::{Deserialize, Serialize};

use crate::ids::MessageId;

/// The preview and saliency that belong to one result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageV1 {
    /// The result's message.
    pub result: MessageId,
    /// The reduced radiograph.
    pub preview: PreviewV1,
    /// Where the model's evidence lies, if the model read it.
    pub saliency: Option<SaliencyV1>,
}

/// A radiograph reduced to at most 1,024 samples a side, before VOI and photometric interpretation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewV1 {
    /// Rows of `samples`.
    pub rows: u16,
    /// Columns of `samples`.
    pub columns: u16,
    /// Row-major little-endian u16; value = sample + `offset`, in units after the modality LUT. Empty, and left
    /// out, where they travel in `packed`: a gateway that does not know of it then sees that it cannot decode the picture,
    /// and does not judge it.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<u8>,
    /// The samples in less room: differences to the left in two planes of bytes, as a zlib stream. Empty from devices that
    /// did not know of it.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub packed: Vec<u8>,
    /// See `samples`.
    pub offset: i32,
    /// True for MONOCHROME1: inverted after the VOI transform.
    pub invert: bool,
    /// The VOI transform that the model saw it under.
    pub voi: VoiV1,
}

impl PreviewV1 {
    /// As it travels: the samples in `packed`.
    #[must_use]
    pub fn pack(mut self) -> Self {
        self.packed = packed::pack(&self.samples, self.columns);
        self.samples.clear();
        self
    }

    /// As it is looked at: the samples in `samples`. A preview that was never packed stays as it is.
    ///
    /// # Errors
    /// [`Unpackable`].
    pub fn unpack(&mut self) -> Result<(), Unpackable> {
        if !self.packed.is_empty() {
            let samples = packed::unpack(&self.packed, self.rows, self.columns);
            self.samples = samples.filter(|_| self.samples.is_empty()).ok_or(Unpackable)?;
            self.packed.clear();
        }
        Ok(())
    }
}

/// Packed samples that are not those of this preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("preview.packed is not rows × columns packed samples")]
pub struct Unpackable;

/// A VOI transform, DICOM PS3.3 C.11.2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VoiV1 {
    /// From the least to the greatest sample.
    FullRange,
    /// C.11.2.1.2.1.
    Linear {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051).
        width: f64,
    },
    /// C.11.2.1.3.2.
    LinearExact {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051).
        width: f64,
    },
    /// C.11.2.1.3.1.
    Sigmoid {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051).
        width: f64,
    },
    /// C.11.2.1.1.
    Lut {
        /// First value mapped.
        first: i32,
        /// Bits of each entry.
        bits: u8,
        /// Little-endian u16 entries.
        #[serde(with = "serde_bytes")]
        data: Vec<u8>,
    },
}

/// The model's evidence on a grid that covers the whole image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaliencyV1 {
    /// Grid rows.
    pub rows: u16,
    /// Grid columns.
    pub columns: u16,
    /// Row-major, 0 to 255 relative to the strongest evidence in this image.
    #[serde(with = "serde_bytes")]
    pub values: Vec<u8>,
}
