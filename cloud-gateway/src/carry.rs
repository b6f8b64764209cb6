//! Takes in what was carried here by hand: a folder that a device wrote goes through the very desk that takes what the broker
//! brings, and the receipts are written into it. It never judges a message by itself.
//!
//! The manifest's seal does what the broker's access list does for a topic: it proves whose messages these are. All of it is
//! checked before the first message goes in, so that a stick that was altered or half-copied changes nothing.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use wire::carry::{
    self, Carried, CarriedReceipts, Cover, MANIFEST_FILE, MAX_COVER_BYTES, MAX_PART_BYTES, Manifest, Part, PartEntry,
    RECEIPTS_FILE,
};
use wire::ids::DeviceId;
use wire::seal::PublicKey;
use wire::topics::{Topic, Up};

use crate::domain::audit::{Action, Statement};
use crate::domain::when::UnixMs;
use crate::identity::SealingKeys;
use crate::ingest::desk::{Desk, DeskError, Taken};
use crate::ingest::judge::Arrived;
use crate::store::{Store, StoreError};

/// What was taken in.
#[derive(Debug, PartialEq, Eq)]
pub struct Imported {
    /// Whose messages.
    pub device: DeviceId,
    /// Messages that came for the first time.
    pub stored: u64,
    /// Messages that were here before.
    pub replays: u64,
    /// Messages that were refused; the audit trail says why.
    pub refused: u64,
    /// Why the receipts could not be written into the folder, if so: the device sends again, and gets them then.
    pub unreceipted: Option<String>,
}

/// Takes a folder in; whether that succeeds or not, the audit trail says so.
///
/// # Errors
/// [`CarryError`]; where it is about the folder, nothing of it was stored.
pub async fn import(
    store: &Store,
    desk: &Arc<Desk>,
    ours: &SealingKeys,
    folder: &Path,
    now: UnixMs,
) -> Result<Imported, CarryError> {
    let done = match check(store, ours, folder).await {
        Ok(checked) => take_in(desk, folder, &checked, now).await.map(|imported| (imported, checked.digest)),
        Err(error) => Err(error),
    };
    let statement = match &done {
        Ok((imported, digest)) => said(now, Action::CarryImported, imported.device.as_str(), told(imported, digest)),
        Err(error) => said(now, Action::CarryRefused, &error.device(), format!("{}: {error}", error.code())),
    };
    store.audit(&statement).await.map_err(CarryError::Store)?;
    done.map(|(imported, _)| imported)
}

fn said(at: UnixMs, action: Action, subject: &str, detail: String) -> Statement {
    Statement { at, actor: "operator".to_owned(), action, subject: subject.to_owned(), detail }
}

fn told(imported: &Imported, digest: &str) -> String {
    let Imported { stored, replays, refused, .. } = imported;
    format!("carried by hand: {stored} stored, {replays} known before, {refused} refused, manifest {digest}")
}

/// A folder that is whole and a known device's.
struct Checked {
    device: DeviceId,
    manifest: Manifest,
    /// The manifest's first bytes of SHA-256, for the audit trail.
    digest: String,
}

async fn check(store: &Store, ours: &SealingKeys, folder: &Path) -> Result<Checked, CarryError> {
    let file = folder.join(MANIFEST_FILE);
    let bytes = read(&file, MAX_COVER_BYTES).map_err(|error| match error {
        CarryError::Missing { .. } => CarryError::NotCarried { folder: folder.to_owned() },
        other => other,
    })?;
    let cover: Cover = carry::from_bytes(&bytes).map_err(|_| CarryError::NotCarried { folder: folder.to_owned() })?;
    let device = cover.device.clone();
    if cover.schema != carry::SCHEMA {
        return Err(CarryError::Newer { device, schema: cover.schema });
    }
    let Some(ours) = ours.find(cover.key_id()) else {
        return Err(match ours.is_retired(cover.key_id()) {
            true => CarryError::OldKey { device },
            false => CarryError::OtherGateway { device },
        });
    };
    let standing = store.standing(&device).await.map_err(CarryError::Store)?;
    let Some(standing) = standing else { return Err(CarryError::UnknownDevice { device }) };
    if standing.revoked_at.is_some() {
        return Err(CarryError::Revoked { device });
    }
    let altered = |file: &Path| CarryError::Altered { device: device.clone(), file: file.to_owned() };
    let key = PublicKey::from_hex(&standing.sealing_key).map_err(|_| altered(&file))?;
    let manifest = cover.open(ours, &key).map_err(|_| altered(&file))?;
    for (index, entry) in manifest.parts.iter().enumerate() {
        read_part(folder, index, entry, &device)?;
    }
    let digest = hex::encode(&Sha256::digest(&bytes)[..8]);
    Ok(Checked { device, manifest, digest })
}

/// A part that is what the manifest says, and nothing else.
fn read_part(folder: &Path, index: usize, entry: &PartEntry, device: &DeviceId) -> Result<Part, CarryError> {
    let file = folder.join(carry::part_file(index));
    let altered = || CarryError::Altered { device: device.clone(), file: file.clone() };
    let bytes = read(&file, MAX_PART_BYTES)?;
    let part: Part = entry.is(&bytes).then(|| carry::from_bytes(&bytes).ok()).flatten().ok_or_else(altered)?;
    if part.messages.len() == entry.messages as usize { Ok(part) } else { Err(altered()) }
}

