//! The configuration file. Each room owns its table; every mistake is told with the file, the key and what to do.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reader::inference::{BatchPolicy, EngineConfig, WorkerConfig};
use reader::model::{Precision, ProviderChoice, SessionConfig, Trust};
use reader::pixels::suitability::OutsideAge;
use serde::Deserialize;
use vitals::config::{Checked, Mistakes};
use vitals::logging::{LogConfig, LogFormat};
use wire::ids::DeviceId;

use crate::at_rest::{AtRest, AtRestError};
use crate::dicom::DicomConfig;
use crate::folder::FolderConfig;
use crate::ledger::LookupConfig;
use crate::model::layout::{self, Asked, Layout};
use crate::output::config::{DestinationConfig, OutputConfig, RouteConfig};
use crate::spans::TelemetryConfig;
use crate::spool::watermarks::DiskConfig;
use crate::stow::StowConfig;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[device]`.
    pub device: DeviceConfig,
    /// `[dicom]`.
    pub dicom: DicomConfig,
    /// `[[folder]]`.
    #[serde(default)]
    pub folder: Vec<FolderConfig>,
    /// `[stow]`.
    pub stow: Option<StowConfig>,
    /// `[model]`.
    pub model: ModelConfig,
    /// `[http]`.
    pub http: HttpConfig,
    /// `[disk]`.
    #[serde(default)]
    pub disk: DiskConfig,
    /// `[lookup]`.
    #[serde(default)]
    pub lookup: LookupConfig,
    /// `[log]`.
    #[serde(default)]
    pub log: LogConfig,
    /// `[telemetry]`.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// `[[destination]]`: the hospital's own systems.
    #[serde(default)]
    pub destination: Vec<DestinationConfig>,
    /// `[[route]]`: which of them is given what.
    #[serde(default)]
    pub route: Vec<RouteConfig>,
}

impl Config {
    /// What goes back to the hospital's own systems.
    #[must_use]
    pub fn output(&self) -> OutputConfig {
        OutputConfig { destination: self.destination.clone(), route: self.route.clone() }
    }
}

/// Which appliance this is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// Its name in the cloud.
    pub id: DeviceId,
    /// The site that it stands in, as reviewers see it.
    pub site: String,
    /// Folder of the database, the spool and the quarantine; on a local disk.
    pub state_dir: PathBuf,
    /// File with the key of the pseudonyms, 64 hexadecimal characters.
    pub pseudonym_key: PathBuf,
    /// File with the key of the disk's encryption, 64 hexadecimal characters; not needed where systemd gives the
    /// credential `hilum-at-rest`.
    pub at_rest_key: Option<PathBuf>,
}

impl DeviceConfig {
    /// The key of the disk's encryption, from wherever it is to be had.
    ///
    /// # Errors
    /// [`AtRestError`].
    pub fn at_rest(&self) -> Result<AtRest, AtRestError> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        AtRest::load(credentials.as_deref(), self.at_rest_key.as_deref(), rand::random)
    }
}

/// What reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Directory or archive of the model bundle that is installed where there is none yet.
    pub bundle: PathBuf,
    /// Files with the public keys of the publishers whose bundles are accepted, PEM.
    #[serde(default)]
    pub trusted_keys: Vec<PathBuf>,
    /// ONNX Runtime's shared library.
    pub onnxruntime: PathBuf,
    /// Inference processes at the same time, 1 to 16; without it what suits the machine ([`layout`]).
    pub workers: Option<usize>,
    /// Threads within one operator, of each process; 0 shares the cores out among the processes.
    #[serde(default)]
    pub threads: usize,
    /// Images in one batch, 1 to 64; without it what suits the machine ([`layout`]).
    pub max_batch: Option<usize>,
    /// How long an image waits for company, milliseconds, 0 to 1000.
    #[serde(default = "ModelConfig::default_max_delay_ms")]
    pub max_delay_ms: u64,
    /// When the answer to an image that comes live is wanted, milliseconds from the beginning of its reading, 100 to 60000:
    /// what would be late goes to the model before others.
    #[serde(default = "ModelConfig::default_answer_within_ms")]
    pub answer_within_ms: u64,
    /// `auto` (TensorRT, else CUDA, else the CPU); `tensorrt`, `cuda` or `cpu` is that one or nothing.
    #[serde(default)]
    pub provider: ProviderChoice,
    /// `abstain`, or `caveat` for a site that has measured the model on such patients.
    #[serde(default)]
    pub outside_age: OutsideAge,
    /// How finely a GPU computes: `fp32`, `tf32`, or `fp16` with TensorRT.
    #[serde(default)]
    pub precision: Precision,
}

/// Where the status page is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; loopback unless the technicians' network may see it.
    pub listen: SocketAddr,
    /// Names that browsers may call this machine by, besides its addresses, its own name and `localhost`.
    #[serde(default)]
    pub names: Vec<String>,
}

impl ModelConfig {
    /// Far below what a person notices, long enough to catch a study's second image.
    fn default_max_delay_ms() -> u64 {
        5
    }

    /// What a technician at the scanner still waits for.
    fn default_answer_within_ms() -> u64 {
        2000
    }

    /// Processes, threads and batch on this machine.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let asked = Asked { workers: self.workers, threads: self.threads, max_batch: self.max_batch };
        layout::here(asked, self.provider)
    }

    /// When a batch is full, and how long it waits to become so.
    #[must_use]
    pub fn batch(&self) -> BatchPolicy {
        BatchPolicy { max_batch: self.layout().max_batch, max_delay: Duration::from_millis(self.max_delay_ms) }
    }

    /// The reader's own terms for it. `program` is this executable, which is its own inference process; that logs as `log`,
    /// and what it builds lies under `state_dir`.
    #[must_use]
    pub fn engine(
        &self,
        bundle: PathBuf,
        trust: Trust,
        program: PathBuf,
        state_dir: &Path,
        log: &LogConfig,
    ) -> EngineConfig {
        let Layout { workers, threads, .. } = self.layout();
        let engines = state_dir.join("engines");
        let format = match log.format {
            LogFormat::Auto => "auto",
            LogFormat::Json => "json",
            LogFormat::Text => "text",
        };
        let args = ["inference-worker", "--log-format", format, "--log-level", &log.level].map(str::to_owned).into();
        let worker = WorkerConfig::new(program, args);
        EngineConfig {
            workers,
            session: SessionConfig {
                threads,
                provider: self.provider,
                precision: self.precision,
                engines: Some(engines),
                ..SessionConfig::default()
            },
            answer_within: Duration::from_millis(self.answer_within_ms),
            batch: self.batch(),
            ..EngineConfig::new(bundle, trust, self.onnxruntime.clone(), worker)
        }
    }
}

impl Checked for Config {
    fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        self.device.mistakes(&mut mistakes.table("device"));
        self.dicom.mistakes(&mut mistakes.table("dicom"));
        for (index, folder) in self.folder.iter().enumerate() {
            let mut entry = mistakes.item("folder", index);
            folder.mistakes(&mut entry);
            let ours =
                folder.path.starts_with(&self.device.state_dir) || self.device.state_dir.starts_with(&folder.path);
            entry.require(!ours, "path", "name a folder outside of [device] state_dir");
            let twice = self.folder[..index].iter().any(|other| other.path == folder.path);
            entry.require(!twice, "path", "this folder is watched above already; remove one");
        }
        if let Some(stow) = &self.stow {
            let mut table = mistakes.table("stow");
            stow.mistakes(self.dicom.tls.is_some(), &mut table);
            let taken = self.dicom.listens().chain([self.http.listen]).any(|other| other == stow.listen);
            table.require(!taken, "listen", "use a port that neither [dicom] nor [http] listens on");
        }
        self.model.mistakes(&mut mistakes.table("model"));
        self.output().mistakes(self.dicom.tls.is_some(), mistakes);
        self.disk.mistakes(&mut mistakes.table("disk"));
        self.lookup.mistakes(&mut mistakes.table("lookup"));
        self.log.mistakes(&mut mistakes.table("log"));
        self.telemetry.mistakes(&mut mistakes.table("telemetry"));
        let mut http = mistakes.table("http");
        let taken = self.dicom.listens().any(|dicom| dicom == self.http.listen);
        http.require(!taken, "listen", "use another port than [dicom] listen and [dicom.tls] listen");
        if self.http.listen.ip().is_unspecified() {
            http.warning("listen", "every network of this machine sees the status page; name the technicians' network");
        }
    }
}

impl DeviceConfig {
    fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        // A site is shown on every result; a control character in it would spoil logs and tables.
        let site = &self.site;
        let named = !site.trim().is_empty() && site.len() <= 64 && !site.chars().any(char::is_control);
        mistakes.require(named, "site", "give the site's name, 1 to 64 characters");
        let there = |path: &Path| !path.as_os_str().is_empty();
        mistakes.require(there(&self.state_dir), "state_dir", "name a folder on a local disk");
        mistakes.require(there(&self.pseudonym_key), "pseudonym_key", "name the key's file");
    }
}

impl ModelConfig {
    fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.require(self.max_batch.is_none_or(|images| (1..=64).contains(&images)), "max_batch", "use 1 to 64");
        mistakes.require(self.max_delay_ms <= 1000, "max_delay_ms", "use 0 to 1000");
        let within = (100..=60_000).contains(&self.answer_within_ms);
        mistakes.require(within, "answer_within_ms", "use 100 to 60000");
        mistakes.require(self.workers.is_none_or(|workers| (1..=16).contains(&workers)), "workers", "use 1 to 16");
        mistakes.require(self.threads <= 256, "threads", "use 0 (the cores shared out) to 256");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitals::config;

    const GOOD: &str = r#"
[device]
id = "demo-1"
site = "St Mary"
state_dir = "state"
pseudonym_key = "key"
[dicom]
listen = "127.0.0.1:11112"
ae_title = "HILUM"
[[dicom.allow]]
ae_title = "XR-ROOM-1"
address = "10.1.2.3"
[model]
bundle = "bundle"
onnxruntime = "libonnxruntime.so"
[http]
listen = "127.0.0.1:9464"
"#;

    #[test]
    fn the_shortest_file_is_enough() {
        let config = config::parse::<Config>(Path::new("appliance.toml"), GOOD).unwrap();
        assert_eq!((config.dicom.max_associations, config.model.max_batch, config.model.max_delay_ms), (16, None, 5));
        assert_eq!(config.dicom.allow[0].address, Some("10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines_and_advice_is_none() {
        let text = GOOD.replace("id = \"demo-1\"", "id = \"Demo 1\"").replace("127.0.0.1:11112", "0.0.0.0:11112");
        let text =
            text + "[[dicom.allow]]\nae_title = \"XR-ROOM-1\"\naddress = \"10.1.2.3\"\n[log]\nlevle = \"info\"\n";
        let words = config::parse::<Config>(Path::new("appliance.toml"), &text).unwrap_err().to_string();
        for mistake in [
            "appliance.toml:3: [device] id: ",
            "appliance.toml:19: [[dicom.allow]] ae_title: this scanner is listed above already",
            "appliance.toml:22: [log] levle: unknown key, did you mean level?",
        ] {
            assert!(words.contains(mistake), "{mistake}: {words}");
        }
        assert_eq!(words.lines().count(), 4, "{words}");
    }

    #[test]
    fn the_packaged_file_is_a_configuration() {
        let packaged = include_str!("../../packaging/systemd/appliance.toml");
        config::parse::<Config>(Path::new("appliance.toml"), packaged).unwrap();
    }

    /// A `[stow]` with one client, before `[http]`.
    fn stow(more: &str, client: &str) -> String {
        format!("[stow]\nlisten = \"127.0.0.1:8104\"\n{more}\n[[stow.client]]\nname = \"PACS\"\n{client}\n[http]")
    }

    #[test]
    fn every_mistake_names_the_file_and_the_key() {
        for (from, to, key) in [
            ("site = \"St Mary\"", "place = \"St Mary\"", "place"),
            ("site = \"St Mary\"", "site = \" \"", "[device] site"),
            ("id = \"demo-1\"", "id = \"Demo 1\"", "cannot name a device"),
            ("ae_title = \"HILUM\"", "ae_title = \"A-TITLE-THAT-IS-TOO-LONG\"", "AE title"),
            ("ae_title = \"HILUM\"", "ae_title = \"HILUM\"\nmax_associations = 0", "[dicom] max_associations"),
            ("[[dicom.allow]]\nae_title = \"XR-ROOM-1\"\naddress = \"10.1.2.3\"", "", "[[dicom.allow]]"),
            ("address = \"10.1.2.3\"", "address = \"scanner\"", "address"),
            ("address = \"10.1.2.3\"", "port = 104", "[[dicom.allow]] port"),
            ("address = \"10.1.2.3\"", "certificate = \"xr-1\"", "[[dicom.allow]] certificate"),
            ("listen = \"127.0.0.1:9464\"", "listen = \"127.0.0.1:11112\"", "[http] listen"),
            ("bundle = \"bundle\"", "bundle = \"bundle\"\nprovider = \"gpu\"", "provider"),
            ("bundle = \"bundle\"", "bundle = \"bundle\"\nmax_batch = 65", "[model] max_batch"),
            ("bundle = \"bundle\"", "bundle = \"bundle\"\nworkers = 0", "[model] workers"),
            ("bundle = \"bundle\"", "bundle = \"bundle\"\nmax_delay_ms = 1001", "[model] max_delay_ms"),
            ("state_dir = \"state\"", "state_dir = \"\"", "[device] state_dir"),
            ("[http]", "[stow]\nlisten = \"127.0.0.1:8104\"\n[http]", "[[stow.client]]"),
            ("[http]", &stow("max_body_mib = 0", "token_file = \"t\""), "[stow] max_body_mib"),
            ("[http]", &stow("max_requests = 65", "token_file = \"t\""), "[stow] max_requests"),
            ("[http]", &stow("", ""), "[[stow.client]] name"),
            ("[http]", &stow("", "certificate = \"pacs\""), "[[stow.client]] certificate"),
            ("[http]", &stow("", "token_file = \"t\"").replace("8104", "11112"), "[stow] listen"),
            ("[http]", "[disk]\nrefuse_below_mib = 63\nno_pictures_below_mib = 16\n[http]", "[disk] refuse_below_mib"),
            ("[http]", "[disk]\nrefuse_below_mib = 1048577\n[http]", "[disk] refuse_below_mib"),
            ("[http]", "[disk]\nno_pictures_below_mib = 15\n[http]", "[disk] no_pictures_below_mib"),
            ("[http]", "[disk]\nno_pictures_below_mib = 513\n[http]", "[disk] no_pictures_below_mib"),
            ("[http]", "[telemetry]\notlp_endpoint = \"collector:4318\"\n[http]", "[telemetry] otlp_endpoint"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = config::parse::<Config>(Path::new("appliance.toml"), &GOOD.replace(from, to)).unwrap_err();
            let words = vitals::exit::chain(&error);
            assert!(words.contains("appliance.toml") && words.contains(key), "{key}: {words}");
        }
    }
}
