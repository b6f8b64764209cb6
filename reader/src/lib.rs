//! One DICOM object or image in, one reading out: pixels, model, inference. It never touches a network or a database.
//!
//! ```text
//! file ─▶ sandbox (child process) ─▶ gate ─▶ batch ─▶ session (child process) ─▶ finding ─▶ Reading
//!         decode, grey-scale,         │                ONNX Runtime                calibrated,
//!         resize, preview             └─▶ Abstained                                operating point
//! ```
//!
//! [`Reader`] is the whole of it. Hostile bytes are only ever parsed in the child process ([`pixels::sandbox`]), the ONNX
//! session belongs to a process of its own ([`inference::worker`]), and no model is used before its digest and its golden
//! radiographs have been checked on this very machine ([`model::golden`]).

pub mod finding;
pub mod inference;
pub mod model;
pub mod pixels;
pub mod reading;
pub mod reason;
pub mod saliency;
pub mod synth;

pub use inference::{OpenError, Priority};
pub use reading::{Outcome, Reader, ReaderConfig, Reading, ReadingError, StageTimes};
pub use reason::Reason;
