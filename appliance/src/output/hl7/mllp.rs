//! The Minimal Lower Layer Protocol (HL7 v2.5 appendix C.4): messages between two marks on a TCP connection, each answered
//! before the next. It never looks into a message.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Begins a block.
const START: u8 = 0x0B;
/// Ends a block, with a carriage return.
const END: [u8; 2] = [0x1C, 0x0D];
/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for an answer: an interface engine may ask its own receiver first.
const ANSWER: Duration = Duration::from_secs(60);
/// Longest answer, bytes: an acknowledgement is some hundred.
const LONGEST: usize = 64 * 1024;

/// Why a message was not answered.
#[derive(Debug, thiserror::Error)]
pub enum MllpError {
    /// Nobody listens there.
    #[error("cannot connect to {address}; check that the receiver runs and that host and port are right")]
    Connect {
        /// Whom.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the receiver broke")]
    Broken(#[source] io::Error),
    /// No answer.
    #[error("the receiver did not answer within {} s", ANSWER.as_secs())]
    Silent,
    /// Not a block.
    #[error(
        "the receiver answered with something else than an MLLP block of at most {LONGEST} bytes; check which port it was given"
    )]
    NoBlock,
}

/// A connection.
pub struct Mllp(BufReader<TcpStream>);

impl Mllp {
    /// To `host:port`.
    ///
    /// # Errors
    /// [`MllpError::Connect`].
    pub async fn connect(address: &str) -> Result<Self, MllpError> {
        let failed = |source| MllpError::Connect { address: address.to_owned(), source };
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(connected) => Ok(Self(BufReader::new(connected.map_err(failed)?))),
            Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Sends a message and gives its answer.
    ///
    /// # Errors
    /// [`MllpError`]; the connection cannot be used any more.
    pub async fn ask(&mut self, message: &str) -> Result<String, MllpError> {
        let asked = async {
            let block = [&[START], message.as_bytes(), &END].concat();
            self.0.write_all(&block).await.map_err(MllpError::Broken)?;
            self.0.flush().await.map_err(MllpError::Broken)?;
            read_block(&mut self.0).await
        };
        tokio::time::timeout(ANSWER, asked).await.map_err(|_| MllpError::Silent)?
    }
}

/// The next block's content, of at most 64 KiB with its end.
///
/// # Errors
/// [`MllpError::NoBlock`] where something else comes, [`MllpError::Broken`] where it ends within.
pub async fn read_block(from: &mut (impl AsyncRead + Unpin)) -> Result<String, MllpError> {
    if from.read_u8().await.map_err(MllpError::Broken)? != START {
        return Err(MllpError::NoBlock);
    }
    let mut block = Vec::new();
    while !block.ends_with(&END) {
        if block.len() >= LONGEST {
            return Err(MllpError::NoBlock);
        }
        block.push(from.read_u8().await.map_err(MllpError::Broken)?);
    }
    block.truncate(block.len() - END.len());
    Ok(String::from_utf8_lossy(&block).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with `answer` and gives what came.
    async fn answered(answer: &'static [u8]) -> (Result<String, MllpError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let receiver = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut came = vec![0; 6];
            socket.read_exact(&mut came).await.unwrap();
            socket.write_all(answer).await.unwrap();
            came
        });
        let answer = Mllp::connect(&address).await.unwrap().ask("MSH").await;
        (answer, receiver.await.unwrap())
    }

    #[tokio::test]
    async fn a_message_lies_between_the_marks_and_so_does_its_answer() {
        let (answer, came) = answered(b"\x0bMSA\rx\x1c\x0d").await;
        assert_eq!((answer.unwrap().as_str(), came.as_slice()), ("MSA\rx", b"\x0bMSH\x1c\x0d".as_slice()));
    }

    #[tokio::test]
    async fn what_is_no_block_is_refused() {
        assert!(matches!(answered(b"HTTP/1.1 400").await.0, Err(MllpError::NoBlock)));
        assert!(matches!(answered(b"\x0bMSA").await.0, Err(MllpError::Broken(_))));
        assert!(matches!(answered(b"").await.0, Err(MllpError::Broken(_))));
    }
}
