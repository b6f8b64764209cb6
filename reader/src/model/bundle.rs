//! A bundle directory, read and verified: first the signature over the manifest's bytes, then the manifest itself, then the
//! digest of every file that it names. Files are read once and used from memory, so what was hashed is what is loaded.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::LoadError;
use super::distribution::Distribution;
use super::manifest::{GoldenCase, Manifest};
use super::signature::{SIGNATURE_BYTES, SIGNATURE_FILE, SignatureError, Trust};
use super::soundness::problem;
use crate::pixels::{INPUT_SIDE, plain};

/// The manifest's file.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Longest manifest, bytes: the shipped one has 10 KB; a thousand sites with numbers of their own have 500 KB.
const LONGEST_MANIFEST: u64 = 1 << 20;

/// Longest other file, bytes: the largest networks for radiographs have some hundred MB.
pub const LONGEST_FILE: u64 = 1 << 30;

/// A verified bundle.
pub struct Bundle {
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of `manifest.json`, hexadecimal: names the bundle with every file in it.
    pub digest: String,
    /// The fingerprint of the key that vouches for it; none for a draft.
    pub publisher: Option<String>,
    /// Where the training images lie, if the bundle says so.
    pub distribution: Option<Distribution>,
    /// The ONNX file's bytes.
    pub(super) model: Vec<u8>,
    golden: Vec<(GoldenCase, PathBuf, Vec<u8>)>,
    manifest_bytes: Vec<u8>,
    signature: Vec<u8>,
    card: Vec<u8>,
    distribution_bytes: Option<Vec<u8>>,
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
    /// Reads `directory`: signature, manifest, digests, in this order, and nothing after the first that fails.
    ///
    /// # Errors
    /// [`LoadError`]; nothing of the bundle was used.
    pub fn open(directory: &Path, trust: &Trust) -> Result<Self, LoadError> {
        let manifest = read(&directory.join(MANIFEST_FILE), LONGEST_MANIFEST)?;
        let file = directory.join(SIGNATURE_FILE);
        let signature = match read(&file, SIGNATURE_BYTES as u64) {
            Err(LoadError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(LoadError::Unsigned { file });
            }
            other => other?,
        };
        let publisher = trust.verify(&manifest, &signature);
        let publisher = publisher.map_err(|source| LoadError::Signature { bundle: directory.to_owned(), source })?;
        Ok(Self { publisher: Some(publisher), signature, ..Self::contents(directory, manifest)? })
    }

    /// Reads a bundle that nobody has signed yet, for the one who is about to sign it.
    ///
    /// # Errors
    /// As [`Self::open`], but for the signature.
    pub fn draft(directory: &Path) -> Result<Self, LoadError> {
        Self::contents(directory, read(&directory.join(MANIFEST_FILE), LONGEST_MANIFEST)?)
    }

    fn contents(directory: &Path, bytes: Vec<u8>) -> Result<Self, LoadError> {
        let file = directory.join(MANIFEST_FILE);
        let manifest = manifest(&bytes, &file)?;
        let verified = |name: &str, sha256: &str| read_verified(&directory.join(name), sha256);
        let model = verified(&manifest.model.file, &manifest.model.sha256)?;
        let card = verified(&manifest.model_card.file, &manifest.model_card.sha256)?;
        let mut golden = Vec::with_capacity(manifest.golden.len());
        for case in &manifest.golden {
            golden.push((case.clone(), directory.join(&case.file), verified(&case.file, &case.sha256)?));
        }
        let rule = manifest.distribution.clone();
        let distribution_bytes = rule.as_ref().map(|rule| verified(&rule.file, &rule.sha256)).transpose()?;
        let distribution = rule.zip(distribution_bytes.clone()).map(|(rule, numbers)| Distribution::new(rule, numbers));
        let distribution = distribution.transpose().map_err(|problem| LoadError::Unsupported {
            file,
            key: "distribution",
            problem,
        })?;
        Ok(Self {
            digest: hex::encode(Sha256::digest(&bytes)),
            publisher: None,
            signature: Vec::new(),
            manifest_bytes: bytes,
            manifest,
            model,
            golden,
            card,
            distribution,
            distribution_bytes,
        })
    }

    /// The manifest's exact bytes: what is signed.
    #[must_use]
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// Every file of it as it was verified, by its name within the bundle; the manifest comes last.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let golden = self.golden.iter().map(|(case, _, bytes)| (case.file.as_str(), bytes.as_slice()));
        let manifest = &self.manifest;
        let distribution = manifest.distribution.as_ref().zip(self.distribution_bytes.as_ref());
        let others = [
            (manifest.model.file.as_str(), self.model.as_slice()),
            (manifest.model_card.file.as_str(), self.card.as_slice()),
        ];
        let last = [(SIGNATURE_FILE, self.signature.as_slice()), (MANIFEST_FILE, self.manifest_bytes.as_slice())];
        let distribution = distribution.map(|(rule, bytes)| (rule.file.as_str(), bytes.as_slice()));
        others.into_iter().chain(golden).chain(distribution).chain(last)
    }

    /// The golden radiographs as grey images of the input's size.
    pub fn golden_images(&self) -> Result<Vec<GoldenImage>, LoadError> {
        self.golden.iter().map(|(case, file, bytes)| golden_image(case, file, bytes)).collect()
    }
}

/// Reads a manifest's bytes, which are those of `file`.
///
/// # Errors
/// [`LoadError::Manifest`] or [`LoadError::Unsupported`].
pub fn manifest(bytes: &[u8], file: &Path) -> Result<Manifest, LoadError> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|source| LoadError::Manifest { file: file.to_owned(), source })?;
    match problem(&manifest) {
        Some((key, problem)) => Err(LoadError::Unsupported { file: file.to_owned(), key, problem }),
        None => Ok(manifest),
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

/// The file's bytes, at most `longest` of them.
fn read(file: &Path, longest: u64) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { file: file.to_owned(), source };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(failed)?;
    opened.take(longest + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > longest {
        return Err(LoadError::TooLong { file: file.to_owned(), longest });
    }
    Ok(bytes)
}

fn read_verified(file: &Path, expected: &str) -> Result<Vec<u8>, LoadError> {
    let bytes = read(file, LONGEST_FILE)?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found.eq_ignore_ascii_case(expected) {
        Ok(bytes)
    } else {
        Err(LoadError::Digest { file: file.to_owned(), expected: expected.to_owned(), found })
    }
}

/// Whether a name stays within the bundle: one file, or one in a folder, of plain characters.
#[must_use]
pub(super) fn is_inside(name: &str) -> bool {
    let parts: Vec<Component<'_>> = Path::new(name).components().collect();
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
    plain && matches!(parts.len(), 1 | 2) && parts.iter().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether this program writes that file itself.
#[must_use]
pub(super) fn is_reserved(name: &str) -> bool {
    name == MANIFEST_FILE || name == SIGNATURE_FILE
}

impl From<SignatureError> for LoadError {
    fn from(source: SignatureError) -> Self {
        Self::Keys(source)
    }
}
