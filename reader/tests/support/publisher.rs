//! A publisher of variants of the tiny bundle, whose key is at hand.

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};
use reader::model::{Trust, signature};

/// The tiny bundle's folder.
pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/tiny")
}

/// Trust in the tiny bundle's publisher and in this one.
pub(crate) fn trust() -> Trust {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.pub");
    fs::write(&ours, key().verifying_key().to_public_key_pem(LineEnding::LF).unwrap()).unwrap();
    Trust::load(&[tiny().with_extension("pub"), ours]).unwrap()
}

/// A copy of the tiny bundle with another manifest, signed anew.
pub(crate) fn variant(change: impl FnOnce(&mut serde_json::Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("golden")).unwrap();
    for file in ["model.onnx", "MODEL_CARD.md", "distribution.bin", "golden/ramp.png", "golden/corner.png"] {
        fs::copy(tiny().join(file), path.join(file)).unwrap();
    }
    let mut manifest = serde_json::from_slice(&fs::read(tiny().join("manifest.json")).unwrap()).unwrap();
    change(&mut manifest);
    let (bytes, private) = (manifest.to_string(), tempfile::NamedTempFile::new().unwrap());
    fs::write(private.path(), key().to_pkcs8_pem(LineEnding::LF).unwrap().as_bytes()).unwrap();
    fs::write(path.join("manifest.json"), &bytes).unwrap();
    fs::write(path.join("manifest.sig"), signature::sign(bytes.as_bytes(), private.path()).unwrap().0).unwrap();
    folder
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}
