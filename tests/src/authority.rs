//! A throw-away certificate authority: the cloud's, with the papers of the broker and the gateway, or a hospital's, with those
//! of its own systems. It never signs for a device towards the cloud: that is what enrolment is for.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};

use crate::place;

/// Another name of the servers on this machine, which no table of names has unless a test writes it there.
pub const NAME: &str = "broker.hilum.test";

/// Days that a paper lasts: browsers believe no longer one of a server's.
const LIFE_DAYS: i64 = 397;

/// An authority whose papers lie in one folder: `ca.pem`, `ca.key`, and `NAME.pem`, `NAME.key` for whom it signed.
#[derive(Clone, Debug)]
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes an authority and signs for the broker and the EST port at `localhost` and for the gateway.
    ///
    /// # Errors
    /// Where a key can't be made or a file can't be written.
    pub fn found(folder: &Path) -> anyhow::Result<Self> {
        let (authority, issuer) = Self::begin(folder)?;
        authority.sign_no_revocations(&issuer)?;
        for server in ["broker", "est"] {
            let here = answering_here("localhost")?;
            authority.sign(server, here, &[ExtendedKeyUsagePurpose::ServerAuth], &issuer)?;
        }
        authority.sign("gateway", named("gateway"), &[ExtendedKeyUsagePurpose::ClientAuth], &issuer)?;
        Ok(authority)
    }

    /// Makes an authority and signs for a hospital's systems, which call and are called at `localhost` or 127.0.0.1.
    ///
    /// # Errors
    /// As [`Self::found`].
    pub fn of_hospital(folder: &Path, systems: &[&str]) -> anyhow::Result<Self> {
        let (authority, issuer) = Self::begin(folder)?;
        for system in systems {
            let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            authority.sign(system, answering_here(system)?, &both, &issuer)?;
        }
        Ok(authority)
    }

    fn begin(folder: &Path) -> anyhow::Result<(Self, CertifiedIssuer<'static, KeyPair>)> {
        place::make(folder)?;
        let key = KeyPair::generate().context("the authority's key cannot be made")?;
        let mut params = named("Hilum throw-away authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = key.serialize_pem();
        let issuer = CertifiedIssuer::self_signed(params, key).context("the authority cannot sign itself")?;
        let authority = Self { folder: folder.to_owned() };
        place::write(&authority.certificate("ca"), issuer.pem())?;
        place::write(&authority.key("ca"), pem)?;
        Ok((authority, issuer))
    }

    /// A certificate: the authority's own, `ca`, or of whom it signed for.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The list of revoked certificates, PEM; the cloud's authority has one.
    #[must_use]
    pub fn revocations(&self) -> PathBuf {
        self.folder.join("ca.crl")
    }

    /// A first list with nobody on it: a broker that heeds a list does not start without one.
    fn sign_no_revocations(&self, issuer: &CertifiedIssuer<'_, KeyPair>) -> anyhow::Result<()> {
        let now = time::OffsetDateTime::now_utc();
        let list = CertificateRevocationListParams {
            this_update: now - time::Duration::hours(1),
            next_update: now + time::Duration::days(30),
            crl_number: SerialNumber::from(0),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = list.signed_by(issuer).context("the first revocation list cannot be signed")?;
        place::write(&self.revocations(), signed.pem().context("the first revocation list cannot be written")?)
    }

    /// A paper's private key.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn sign(
        &self,
        name: &str,
        mut params: CertificateParams,
        usages: &[ExtendedKeyUsagePurpose],
        issuer: &CertifiedIssuer<'_, KeyPair>,
    ) -> anyhow::Result<()> {
        let key = KeyPair::generate().with_context(|| format!("the key of the {name} cannot be made"))?;
        params.extended_key_usages = usages.to_vec();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let now = time::OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = (now - time::Duration::days(1), now + time::Duration::days(LIFE_DAYS));
        let signed = params.signed_by(&key, issuer).with_context(|| format!("the {name} cannot be signed for"))?;
        place::write(&self.certificate(name), signed.pem())?;
        place::write(&self.key(name), key.serialize_pem())
    }
}

/// A server on this machine.
fn answering_here(common_name: &str) -> anyhow::Result<CertificateParams> {
    let names = ["localhost", "127.0.0.1", NAME].map(str::to_owned);
    let params = CertificateParams::new(names);
    let mut params = params.with_context(|| format!("the names of {common_name} are refused"))?;
    params.distinguished_name = named(common_name).distinguished_name;
    Ok(params)
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
