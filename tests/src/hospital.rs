//! The hospital: one device, made of an appliance and a sync-agent that share only a folder, enrolled as a real one is.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use anyhow::{Context, bail};

use crate::cloud::Cloud;
use crate::journal;
use crate::modality::{self, Modality};
use crate::process::{self, Process};
use crate::{api, place, ports};

/// The AE title that the device answers to.
pub const AE_TITLE: &str = "HILUM";

/// The AE title of the one scanner that it knows.
pub const SCANNER: &str = "LABSCANNER";

/// What a device is made of. Fields that a test bends are public; the files follow when it is prepared.
#[derive(Clone, Debug)]
pub struct HospitalPlan {
    /// Everything of it lies here.
    pub folder: PathBuf,
    /// The device's name.
    pub device: String,
    /// Where it stands.
    pub site: String,
    /// Where scanners send to, on 127.0.0.1.
    pub dicom_port: u16,
    /// Health and metrics of the appliance.
    pub appliance_port: u16,
    /// Health and metrics of the sync-agent.
    pub agent_port: u16,
    /// The broker's name.
    pub broker_host: String,
    /// The broker's port there.
    pub broker_port: u16,
    /// Seconds of silence after which the sync-agent asks whether the broker is there.
    pub keep_alive_s: u16,
    /// A command that starts the sync-agent in surroundings of its own ([`crate::surroundings`]); empty for this machine's.
    pub agent_within: Vec<String>,
    /// The model bundle.
    pub bundle: PathBuf,
    /// Public keys of the bundle's publisher and of whoever else is trusted.
    pub trusted_keys: Vec<PathBuf>,
    /// ONNX Runtime's library.
    pub onnxruntime: PathBuf,
    /// More tables for the appliance's configuration, such as `[[destination]]`.
    pub more: String,
}

/// A device whose two programs run or not.
#[derive(Debug)]
pub struct Hospital {
    /// What it is made of.
    pub plan: HospitalPlan,
    appliance: Option<Process>,
    agent: Option<Process>,
}

impl HospitalPlan {
    /// A device on free ports with the shipped model.
    ///
    /// # Errors
    /// Where there are no free ports.
    pub fn new(folder: &Path, device: &str, broker_port: u16) -> anyhow::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            device: device.to_owned(),
            site: "lab".to_owned(),
            dicom_port: ports::free()?,
            appliance_port: ports::free()?,
            agent_port: ports::free()?,
            broker_host: "localhost".to_owned(),
            broker_port,
            keep_alive_s: 20,
            agent_within: Vec::new(),
            bundle: place::bundle(),
            trusted_keys: vec![place::publisher()],
            onnxruntime: place::onnxruntime(),
            more: String::new(),
        })
    }
}

