//! Throw-away certificates: an authority, a broker, the gateway, devices.

use std::path::{Path, PathBuf};

use gateway::config::MqttConfig;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// An authority with its folder of papers.
pub struct Papers {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Papers {
    /// Makes the authority, the broker's and the gateway's papers in `folder`.
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        std::fs::write(folder.join("ca.key"), issuer.key().serialize_pem()).unwrap();
        let papers = Self { folder: folder.to_owned(), issuer };
        papers.issue("broker", ExtendedKeyUsagePurpose::ServerAuth);
        papers.issue("gateway", ExtendedKeyUsagePurpose::ClientAuth);
        papers
    }

    /// `NAME.pem` and `NAME.key`.
    pub fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// `[mqtt]` for whoever has the papers called `name`.
    pub fn mqtt(&self, name: &str, port: u16) -> MqttConfig {
        MqttConfig {
            host: "localhost".into(),
            port,
            ca: self.folder.join("ca.pem"),
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
            group: "gateway".into(),
        }
    }
}
