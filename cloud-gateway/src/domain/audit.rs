//! The audit trail's chain: each entry's hash covers the one before it, so that what was said once can't be unsaid
//! quietly. It never stores an entry.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::when::UnixMs;

/// What was done. The table of everything that leaves a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Someone logged in.
    SessionOpened,
    /// Someone could not log in, or was locked out.
    SessionRefused,
    /// Someone logged out.
    SessionClosed,
    /// Someone opened a result's page.
    ResultViewed,
    /// Someone said what she makes of a finding.
    VerdictGiven,
    /// Someone took her verdict back.
    VerdictWithdrawn,
    /// Someone asked for a second reading.
    SecondReadingAsked,
    /// Someone took verdicts out as a file.
    VerdictsExported,
    /// Someone kept a filter of the work list.
    FilterSaved,
    /// Someone forgot a filter of the work list.
    FilterRemoved,
    /// A device was enrolled, or enrolled again.
    DeviceEnrolled,
    /// An operator made a token that lets a device in.
    TokenMade,
    /// A device was given its next certificate.
    CertificateRenewed,
    /// An operator told of a certificate from before they were written down.
    CertificateNoted,
    /// A device, or who says so, was given no certificate.
    EnrolmentRefused,
    /// An operator shut a device out.
    DeviceRevoked,
    /// A message from the broker was refused.
    MessageRejected,
    /// The broker turned somebody away.
    BrokerRefused,
    /// What was carried here by hand was taken in.
    CarryImported,
    /// What was carried here by hand was not taken in.
    CarryRefused,
    /// An account was made.
    UserAdded,
    /// The gateway has a new key that devices seal to.
    KeyRotated,
    /// A key that devices sealed to was destroyed.
    KeyRetired,
    /// An account was given another role.
    UserRoleSet,
    /// An account was let see a site, or every site.
    UserSiteGranted,
    /// An account was let see a site, or every site, no more.
    UserSiteRevoked,
    /// An account was given another password.
    UserPasswordSet,
    /// An account was switched off.
    UserDisabled,
    /// An account was switched on again.
    UserEnabled,
    /// An account was given another name to be shown.
    UserRenamed,
    /// A key for a program was made.
    ApiKeyMade,
    /// A key of a program opens nothing any more.
    ApiKeyRevoked,
    /// Somebody began to set up a second factor.
    SecondFactorBegun,
    /// An account has a second factor.
    SecondFactorSetUp,
    /// An account has none any more.
    SecondFactorRemoved,
}

impl Action {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionOpened => "session.opened",
            Self::SessionRefused => "session.refused",
            Self::SessionClosed => "session.closed",
            Self::ResultViewed => "result.viewed",
            Self::VerdictGiven => "verdict.given",
            Self::VerdictWithdrawn => "verdict.withdrawn",
            Self::SecondReadingAsked => "second_reading.asked",
            Self::VerdictsExported => "verdicts.exported",
            Self::FilterSaved => "filter.saved",
            Self::FilterRemoved => "filter.removed",
            Self::DeviceEnrolled => "device.enrolled",
            Self::TokenMade => "token.made",
            Self::CertificateRenewed => "certificate.renewed",
            Self::CertificateNoted => "certificate.noted",
            Self::EnrolmentRefused => "enrolment.refused",
            Self::DeviceRevoked => "device.revoked",
            Self::MessageRejected => "message.rejected",
            Self::BrokerRefused => "broker.refused",
            Self::CarryImported => "carry.imported",
            Self::CarryRefused => "carry.refused",
            Self::UserAdded => "user.added",
            Self::KeyRotated => "key.rotated",
            Self::KeyRetired => "key.retired",
            Self::UserRoleSet => "user.role_set",
            Self::UserSiteGranted => "user.site_granted",
            Self::UserSiteRevoked => "user.site_revoked",
            Self::UserPasswordSet => "user.password_set",
            Self::UserDisabled => "user.disabled",
            Self::UserEnabled => "user.enabled",
            Self::UserRenamed => "user.renamed",
            Self::ApiKeyMade => "api_key.made",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::SecondFactorBegun => "second_factor.begun",
            Self::SecondFactorSetUp => "second_factor.set_up",
            Self::SecondFactorRemoved => "second_factor.removed",
        }
    }
}

/// What is to be said, before it has a place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// When.
    pub at: UnixMs,
    /// Who: a username, `device:NAME`, `key:ID`, `operator` for the command line.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// To what: a result's id, a device's name, a username.
    pub subject: String,
    /// A few words more; nothing about a patient.
    pub detail: String,
}

