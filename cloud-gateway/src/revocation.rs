//! Shuts devices out: marks them, withdraws their certificates, and has the list of those signed and published. The
//! broker reads that list; the gateway itself and EST ask the database.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::RevocationReason;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;
use wire::ids::DeviceId;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::authority::{Authority, AuthorityError, Withdrawn};
use crate::domain::audit::{Action, Statement};
use crate::domain::when::{self, UnixMs};
use crate::enrolment::Registrar;
use crate::store::certificates::{self, CertificateRow};
use crate::store::revocations::{self, ListRow};
use crate::store::{Store, StoreError, audit, commit, devices};

/// How often a new revocation is looked for. A broker hears of it this much later than whoever ordered it.
const LOOK: Duration = Duration::from_secs(10);

/// A list is signed anew each day, so that the file's age shows whether anybody still does.
const REFRESH_MS: i64 = 24 * 60 * 60 * 1_000;

/// Why a device is shut out; each is one of RFC 5280's (section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Reason {
    /// Somebody else has it, or may have had its keys.
    Stolen,
    /// It is out of service.
    Retired,
    /// Another took its place.
    Replaced,
    /// None of these.
    Other,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Stolen, Self::Retired, Self::Replaced, Self::Other];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stolen => "stolen",
            Self::Retired => "retired",
            Self::Replaced => "replaced",
            Self::Other => "other",
        }
    }

    /// Reads [`Reason::as_str`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    fn standard(self) -> RevocationReason {
        match self {
            Self::Stolen => RevocationReason::KeyCompromise,
            Self::Retired => RevocationReason::CessationOfOperation,
            Self::Replaced => RevocationReason::Superseded,
            Self::Other => RevocationReason::Unspecified,
        }
    }
}

/// Shuts a device out. From the commit on the gateway refuses its messages and EST its requests; the list is another step.
///
/// # Errors
/// [`RevocationError`]; then nothing was changed.
pub async fn revoke(
    store: &Store,
    device: &DeviceId,
    reason: Reason,
    at: UnixMs,
) -> Result<Vec<CertificateRow>, RevocationError> {
    let mut work = store.begin().await?;
    if !devices::set_revoked(&mut work, device, Some((at, reason.as_str()))).await? {
        return Err(RevocationError::Unknown(device.clone()));
    }
    let withdrawn = certificates::revoke_all(&mut work, device, reason.as_str(), at).await?;
    let statement = Statement {
        at,
        actor: "operator".to_owned(),
        action: Action::DeviceRevoked,
        subject: device.to_string(),
        detail: format!("{}; {} certificates withdrawn", reason.as_str(), withdrawn.len()),
    };
    audit::append(&mut work, &statement).await?;
    commit(work).await?;
    Ok(withdrawn)
}

/// Signs the list anew and keeps it; DER.
///
/// # Errors
/// [`RevocationError`].
pub async fn sign(store: &Store, authority: &Authority, at: UnixMs) -> Result<Vec<u8>, RevocationError> {
    let now = when::instant(at).ok_or(RevocationError::Clock)?;
    let mut work = store.begin().await?;
    let number = revocations::next_number(&mut work).await?;
    // A certificate stays on at least one list after its own end (RFC 5280, section 3.3).
    let still = now - authority.list_life();
    let rows = certificates::revoked(&mut work, still.unix_timestamp() * 1_000).await?;
    let withdrawn: Vec<Withdrawn> = rows.iter().filter_map(withdrawn).collect();
    let list = authority.list(&withdrawn, u64::try_from(number).unwrap_or_default(), now)?;
    revocations::keep(&mut work, list.der(), at).await?;
    commit(work).await?;
    Ok(list.der().to_vec())
}

/// `None` for one from before serial numbers were kept.
fn withdrawn(row: &CertificateRow) -> Option<Withdrawn> {
    let serial = hex::decode(&row.serial).ok().filter(|serial| !serial.is_empty())?;
    let since = when::instant(row.revoked_at?)?;
    let reason = row.reason.as_deref().and_then(Reason::from_name).unwrap_or(Reason::Other);
    Some(Withdrawn { serial, since, reason: reason.standard() })
}

