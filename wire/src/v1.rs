//! Version 1 of every payload, frozen: a field may be added with a default, nothing else may change.

pub mod image;
pub mod receipt;
pub mod result;
pub mod shadow;
pub mod telemetry;

pub use image::ImageV1;
pub use receipt::{ReceiptStatus, ReceiptV1};
pub use result::ResultV1;
pub use shadow::ShadowV1;
pub use telemetry::TelemetryV1;