/// One entry of the chain as it is hashed: exactly these fields in exactly this order, as JSON without spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// 1 for the first, then without gaps.
    pub sequence: i64,
    /// See [`Statement::at`].
    pub at: UnixMs,
    /// See [`Statement::actor`].
    pub actor: String,
    /// See [`Action::as_str`].
    pub action: String,
    /// See [`Statement::subject`].
    pub subject: String,
    /// See [`Statement::detail`].
    pub detail: String,
}

impl Entry {
    /// Gives a statement its place.
    #[must_use]
    pub fn new(sequence: i64, statement: &Statement) -> Self {
        Self {
            sequence,
            at: statement.at,
            actor: statement.actor.clone(),
            action: statement.action.as_str().to_owned(),
            subject: statement.subject.clone(),
            detail: statement.detail.clone(),
        }
    }

    /// SHA-256 over the previous entry's hash (hexadecimal text, empty for the first), a line feed and this entry's
    /// JSON; hexadecimal.
    ///
    /// # Errors
    /// None in practice: the fields are plain texts and integers.
    pub fn hash(&self, previous: &str) -> Result<String, serde_json::Error> {
        let mut sha = Sha256::new();
        sha.update(previous.as_bytes());
        sha.update(b"\n");
        sha.update(serde_json::to_vec(self)?);
        Ok(hex::encode(sha.finalize()))
    }
}

/// Follows the chain over `entries` (each with its stored hash) to the stored `head`; the first place where it breaks.
///
/// # Errors
/// See [`Broken`].
pub fn verify<'a>(entries: impl IntoIterator<Item = &'a (Entry, String)>, head: (i64, &str)) -> Result<(), Broken> {
    let (mut sequence, mut previous) = (0, String::new());
    for (entry, hash) in entries {
        sequence += 1;
        if entry.sequence != sequence {
            return Err(Broken::Missing(sequence));
        }
        if entry.hash(&previous).ok().as_ref() != Some(hash) {
            return Err(Broken::Altered(sequence));
        }
        previous.clone_from(hash);
    }
    if head != (sequence, previous.as_str()) {
        return Err(Broken::Missing(sequence + 1));
    }
    Ok(())
}

/// A chain that does not hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not there.
    #[error("audit entry {0} is missing: the trail was cut; restore the database from a backup and find out who")]
    Missing(i64),
    /// An entry, or one before it, is not what it was.
    #[error("audit entry {0} was altered after it was written; restore the database from a backup and find out who")]
    Altered(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: i64) -> Vec<(Entry, String)> {
        let mut previous = String::new();
        (1..=length)
            .map(|sequence| {
                let statement = Statement {
                    at: sequence * 1_000,
                    actor: "ada".into(),
                    action: Action::ResultViewed,
                    subject: format!("result {sequence}"),
                    detail: String::new(),
                };
                let entry = Entry::new(sequence, &statement);
                let hash = entry.hash(&previous).unwrap();
                previous.clone_from(&hash);
                (entry, hash)
            })
            .collect()
    }

    fn head(chain: &[(Entry, String)]) -> (i64, &str) {
        chain.last().map_or((0, ""), |(entry, hash)| (entry.sequence, hash.as_str()))
    }

    #[test]
    fn the_hash_is_this_to_the_letter() {
        let (entry, hash) = &chain(1)[0];
        let json =
            r#"{"sequence":1,"at":1000,"actor":"ada","action":"result.viewed","subject":"result 1","detail":""}"#;
        assert_eq!(serde_json::to_string(entry).unwrap(), json);
        assert_eq!(hash, &hex::encode(Sha256::digest(format!("\n{json}"))));
    }

    #[test]
    fn an_untouched_chain_holds() {
        for length in 0..4 {
            let chain = chain(length);
            assert_eq!(verify(&chain, head(&chain)), Ok(()));
        }
    }

    #[test]
    fn every_kind_of_tampering_is_found_where_it_begins() {
        let whole = chain(4);
        let mut altered = whole.clone();
        altered[1].0.actor = "eve".into();
        assert_eq!(verify(&altered, head(&whole)), Err(Broken::Altered(2)));

        let mut rehashed = altered.clone();
        rehashed[1].1 = rehashed[1].0.hash(&rehashed[0].1).unwrap();
        assert_eq!(verify(&rehashed, head(&whole)), Err(Broken::Altered(3)));

        let mut removed = whole.clone();
        removed.remove(2);
        assert_eq!(verify(&removed, head(&whole)), Err(Broken::Missing(3)));

        let cut = &whole[..3];
        assert_eq!(verify(cut, head(&whole)), Err(Broken::Missing(4)));

        let mut swapped = whole.clone();
        swapped.swap(0, 1);
        assert_eq!(verify(&swapped, head(&whole)), Err(Broken::Missing(1)));
    }
}
