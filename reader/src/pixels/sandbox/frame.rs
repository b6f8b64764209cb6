//! What parent and child say to each other: a length (u32, little-endian) and that many bytes of CBOR. With a job travels the
//! open file that it is about (`SCM_RIGHTS`, unix(7)), so that the child never needs a path.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::pixels::{About, INPUT_SIDE, Limits, Pixels, Unreadable};

/// Longest message, bytes: the largest preview has 2 MiB, a VOI LUT 128 KiB, an input 50 KB.
const LONGEST: u32 = 4 << 20;

/// To the child, with the object's open file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) limits: Limits,
}

/// From the child, which may have been taken over by what it decoded.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// Once, before any job.
    Hello {
        /// Of its program.
        version: String,
        /// Why its system calls are not filtered, where they are not.
        unconfined: Option<String>,
    },
    /// What the header says, before a pixel is decoded; absent where the header cannot be read.
    Header(Box<About>),
    /// The machine refused what a job needs, before or in one; nothing is known of the image.
    NotNow {
        /// What it refused.
        what: String,
    },
    /// The end of a job.
    Done {
        /// The pixels, or why there are none.
        pixels: Result<Pixels, Unreadable>,
        /// How long that took.
        decode_ms: f64,
    },
}

impl Reply {
    /// Whether it is what the child of this release says: a decoder that was taken over could answer anything, and shapes are
    /// checked before anyone indexes by them.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Self::Done { pixels, decode_ms } = self else { return true };
        let input = |pixels: &Pixels| pixels.input.len() == INPUT_SIDE * INPUT_SIDE;
        decode_ms.is_finite() && pixels.as_ref().ok().is_none_or(|pixels| input(pixels) && pixels.preview.is_sound())
    }
}

pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

/// As [`write`], and `object` with it.
pub(super) fn write_with_file(to: &UnixStream, message: &impl Serialize, object: &File) -> io::Result<()> {
    let bytes = encode(message)?;
    let files = [object.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no room for the file"));
    }
    let sent = retry_on_intr(|| sendmsg(to, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL))?;
    (&*to).write_all(&bytes[sent..])
}

fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    ciborium::into_writer(message, &mut bytes).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).ok().filter(|n| *n <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("message too long"))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// `None` at the end of the stream.
///
/// # Errors
/// Where the stream breaks, and of kind `InvalidData` for what is no message of this type.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    body(from, length).map(Some)
}

/// As [`read`], with the file that came with the message. A message without one is refused.
pub(super) fn read_with_file<T: DeserializeOwned>(from: &UnixStream) -> io::Result<Option<(T, File)>> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got =
        retry_on_intr(|| recvmsg(from, &mut [IoSliceMut::new(&mut length)], &mut control, RecvFlags::CMSG_CLOEXEC))?
            .bytes;
    if got == 0 {
        return Ok(None);
    }
    let file = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next().map(File::from),
        _ => None,
    });
    let file = file.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a job without its file"))?;
    let mut from = from;
    from.read_exact(&mut length[got..])?;
    Ok(Some((body(&mut from, length)?, file)))
}

fn body<T: DeserializeOwned>(from: &mut impl Read, length: [u8; 4]) -> io::Result<T> {
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message too long"));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    ciborium::from_reader(&*bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Preview;
    use crate::pixels::preview::PreviewVoi;

    #[test]
    fn a_message_survives_the_pipe_and_a_long_length_is_refused() {
        let mut pipe = Vec::new();
        write(&mut pipe, &Job { limits: Limits::default() }).unwrap();
        let job: Job = read(&mut &*pipe).unwrap().unwrap();
        assert_eq!(job.limits, Limits::default());
        assert!(read::<Job>(&mut &[][..]).unwrap().is_none());
        assert!(read::<Job>(&mut &b"HTTP/1.1 200 OK"[..]).is_err());
        assert!(read::<Job>(&mut &pipe[..9]).is_err());
    }

    #[test]
    fn only_what_a_decoder_of_ours_would_say_is_sound() {
        let good = || Pixels {
            input: vec![0; INPUT_SIDE * INPUT_SIDE],
            preview: Preview {
                rows: 2,
                columns: 1024,
                samples: vec![0; 4096],
                offset: 0,
                invert: false,
                voi: PreviewVoi::LinearExact { center: 0.5, width: 1.0 },
            },
            text_lines: 0,
        };
        let done = |pixels, decode_ms| Reply::Done { pixels: Ok(pixels), decode_ms };
        let shown = |change: fn(&mut Preview)| {
            let mut pixels = good();
            change(&mut pixels.preview);
            done(pixels, 1.0).is_sound()
        };
        assert!(done(good(), 1.0).is_sound());
        assert!(!done(good(), f64::NAN).is_sound());
        assert!(!done(Pixels { input: vec![], ..good() }, 1.0).is_sound());
        let hostile: [fn(&mut Preview); 7] = [
            |preview| preview.samples.truncate(4095),
            |preview| (preview.rows, preview.columns, preview.samples) = (0, 0, vec![]),
            // More than any preview has: a capture of it would be 65,535 pixels wide.
            |preview| (preview.rows, preview.columns, preview.samples) = (1, u16::MAX, vec![0; 131_070]),
            |preview| preview.voi = PreviewVoi::Linear { center: 0.0, width: 0.5 },
            |preview| preview.voi = PreviewVoi::Sigmoid { center: f64::INFINITY, width: 1.0 },
            |preview| preview.voi = PreviewVoi::Lut { first: 0, bits: 16, data: vec![] },
            |preview| preview.voi = PreviewVoi::Lut { first: 0, bits: 64, data: vec![0, 0] },
        ];
        for (number, change) in hostile.into_iter().enumerate() {
            assert!(!shown(change), "number {number}");
        }
        assert!(shown(|preview| preview.voi = PreviewVoi::Lut { first: 0, bits: 16, data: vec![0; 131_072] }));
    }

    #[test]
    fn each_job_brings_its_own_file_and_one_without_is_refused() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        for text in ["one", "two"] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            write_with_file(&ours, &Job { limits: Limits::default() }, &file).unwrap();
        }
        for text in ["one", "two"] {
            let (_, mut file) = read_with_file::<Job>(&theirs).unwrap().unwrap();
            io::Seek::rewind(&mut file).unwrap();
            assert_eq!(io::read_to_string(file).unwrap(), text);
        }
        write(&mut &ours, &Job { limits: Limits::default() }).unwrap();
        assert!(read_with_file::<Job>(&theirs).is_err());
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        assert!(read_with_file::<Job>(&theirs).unwrap().is_none());
    }
}
