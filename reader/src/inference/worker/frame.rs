//! What parent and child say to each other over a stream socket. Numbers are little-endian.
//!
//! ```text
//! start   parent ─▶ child   u32 length, CBOR Setup
//!         child ─▶ parent   u32 length, CBOR Word        any number of Progress, then Ready or Refused
//! batch   parent ─▶ child   u64 id, u32 n, n × INPUT_SIDE² bytes
//!         child ─▶ parent   u64 id, u32 length, body     0 outputs or 1 words, see [`Answer`]
//! ```
//! Pixels and outputs cross as they are: an array of numbers in CBOR would cost more than the model on a fast GPU.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::session::Output;
use crate::model::{ModelInfo, SessionConfig, Trust};
use crate::pixels::INPUT_SIDE;
use crate::saliency::Saliency;

/// Bytes of one image.
pub(super) const IMAGE: usize = INPUT_SIDE * INPUT_SIDE;

/// Longest CBOR message, bytes: a manifest has 10 KB, and one with its distributions not a hundred times that.
const LONGEST_WORD: u32 = 4 << 20;

/// Longest body of an answer, bytes: 64 images with an embedding of 2048 numbers and a map of 224² cells have 4 MB.
const LONGEST_ANSWER: u32 = 16 << 20;

/// Images at most in one batch, as the configuration has it.
pub(super) const MOST_IMAGES: u32 = 64;

/// All that a child has to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::inference) struct Setup {
    /// Bundle directory.
    pub(in crate::inference) bundle: PathBuf,
    /// Whose bundles are accepted.
    pub(in crate::inference) trust: Trust,
    /// The site, for what the bundle says of it.
    pub(in crate::inference) site: String,
    /// ONNX Runtime's library.
    pub(in crate::inference) library: PathBuf,
    /// Threads, provider, precision and the largest batch.
    pub(in crate::inference) session: SessionConfig,
    /// Yields the processor to everything else: for a candidate in shadow.
    pub(in crate::inference) yielding: bool,
}

/// What the child says while it starts.
#[derive(Debug, Serialize, Deserialize)]
pub enum Word {
    /// What it is doing now, for people.
    Progress(String),
    /// It takes batches.
    Ready(Box<Ready>),
    /// Why it never will.
    Refused(String),
}

/// A child that takes batches.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Of this program; another one is a mistake in the configuration.
    pub version: String,
    /// What it holds.
    pub model: ModelInfo,
    /// How long the largest batch takes, milliseconds.
    pub warm_ms: f64,
}

/// The child's answer to a batch.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// One output per image, and how long the session took for all of them.
    Outputs {
        /// In the order of the images.
        outputs: Vec<Output>,
        /// Milliseconds.
        compute_ms: f64,
    },
    /// The session failed.
    Failed(String),
}

const OUTPUTS: u8 = 0;
const FAILED: u8 = 1;

pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    ciborium::into_writer(message, &mut bytes).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).ok().filter(|n| *n <= LONGEST_WORD);
    bytes[..4].copy_from_slice(&length.ok_or_else(|| nonsense("a message is too long"))?.to_le_bytes());
    to.write_all(&bytes)
}

/// Reads one CBOR message of at most 4 MiB.
///
/// # Errors
/// Where the stream breaks, and of kind `InvalidData` for what is no message of this type.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let length = u32::from_le_bytes(array(from)?);
    if length > LONGEST_WORD {
        return Err(nonsense("a message is too long"));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    ciborium::from_reader(&*bytes).map_err(|error| nonsense(&error.to_string()))
}

pub(super) fn write_batch(to: &mut impl Write, id: u64, images: &[&[u8]]) -> io::Result<()> {
    let count = u32::try_from(images.len()).ok().filter(|n| (1..=MOST_IMAGES).contains(n));
    let count = count.filter(|_| images.iter().all(|image| image.len() == IMAGE));
    let count = count.ok_or_else(|| nonsense("a batch of impossible size"))?;
    let mut header = [0; 12];
    header[..8].copy_from_slice(&id.to_le_bytes());
    header[8..].copy_from_slice(&count.to_le_bytes());
    to.write_all(&header)?;
    images.iter().try_for_each(|image| to.write_all(image))
}

