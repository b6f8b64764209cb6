//! A real mosquitto: mutual TLS 1.3, names from certificates, an access list by name. It keeps nothing over a restart, unless
//! it was started to.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::authority::Authority;
use crate::process::{self, Process};
use crate::{place, ports};

/// Debian's place for it; it is on no ordinary user's `PATH`.
const PROGRAM: &str = "/usr/sbin/mosquitto";

/// Where it writes down what it holds.
const STORE: &str = "store";

/// Each device may speak for itself only; the gateway hears all, the broker's log with it, and answers all. `%u` is the certificate's common name.
const ACCESS: &str = "\
user gateway
topic read hilum/v1/+/up/+
topic write hilum/v1/+/down/+
topic read $SYS/broker/log/#
pattern write hilum/v1/%u/up/+
pattern read hilum/v1/%u/down/+
";

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    /// Where it listens, on `localhost`.
    pub port: u16,
    process: Process,
    folder: PathBuf,
}

impl Broker {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start(folder: &Path, authority: &Authority) -> anyhow::Result<Self> {
        Self::begin(folder, authority, "persistence false\n")
    }

    /// Starts one that writes down what it holds at every change, as an operator may have it do.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start_storing(folder: &Path, authority: &Authority) -> anyhow::Result<Self> {
        let store = folder.join(STORE);
        place::make(&store)?;
        let at_every = "autosave_on_changes true\nautosave_interval 1\n";
        let words = format!("persistence true\npersistence_location {}/\n{at_every}", store.display());
        Self::begin(folder, authority, &words)
    }

    fn begin(folder: &Path, authority: &Authority, persistence: &str) -> anyhow::Result<Self> {
        place::make(folder)?;
        let port = ports::free()?;
        place::write(&folder.join("access"), ACCESS)?;
        place::write(&folder.join("mosquitto.conf"), configuration(port, folder, authority) + persistence)?;
        let process = launch(folder)?;
        let mut broker = Self { port, process, folder: folder.to_owned() };
        broker.process.wait_until(|| ports::answers(port))?;
        Ok(broker)
    }

    /// Ends it without a farewell; devices see a dead line.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Has it read its certificates and the revocation list again, as an administrator does.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.process.hang_up()
    }

    /// Has it log each message, too, which it says to its log only and not over its topic.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn log_messages(&self) -> anyhow::Result<()> {
        let file = self.folder.join("mosquitto.conf");
        let words = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        place::write(&file, words + "log_type debug\n")?;
        self.reload()
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Takes away what it wrote down; it must not run.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn wipe(&self) -> anyhow::Result<()> {
        let store = self.folder.join(STORE);
        if store.exists() {
            std::fs::remove_dir_all(&store).with_context(|| format!("{} cannot be removed", store.display()))?;
        }
        place::make(&store)
    }

    /// Starts it again on the same port.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process = launch(&self.folder)?;
        let port = self.port;
        self.process.wait_until(|| ports::answers(port))
    }

    /// The process, to be watched.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn launch(folder: &Path) -> anyhow::Result<Process> {
    let mut command = process::command(Path::new(PROGRAM));
    command.arg("-c").arg(folder.join("mosquitto.conf"));
    Process::start("mosquitto", command, &folder.join("mosquitto.log"))
}

fn configuration(port: u16, folder: &Path, authority: &Authority) -> String {
    format!(
        "# A listener for devices and the gateway; who has no certificate of the authority gets no word in.
listener {port} 127.0.0.1
cafile {ca}
certfile {certificate}
keyfile {key}
crlfile {revocations}
require_certificate true
use_identity_as_username true
tls_version tlsv1.3
allow_anonymous false
acl_file {access}
# Started by root it would become the user mosquitto, who cannot read this folder; others keep who they are anyway.
user root
# A whole window of images from one device may be under way: see [drain] window.
max_inflight_messages 0
max_queued_messages 10000
log_dest stderr
log_dest topic
log_type error
log_type warning
log_type notice
log_type subscribe
",
        ca = authority.certificate("ca").display(),
        certificate = authority.certificate("broker").display(),
        key = authority.key("broker").display(),
        revocations = authority.revocations().display(),
        access = folder.join("access").display(),
    )
}
