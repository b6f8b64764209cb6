//! Without a network: the messages that have no receipt, sealed as on the wire, into a folder that somebody carries to the
//! gateway; and the receipts that come back in it. It changes no message but by a receipt: what was carried is sent all the same
//! once there is a network, and gets the same receipt.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use outbox::{Leased, Outbox, OutboxError, Settlement};
use rand::CryptoRng;
use time::macros::format_description;
use wire::carry::{
    self, Carried, CarriedReceipts, MANIFEST_FILE, MAX_COVER_BYTES, Manifest, PART_BYTES, PART_MESSAGES, Part,
    PartEntry, RECEIPTS_FILE,
};
use wire::envelope::EnvelopeError;
use wire::ids::DeviceId;
use wire::seal::SealError;

use crate::identity::Identity;
use crate::sealing::{self, ReceiptError};

/// Messages read from the outbox at a time: with their pictures some 20 MB at worst.
const READ: u32 = 16;

/// The end of the name of a folder that is being written.
const UNFINISHED: &str = ".part";

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Exported {
    /// The folder that is to be carried.
    pub folder: PathBuf,
    /// Its messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What receipts that were carried back did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Messages that are in the cloud and were forgotten here.
    pub stored: u64,
    /// Messages that the gateway rejected; they are kept with its reason.
    pub rejected: u64,
    /// Receipts of messages that had one already.
    pub known: u64,
    /// The gateway's newest key, 64 hexadecimal characters, where they told of one.
    pub gateway_key: Option<String>,
}

/// Writes every message without a receipt into a new folder within `to`: whole and durable when this returns, or not there.
/// `None` where nothing waits.
///
/// # Errors
/// [`CarryError`]; then there is no new folder.
pub fn export(
    outbox: &Outbox,
    identity: &Identity,
    to: &Path,
    now_ms: i64,
    rng: &mut impl CryptoRng,
) -> Result<Option<Exported>, CarryError> {
    if !to.is_dir() {
        return Err(CarryError::NoFolder { folder: to.to_owned() });
    }
    let device = &identity.enrolment.device;
    sweep(to, device)?;
    let name = folder_name(device, now_ms);
    let (folder, unfinished) = (to.join(&name), to.join(format!("{name}{UNFINISHED}")));
    if folder.exists() {
        return Err(CarryError::Taken { folder });
    }
    fs::create_dir(&unfinished).map_err(|source| written(&unfinished, source))?;
    let done = write_all(outbox, identity, &unfinished, now_ms, rng).and_then(|counted| match counted {
        (0, _) => Ok(None),
        (messages, bytes) => {
            sync_folder(&unfinished)?;
            fs::rename(&unfinished, &folder).map_err(|source| written(&folder, source))?;
            sync_folder(to)?;
            Ok(Some(Exported { folder, messages, bytes }))
        }
    });
    if !matches!(done, Ok(Some(_))) {
        // What stays in spite of this is told by its name, and removed by the next export.
        let _ = fs::remove_dir_all(&unfinished);
    }
    done
}

/// Does what the receipts in a carried folder say.
///
/// # Errors
/// [`CarryError`]; what was settled before it stays settled, and settling again is harmless.
pub fn import_receipts(outbox: &mut Outbox, identity: &Identity, folder: &Path) -> Result<Settled, CarryError> {
    let file = folder.join(RECEIPTS_FILE);
    let size = fs::metadata(&file).map_err(|_| CarryError::NoReceipts { folder: folder.to_owned() })?.len();
    let bytes =
        if size > MAX_COVER_BYTES { Vec::new() } else { fs::read(&file).map_err(|source| read(&file, source))? };
    let foreign = || CarryError::Receipts { file: file.clone(), source: None };
    let carried: CarriedReceipts = carry::from_bytes(&bytes).map_err(|_| foreign())?;
    if carried.schema != carry::SCHEMA {
        return Err(foreign());
    }
    let ours = &identity.enrolment.device;
    if carried.device != *ours {
        return Err(CarryError::OtherDevice { folder: folder.to_owned(), theirs: carried.device, ours: ours.clone() });
    }
    let mut settled = Settled::default();
    for batch in &carried.batches {
        let receipts = sealing::open_receipts(identity, batch);
        let receipts = receipts.map_err(|source| CarryError::Receipts { file: file.clone(), source: Some(source) })?;
        settled.gateway_key = receipts.gateway_key.or(settled.gateway_key);
        for receipt in receipts.receipts {
            match outbox.settle(receipt.id, &receipt.status)? {
                Settlement::Deleted => settled.stored += 1,
                Settlement::Kept => settled.rejected += 1,
                Settlement::Unknown => settled.known += 1,
            }
        }
    }
    Ok(settled)
}

/// Messages and bytes.
fn write_all(
    outbox: &Outbox,
    identity: &Identity,
    folder: &Path,
    now_ms: i64,
    rng: &mut impl CryptoRng,
) -> Result<(u64, u64), CarryError> {
    let mut binder = Binder { folder, part: Part::default(), size: 0, entries: Vec::new() };
    let mut after = 0;
    loop {
        let waiting = outbox.waiting(after, READ)?;
        let Some((last, _)) = waiting.last() else { break };
        after = *last;
        for (_, message) in &waiting {
            binder.add(carried(identity, message, rng)?)?;
        }
    }
    binder.close()?;
    let entries = binder.entries;
    let messages = entries.iter().map(|entry| u64::from(entry.messages)).sum();
    let bytes = entries.iter().map(|entry| entry.bytes).sum();
    if messages == 0 {
        return Ok((0, 0));
    }
    let manifest = Manifest { made_ms: now_ms, messages, parts: entries };
    let (device, keys) = (&identity.enrolment.device, (&identity.sealing, &identity.sealing_public));
    let cover = manifest.seal(device, &identity.gateway, keys, rng)?;
    write(&folder.join("README.txt"), readme(device, messages).as_bytes())?;
    // Last: a folder without it is refused.
    write(&folder.join(MANIFEST_FILE), &carry::to_bytes(&cover)?)?;
    Ok((messages, bytes))
}

