//! How a device gets its certificates over the network: EST (RFC 7030), asked by this device for itself. The first one
//! for a token, each further one for the one before. Private keys never leave; what is in force changes in one moment,
//! see [`crate::identity`].

use rcgen::KeyPair;
use wire::enrolment::{Enrolment, Papers, SCHEMA};
use wire::est::{self, SIMPLE_ENROLL, SIMPLE_REENROLL};
use wire::ids::DeviceId;
use wire::seal::PublicKey;

use crate::enrolment::certificate_request;
use crate::identity::IdentityFolder;
use crate::identity::certificate::Certificate;
use crate::identity::file::make_private_folder;

pub mod error;
pub mod line;
pub mod trust;

pub use error::EstError;
use line::{Ask, Line};
use trust::Trust;

/// Joins: asks for this device's first certificate, or for one with new keys, with a token.
///
/// Asked again after a power cut it goes on with the keys that it made before, which are the only ones that the token still
/// admits.
///
/// # Errors
/// [`EstError`], in words for the technician.
pub async fn enrol(
    folder: &IdentityFolder,
    url: &str,
    trust: &Trust,
    token: &str,
    now_ms: i64,
) -> Result<Enrolment, EstError> {
    let line = Line::new(url, trust, None)?;
    let papers = papers(&line, Some(token)).await?;
    make_private_folder(&folder.0)?;
    let (pair, sealing) = (folder.next_tls()?, folder.next_sealing()?);
    let asked = Asked { path: SIMPLE_ENROLL, token: Some(token), pair: &pair, sealing: &sealing.public() };
    let enrolment = certificate(&line, papers, &asked, now_ms).await?;
    folder.put_in_force(&enrolment)?;
    Ok(enrolment)
}

/// Asks for the next certificate with the present one, and puts it in force: a new TLS key, the same sealing key.
///
/// # Errors
/// [`EstError`].
pub async fn renew(folder: &IdentityFolder, now_ms: i64) -> Result<Enrolment, EstError> {
    let identity = folder.load()?;
    let renewal = identity.enrolment.renewal.as_ref().ok_or(EstError::NoRenewal)?;
    let trust = Trust::Authorities(renewal.authorities.clone());
    let line = Line::new(&renewal.url, &trust, Some((&identity.enrolment.certificate, &identity.tls_key)))?;
    let papers = papers(&line, None).await?;
    if papers.device != identity.enrolment.device {
        return Err(EstError::OtherDevice(papers.device));
    }
    let pair = folder.next_tls()?;
    let asked = Asked { path: SIMPLE_REENROLL, token: None, pair: &pair, sealing: &identity.sealing_public };
    let enrolment = certificate(&line, papers, &asked, now_ms).await?;
    folder.put_in_force(&enrolment)?;
    Ok(enrolment)
}

/// A certificate to be asked for.
struct Asked<'a> {
    path: &'static str,
    token: Option<&'a str>,
    pair: &'a KeyPair,
    sealing: &'a PublicKey,
}

async fn papers(line: &Line, token: Option<&str>) -> Result<Papers, EstError> {
    let answer = line.ask(Ask { path: est::PAPERS, token, body: None }).await?;
    let papers: Papers = serde_json::from_slice(&answer).map_err(|_| EstError::Answer)?;
    if papers.schema == SCHEMA { Ok(papers) } else { Err(EstError::Schema(papers.schema)) }
}

async fn certificate(line: &Line, papers: Papers, asked: &Asked<'_>, now_ms: i64) -> Result<Enrolment, EstError> {
    let request = certificate_request(&papers.device, asked.pair, asked.sealing)?;
    let body = est::to_body(request.der());
    let answer = line.ask(Ask { path: asked.path, token: asked.token, body: Some(body) }).await?;
    let bag = est::from_body(&answer).and_then(|der| est::certificates(&der)).map_err(|_| EstError::Answer)?;
    let pem = bag.iter().map(|der| pem(der)).find(|pem| is_ours(pem, &papers.device, asked)).ok_or(EstError::Answer)?;
    let read = Certificate::read(&pem).ok_or(EstError::Answer)?;
    if !(read.from_ms..read.until_ms).contains(&now_ms) {
        return Err(EstError::clock(now_ms, read.from_ms));
    }
    Ok(papers.with(pem))
}

/// An answer may hold other certificates, too (RFC 7030, section 4.2.3).
fn is_ours(pem: &str, device: &DeviceId, asked: &Asked<'_>) -> bool {
    Certificate::read(pem).is_some_and(|read| {
        let named = read.name == device.as_str() && read.sealing_key == asked.sealing.to_hex();
        named && read.public_key == asked.pair.public_key_raw()
    })
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", est::to_body(der))
}
