//! A model bundle from the disk to a session that may be used: signature, manifest, digests, session, provider, golden
//! radiographs, in this order, and nothing after the first that fails. No other module opens a session.

pub mod archive;
pub mod bundle;
pub mod calibration;
pub mod distribution;
pub mod engine_cache;
pub mod golden;
pub mod manifest;
pub mod provider;
pub mod session;
pub mod signature;
pub mod slots;
mod soundness;

use std::path::{Path, PathBuf};

pub use bundle::Bundle;
pub use calibration::Rule;
pub use distribution::{Distribution, Likeness};
pub use manifest::{Manifest, OperatingPoint};
pub use provider::{Precision, Provider, ProviderChoice};
use serde::{Deserialize, Serialize};
pub use session::{ModelSession, SessionConfig};
pub use signature::{SignatureError, Trust};
pub use slots::Slots;

/// The model in use, as results and status pages name it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelInfo {
    /// All of the manifest.
    pub manifest: Manifest,
    /// SHA-256 of `manifest.json`, hexadecimal: the slot that it lies in.
    pub bundle: String,
    /// The fingerprint of the key that vouches for it.
    pub publisher: String,
    /// Calibration and operating point at this site.
    pub rule: Rule,
    /// Where the training images lie, if the bundle says so.
    pub distribution: Option<Distribution>,
    /// Execution provider really in use.
    pub provider: Provider,
    /// Version of ONNX Runtime's library.
    pub runtime: String,
}

impl ModelInfo {
    /// The operating point in force: this site's own, or else the manifest's first.
    #[must_use]
    pub fn operating_point(&self) -> &OperatingPoint {
        &self.rule.point
    }

    /// SHA-256 of the model file, lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.manifest.model.sha256
    }
}

/// A verified model with its session: what an inference process holds.
pub struct Loaded {
    /// What it is.
    pub info: ModelInfo,
    pub(crate) session: ModelSession,
}

/// Why a model may not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A key cannot be used.
    #[error("the keys of the trusted publishers cannot be used")]
    Keys(#[source] SignatureError),
    /// There is no signature.
    #[error(
        "{file} is missing: nobody vouches for this model; get the signed bundle from its publisher, or sign your own with \
         `hilum-appliance model sign`"
    )]
    Unsigned {
        /// The signature's file.
        file: PathBuf,
    },
    /// The signature is nobody's that this device trusts.
    #[error("the model bundle {bundle} is not accepted")]
    Signature {
        /// Which.
        bundle: PathBuf,
        /// Why.
        source: SignatureError,
    },
    /// A file is longer than it may be.
    #[error("{file} is longer than {longest} bytes, which no bundle's is; get the bundle from its publisher again")]
    TooLong {
        /// Which.
        file: PathBuf,
        /// Bytes at most.
        longest: u64,
    },
    /// A file of the bundle is missing or unreadable.
    #[error("cannot read {file}; check that [model] bundle names a complete bundle directory")]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The manifest is not JSON of the expected shape.
    #[error("{file} is not a manifest this version understands; install the bundle that belongs to this release")]
    Manifest {
        /// Which.
        file: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The manifest asks for something that this program does not do.
    #[error("{file}: {key} {problem}; install the bundle that belongs to this release")]
    Unsupported {
        /// Which.
        file: PathBuf,
        /// Key of the manifest.
        key: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// A file differs from the manifest's digest.
    #[error(
        "{file} is not the file that its manifest promises: SHA-256 expected {expected}, found {found}; \
         it was altered or copied incompletely: install the bundle again"
    )]
    Digest {
        /// Which.
        file: PathBuf,
        /// From the manifest.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// ONNX Runtime could not be loaded.
    #[error(
        "ONNX Runtime cannot be loaded from {path}: {problem}; \
         run `cargo xtask setup`, or take libonnxruntime.so (1.24 or newer) out of the PyPI wheel `onnxruntime` \
         and name it as [model] onnxruntime"
    )]
    Runtime {
        /// The configured path.
        path: PathBuf,
        /// What the loader said.
        problem: String,
    },
    /// ONNX Runtime refused the model.
    #[error("ONNX Runtime {attempt} failed")]
    Session {
        /// What was attempted.
        attempt: &'static str,
        /// What it said.
        source: ort::Error,
    },
    /// Another provider computes the model than the one that was asked for.
    #[error(
        "[model] provider asks for {asked:?}, but ONNX Runtime computes the model on {found} here; install the GPU's driver \
         and the ONNX Runtime that is built for it, or set provider = \"auto\""
    )]
    Provider {
        /// As configured.
        asked: ProviderChoice,
        /// In use.
        found: Provider,
    },
    /// The folder of TensorRT's engines cannot be used.
    #[error("TensorRT's engines cannot be kept in {folder}; look at the disk and its rights")]
    Engines {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The model's inputs or outputs are not what the manifest says.
    #[error("the model does not fit its manifest: {0}; install the bundle that belongs to this release")]
    Shape(String),
    /// A golden image could not be decoded.
    #[error("golden image {file} is not a {side}×{side} grey PNG; install the bundle again", side = crate::pixels::INPUT_SIDE)]
    GoldenImage {
        /// Which.
        file: PathBuf,
    },
    /// A golden radiograph does not give its logit on this machine.
    #[error(
        "golden radiograph {file} gives logit {found} on {provider} instead of {expected} ± {tolerance}; \
         this machine computes the model wrongly: do not use it, try [model] provider = \"cpu\" and report the driver's version"
    )]
    Golden {
        /// Which.
        file: PathBuf,
        /// From the manifest.
        expected: f64,
        /// Allowed difference.
        tolerance: f64,
        /// On this machine.
        found: f32,
        /// Which provider computed it.
        provider: Provider,
    },
}

impl Loaded {
    /// Verifies the bundle's signature and digests, loads ONNX Runtime from `library`, opens the session and runs the golden
    /// radiographs. `site` chooses among the manifest's calibrations and operating points.
    pub fn open(
        bundle: &Path,
        trust: &Trust,
        site: &str,
        library: &Path,
        config: &SessionConfig,
    ) -> Result<Self, LoadError> {
        let bundle = Bundle::open(bundle, trust)?;
        let golden = bundle.golden_images()?;
        let mut session = ModelSession::open(&bundle, library, config)?;
        golden::check(&mut session, &golden)?;
        let info = ModelInfo {
            provider: session.provider(),
            runtime: session.runtime().to_owned(),
            rule: Rule::at(&bundle.manifest, site),
            bundle: bundle.digest,
            publisher: bundle.publisher.unwrap_or_default(),
            distribution: bundle.distribution,
            manifest: bundle.manifest,
        };
        Ok(Self { info, session })
    }

    /// Says that the model has proved itself and is warm; see [`ModelSession::proved`].
    ///
    /// # Errors
    /// Where what was built cannot be kept.
    pub fn proved(&mut self) -> Result<(), LoadError> {
        self.session.proved()
    }

    /// Runs one batch.
    ///
    /// # Errors
    /// Where the session fails or its outputs are not what the manifest says.
    pub fn run(&mut self, images: &[impl AsRef<[u8]>]) -> Result<Vec<session::Output>, LoadError> {
        self.session.run(images)
    }
}