/// Whether the list has to be signed anew.
#[must_use]
pub fn is_due(list: &ListRow, now: UnixMs) -> bool {
    let behind = list.newest.is_some_and(|newest| newest >= list.issued_at);
    // A clock that went back must not stop it either.
    list.number == 0 || behind || (now - list.issued_at).abs() >= REFRESH_MS
}

/// Writes a list for the broker, PEM, whole or not at all.
///
/// # Errors
/// [`RevocationError::Write`].
pub fn write(file: &Path, der: &[u8]) -> Result<(), RevocationError> {
    let failed = |source| RevocationError::Write { file: file.to_owned(), source };
    let text = pem(der);
    if std::fs::read_to_string(file).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let fresh = file.with_extension("new");
    let mut open = std::fs::File::create(&fresh).map_err(failed)?;
    open.write_all(text.as_bytes()).and_then(|()| open.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, file).map_err(failed)
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN X509 CRL-----\n{}-----END X509 CRL-----\n", wire::est::to_body(der))
}

/// Keeps the list fresh until `stop`, in the database and, where there is one, in the broker's file.
pub async fn keep_fresh(registrar: Arc<Registrar>, file: Option<PathBuf>, part: Part, stop: CancellationToken) {
    let mut tick = tokio::time::interval(LOOK);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match refresh(&registrar.store, &registrar.authority, file.as_deref(), when::now()).await {
            Ok(()) => part.up(),
            Err(error) => part.down(&vitals::exit::chain(&error)),
        }
    }
}

/// Signs the list anew where that is due, and sees to it that the file holds the newest.
///
/// # Errors
/// [`RevocationError`].
pub async fn refresh(
    store: &Store,
    authority: &Authority,
    file: Option<&Path>,
    now: UnixMs,
) -> Result<(), RevocationError> {
    let list = store.revocation_list().await?;
    let der = if is_due(&list, now) {
        sign(store, authority, now).await?
    } else {
        hex::decode(&list.der).map_err(|_| StoreError::Content { what: "revocation list" })?
    };
    let Some(file) = file.map(Path::to_owned) else { return Ok(()) };
    // A sync of the disk would hold up every other task of this thread.
    tokio::task::spawn_blocking(move || write(&file, &der)).await.unwrap_or(Ok(()))
}

/// How many certificates a list names.
#[must_use]
pub fn length(der: &[u8]) -> usize {
    CertificateRevocationList::from_der(der).map_or(0, |(_, list)| list.iter_revoked_certificates().count())
}

/// A device that cannot be shut out, or a list that cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// Nobody.
    #[error("there is no device {0}; see `cloud-gateway device list`")]
    Unknown(DeviceId),
    /// The clock.
    #[error("this machine's clock shows no usable date; set it")]
    Clock,
    /// The database.
    #[error("the database did not take the revocation")]
    Store(#[from] StoreError),
    /// The authority.
    #[error("the revocation list cannot be signed")]
    Authority(#[from] AuthorityError),
    /// The file.
    #[error("{} ([ca] crl) cannot be written; check that its folder exists and is this user's", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_signed_anew_when_there_is_more_to_say_and_each_day() {
        let list = |number, issued_at, newest| ListRow { number, issued_at, der: String::new(), newest };
        for (list, now, due) in [
            (list(0, 0, None), 5, true),
            (list(1, 100, None), 200, false),
            (list(1, 100, Some(99)), 200, false),
            (list(1, 100, Some(100)), 200, true),
            (list(1, 100, Some(150)), 200, true),
            (list(1, 100, None), 100 + REFRESH_MS, true),
            (list(1, 100 + REFRESH_MS, None), 100, true),
        ] {
            assert_eq!(is_due(&list, now), due, "{list:?} {now}");
        }
    }

    #[test]
    fn every_reason_is_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
        }
    }
}
