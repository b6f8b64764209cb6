//! A bundle directory, read and verified: the manifest is parsed and every file it names is hashed before any is used.
//! Files are read once and used from memory, so what was hashed is what is loaded.

use std::fs;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::LoadError;
use super::manifest::{Calibration, GoldenCase, Manifest, SCHEMA};
use crate::pixels::{INPUT_SIDE, plain};

/// A verified bundle.
pub struct Bundle {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The ONNX file's bytes.
    pub(super) model: Vec<u8>,
    golden: Vec<(GoldenCase, PathBuf, Vec<u8>)>,
}

/// One golden radiograph, decoded.
pub struct GoldenImage {
    /// Where it came from, for the error.
    pub file: PathBuf,
    /// Its known logit and tolerance.
    pub case: GoldenCase,
    /// Grey bytes of the input's size.
    pub grey: Vec<u8>,
}

impl Bundle {
    /// Reads `directory` and checks every digest.
    pub fn open(directory: &Path) -> Result<Self, LoadError> {
        let file = directory.join("manifest.json");
        let manifest: Manifest = serde_json::from_slice(&read(&file)?)
            .map_err(|source| LoadError::Manifest { file: file.clone(), source })?;
        if let Some((key, problem)) = problem(&manifest) {
            return Err(LoadError::Unsupported { file, key, problem });
        }
        let model = read_verified(&directory.join(&manifest.model.file), &manifest.model.sha256)?;
        let mut golden = Vec::with_capacity(manifest.golden.len());
        for case in &manifest.golden {
            let path = directory.join(&case.file);
            let bytes = read_verified(&path, &case.sha256)?;
            golden.push((case.clone(), path, bytes));
        }
        Ok(Self { manifest, model, golden })
    }

    /// The golden radiographs as grey images of the input's size.
    pub fn golden_images(&self) -> Result<Vec<GoldenImage>, LoadError> {
        self.golden.iter().map(|(case, file, bytes)| golden_image(case, file, bytes)).collect()
    }
}

fn golden_image(case: &GoldenCase, file: &Path, bytes: &[u8]) -> Result<GoldenImage, LoadError> {
    let wrong = || LoadError::GoldenImage { file: file.to_owned() };
    let image = plain::decode(bytes).map_err(|_| wrong())?;
    match image.samples {
        plain::Samples::Eight(grey) if (image.rows, image.columns) == (INPUT_SIDE, INPUT_SIDE) => {
            Ok(GoldenImage { file: file.to_owned(), case: case.clone(), grey })
        }
        _ => Err(wrong()),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(file).map_err(|source| LoadError::Read { file: file.to_owned(), source })
}

fn read_verified(file: &Path, expected: &str) -> Result<Vec<u8>, LoadError> {
    let bytes = read(file)?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found.eq_ignore_ascii_case(expected) {
        Ok(bytes)
    } else {
        Err(LoadError::Digest { file: file.to_owned(), expected: expected.to_owned(), found })
    }
}

/// The first thing in `manifest` that this program cannot honour.
fn problem(manifest: &Manifest) -> Option<(&'static str, String)> {
    let side = INPUT_SIDE as u32;
    let Calibration::Platt { slope, intercept, .. } = &manifest.calibration;
    let inside = |name: &str| Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
    let unit = |p: f64| (0.0..=1.0).contains(&p);
    if manifest.schema != SCHEMA {
        Some(("schema", format!("is {}, not {SCHEMA}", manifest.schema)))
    } else if (manifest.input.height, manifest.input.width) != (side, side) {
        Some(("input", format!("is {}×{}, not {side}×{side}", manifest.input.height, manifest.input.width)))
    } else if !(slope.is_finite() && *slope > 0.0 && intercept.is_finite()) {
        Some(("calibration", "needs a finite intercept and a slope over 0".into()))
    } else if manifest.operating_points.is_empty() {
        Some(("operating_points", "is empty".into()))
    } else if !manifest.operating_points.iter().all(|p| unit(p.threshold)) {
        Some(("operating_points", "has a threshold outside 0 to 1".into()))
    } else if manifest.golden.is_empty() {
        Some(("golden", "is empty, so nothing proves the model on this machine".into()))
    } else if !manifest.golden.iter().all(|g| g.logit.is_finite() && g.tolerance.is_finite() && g.tolerance > 0.0) {
        Some(("golden", "needs a finite logit and a tolerance over 0 in each case".into()))
    } else if !(inside(&manifest.model.file) && manifest.golden.iter().all(|g| inside(&g.file))) {
        Some(("file", "names a file outside the bundle".into()))
    } else {
        None
    }
}
