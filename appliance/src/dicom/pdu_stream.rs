//! Protocol data units on a byte stream (PS3.8 9.3), with a bound for each type that is checked before a byte of the body is
//! read. It knows nothing of what the units mean.

use std::time::Duration;

use dicom_ul::Pdu;
use dicom_ul::pdu::{PDataValue, PDataValueType, read_pdu, write_pdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Type, a reserved byte and a length of four bytes, PS3.8 9.3.1.
const HEADER: usize = 6;

/// Longest A-ASSOCIATE-RQ or -AC: 128 presentation contexts (the most that odd one-byte ids allow) with the longest
/// abstract syntax and a dozen transfer syntaxes each come to about 110 KB.
const LONGEST_NEGOTIATION: u32 = 128 * 1024;

/// A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT have exactly this many bytes after the header.
const SHORT: u32 = 4;

/// Bytes of a presentation data value before its data: length, context id, message control header (PS3.8 9.3.5.1).
const PDV_HEADER: usize = 6;

/// Fragments sent at most where the peer names no limit (its maximum length is 0, PS3.8 D.1).
const UNLIMITED_PEER: usize = 128 * 1024;

/// A stream of PDUs.
pub struct PduStream<S> {
    socket: S,
    longest_data: u32,
    patience: Duration,
    frame: Vec<u8>,
}

/// Why no PDU came, or none could be sent.
#[derive(Debug, thiserror::Error)]
pub enum PduError {
    /// Not DICOM: another protocol was spoken to this port.
    #[error(
        "the peer does not speak the DICOM upper layer protocol (first byte 0x{0:02x}); check which port it was given"
    )]
    NotDicom(u8),
    /// A length over the bound for its type.
    #[error("the peer announced a PDU of type {kind} with {length} bytes, over the limit of {limit}")]
    TooLong {
        /// Its type.
        kind: u8,
        /// What it announced.
        length: u32,
        /// What that type may have.
        limit: u32,
    },
    /// The body is not what its type says.
    #[error("the peer sent a PDU of type {0} that cannot be parsed")]
    Malformed(u8),
    /// The answer could not be encoded.
    #[error("a PDU could not be encoded")]
    Encode,
    /// The connection broke.
    #[error("the connection broke")]
    Socket(#[from] std::io::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> PduStream<S> {
    /// `longest_data` is the maximum length that is announced to the peer for its P-DATA-TF PDUs, `patience` the longest
    /// time in which it must have taken a PDU of ours.
    #[must_use]
    pub fn new(socket: S, longest_data: u32, patience: Duration) -> Self {
        Self { socket, longest_data, patience, frame: Vec::new() }
    }

    /// The next PDU; `None` where the peer closed the connection between two. It may be given up while it waits: what came
    /// stays for the next call.
    ///
    /// # Errors
    /// [`PduError`]; the stream cannot be used any more.
    pub async fn read(&mut self) -> Result<Option<Pdu>, PduError> {
        loop {
            let missing = self.missing()?;
            if missing == 0 {
                break;
            }
            // Grows as bytes arrive: an announced length alone costs nothing.
            if (&mut self.socket).take(missing).read_buf(&mut self.frame).await? == 0 {
                let between = self.frame.is_empty();
                return if between {
                    Ok(None)
                } else {
                    Err(PduError::Socket(std::io::ErrorKind::UnexpectedEof.into()))
                };
            }
        }
        let longest = LONGEST_NEGOTIATION.max(self.longest_data);
        let pdu = read_pdu(self.frame.as_slice(), longest, true).ok().flatten();
        let pdu = pdu.ok_or(PduError::Malformed(self.frame[0]));
        self.frame.clear();
        pdu.map(Some)
    }

    /// Bytes that a whole PDU still lacks; first of all, those of its header.
    fn missing(&self) -> Result<u64, PduError> {
        let Some(kind) = self.frame.first().copied() else { return Ok(HEADER as u64) };
        // Judged by the first byte: plain HTTP or TLS on this port gets no further.
        let limit = self.limit(kind).ok_or(PduError::NotDicom(kind))?;
        let Some([_, _, length @ ..]) = self.frame.first_chunk::<HEADER>() else {
            return Ok((HEADER - self.frame.len()) as u64);
        };
        let length = u32::from_be_bytes(*length);
        if length > limit {
            return Err(PduError::TooLong { kind, length, limit });
        }
        Ok(u64::from(length) + HEADER as u64 - self.frame.len() as u64)
    }

    pub(crate) async fn write(&mut self, pdu: &Pdu) -> Result<(), PduError> {
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, pdu).map_err(|_| PduError::Encode)?;
        let sent = async {
            self.socket.write_all(&bytes).await?;
            self.socket.flush().await
        };
        // A peer that never reads would hold its association for ever.
        Ok(tokio::time::timeout(self.patience, sent).await.map_err(std::io::Error::from).flatten()?)
    }

    /// Sends one fragment of a message; `data` must fit [`fragment_size`] of the peer's limit.
    pub(crate) async fn write_fragment(
        &mut self,
        context: u8,
        value_type: PDataValueType,
        is_last: bool,
        data: Vec<u8>,
    ) -> Result<(), PduError> {
        self.write(&Pdu::PData {
            data: vec![PDataValue { presentation_context_id: context, value_type, is_last, data }],
        })
        .await
    }

    /// Sends a whole command set in as many fragments as the peer's limit asks for.
    pub(crate) async fn write_command(&mut self, context: u8, set: &[u8], peer_limit: u32) -> Result<(), PduError> {
        let mut fragments = set.chunks(fragment_size(peer_limit)).peekable();
        while let Some(fragment) = fragments.next() {
            let last = fragments.peek().is_none();
            self.write_fragment(context, PDataValueType::Command, last, fragment.to_vec()).await?;
        }
        Ok(())
    }

    /// Sends a whole dataset that is in memory in as many fragments as the peer's limit asks for.
    pub(crate) async fn write_dataset(&mut self, context: u8, data: &[u8], peer_limit: u32) -> Result<(), PduError> {
        let mut fragments = data.chunks(fragment_size(peer_limit)).peekable();
        while let Some(fragment) = fragments.next() {
            let last = fragments.peek().is_none();
            self.write_fragment(context, PDataValueType::Data, last, fragment.to_vec()).await?;
        }
        Ok(())
    }

    /// Reads until the peer closes, which it should do first (PS3.8 9.2.3, AA-2 and AR-5), and lets nothing in.
    pub(crate) async fn drain(&mut self) {
        let mut waste = [0; 512];
        while matches!(self.socket.read(&mut waste).await, Ok(1..)) {}
    }

    pub(crate) async fn close(&mut self) {
        // The peer may have closed first; there is nobody to tell.
        let _ = self.socket.shutdown().await;
    }

    /// Longest body of a PDU of this type (PS3.8 table 9-11 to 9-26), `None` for what is no PDU.
    fn limit(&self, kind: u8) -> Option<u32> {
        match kind {
            1 | 2 => Some(LONGEST_NEGOTIATION),
            3 | 5 | 6 | 7 => Some(SHORT),
            4 => Some(self.longest_data),
            _ => None,
        }
    }
}

