//! Who calls, as far as TLS and HTTP say. Pure: whether that is enough is for [`crate::enrolment`] to say.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::enrolment::Credential;
use crate::enrolment::claim::ClaimToken;
use crate::enrolment::refusal::Refusal;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its address.
    pub address: IpAddr,
    /// The certificate that it showed and TLS verified; DER.
    pub certificate: Option<Vec<u8>>,
}

/// The token that a request brings, in either scheme.
///
/// # Errors
/// [`Refusal::NoCredential`] for none, [`Refusal::UnknownClaim`] for what can't be one.
pub fn token(headers: &HeaderMap) -> Result<Credential, Refusal> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, rest) = value.and_then(|value| value.split_once(' ')).ok_or(Refusal::NoCredential)?;
    let (user, typed) = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => (None, rest.trim().to_owned()),
        "basic" => {
            let pair = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = pair.ok_or(Refusal::NoCredential)?;
            let (user, password) = pair.split_once(':').ok_or(Refusal::NoCredential)?;
            (Some(user.to_owned()), password.to_owned())
        }
        _ => return Err(Refusal::NoCredential),
    };
    ClaimToken::parse(&typed).map(|token| Credential::Token(token, user)).ok_or(Refusal::UnknownClaim)
}

/// What a request is to be judged by: its certificate if it has one, else its token.
///
/// # Errors
/// As [`token`].
pub fn credential(caller: &Caller, headers: &HeaderMap) -> Result<Credential, Refusal> {
    match &caller.certificate {
        Some(der) => Ok(Credential::Certificate(der.clone())),
        None => token(headers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_either_scheme_and_nowhere_else() {
        let typed = ClaimToken::new([7; 25]).show().to_string();
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (value, found) in [
            (Some(format!("Bearer {typed}")), Ok(None)),
            (Some(format!("bearer  {typed}")), Ok(None)),
            (Some(basic(&format!("demo-1:{typed}"))), Ok(Some("demo-1"))),
            (Some(basic(&format!(":{typed}"))), Ok(Some(""))),
            (Some("Bearer x".into()), Err("unknown_token")),
            (Some(basic("demo-1:x")), Err("unknown_token")),
            (Some(basic("no colon")), Err("no_credential")),
            (Some("Basic %".into()), Err("no_credential")),
            (Some(format!("Digest {typed}")), Err("no_credential")),
            (Some(typed.clone()), Err("no_credential")),
            (None, Err("no_credential")),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = &value {
                headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            let user = match token(&headers) {
                Ok(Credential::Token(_, user)) => Ok(user),
                Ok(Credential::Certificate(_)) => panic!("no certificate was shown"),
                Err(refusal) => Err(refusal.code()),
            };
            assert_eq!(user.as_ref().map(Option::as_deref).map_err(|code| *code), found, "{value:?}");
        }
    }
}
