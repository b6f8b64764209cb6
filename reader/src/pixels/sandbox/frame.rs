//! What parent and child say to each other: a length (u32, little-endian) and that many bytes of CBOR.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::pixels::{About, Limits, Pixels, Unreadable};

/// Longest message, bytes: the largest preview has 2 MiB, a VOI LUT 128 KiB, an input 50 KB.
const LONGEST: u32 = 4 << 20;

/// To the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) path: PathBuf,
    pub(super) limits: Limits,
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Once, before any job.
    Hello { version: String },
    /// What the header says, before a pixel is decoded; absent where the header cannot be read.
    Header(Box<About>),
    /// The machine refused what a job needs, before or in one; nothing is known of the image.
    NotNow { what: String },
    /// The end of a job.
    Done { pixels: Result<Pixels, Unreadable>, decode_ms: f64 },
}

pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    ciborium::into_writer(message, &mut bytes).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).ok().filter(|n| *n <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("message too long"))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    to.write_all(&bytes)?;
    to.flush()
}

/// `None` at the end of the stream.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message too long"));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    ciborium::from_reader(&*bytes).map(Some).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_the_pipe_and_a_long_length_is_refused() {
        let mut pipe = Vec::new();
        write(&mut pipe, &Job { path: "/spool/a b".into(), limits: Limits::default() }).unwrap();
        let job: Job = read(&mut &*pipe).unwrap().unwrap();
        assert_eq!((job.path, job.limits), (PathBuf::from("/spool/a b"), Limits::default()));
        assert!(read::<Job>(&mut &[][..]).unwrap().is_none());
        assert!(read::<Job>(&mut &b"HTTP/1.1 200 OK"[..]).is_err());
        assert!(read::<Job>(&mut &pipe[..9]).is_err());
    }
}
