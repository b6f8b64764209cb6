//! Who may send: a bearer token (RFC 6750), the name in a certificate, or both. Tokens are held and compared as digests, in
//! a time that tells nothing about them, and are in no message.

use std::path::PathBuf;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sha2::{Digest, Sha256};

use super::ClientConfig;
use crate::dicom::AeTitle;
use crate::dicom::tls::Identity;

/// Shortest token: 32 characters of any alphabet are beyond guessing.
const SHORTEST: usize = 32;
/// Longest one: signed tokens of identity providers are longer, and are not checked here.
const LONGEST: usize = 512;

/// Those who may send.
pub struct Clients(Vec<Client>);

struct Client {
    name: AeTitle,
    token: Option<[u8; 32]>,
    certificate: Option<String>,
}

/// Why a client cannot be known.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Its token cannot be read.
    #[error("the token file {} cannot be read; check its path and permissions", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no token.
    #[error("{} holds no token: write 32 to 512 letters, digits or any of -._~+/= on one line, such as `openssl rand -hex 32` gives", .0.display())]
    NoToken(PathBuf),
    /// Two clients could not be told apart.
    #[error("{} holds the token of another client, too; make one for each", .0.display())]
    Shared(PathBuf),
}

impl Clients {
    /// Reads the tokens.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn load(config: &[ClientConfig]) -> Result<Self, ClientError> {
        let mut clients: Vec<Client> = Vec::new();
        for client in config {
            let token = client.token_file.as_ref().map(token).transpose()?;
            if let (Some(file), Some(_)) = (&client.token_file, token)
                && clients.iter().any(|other| other.token == token)
            {
                return Err(ClientError::Shared(file.clone()));
            }
            clients.push(Client { name: client.name.clone(), token, certificate: client.certificate.clone() });
        }
        Ok(Self(clients))
    }

    /// Who shows this certificate and this `Authorization` header; nobody, unless a client is known by what is shown.
    #[must_use]
    pub(super) fn known(&self, identity: Option<&Identity>, authorization: Option<&[u8]>) -> Option<&AeTitle> {
        let shown = authorization.and_then(bearer).map(|token| <[u8; 32]>::from(Sha256::digest(token)));
        let mut found = None;
        // Every client is looked at, whoever is found first.
        for client in &self.0 {
            let token =
                client.token.is_none_or(|own| shown.is_some_and(|shown| verify_slices_are_equal(&own, &shown).is_ok()));
            let certificate =
                client.certificate.as_ref().is_none_or(|name| identity.is_some_and(|shown| shown.bears(name)));
            let known_by_something = client.token.is_some() || client.certificate.is_some();
            if token & certificate & known_by_something {
                found = found.or(Some(&client.name));
            }
        }
        found
    }
}

fn token(file: &PathBuf) -> Result<[u8; 32], ClientError> {
    let text = std::fs::read_to_string(file).map_err(|source| ClientError::Read { file: file.clone(), source })?;
    let token = text.trim();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if (SHORTEST..=LONGEST).contains(&token.len()) && token.bytes().all(allowed) {
        Ok(Sha256::digest(token).into())
    } else {
        Err(ClientError::NoToken(file.clone()))
    }
}

/// The token of an `Authorization` header; the scheme is written in any case (RFC 9110 11.1).
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn client(name: &str, token: Option<&str>, certificate: Option<&str>) -> Client {
        let token = token.map(|token| Sha256::digest(token).into());
        Client { name: name.parse().unwrap(), token, certificate: certificate.map(str::to_owned) }
    }

    #[test]
    fn only_who_shows_everything_that_is_asked_for_is_known() {
        let clients = Clients(vec![
            client("NEITHER", None, None),
            client("BOTH", Some("another-token-of-32-characters-x"), Some("pacs")),
            client("TOKEN", Some(TOKEN), None),
            client("PAPER", None, Some("xr-1")),
        ]);
        let good = format!("Bearer {TOKEN}");
        let both = "bEARER another-token-of-32-characters-x";
        for (certificate, header, expected) in [
            (None, None, None),
            (None, Some(good.as_str()), Some("TOKEN")),
            (None, Some("Bearer 0123456789abcdef0123456789abcdeX"), None),
            (None, Some("Bearer "), None),
            (None, Some(TOKEN), None),
            (None, Some("Basic 0123456789abcdef0123456789abcdef"), None),
            (None, Some(both), None),
            (Some("pacs"), Some(both), Some("BOTH")),
            (Some("pacs"), None, None),
            (Some("xr-1"), None, Some("PAPER")),
            (Some("xr-2"), None, None),
        ] {
            let identity = certificate.map(|name: &str| Identity(vec![name.to_owned()]));
            let known = clients.known(identity.as_ref(), header.map(str::as_bytes));
            assert_eq!(known.map(AeTitle::as_str), expected, "{certificate:?} {header:?}");
        }
    }

    #[test]
    fn a_file_without_a_token_and_one_that_two_share_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let config = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            ClientConfig { name: name.parse().unwrap(), token_file: Some(file), certificate: None }
        };
        for bad in ["", "short", &format!("{TOKEN} {TOKEN}"), &"a".repeat(LONGEST + 1)] {
            assert!(matches!(Clients::load(&[config("A", bad)]), Err(ClientError::NoToken(_))), "{bad:?}");
        }
        let good = config("A", &format!("{TOKEN}\n"));
        assert!(Clients::load(std::slice::from_ref(&good)).is_ok());
        assert!(matches!(Clients::load(&[good, config("B", TOKEN)]), Err(ClientError::Shared(_))));
        let none = ClientConfig { token_file: Some(folder.path().join("none")), ..config("A", TOKEN) };
        assert!(matches!(Clients::load(&[none]), Err(ClientError::Read { .. })));
    }
}