/// Most data bytes of one fragment for a peer that takes PDUs of `peer_limit` bytes; 0 means that it names no limit.
pub(crate) fn fragment_size(peer_limit: u32) -> usize {
    let limit = if peer_limit == 0 { UNLIMITED_PEER } else { (peer_limit as usize).min(UNLIMITED_PEER) };
    // A peer that announces less than a header and a word still gets something that ends.
    limit.saturating_sub(PDV_HEADER).max(64) & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Option<Pdu>, PduError> {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        peer.write_all(bytes).await.unwrap();
        drop(peer);
        PduStream::new(ours, 16_384, Duration::from_secs(10)).read().await
    }

    #[tokio::test]
    async fn a_web_browser_is_turned_away_at_its_first_byte() {
        assert!(matches!(read(b"GET / HTTP/1.1\r\n").await, Err(PduError::NotDicom(b'G'))));
    }

    #[tokio::test]
    async fn a_huge_length_is_refused_before_the_body() {
        for kind in [1, 4, 5, 7] {
            let header = [kind, 0, 0xff, 0xff, 0xff, 0xff];
            assert!(matches!(read(&header).await, Err(PduError::TooLong { length: u32::MAX, .. })), "type {kind}");
        }
    }

    #[tokio::test]
    async fn a_close_between_units_is_an_end_and_within_one_is_an_error() {
        assert!(matches!(read(&[]).await, Ok(None)));
        assert!(matches!(read(&[5, 0, 0, 0]).await, Err(PduError::Socket(_))));
        assert!(matches!(read(&[5, 0, 0, 0, 0, 4, 0, 0, 0, 0]).await, Ok(Some(Pdu::ReleaseRQ))));
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_given_up() {
        let (_peer, ours) = tokio::io::duplex(64);
        let mut stream = PduStream::new(ours, 16_384, Duration::from_millis(50));
        let Err(PduError::Socket(error)) = stream.write_command(1, &[0; 1000], 0).await else { panic!("it was sent") };
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }

    #[test]
    fn fragments_are_even_and_within_the_peers_limit() {
        assert_eq!(fragment_size(16_384), 16_378);
        assert_eq!(fragment_size(16_383), 16_376);
        assert_eq!(fragment_size(0), UNLIMITED_PEER - PDV_HEADER);
        assert_eq!(fragment_size(1), 64);
    }
}
