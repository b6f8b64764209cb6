//! The cloud: one gateway with its database, its images and its dashboard, set up with its own commands.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, bail};

use crate::api::{self, Api};
use crate::authority::Authority;
use crate::place;
use crate::process::{self, Process};

/// The reviewer that a lab's cloud knows.
pub const REVIEWER: &str = "reviewer";

/// What a gateway is made of.
#[derive(Clone, Debug)]
pub struct CloudPlan {
    /// Everything of it lies here.
    pub folder: PathBuf,
    /// Where browsers come in, on 127.0.0.1.
    pub port: u16,
    /// Where devices enrol, on `localhost`.
    pub est_port: u16,
    /// The broker's port on `localhost`.
    pub broker_port: u16,
    /// `sqlite:…` or `postgres://…`; `None` for SQLite in the folder.
    pub database: Option<String>,
    /// The reviewer's password, 12 characters or more.
    pub password: String,
}

/// A gateway, running or not.
#[derive(Debug)]
pub struct Cloud {
    /// What it is made of.
    pub plan: CloudPlan,
    process: Option<Process>,
}

impl Cloud {
    /// Writes the configuration, makes the sealing key and the reviewer's account. It does not run yet.
    ///
    /// # Errors
    /// Where a command of the gateway fails.
    pub fn prepare(plan: CloudPlan, authority: &Authority) -> anyhow::Result<Self> {
        place::make(&plan.folder)?;
        let cloud = Self { process: None, plan };
        place::write(&cloud.config(), cloud.configuration(authority))?;
        let gateway = place::program("cloud-gateway")?;
        process::finish(
            &gateway,
            ["identity".as_ref(), "init".as_ref(), "--out".as_ref(), cloud.at("hpke.key").as_os_str()],
        )?;
        cloud.add_user(REVIEWER, "reviewer")?;
        Ok(cloud)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// Where it does not become ready.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let port = self.plan.port;
        self.launch()?.wait_until(|| api::is_ready(port))
    }

    /// Starts it and waits for nothing.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn launch(&mut self) -> anyhow::Result<&mut Process> {
        let (command, log) = self.command(&place::program("cloud-gateway")?);
        Ok(self.process.insert(Process::start("cloud-gateway", command, &log)?))
    }

    /// The service as `program` runs it, and its log.
    #[must_use]
    pub fn command(&self, program: &Path) -> (Command, PathBuf) {
        let mut command = process::command(program);
        command.args(["serve", "--config"]).arg(self.config());
        (command, self.at("cloud-gateway.log"))
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the gateway does not run")?.kill()
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// Where it does not run, or does not stop.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.take().context("the gateway does not run")?.stop()
    }

    /// The running process.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Takes a device in: from its request to the answer.
    ///
    /// # Errors
    /// Where the gateway refuses.
    pub fn enrol(&self, site: &str, request: &Path, answer: &Path) -> anyhow::Result<()> {
        let gateway = place::program("cloud-gateway")?;
        let config = self.config();
        let mut command = Command::new(&gateway);
        command
            .args(["enrol", "sign", "--config"])
            .arg(config)
            .args(["--site", site, "--out"])
            .arg(answer)
            .arg(request);
        let done = command.stdin(Stdio::null()).output().context("cloud-gateway cannot be started")?;
        if !done.status.success() {
            bail!("cloud-gateway enrol sign failed: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        Ok(())
    }

    /// Makes an account with the plan's password.
    ///
    /// # Errors
    /// Where the gateway refuses.
    pub fn add_user(&self, username: &str, role: &str) -> anyhow::Result<()> {
        let gateway = place::program("cloud-gateway")?;
        let mut command = Command::new(gateway);
        command.args(["user", "add", "--config"]).arg(self.config()).args([
            "--username",
            username,
            "--role",
            role,
            "--all-sites",
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cloud-gateway cannot be started")?;
        let mut input = child.stdin.take().context("cloud-gateway user add has no standard input")?;
        input.write_all(self.plan.password.as_bytes()).context("the password cannot be handed over")?;
        drop(input);
        let done = child.wait_with_output().context("cloud-gateway user add cannot be waited for")?;
        if !done.status.success() {
            bail!("cloud-gateway user add failed: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        Ok(())
    }

    /// The reviewer's session.
    ///
    /// # Errors
    /// Where the gateway refuses.
    pub fn log_in(&self) -> anyhow::Result<Api> {
        Api::log_in(&self.address(), REVIEWER, &self.plan.password)
    }

    /// Where browsers go.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.plan.port)
    }

    /// Where devices enrol.
    #[must_use]
    pub fn est_address(&self) -> String {
        format!("https://localhost:{}", self.plan.est_port)
    }

    /// Runs one of its commands to the end, with its configuration, and gives what it printed.
    ///
    /// # Errors
    /// Where it fails; then with what it wrote to stderr.
    pub fn order(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let gateway = place::program("cloud-gateway")?;
        let config = self.config();
        let arguments = arguments.iter().map(AsRef::as_ref).chain(["--config".as_ref(), config.as_os_str()]);
        process::finish(&gateway, arguments)
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.at("gateway.toml")
    }

    /// The database's address.
    #[must_use]
    pub fn database(&self) -> String {
        let own = || format!("sqlite:{}", self.at("gateway.sqlite").display());
        self.plan.database.clone().unwrap_or_else(own)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.plan.folder.join(name)
    }

    fn configuration(&self, authority: &Authority) -> String {
        format!(
            r#"[http]
listen = "127.0.0.1:{port}"
dashboard_dir = "{dashboard}"
# Everybody here comes from one address.
requests_per_minute = 0

[database]
url = "{database}"

[objects]
dir = "{objects}"

[mqtt]
host = "localhost"
port = {broker}
ca = "{ca}"
certificate = "{certificate}"
key = "{key}"

[identity]
hpke_key = "{hpke}"

[ca]
certificate = "{ca}"
key = "{ca_key}"
crl = "{crl}"

[est]
listen = "127.0.0.1:{est}"
public_url = "{est_address}"
certificate = "{est_certificate}"
key = "{est_key}"

[log]
format = "json"
level = "info"
"#,
            port = self.plan.port,
            dashboard = place::dashboard().display(),
            database = self.database(),
            objects = self.at("objects").display(),
            broker = self.plan.broker_port,
            ca = authority.certificate("ca").display(),
            crl = authority.revocations().display(),
            est = self.plan.est_port,
            est_address = self.est_address(),
            est_certificate = authority.certificate("est").display(),
            est_key = authority.key("est").display(),
            ca_key = authority.key("ca").display(),
            certificate = authority.certificate("gateway").display(),
            key = authority.key("gateway").display(),
            hpke = self.at("hpke.key").display(),
        )
    }
}
