//! A multipart body (RFC 2046 5.1.1) as it comes, in pieces of any size: what is told about it does not depend on where it is
//! cut. It holds one piece and a delimiter, never a part.
//!
//! ```text
//! Preamble ─delimiter─▶ Line ─CRLF─▶ Head ─empty line─▶ Data ─delimiter─▶ Line ─"--"─▶ Epilogue
//! ```

use memchr::memmem::Finder;

use super::media_type::MediaType;

/// Bytes before the first delimiter: nothing is expected there but an empty line.
const LONGEST_PREAMBLE: usize = 4096;
/// Bytes of a part's headers: it has three or four.
const LONGEST_HEAD: usize = 8192;
/// Blanks after a delimiter, which the RFC calls transport padding and nobody writes.
const LONGEST_PADDING: usize = 64;

/// What the body tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins; its media type, where it has a readable one.
    Begin(Option<MediaType>),
    /// Bytes of it.
    Data(Vec<u8>),
    /// It is whole.
    End,
    /// The body is whole; what follows counts for nothing.
    Last,
}

/// Why the body cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first delimiter does not come.
    #[error("the body does not begin with the boundary of its Content-Type")]
    NoBoundary,
    /// Something else follows a delimiter.
    #[error("a boundary within the body is not followed by a new line")]
    Delimiter,
    /// Headers without end.
    #[error("the headers of a part are longer than 8 KiB")]
    Head,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    Line,
    Head,
    Data,
    Epilogue,
}

/// What one look into the buffer did.
enum Step {
    Told(Event),
    Moved,
    NeedsMore,
}

/// A body being read.
pub struct Multipart {
    delimiter: Finder<'static>,
    state: State,
    buffer: Vec<u8>,
    /// Bytes of the preamble that were dropped.
    skipped: usize,
}

impl Multipart {
    /// For a body with this boundary; `None` where it cannot be one (1 to 70 characters).
    #[must_use]
    pub fn new(boundary: &str) -> Option<Self> {
        let fits = (1..=70).contains(&boundary.len()) && !boundary.contains(['\r', '\n']);
        fits.then(|| Self {
            delimiter: Finder::new(&format!("\r\n--{boundary}")).into_owned(),
            state: State::Preamble,
            // The first delimiter may stand at the very beginning, where no new line comes before it.
            buffer: b"\r\n".to_vec(),
            skipped: 0,
        })
    }

    /// Takes the next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        if self.state != State::Epilogue {
            self.buffer.extend_from_slice(piece);
        }
    }

    /// What is next in the pieces taken so far; `None` where it needs more.
    ///
    /// # Errors
    /// [`Malformed`]; nothing can be told after it.
    pub fn tell(&mut self) -> Result<Option<Event>, Malformed> {
        loop {
            let step = match self.state {
                State::Preamble => self.preamble()?,
                State::Line => self.line()?,
                State::Head => self.head()?,
                State::Data => self.data(),
                State::Epilogue => Step::NeedsMore,
            };
            match step {
                Step::Told(event) => return Ok(Some(event)),
                Step::Moved => {}
                Step::NeedsMore => return Ok(None),
            }
        }
    }

    fn preamble(&mut self) -> Result<Step, Malformed> {
        if let Some(at) = self.delimiter.find(&self.buffer) {
            // A piece may be longer than the limit, and is judged as its bytes would be one by one.
            if self.skipped + at > LONGEST_PREAMBLE {
                return Err(Malformed::NoBoundary);
            }
            self.buffer.drain(..at + self.delimiter.needle().len());
            self.state = State::Line;
            return Ok(Step::Moved);
        }
        let sure = self.sure();
        self.skipped += sure;
        self.buffer.drain(..sure);
        if self.skipped > LONGEST_PREAMBLE { Err(Malformed::NoBoundary) } else { Ok(Step::NeedsMore) }
    }

    fn line(&mut self) -> Result<Step, Malformed> {
        if self.buffer.starts_with(b"--") {
            self.buffer = Vec::new();
            self.state = State::Epilogue;
            return Ok(Step::Told(Event::Last));
        }
        let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match self.buffer[padding..] {
            _ if padding > LONGEST_PADDING => Err(Malformed::Delimiter),
            [b'\r', b'\n', ..] => {
                // The new line stays: with it, the empty line that ends the headers looks the same where there are none.
                self.buffer.drain(..padding);
                self.state = State::Head;
                Ok(Step::Moved)
            }
            [] | [b'\r'] => Ok(Step::NeedsMore),
            [b'-'] if padding == 0 => Ok(Step::NeedsMore),
            _ => Err(Malformed::Delimiter),
        }
    }

    fn head(&mut self) -> Result<Step, Malformed> {
        let end = memchr::memmem::find(&self.buffer, b"\r\n\r\n");
        // The last three bytes may be the beginning of the empty line that is looked for.
        if end.unwrap_or(self.buffer.len().saturating_sub(3)) > LONGEST_HEAD {
            return Err(Malformed::Head);
        }
        let Some(end) = end else { return Ok(Step::NeedsMore) };
        let kind = media_type(&self.buffer[..end]);
        self.buffer.drain(..end + 4);
        self.state = State::Data;
        Ok(Step::Told(Event::Begin(kind)))
    }

    fn data(&mut self) -> Step {
        if let Some(at) = self.delimiter.find(&self.buffer) {
            if at == 0 {
                self.buffer.drain(..self.delimiter.needle().len());
                self.state = State::Line;
                return Step::Told(Event::End);
            }
            return Step::Told(Event::Data(self.buffer.drain(..at).collect()));
        }
        match self.sure() {
            0 => Step::NeedsMore,
            sure => {
                let rest = self.buffer.split_off(sure);
                Step::Told(Event::Data(std::mem::replace(&mut self.buffer, rest)))
            }
        }
    }

    /// Bytes of the buffer that cannot be the beginning of a delimiter which more bytes would complete.
    fn sure(&self) -> usize {
        let needle = self.delimiter.needle();
        let longest = self.buffer.len().min(needle.len() - 1);
        let partial = (1..=longest).rev().find(|length| self.buffer.ends_with(&needle[..*length]));
        self.buffer.len() - partial.unwrap_or(0)
    }
}

/// The media type in a part's headers, whose names are written in any case.
fn media_type(head: &[u8]) -> Option<MediaType> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case("content-type"))?;
    MediaType::parse(value)
}

#[cfg(test)]
mod tests;
