//! A small storage service class user: sends files as they are, each in its own transfer syntax, one after the other. It
//! never converts and never reads pixels; it exists for demonstrations, tests and installers.

mod link;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::tls::Connector;
use super::transport::Connection;
use super::{AeTitle, InvalidAeTitle, status};
use crate::spool::part10::{self, NotSendable, Sendable};
pub use link::{Heard, Link, LinkError, Proposal};

/// Whom to send to: `AE@host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The called AE title.
    pub title: AeTitle,
    /// Name or address, and port.
    pub host: String,
}

/// A text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// There is no `@` or no `:`.
    #[error("write it as AE@host:port, such as HILUM@127.0.0.1:11112")]
    Form,
    /// What is before the `@`.
    #[error(transparent)]
    Title(#[from] InvalidAeTitle),
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (title, host) = text.split_once('@').ok_or(InvalidTarget::Form)?;
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            return Err(InvalidTarget::Form);
        }
        Ok(Self { title: title.parse()?, host: host.to_owned() })
    }
}

/// Status of a file that is no DICOM object.
const NOT_DICOM: &str = "not_dicom";

/// What became of one file: one JSON line.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// The file.
    pub file: PathBuf,
    /// Its SOP Instance UID, where it has one.
    pub sop_instance: Option<String>,
    /// The receiver's status such as `0x0000`; `not_sent`; or `not_dicom` where there was nothing to send.
    pub status: String,
    /// What that means.
    pub words: String,
    /// From the command to the answer.
    pub elapsed_ms: f64,
}

impl Sent {
    /// True where the receiver took it: success, or a warning of a stored object (0xBxxx).
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.status == "0x0000" || self.status.starts_with("0xB")
    }

    /// True where the file is no DICOM object at all.
    #[must_use]
    pub fn is_no_dicom(&self) -> bool {
        self.status == NOT_DICOM
    }

    fn not_sent(file: &Path, sop_instance: Option<String>, words: String) -> Self {
        Self { file: file.to_owned(), sop_instance, status: "not_sent".to_owned(), words, elapsed_ms: 0.0 }
    }

    fn unsendable(file: &Path, why: &NotSendable) -> Self {
        let sent = Self::not_sent(file, None, vitals::exit::chain(why));
        if matches!(why, NotSendable::NotDicom) { Self { status: NOT_DICOM.to_owned(), ..sent } } else { sent }
    }
}

/// Sends all files, telling of each as it is done; goes on with the rest where one fails. A connection that cannot be made
/// at all ends it, with each remaining file told of.
pub async fn send_all(
    target: &Target,
    from: &AeTitle,
    tls: Option<&Connector>,
    files: &[PathBuf],
    mut tell: impl FnMut(Sent),
) {
    let inspected: Vec<_> = files.iter().map(|file| open(file)).collect();
    let kinds = kinds(&inspected);
    let mut link: Option<Link> = None;
    let mut unreachable: Option<String> = None;
    for (path, inspected) in files.iter().zip(inspected) {
        let (mut file, what) = match inspected {
            Ok(inspected) => inspected,
            Err(why) => {
                tell(Sent::unsendable(path, &why));
                continue;
            }
        };
        if link.is_none() && unreachable.is_none() {
            match Link::open(target, from, &kinds, tls).await {
                Ok(opened) => link = Some(opened),
                Err(error) => unreachable = Some(vitals::exit::chain(&error)),
            }
        }
        let instance = Some(what.sop_instance.clone());
        let Some(open) = &mut link else {
            tell(Sent::not_sent(path, instance, unreachable.clone().unwrap_or_default()));
            continue;
        };
        let began = Instant::now();
        match open.store(&mut file, &what).await {
            Ok(answer) => tell(Sent {
                file: path.clone(),
                sop_instance: instance,
                status: format!("0x{:04X}", answer.status),
                words: words(answer.status, &answer.comment),
                elapsed_ms: elapsed_ms(began),
            }),
            Err(error) => {
                if error.is_fatal() {
                    link = None;
                }
                tell(Sent::not_sent(path, instance, vitals::exit::chain(&error)));
            }
        }
    }
    if let Some(link) = link {
        link.release().await;
    }
}

fn open(path: &Path) -> Result<(File, Sendable), NotSendable> {
    let mut file = File::open(path)?;
    let what = part10::inspect(&mut file)?;
    Ok((file, what))
}

/// The distinct pairs of SOP class and transfer syntax, in order of appearance.
fn kinds(inspected: &[Result<(File, Sendable), NotSendable>]) -> Vec<Proposal> {
    let mut kinds = Vec::new();
    for (_, what) in inspected.iter().flatten() {
        let kind = Proposal::store(&what.sop_class, &what.transfer_syntax);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

fn words(code: u16, comment: &str) -> String {
    let meaning = status::meaning(code);
    if comment.is_empty() { meaning.to_owned() } else { format!("{meaning}: {comment}") }
}

fn elapsed_ms(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

/// Time to connect and to negotiate.
const CONNECT: Duration = Duration::from_secs(10);

/// The first address of a name that answers, spoken to within TLS where `tls` is given.
async fn connect(host: &str, tls: Option<&Connector>) -> Result<Connection, LinkError> {
    let failed = |source| LinkError::Connect { host: host.to_owned(), source };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(host).await.map_err(failed)?.collect();
    let attempt = tokio::net::TcpStream::connect(addresses.as_slice());
    let socket = match tokio::time::timeout(CONNECT, attempt).await {
        Ok(connected) => connected.map_err(failed)?,
        Err(_) => return Err(failed(std::io::ErrorKind::TimedOut.into())),
    };
    // Each message is small or followed by an answer that is waited for.
    let _ = socket.set_nodelay(true);
    let Some(tls) = tls else { return Ok(Box::new(socket)) };
    let shaken = tokio::time::timeout(CONNECT, tls.connect(host, socket)).await.map_err(std::io::Error::from).flatten();
    shaken.map_err(|source| LinkError::Tls { host: host.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_titles_at_hosts_with_ports() {
        let target: Target = "HILUM@xr.example.org:11112".parse().unwrap();
        assert_eq!((target.title.as_str(), target.host.as_str()), ("HILUM", "xr.example.org:11112"));
        assert!("HILUM@[::1]:104".parse::<Target>().is_ok());
        for bad in ["HILUM", "HILUM@host", "HILUM@host:port", "@host:104", "HILUM@host:99999"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