async fn take_in(desk: &Arc<Desk>, folder: &Path, checked: &Checked, now: UnixMs) -> Result<Imported, CarryError> {
    let device = &checked.device;
    let (mut all, mut failed) = (Taken::default(), None);
    for (index, entry) in checked.manifest.parts.iter().enumerate() {
        // Read again, and checked again: all parts at once may be more than there is memory.
        let part = read_part(folder, index, entry, device)?;
        let arrived: Vec<Arrived> = part.messages.into_iter().map(|message| arrived(device, message)).collect();
        let Err(error) = desk.take_in(arrived.clone(), now).await.map(|taken| all.add(taken)) else { continue };
        // Each by itself, so that one which the database will not have holds up no other.
        failed = Some(error);
        for message in arrived {
            match desk.take_in(vec![message], now).await {
                Ok(taken) => all.add(taken),
                Err(error) => failed = Some(error),
            }
        }
    }
    let Taken { receipts, stored, replays, refused } = all;
    let unreceipted = write_receipts(folder, device, receipts).err().map(|error| error.to_string());
    let in_all = stored + replays + refused;
    match failed {
        Some(error) if in_all < checked.manifest.messages => Err(CarryError::Desk(error)),
        _ => Ok(Imported { device: device.clone(), stored, replays, refused, unreceipted }),
    }
}

/// As the broker would have delivered it on this device's own topic.
fn arrived(device: &DeviceId, message: Carried) -> Arrived {
    let topic = Up::from_name(&message.kind)
        .map_or_else(|| message.kind.clone(), |kind| Topic::Up(device.clone(), kind).to_string());
    Arrived { topic, properties: message.properties, payload: message.payload.into_vec() }
}

/// Whole or not at all, over those of an earlier import.
fn write_receipts(folder: &Path, device: &DeviceId, receipts: Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let batches = receipts.into_iter().map(|(_, payload)| ByteBuf::from(payload)).collect();
    let carried = CarriedReceipts { schema: carry::SCHEMA, device: device.clone(), batches };
    let bytes = carry::to_bytes(&carried).map_err(std::io::Error::other)?;
    let (file, fresh) = (folder.join(RECEIPTS_FILE), folder.join("receipts.part"));
    fs::write(&fresh, bytes)?;
    File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, &file)?;
    File::open(folder)?.sync_all()
}

fn read(file: &Path, most: u64) -> Result<Vec<u8>, CarryError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => CarryError::Missing { file: file.to_owned() },
        _ => CarryError::Read { file: file.to_owned(), source },
    };
    let mut bytes = Vec::new();
    // One byte more than there may be: what is longer is not what the manifest says.
    File::open(file).and_then(|opened| opened.take(most + 1).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// Why a folder is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// Not a folder of ours.
    #[error(
        "{} is no folder that `hilum-sync-agent export` finished; give the folder named hilum-DEVICE-TIME itself",
        folder.display()
    )]
    NotCarried {
        /// What was given.
        folder: PathBuf,
    },
    /// Another layout.
    #[error("{device} wrote this folder in the layout {schema}, which this gateway does not know; update the gateway")]
    Newer {
        /// Whose it is.
        device: DeviceId,
        /// Its layout.
        schema: u16,
    },
    /// Sealed to another key.
    #[error(
        "{device} sealed this for another gateway, or for a key that this one no longer has; carry it to its own gateway"
    )]
    OtherGateway {
        /// Whose it is.
        device: DeviceId,
    },
    /// Sealed to a key whose time is over.
    #[error(
        "{device} sealed this to a key that this gateway has retired; nothing is lost: bring the device to a network once, or enrol it \
         again, and export again"
    )]
    OldKey {
        /// Whose it is.
        device: DeviceId,
    },
    /// Nobody enrolled it here.
    #[error("the device {device} is not enrolled at this gateway; see `cloud-gateway device list`")]
    UnknownDevice {
        /// The device.
        device: DeviceId,
    },
    /// An operator shut it out.
    #[error("the device {device} was revoked; nothing of it is taken in")]
    Revoked {
        /// The device.
        device: DeviceId,
    },
    /// Something was changed.
    #[error(
        "{} was altered or damaged since {device} wrote it, or is another device's; nothing was taken in: export again, on \
         another stick",
        file.display()
    )]
    Altered {
        /// Whose it claims to be.
        device: DeviceId,
        /// Where it shows.
        file: PathBuf,
    },
    /// Half a copy.
    #[error("{} is missing: the folder was not copied whole; nothing was taken in, copy it again", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// The stick does not answer.
    #[error("{} cannot be read; was the stick pulled out?", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The desk could not commit.
    #[error("the messages could not be stored; import the folder again, what is stored stays stored")]
    Desk(#[source] DeskError),
    /// The database.
    #[error("the database does not answer; import the folder again")]
    Store(#[source] StoreError),
}

impl CarryError {
    /// Stable, `snake_case`, for the audit trail.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCarried { .. } => "not_carried",
            Self::Newer { .. } => "newer",
            Self::OtherGateway { .. } => "other_gateway",
            Self::OldKey { .. } => "old_key",
            Self::UnknownDevice { .. } => "unknown_device",
            Self::Revoked { .. } => "revoked",
            Self::Altered { .. } => "altered",
            Self::Missing { .. } => "incomplete",
            Self::Read { .. } => "unreadable",
            Self::Desk(_) | Self::Store(_) => "not_stored",
        }
    }

    /// The device that the folder names, as far as it got.
    fn device(&self) -> String {
        match self {
            Self::Newer { device, .. }
            | Self::OtherGateway { device }
            | Self::OldKey { device }
            | Self::UnknownDevice { device }
            | Self::Revoked { device }
            | Self::Altered { device, .. } => device.to_string(),
            _ => "unknown".to_owned(),
        }
    }
}
