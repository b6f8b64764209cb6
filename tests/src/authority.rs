//! A throw-away certificate authority and the papers of the broker and the gateway. It never signs for a device: that is
//! what enrolment is for.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::place;

/// An authority whose papers lie in one folder: `ca.pem`, `ca.key`, `broker.pem`, `broker.key`, `gateway.pem`,
/// `gateway.key`.
#[derive(Clone, Debug)]
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes an authority and signs for the broker at `localhost` and for the gateway.
    ///
    /// # Errors
    /// Where a key can't be made or a file can't be written.
    pub fn found(folder: &Path) -> anyhow::Result<Self> {
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
        let mut broker = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .context("the broker's names are refused")?;
        broker.distinguished_name = named("localhost").distinguished_name;
        authority.sign("broker", broker, ExtendedKeyUsagePurpose::ServerAuth, &issuer)?;
        authority.sign("gateway", named("gateway"), ExtendedKeyUsagePurpose::ClientAuth, &issuer)?;
        Ok(authority)
    }

    /// A paper's certificate: `ca`, `broker` or `gateway`.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
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
        usage: ExtendedKeyUsagePurpose,
        issuer: &CertifiedIssuer<'_, KeyPair>,
    ) -> anyhow::Result<()> {
        let key = KeyPair::generate().with_context(|| format!("the key of the {name} cannot be made"))?;
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&key, issuer).with_context(|| format!("the {name} cannot be signed for"))?;
        place::write(&self.certificate(name), signed.pem())?;
        place::write(&self.key(name), key.serialize_pem())
    }
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
