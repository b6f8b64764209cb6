//! Certificates for one test, signed by an authority of its own.

use std::path::PathBuf;

use appliance::dicom::TlsConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tempfile::TempDir;

/// Papers in one folder: `NAME.pem` and `NAME.key` for each name, all signed by `ca.pem`.
pub(crate) struct Papers(TempDir);

impl Papers {
    pub(crate) fn made(names: &[&str]) -> Self {
        let papers = Self(tempfile::tempdir().unwrap());
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "An authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        std::fs::write(papers.path("ca.pem"), issuer.pem()).unwrap();
        for name in names {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new([(*name).to_owned(), "127.0.0.1".to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, *name);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let signed = params.signed_by(&key, &issuer).unwrap();
            std::fs::write(papers.path(&format!("{name}.pem")), signed.pem()).unwrap();
            std::fs::write(papers.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        papers
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn config(&self) -> TlsConfig {
        TlsConfig {
            certificate: self.path("appliance.pem"),
            key: self.path("appliance.key"),
            client_ca: self.path("ca.pem"),
            listen: "127.0.0.1:0".parse().unwrap(),
        }
    }
}