impl Hospital {
    /// Writes both configurations and the keys, the sync-agent's made of the appliance's as a technician makes it. Nothing runs
    /// yet.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn prepare(plan: HospitalPlan, pseudonym_key: [u8; 32], at_rest_key: [u8; 32]) -> anyhow::Result<Self> {
        place::make(&plan.folder)?;
        let hospital = Self { plan, appliance: None, agent: None };
        // As systemd's StateDirectory= does on a device: either program may be the first to come up.
        place::make(&hospital.at("state"))?;
        secret(&hospital.at("pseudonym.key"), pseudonym_key)?;
        secret(&hospital.at("at-rest.key"), at_rest_key)?;
        place::write(&hospital.appliance_config(), hospital.appliance_configuration())?;
        place::write(&hospital.agent_config(), hospital.agent_configuration())?;
        let mut derive = Command::new(place::program("hilum-appliance")?);
        derive.args(["key", "database", "--config"]).arg(hospital.appliance_config());
        run(derive.arg("--out").arg(hospital.at(journal::KEY)), "hilum-appliance key database")?;
        Ok(hospital)
    }

    /// A device without a cloud, for what happens between it and its scanners; nothing runs yet.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn alone(kind: &str, bend: impl FnOnce(&mut HospitalPlan)) -> anyhow::Result<Self> {
        let mut plan = HospitalPlan::new(&place::fresh(kind)?, "lab-1", ports::free()?)?;
        bend(&mut plan);
        Self::prepare(plan, [7; 32], [8; 32])
    }

    /// Joins the cloud: request, the gateway's answer, acceptance.
    ///
    /// # Errors
    /// Where one of the three commands fails.
    pub fn enrol(&self, cloud: &Cloud) -> anyhow::Result<()> {
        let (request, answer) = (self.at("request.pem"), self.at("enrolment.json"));
        let mut ask = Command::new(place::program("hilum-sync-agent")?);
        ask.args(["enrol-request", "--device", &self.plan.device, "--identity-dir"]).arg(self.identity());
        run(ask.arg("--out").arg(&request), "hilum-sync-agent enrol-request")?;
        cloud.enrol(&self.plan.site, &request, &answer)?;
        let mut accept = Command::new(place::program("hilum-sync-agent")?);
        accept.args(["enrol-accept", "--identity-dir"]).arg(self.identity()).arg(&answer);
        run(&mut accept, "hilum-sync-agent enrol-accept")
    }

    /// Starts the appliance and waits until it is ready.
    ///
    /// # Errors
    /// Where it does not become ready.
    pub fn start_appliance(&mut self) -> anyhow::Result<()> {
        let port = self.plan.appliance_port;
        self.launch_appliance()?.wait_until(|| api::is_ready(port))
    }

    /// Starts the appliance and waits for nothing.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn launch_appliance(&mut self) -> anyhow::Result<&mut Process> {
        let (command, log) = self.appliance_command(&place::program("hilum-appliance")?);
        Ok(self.appliance.insert(Process::start("hilum-appliance", command, &log)?))
    }

    /// Starts the sync-agent and waits until it is ready, which includes the broker.
    ///
    /// # Errors
    /// Where it does not become ready.
    pub fn start_agent(&mut self) -> anyhow::Result<()> {
        let port = self.plan.agent_port;
        self.launch_agent()?.wait_until(|| api::is_ready(port))
    }

    /// Starts the sync-agent and waits for nothing.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn launch_agent(&mut self) -> anyhow::Result<&mut Process> {
        let (command, log) = self.agent_command(&place::program("hilum-sync-agent")?);
        Ok(self.agent.insert(Process::start("hilum-sync-agent", command, &log)?))
    }

    /// The appliance's service as `program` runs it, and its log.
    #[must_use]
    pub fn appliance_command(&self, program: &Path) -> (Command, PathBuf) {
        let mut command = process::command(program);
        command.args(["serve", "--config"]).arg(self.appliance_config());
        (command, self.at("hilum-appliance.log"))
    }

    /// The sync-agent's service as `program` runs it, and its log.
    #[must_use]
    pub fn agent_command(&self, program: &Path) -> (Command, PathBuf) {
        let within = self.plan.agent_within.iter().map(PathBuf::from);
        let mut words = within.chain([program.to_owned()]);
        let mut command = process::command(&words.next().unwrap_or_default());
        command.args(words).args(["run", "--config"]).arg(self.agent_config());
        (command, self.at("hilum-sync-agent.log"))
    }

    /// Ends the appliance as a power cut would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_appliance(&mut self) -> anyhow::Result<()> {
        self.appliance.take().context("the appliance does not run")?.kill()
    }

    /// Ends the sync-agent as a power cut would.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_agent(&mut self) -> anyhow::Result<()> {
        self.agent.take().context("the sync-agent does not run")?.kill()
    }

    /// Asks the appliance to stop.
    ///
    /// # Errors
    /// Where it does not run, or does not stop.
    pub fn stop_appliance(&mut self) -> anyhow::Result<ExitStatus> {
        self.appliance.take().context("the appliance does not run")?.stop()
    }

    /// Asks the sync-agent to stop.
    ///
    /// # Errors
    /// Where it does not run, or does not stop.
    pub fn stop_agent(&mut self) -> anyhow::Result<ExitStatus> {
        self.agent.take().context("the sync-agent does not run")?.stop()
    }

    /// Process ids of the appliance's own children that were started with `word`: its decoders, its inference processes.
    ///
    /// # Errors
    /// Where the appliance does not run.
    pub fn workers(&self, word: &str) -> anyhow::Result<Vec<String>> {
        let process = self.appliance.as_ref().context("the appliance does not run")?.id();
        // A thread that ended between the two looks has no children any more.
        let threads = std::fs::read_dir(format!("/proc/{process}/task")).context("the appliance has ended")?;
        let children =
            threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let children: String = children.map(|line| line + " ").collect();
        let started_with = |child: &&str| {
            let line = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
            line.split('\0').any(|argument| argument == word)
        };
        Ok(children.split_whitespace().filter(started_with).map(str::to_owned).collect())
    }

    /// `hilum-appliance key rotate` to the key in the file, as `program` does it; to be cut off at a fail point where one is named.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn rotate(&self, program: &Path, new_key: &Path, point: Option<&str>) -> anyhow::Result<Output> {
        let mut command = Command::new(program);
        command.args(["key", "rotate", "--config"]).arg(self.appliance_config());
        command.arg("--agent-config").arg(self.agent_config()).arg("--new-key").arg(new_key);
        command.envs(point.map(|point| (fail_points::VARIABLE, format!("{point}:1"))));
        command.output().context("hilum-appliance key rotate cannot be started")
    }

    /// Draws films of nobody and sends them as the known scanner; every one must be accepted.
    ///
    /// # Errors
    /// Where one is not.
    pub fn receive(&self, films: usize, seed: u64) -> anyhow::Result<Vec<PathBuf>> {
        let files = modality::draw(&self.at("images"), films, seed)?;
        let answers = Modality::known(self.plan.dicom_port).send_all(&files)?;
        match answers.iter().find(|answer| !answer.is_accepted()) {
            Some(refused) => bail!("a film was not accepted: {refused:?}"),
            None => Ok(files),
        }
    }

    /// The status page.
    ///
    /// # Errors
    /// Where the appliance does not answer.
    pub fn page(&self) -> anyhow::Result<String> {
        api::text(&format!("http://127.0.0.1:{}/", self.plan.appliance_port)).map(|(_, page)| page)
    }

    /// The running programs.
    pub fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.appliance.iter_mut().chain(self.agent.iter_mut())
    }

    /// The file that the two programs share.
    #[must_use]
    pub fn outbox(&self) -> PathBuf {
        self.at("state/outbox.sqlite")
    }

    /// Where its identity lies.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.at("identity")
    }

    /// The appliance's configuration file.
    #[must_use]
    pub fn appliance_config(&self) -> PathBuf {
        self.at("appliance.toml")
    }

    /// The sync-agent's configuration file.
    #[must_use]
    pub fn agent_config(&self) -> PathBuf {
        self.at("sync-agent.toml")
    }

    /// The file with its at-rest key.
    #[must_use]
    pub fn at_rest_key(&self) -> PathBuf {
        self.at("at-rest.key")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.plan.folder.join(name)
    }

    fn appliance_configuration(&self) -> String {
        format!(
            r#"[device]
id = "{device}"
site = "{site}"
state_dir = "{state}"
pseudonym_key = "{key}"
at_rest_key = "{at_rest}"

[dicom]
listen = "127.0.0.1:{dicom}"
ae_title = "{AE_TITLE}"

[[dicom.allow]]
ae_title = "{SCANNER}"

[model]
bundle = "{bundle}"
trusted_keys = {keys:?}
onnxruntime = "{onnxruntime}"
provider = "auto"

[http]
listen = "127.0.0.1:{http}"

[log]
format = "json"
level = "info"

{more}"#,
            device = self.plan.device,
            site = self.plan.site,
            state = self.at("state").display(),
            key = self.at("pseudonym.key").display(),
            at_rest = self.at("at-rest.key").display(),
            dicom = self.plan.dicom_port,
            bundle = self.plan.bundle.display(),
            keys = self.plan.trusted_keys,
            onnxruntime = self.plan.onnxruntime.display(),
            http = self.plan.appliance_port,
            more = self.plan.more,
        )
    }

    fn agent_configuration(&self) -> String {
        format!(
            r#"[device]
state_dir = "{state}"
database_key = "{key}"
identity_dir = "{identity}"

[broker]
host = "{host}"
port = {broker}
keep_alive_s = {keep_alive}

[http]
listen = "127.0.0.1:{http}"

[log]
format = "json"
level = "info"
"#,
            state = self.at("state").display(),
            key = self.at(journal::KEY).display(),
            identity = self.identity().display(),
            host = self.plan.broker_host,
            broker = self.plan.broker_port,
            keep_alive = self.plan.keep_alive_s,
            http = self.plan.agent_port,
        )
    }
}

/// Writes a key for its owner alone: one that others can read is refused.
///
/// # Errors
/// Where it cannot be written.
pub fn secret(file: &Path, key: [u8; 32]) -> anyhow::Result<()> {
    place::write(file, hex::encode(key))?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(file, private).with_context(|| format!("{} cannot be protected", file.display()))
}

fn run(command: &mut Command, name: &str) -> anyhow::Result<()> {
    let done = command.output().with_context(|| format!("{name} cannot be started"))?;
    if !done.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}
