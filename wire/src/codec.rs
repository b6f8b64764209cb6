//! A payload's bytes: CBOR (RFC 8949) inside DEFLATE (RFC 1951). It never inflates more than it was told to expect.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most bytes a payload may inflate to.
///
/// A preview is at most 1,024 × 1,024 samples of 2 bytes (2 MiB); a VOI LUT at most 65,536 entries of 2 bytes; with the
/// CBOR around them 4 MiB leaves a margin and still bounds what a hostile payload can cost.
pub const MAX_PAYLOAD_BYTES: u64 = 4 * 1024 * 1024;

/// Encodes and compresses one payload.
///
/// # Errors
/// [`CodecError::Encode`] if the value cannot be CBOR; [`CodecError::TooLarge`] if no receiver would accept it.
pub fn encode<T: Serialize>(payload: &T) -> Result<Vec<u8>, CodecError> {
    encode_at(payload, Compression::fast())
}

/// Encodes a payload that is nearly all bytes that were compressed before: to look for more to gain in them takes longer
/// than the rest of the message.
///
/// # Errors
/// Those of [`encode`].
pub fn encode_packed<T: Serialize>(payload: &T) -> Result<Vec<u8>, CodecError> {
    encode_at(payload, Compression::none())
}

fn encode_at<T: Serialize>(payload: &T, compression: Compression) -> Result<Vec<u8>, CodecError> {
    let mut cbor = Vec::new();
    ciborium::into_writer(payload, &mut cbor).map_err(|error| CodecError::Encode(error.to_string()))?;
    if cbor.len() as u64 > MAX_PAYLOAD_BYTES {
        return Err(CodecError::TooLarge);
    }
    let mut deflated = DeflateEncoder::new(Vec::with_capacity(cbor.len() / 2), compression);
    deflated.write_all(&cbor).map_err(CodecError::Compress)?;
    deflated.finish().map_err(CodecError::Compress)
}

/// Decompresses and decodes one payload.
///
/// # Errors
/// [`CodecError::TooLarge`] for a bomb, [`CodecError::Inflate`] and [`CodecError::Decode`] for bytes of another kind.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let mut cbor = Vec::new();
    DeflateDecoder::new(bytes).take(MAX_PAYLOAD_BYTES + 1).read_to_end(&mut cbor).map_err(CodecError::Inflate)?;
    if cbor.len() as u64 > MAX_PAYLOAD_BYTES {
        return Err(CodecError::TooLarge);
    }
    ciborium::from_reader(cbor.as_slice()).map_err(|error| CodecError::Decode(error.to_string()))
}

/// A payload that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The value has no CBOR form.
    #[error("the payload cannot be encoded: {0}")]
    Encode(String),
    /// DEFLATE failed to write.
    #[error("the payload cannot be compressed")]
    Compress(#[source] std::io::Error),
    /// More than [`MAX_PAYLOAD_BYTES`].
    #[error("the payload is larger than {MAX_PAYLOAD_BYTES} bytes")]
    TooLarge,
    /// Not DEFLATE.
    #[error("the payload cannot be decompressed; it was damaged or comes from another product")]
    Inflate(#[source] std::io::Error),
    /// Not the CBOR of this type.
    #[error("the payload does not parse; the sender may be newer than this program: {0}")]
    Decode(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_refused_before_it_fills_the_heap() {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(&vec![0; 64 * 1024 * 1024]).unwrap();
        let bomb = deflated.finish().unwrap();
        assert!(bomb.len() < 100_000);
        assert!(matches!(decode::<Vec<u8>>(&bomb), Err(CodecError::TooLarge)));
    }

    #[test]
    fn an_oversized_payload_is_refused_by_its_sender() {
        let huge = serde_bytes::ByteBuf::from(vec![0; 5 * 1024 * 1024]);
        assert!(matches!(encode(&huge), Err(CodecError::TooLarge)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes: Vec<u8>) {
            let _ = decode::<crate::v1::ResultV1>(&bytes);
        }
    }
}
