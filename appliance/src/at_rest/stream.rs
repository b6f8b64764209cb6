//! Files as an authenticated stream: frames under a key of the file's own, in an order, to an end and for a name that the tags
//! cover. It knows nothing of what it carries and nothing of folders.
//!
//! The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance", CRYPTO 2015): a nonce counts the frames and marks the last, so that frames can be neither changed,
//! swapped, repeated nor left out, and the file's end cannot be cut off.
//!
//! ```text
//! bytes 0..8     "HILUMAR1"
//! bytes 8..40    salt; the file's key = HKDF-SHA-256(at-rest key, "file", salt)
//! then           frames: ciphertext, tag of 16 bytes
//! frame i ends at byte (i + 1) · 512 KiB of the file; the last one ends where it ends
//! nonce          7 zero bytes, i as 32 bits big endian, 1 for the last frame and 0 for others
//! associated     the file's name
//! ```

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::{APPLICATION, AtRest, AtRestError};

/// Where frames end in the file. A multiple of every file system's block, so that whole frames can go to the disk past the page
/// cache; small enough that sixteen associations hold some megabytes.
pub const FRAME: usize = 512 * 1024;

/// Bytes of GCM's tag.
const TAG: usize = 16;
const MAGIC: &[u8; 8] = b"HILUMAR1";
const SALT: usize = 32;
const HEADER: usize = MAGIC.len() + SALT;

/// Where frames lie in memory: direct writes want addresses that are multiples of the disk's block, 4096 bytes at most in use.
const ALIGNMENT: usize = 4096;

/// Why a stream was not opened.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The source cannot be read: the disk, not the file's content.
    #[error("cannot read")]
    Read(#[source] io::Error),
    /// There is no room for the plain bytes.
    #[error("cannot write")]
    Write(#[source] io::Error),
    /// It is not what was written under this name.
    #[error("{0}")]
    Damaged(&'static str),
}

/// Takes plain bytes, gives frames to `sink`, each in one `write` call. Without [`Sealer::finish`] the stream has no end and
/// never opens.
#[derive(Debug)]
pub struct Sealer<W> {
    sink: W,
    key: LessSafeKey,
    name: Vec<u8>,
    count: u32,
    frame: Frame,
}

/// The frame being filled: bytes before `sealed_from` go to the sink as they are.
#[derive(Debug)]
struct Frame {
    bytes: Vec<u8>,
    /// Where the aligned part of `bytes` begins.
    start: usize,
    sealed_from: usize,
    end: usize,
}

impl AtRest {
    /// Begins a stream that opens under `name` only.
    ///
    /// # Errors
    /// [`AtRestError::Seal`].
    pub fn sealer<W: Write>(&self, name: &str, sink: W) -> Result<Sealer<W>, AtRestError> {
        let mut salt = [0; SALT];
        let (first, second) = salt.split_at_mut(SALT / 2);
        first.copy_from_slice(&(self.random)());
        second.copy_from_slice(&(self.random)());
        let mut frame = Frame::empty();
        frame.put(MAGIC);
        frame.put(&salt);
        frame.sealed_from = HEADER;
        let key = self.derive(&[APPLICATION, b"file", &salt])?;
        Ok(Sealer { sink, key, name: name.as_bytes().to_vec(), count: 0, frame })
    }

    /// Writes the plain bytes of the stream `source` that was sealed under `name` to `sink`; gives their number. What reached
    /// the sink before an error is genuine as far as it goes, and must be thrown away all the same.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn open_stream(&self, name: &str, mut source: impl Read, mut sink: impl Write) -> Result<u64, StreamError> {
        let mut header = [0; HEADER];
        if fill(&mut source, &mut header)? < HEADER {
            return Err(StreamError::Damaged("the file was cut off in its header"));
        }
        let Some(salt) = header.strip_prefix(MAGIC) else {
            return Err(StreamError::Damaged("the file was not sealed by this software"));
        };
        let key = self.derive(&[APPLICATION, b"file", salt]);
        let key = key.map_err(|_| StreamError::Damaged("no key can be derived for the file"))?;
        let (mut total, mut from) = (0, HEADER);
        // One byte more than a frame tells whether the frame is the last.
        let (mut buffer, mut have) = (vec![0; FRAME + 1], 0);
        for count in 0..=u32::MAX {
            let room = FRAME - from + 1;
            have += fill(&mut source, &mut buffer[have..room])?;
            let last = have < room;
            let sealed = have - usize::from(!last);
            let next = buffer[sealed];
            let opened = key.open_in_place(nonce(count, last), Aad::from(name), &mut buffer[..sealed]);
            let plain = opened.map_err(|_| {
                StreamError::Damaged("the file was changed or cut off, or belongs to another name or key")
            })?;
            sink.write_all(plain).map_err(StreamError::Write)?;
            total += plain.len() as u64;
            if last {
                return Ok(total);
            }
            (buffer[0], have, from) = (next, 1, 0);
        }
        Err(StreamError::Damaged("the file has more frames than any that was written"))
    }
}

impl<W: Write> Sealer<W> {
    /// Adds plain bytes.
    ///
    /// # Errors
    /// What the sink says; the stream cannot go on then.
    pub fn write(&mut self, mut plain: &[u8]) -> io::Result<()> {
        while !plain.is_empty() {
            // Only now, so that the last frame is never an empty one behind a full one.
            if self.frame.room() == 0 {
                self.flush(false)?;
            }
            let (now, later) = plain.split_at(plain.len().min(self.frame.room()));
            self.frame.put(now);
            plain = later;
        }
        Ok(())
    }

    /// Ends the stream and gives the sink back.
    ///
    /// # Errors
    /// What the sink says.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush(true)?;
        Ok(self.sink)
    }

    /// Seals what was gathered, in its place, and hands it on.
    fn flush(&mut self, last: bool) -> io::Result<()> {
        let refused = || io::Error::other("a frame cannot be sealed");
        let aad = Aad::from(self.name.as_slice());
        let tag = self.key.seal_in_place_separate_tag(nonce(self.count, last), aad, self.frame.unsealed());
        self.frame.put_tag(tag.map_err(|_| refused())?.as_ref());
        self.sink.write_all(self.frame.bytes())?;
        self.frame.clear();
        self.count = self.count.checked_add(1).ok_or_else(refused)?;
        Ok(())
    }
}

impl Frame {
    fn empty() -> Self {
        let bytes = vec![0; FRAME + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, start, sealed_from: 0, end: 0 }
    }

    /// Plain bytes that still fit before the tag.
    fn room(&self) -> usize {
        FRAME - TAG - self.end
    }

    fn put(&mut self, piece: &[u8]) {
        let at = self.start + self.end;
        self.bytes[at..at + piece.len()].copy_from_slice(piece);
        self.end += piece.len();
    }

    fn put_tag(&mut self, tag: &[u8]) {
        self.put(tag);
    }

    fn unsealed(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start + self.sealed_from..self.start + self.end]
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.end]
    }

    fn clear(&mut self) {
        (self.sealed_from, self.end) = (0, 0);
    }
}

fn nonce(count: u32, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[7..11].copy_from_slice(&count.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Reads until `buffer` is full or the source ends; gives how much there was.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize, StreamError> {
    let mut have = 0;
    while have < buffer.len() {
        match source.read(&mut buffer[have..]) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StreamError::Read(error)),
        }
    }
    Ok(have)
}

#[cfg(test)]
mod tests;
