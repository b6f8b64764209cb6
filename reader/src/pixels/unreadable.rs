//! Why a file could not be made into an image: one variant per cause, in words for the technician who sent it.

use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// Why there are no pixels. It says nothing about the patient and quotes nothing from the file but a transfer syntax UID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unreadable {
    /// The file is not there or cannot be read.
    #[error("the stored file could not be opened; look at the disk's health and the service's permissions")]
    NotFound,
    /// Not a DICOM object.
    #[error("this is not a DICOM object; send the image itself, not a report, a directory file or another format")]
    NotDicom,
    /// A DICOM object that contradicts itself or ends too early.
    #[error("the DICOM object is damaged ({what}); send it again from the scanner or the archive")]
    Malformed {
        /// What is wrong, without a value from the file.
        what: String,
    },
    /// A DICOM object without an image.
    #[error("the DICOM object holds no image (no Pixel Data); send the image object of the study")]
    NoPixelData,
    /// A compression that no decoder here knows.
    #[error("images compressed as {uid} cannot be decoded here; have the scanner send Explicit VR Little Endian")]
    UnsupportedTransferSyntax {
        /// Transfer Syntax UID.
        uid: String,
    },
    /// Pixels of a kind that is not a radiograph.
    #[error("pixels of this kind are not supported ({what}); send an 8 to 16 bit grey image")]
    UnsupportedPixels {
        /// Which kind.
        what: String,
    },
    /// More than one frame.
    #[error("the object holds several frames; only single radiographs are read")]
    MultiFrame,
    /// Over a hard limit.
    #[error("the object is larger than this appliance accepts ({what})")]
    TooLarge {
        /// Which limit.
        what: String,
    },
    /// The decoder refused the pixels.
    #[error("the pixels could not be decoded from {uid}; have the scanner send Explicit VR Little Endian")]
    DecodeFailed {
        /// Transfer Syntax UID.
        uid: String,
    },
    /// The decoding process died.
    #[error(
        "decoding this object crashed its process or needed too much memory; the object is kept aside for analysis"
    )]
    DecoderCrashed,
    /// The decoding process ran out of its time.
    #[error("decoding this object took longer than allowed; the object is kept aside for analysis")]
    DecoderTimeout,
}

impl Unreadable {
    /// The stable code: what metrics count.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "file_not_found",
            Self::NotDicom => "not_dicom",
            Self::Malformed { .. } => "malformed",
            Self::NoPixelData => "no_pixel_data",
            Self::UnsupportedTransferSyntax { .. } => "unsupported_transfer_syntax",
            Self::UnsupportedPixels { .. } => "unsupported_pixels",
            Self::MultiFrame => "multi_frame",
            Self::TooLarge { .. } => "too_large",
            Self::DecodeFailed { .. } => "decode_failed",
            Self::DecoderCrashed => "decoder_crashed",
            Self::DecoderTimeout => "decoder_timeout",
        }
    }

    /// Code and words.
    #[must_use]
    pub fn reason(&self) -> Reason {
        Reason::new(self.code(), self.to_string())
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into() }
    }
}
