//! A hospital's archive: Debian's Orthanc on ports of its own, with a storage that lasts from one start to the next.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::authority::Authority;
use crate::process::{self, Process};
use crate::{place, ports};

/// The archive; it stops when it is dropped.
#[derive(Debug)]
pub struct Orthanc {
    /// Its AE title.
    pub title: String,
    /// Where it takes objects, on 127.0.0.1.
    pub dicom_port: u16,
    /// Its REST interface, on 127.0.0.1.
    pub http_port: u16,
    folder: PathBuf,
    configuration: Value,
    process: Option<Process>,
}

/// An object that it holds.
#[derive(Clone, Debug, Deserialize)]
pub struct Held {
    /// Orthanc's own name for it.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its main attributes by their keywords.
    #[serde(rename = "MainDicomTags")]
    pub tags: serde_json::Map<String, serde_json::Value>,
}

impl Orthanc {
    /// An archive that lies in `folder` and does not run yet. It knows one peer, to whom it reports storage commitment.
    ///
    /// # Errors
    /// Where there are no free ports or the disk refuses.
    pub fn prepare(folder: &Path, title: &str, peer: (&str, u16)) -> anyhow::Result<Self> {
        place::make(folder)?;
        let (dicom_port, http_port) = (ports::free()?, ports::free()?);
        let (peer_title, peer_port) = peer;
        let configuration = json!({
            "Name": "lab",
            "StorageDirectory": folder.join("storage"),
            "IndexDirectory": folder.join("index"),
            "Plugins": [],
            "HttpPort": http_port,
            "RemoteAccessAllowed": false,
            "AuthenticationEnabled": false,
            "DicomAet": title,
            "DicomPort": dicom_port,
            // As careful archives are: an association for somebody else is rejected.
            "DicomCheckCalledAet": true,
            "DicomModalities": {
                "device": { "AET": peer_title, "Host": "127.0.0.1", "Port": peer_port, "AllowStorageCommitment": true },
            },
        });
        let folder = folder.to_owned();
        Ok(Self { title: title.to_owned(), dicom_port, http_port, folder, configuration, process: None })
    }

    /// Speaks DICOM over TLS alone, as `name`, with whoever shows a certificate of the authority `believed`.
    #[must_use]
    pub fn secured(mut self, own: &Authority, name: &str, believed: &Authority) -> Self {
        let papers = [
            ("DicomTlsEnabled", json!(true)),
            ("DicomTlsCertificate", json!(own.certificate(name))),
            ("DicomTlsPrivateKey", json!(own.key(name))),
            ("DicomTlsTrustedCertificates", json!(believed.certificate("ca"))),
            ("DicomTlsRemoteCertificateRequired", json!(true)),
        ];
        papers.into_iter().for_each(|(key, value)| self.configuration[key] = value);
        self.configuration["DicomModalities"]["device"]["UseDicomTls"] = json!(true);
        self
    }

    /// `AE@host:port`, as the appliance's configuration names it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}@127.0.0.1:{}", self.title, self.dicom_port)
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// Where it is not installed or does not come up.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let file = self.folder.join("orthanc.json");
        place::write(&file, self.configuration.to_string())?;
        let mut command = process::command(Path::new("Orthanc"));
        command.arg(file);
        let mut process = Process::start("Orthanc", command, &self.folder.join("orthanc.log"))?;
        let ports = [self.dicom_port, self.http_port];
        process.wait_until(|| ports.into_iter().all(ports::answers))?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops it; what it stored stays.
    ///
    /// # Errors
    /// Where it does not run or does not stop.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.take().context("Orthanc does not run")?.stop().map(drop)
    }

    /// Every object that it holds.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn instances(&self) -> anyhow::Result<Vec<Held>> {
        self.get("instances?expand")?.body_mut().read_json().context("Orthanc's list is no JSON")
    }

    /// An attribute of an object by its name, such as `Modality`.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn attribute(&self, held: &Held, keyword: &str) -> anyhow::Result<String> {
        let path = format!("instances/{}/simplified-tags", held.id);
        let tags: serde_json::Value = self.get(&path)?.body_mut().read_json().context("no JSON")?;
        Ok(tags[keyword].as_str().unwrap_or_default().to_owned())
    }

    /// An object's file, written to `file`.
    ///
    /// # Errors
    /// Where it does not answer or the disk refuses.
    pub fn fetch(&self, held: &Held, file: &Path) -> anyhow::Result<()> {
        let bytes = self.get(&format!("instances/{}/file", held.id))?.body_mut().read_to_vec();
        place::write(file, bytes.context("Orthanc's file broke off")?)
    }

    fn get(&self, path: &str) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        let url = format!("http://127.0.0.1:{}/{path}", self.http_port);
        ureq::get(&url).call().with_context(|| format!("{url} does not answer"))
    }
}