/// Binds messages into parts.
struct Binder<'a> {
    folder: &'a Path,
    part: Part,
    size: usize,
    entries: Vec<PartEntry>,
}

impl Binder<'_> {
    fn add(&mut self, message: Carried) -> Result<(), CarryError> {
        self.size += message.payload.len();
        self.part.messages.push(message);
        if self.part.messages.len() >= PART_MESSAGES || self.size >= PART_BYTES { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), CarryError> {
        let part = std::mem::take(&mut self.part);
        self.size = 0;
        let Some(count) = u32::try_from(part.messages.len()).ok().filter(|count| *count > 0) else { return Ok(()) };
        let bytes = carry::to_bytes(&part)?;
        write(&self.folder.join(carry::part_file(self.entries.len())), &bytes)?;
        self.entries.push(PartEntry::of(count, &bytes));
        Ok(())
    }
}

fn carried(identity: &Identity, message: &Leased, rng: &mut impl CryptoRng) -> Result<Carried, CarryError> {
    let envelope = sealing::envelope(&identity.enrolment.device, message);
    let payload = sealing::seal(identity, &envelope, &message.payload, rng).map_err(CarryError::Seal)?;
    let properties = envelope.to_properties().map_err(CarryError::Label)?;
    Ok(Carried { kind: message.kind.as_str().to_owned(), properties, payload: payload.into() })
}

/// `hilum-DEVICE-20260102T030405Z`: who and when, sorted by time, without what file systems of sticks do not like.
fn folder_name(device: &DeviceId, now_ms: i64) -> String {
    let layout = format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = sealing::instant(now_ms).format(&layout).unwrap_or_default();
    format!("hilum-{device}-{time}")
}

fn readme(device: &DeviceId, messages: u64) -> String {
    format!(
        "These are {messages} sealed messages of the Hilum device {device}. Nobody but its gateway can read them.\r\n\r\n\
         Carry the whole folder to the gateway and run there:\r\n    cloud-gateway import --config FILE THIS-FOLDER\r\n\r\n\
         Then, if you like, carry it back to the device and run there:\r\n    \
         hilum-sync-agent import-receipts --config FILE THIS-FOLDER\r\n"
    )
}

/// Removes what an export left that was cut short.
fn sweep(to: &Path, device: &DeviceId) -> Result<(), CarryError> {
    let prefix = format!("hilum-{device}-");
    for entry in fs::read_dir(to).map_err(|source| read(to, source))?.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(UNFINISHED));
        if is_ours {
            fs::remove_dir_all(entry.path()).map_err(|source| written(&entry.path(), source))?;
        }
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), CarryError> {
    let write = || {
        let mut opened: File = OpenOptions::new().write(true).create_new(true).open(file)?;
        opened.write_all(bytes)?;
        opened.sync_all()
    };
    write().map_err(|source| written(file, source))
}

fn sync_folder(folder: &Path) -> Result<(), CarryError> {
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(|source| written(folder, source))
}

/// Sorts what a stick says by what its owner can do.
fn written(file: &Path, source: std::io::Error) -> CarryError {
    let file = file.to_owned();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => CarryError::Full { file },
        ErrorKind::ReadOnlyFilesystem => CarryError::ReadOnly { file },
        _ => CarryError::Write { file, source },
    }
}

fn read(file: &Path, source: std::io::Error) -> CarryError {
    CarryError::Read { file: file.to_owned(), source }
}

/// Why nothing can be carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// The folder to write into is not there.
    #[error("{} is not a folder; plug the stick in, wait until it is mounted, and give its folder", folder.display())]
    NoFolder {
        /// What was given.
        folder: PathBuf,
    },
    /// Two exports within one second.
    #[error("{} is there already; wait a second and export again", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// No room.
    #[error("there is no room for {}: the stick is full; nothing was left on it, use one with more room", file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// A switch on the stick, or a file system with errors.
    #[error("{} cannot be written: the stick is write-protected; move its switch, or use another one", file.display())]
    ReadOnly {
        /// The file.
        file: PathBuf,
    },
    /// Cannot be written.
    #[error("{} cannot be written; was the stick pulled out? Export again", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Cannot be read.
    #[error("{} cannot be read; was the stick pulled out?", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder has not been at the gateway.
    #[error(
        "{} holds no receipts; run `cloud-gateway import` on it at the gateway first, with a stick that can be written to",
        folder.display()
    )]
    NoReceipts {
        /// The folder.
        folder: PathBuf,
    },
    /// Receipts for somebody else.
    #[error("{} was written by the device {theirs}, and this is {ours}; carry it there", folder.display())]
    OtherDevice {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        theirs: DeviceId,
        /// Who we are.
        ours: DeviceId,
    },
    /// Receipts that do not open.
    #[error(
        "{} was altered or damaged, or comes from another gateway; nothing is lost: import the folder at the gateway again",
        file.display()
    )]
    Receipts {
        /// The file.
        file: PathBuf,
        /// Why, where it parses.
        source: Option<ReceiptError>,
    },
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The manifest.
    #[error("the manifest cannot be made")]
    Manifest(#[from] carry::CarryError),
    /// A message's labels.
    #[error(transparent)]
    Label(EnvelopeError),
    /// A message's seal.
    #[error(transparent)]
    Seal(SealError),
}

#[cfg(test)]
mod tests;