/// The next batch's id, with its images one after another in `images`; `None` at the end of the stream.
pub(super) fn read_batch(from: &mut impl Read, images: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let id = match array(from) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => u64::from_le_bytes(other?),
    };
    let count = u32::from_le_bytes(array(from)?);
    if !(1..=MOST_IMAGES).contains(&count) {
        return Err(nonsense("a batch of impossible size"));
    }
    images.resize(count as usize * IMAGE, 0);
    from.read_exact(images)?;
    Ok(Some(id))
}

/// Says what came of a batch.
///
/// # Errors
/// Where the stream breaks, or for what is longer than an answer may be.
pub fn write_answer(to: &mut impl Write, id: u64, answer: &Answer) -> io::Result<()> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend([0; 4]);
    match answer {
        Answer::Failed(words) => {
            bytes.push(FAILED);
            bytes.extend(words.as_bytes());
        }
        Answer::Outputs { outputs, compute_ms } => put_outputs(&mut bytes, outputs, *compute_ms)?,
    }
    let length = u32::try_from(bytes.len() - 12).ok().filter(|n| *n <= LONGEST_ANSWER);
    bytes[8..12].copy_from_slice(&length.ok_or_else(|| nonsense("an answer is too long"))?.to_le_bytes());
    to.write_all(&bytes)
}

/// Kind, n, rows, columns, D, milliseconds, then per image: logit, map, embedding.
fn put_outputs(bytes: &mut Vec<u8>, outputs: &[Output], compute_ms: f64) -> io::Result<()> {
    let first = outputs.first().ok_or_else(|| nonsense("an answer without outputs"))?;
    let (rows, columns) = (first.saliency.rows, first.saliency.columns);
    bytes.push(OUTPUTS);
    for number in [outputs.len(), usize::from(rows), usize::from(columns), first.embedding.len()] {
        let number = u32::try_from(number).map_err(|_| nonsense("an answer is too long"))?;
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(compute_ms.to_le_bytes());
    for output in outputs {
        bytes.extend(output.logit.to_le_bytes());
        bytes.extend(&output.saliency.values);
        bytes.extend(output.embedding.iter().flat_map(|number| number.to_le_bytes()));
    }
    Ok(())
}

/// Reads the answer to batch `id` of `count` images.
///
/// # Errors
/// Where the stream breaks, and of kind `InvalidData` for whatever else comes.
pub fn read_answer(from: &mut impl Read, id: u64, count: usize) -> io::Result<Answer> {
    if u64::from_le_bytes(array(from)?) != id {
        return Err(nonsense("the answer to another batch"));
    }
    let length = u32::from_le_bytes(array(from)?);
    if length > LONGEST_ANSWER {
        return Err(nonsense("an answer is too long"));
    }
    let mut body = vec![0; length as usize];
    from.read_exact(&mut body)?;
    match body.split_first() {
        Some((&FAILED, words)) => Ok(Answer::Failed(String::from_utf8_lossy(words).into_owned())),
        Some((&OUTPUTS, rest)) => take_outputs(rest, count).ok_or_else(|| nonsense("outputs that are none")),
        _ => Err(nonsense("an answer of unknown kind")),
    }
}

fn take_outputs(mut body: &[u8], count: usize) -> Option<Answer> {
    let number = |body: &mut &[u8]| take(body).map(u32::from_le_bytes);
    let (n, rows, columns) = (number(&mut body)?, number(&mut body)?, number(&mut body)?);
    let depth = number(&mut body)? as usize;
    let compute_ms = f64::from_le_bytes(take(&mut body)?);
    let (rows, columns) = (u16::try_from(rows).ok()?, u16::try_from(columns).ok()?);
    let cells = usize::from(rows) * usize::from(columns);
    let each = 4usize.checked_add(cells)?.checked_add(depth.checked_mul(4)?)?;
    let sound = n as usize == count && cells > 0 && compute_ms.is_finite() && body.len() == each.checked_mul(count)?;
    let outputs = body.chunks_exact(each).filter(|_| sound).map(|one| {
        let (mut one, embedding) = one.split_at(4 + cells);
        let logit = f32::from_le_bytes(take(&mut one)?);
        let embedding = embedding.chunks_exact(4).filter_map(|mut bytes| take(&mut bytes).map(f32::from_le_bytes));
        let saliency = Saliency { rows, columns, values: one.to_vec() };
        logit.is_finite().then(|| Output { logit, saliency, embedding: embedding.collect() })
    });
    let outputs: Vec<Output> = outputs.collect::<Option<_>>()?;
    sound.then_some(Answer::Outputs { outputs, compute_ms })
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*head)
}

fn array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
