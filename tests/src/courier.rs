//! Whoever speaks to the broker through mosquitto's own clients: with its own papers, with stolen ones, with wrong ones or with none.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, bail};

use crate::authority::Authority;
use crate::house::House;
use crate::process::{self, Process};
use crate::{patience, place};

/// A certificate with its key, both files.
#[derive(Clone, Debug)]
pub struct Papers {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Papers {
    /// Those of whom an authority signed for.
    #[must_use]
    pub fn of(authority: &Authority, name: &str) -> Self {
        Self { certificate: authority.certificate(name), key: authority.key(name) }
    }

    /// Those of a device, as they lie in its identity folder now; the certificate is written to `shown`.
    ///
    /// # Errors
    /// Where there is no identity, or no key for its certificate.
    pub fn of_device(identity: &Path, shown: &Path) -> anyhow::Result<Self> {
        place::write(shown, certificate(identity)?)?;
        Ok(Self { certificate: shown.to_owned(), key: key_of(shown, identity)? })
    }
}

/// The certificate that is in force in an identity folder, PEM.
///
/// # Errors
/// Where there is none.
pub fn certificate(identity: &Path) -> anyhow::Result<String> {
    entry(identity, "certificate")
}

/// One entry of the gateway's answer that is in force in an identity folder.
///
/// # Errors
/// Where there is none.
pub fn entry(identity: &Path, name: &str) -> anyhow::Result<String> {
    let file = identity.join("enrolment.json");
    let text = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let answer: serde_json::Value = serde_json::from_str(&text).context("the enrolment is no JSON")?;
    answer[name].as_str().map(str::to_owned).with_context(|| format!("the enrolment has no {name}"))
}

/// The file of a certificate's key, as openssl finds it: after a power cut an old or a coming one may lie beside it.
fn key_of(certificate: &Path, identity: &Path) -> anyhow::Result<PathBuf> {
    let openssl = |arguments: &[&str], file: &Path| {
        let arguments = arguments.iter().map(AsRef::as_ref).chain([file.as_os_str()]);
        process::finish(Path::new("openssl"), arguments)
    };
    let public = openssl(&["x509", "-noout", "-pubkey", "-in"], certificate)?;
    for file in std::fs::read_dir(identity).context("the identity folder cannot be listed")?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let is_key = name.starts_with("tls-") && name.ends_with(".key");
        if is_key && openssl(&["pkey", "-pubout", "-in"], &file.path())? == public {
            return Ok(file.path());
        }
    }
    bail!("{} holds no key for its certificate", identity.display())
}

/// What is published.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Where to.
    pub topic: String,
    /// MQTT 5 user properties.
    pub properties: Vec<(String, String)>,
    /// Any bytes.
    pub payload: Vec<u8>,
}

impl Parcel {
    /// One that says nothing.
    #[must_use]
    pub fn empty(topic: &str) -> Self {
        Self { topic: topic.to_owned(), properties: Vec::new(), payload: b"x".to_vec() }
    }
}

/// Somebody with papers or without.
#[derive(Clone, Debug)]
pub struct Courier {
    port: u16,
    authorities: PathBuf,
    folder: PathBuf,
    papers: Option<Papers>,
    id: String,
    from: Ipv4Addr,
}

impl Courier {
    /// One who knows the house's broker, calls itself `id` and comes from 127.0.0.1.
    #[must_use]
    pub fn new(house: &House, id: &str, papers: Option<Papers>) -> Self {
        Self {
            port: house.broker.port,
            authorities: house.authority.certificate("ca"),
            folder: house.folder.clone(),
            papers,
            id: id.to_owned(),
            from: Ipv4Addr::LOCALHOST,
        }
    }

    /// The same from 127.0.0.`last`.
    #[must_use]
    pub fn from(mut self, last: u8) -> Self {
        self.from = Ipv4Addr::new(127, 0, 0, last);
        self
    }

    /// Publishes once, and waits for the broker's answer.
    ///
    /// # Errors
    /// Where mosquitto's client is missing.
    pub fn publish(&self, parcel: &Parcel) -> anyhow::Result<Output> {
        let file = self.folder.join(format!("parcel-{}", self.id));
        place::write(&file, &parcel.payload)?;
        let mut command = self.publisher(parcel);
        command.arg("-f").arg(&file).output().context("mosquitto_pub is missing: run cargo xtask test")
    }

    /// Connects now and publishes later, as often as is asked, over this one connection.
    ///
    /// # Errors
    /// Where mosquitto's client is missing.
    pub fn open(&self, parcel: &Parcel) -> anyhow::Result<OpenLine> {
        let mut command = self.publisher(parcel);
        command.arg("-l").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(OpenLine(command.spawn().context("mosquitto_pub is missing: run cargo xtask test")?))
    }

    /// Hears a topic until it is dropped: one payload on each line of its log, hexadecimal. It is subscribed when this returns.
    ///
    /// # Errors
    /// Where it is not let in.
    pub fn hear(&self, topic: &str) -> anyhow::Result<Process> {
        let mut command = self.client("mosquitto_sub");
        command.args(["-q", "1", "-t", topic, "-F", "%x", "-d"]);
        let log = self.folder.join(format!("heard-{}", self.id));
        // What an earlier one of this name heard is not of this one.
        place::write(&log, "")?;
        let mut heard = Process::start("mosquitto_sub", command, &log)?;
        heard.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Subscribed (mid")))?;
        Ok(heard)
    }

    fn publisher(&self, parcel: &Parcel) -> Command {
        let mut command = self.client("mosquitto_pub");
        command.args(["-q", "1", "-t", &parcel.topic]);
        for (name, value) in &parcel.properties {
            command.args(["-D", "publish", "user-property", name, value]);
        }
        command
    }

    fn client(&self, program: &str) -> Command {
        // Into a file it would write by the block, and nobody would hear of a single message.
        let mut command = process::command(Path::new("stdbuf"));
        command.args(["-oL", program, "-V", "mqttv5", "-i", &self.id, "-h", "localhost", "-p", &self.port.to_string()]);
        command.args(["-A", &self.from.to_string()]).arg("--cafile").arg(&self.authorities);
        if let Some(papers) = &self.papers {
            command.arg("--cert").arg(&papers.certificate).arg("--key").arg(&papers.key);
        }
        command
    }
}

/// The payloads that a [`Courier::hear`] has heard until now.
#[must_use]
pub fn heard(listener: &Process) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(listener.log()).unwrap_or_default();
    // What the client says of itself is no hexadecimal.
    text.lines().filter_map(|line| hex::decode(line).ok()).filter(|payload| !payload.is_empty()).collect()
}

/// A connection that stays open.
#[derive(Debug)]
pub struct OpenLine(Child);

impl OpenLine {
    /// Publishes over it.
    ///
    /// # Errors
    /// Where it is closed.
    pub fn publish(&mut self) -> anyhow::Result<()> {
        let line = self.0.stdin.as_mut().context("the line has no end to write to")?;
        line.write_all(b"x\n").and_then(|()| line.flush()).context("the line is closed")
    }
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends with its input; nobody is left to tell where it does not.
        let _ = patience::until("mosquitto_pub to end", patience::STOP, || Ok(self.0.try_wait()?));
        let _ = self.0.kill();
    }
}
