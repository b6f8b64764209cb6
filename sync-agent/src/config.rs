//! The sync-agent's configuration file. Every mistake is told with the file, the key and what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

use outbox::{DatabaseKey, KeyError};
use serde::Deserialize;
use vitals::config::{Checked, Mistakes};
use vitals::logging::LogConfig;

/// Where systemd keeps the running service's key.
const SERVICE_CREDENTIALS: &str = "/run/credentials/hilum-sync-agent.service";

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[device]`.
    pub device: DeviceConfig,
    /// `[broker]`.
    pub broker: BrokerConfig,
    /// `[drain]`.
    #[serde(default)]
    pub drain: DrainConfig,
    /// `[http]`.
    pub http: HttpConfig,
    /// `[log]`.
    #[serde(default)]
    pub log: LogConfig,
}

/// What it shares with the appliance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The folder that holds `outbox.sqlite`, the same as the appliance's.
    pub state_dir: PathBuf,
    /// File with the key of the database, 64 hexadecimal characters, as `hilum-appliance key database` writes it; not needed where
    /// systemd gives the credential `hilum-database`.
    pub database_key: Option<PathBuf>,
    /// The folder of the device's keys and papers, written by `enrol`.
    pub identity_dir: PathBuf,
}

impl DeviceConfig {
    /// The database that it shares with the appliance, and the key from wherever it is to be had.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn database(&self) -> Result<(PathBuf, DatabaseKey), KeyError> {
        let own = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        // A command that a technician types beside the running service has what root may read of the service's.
        let borrowed = || self.database_key.is_none().then(|| PathBuf::from(SERVICE_CREDENTIALS));
        let credentials = own.or_else(borrowed);
        let key = DatabaseKey::load(credentials.as_deref(), self.database_key.as_deref())?;
        Ok((self.state_dir.join("outbox.sqlite"), key))
    }
}

/// Where the cloud is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerConfig {
    /// The broker's name as in its certificate.
    pub host: String,
    /// 8883 by convention.
    pub port: u16,
    /// Seconds of silence after which the broker is asked whether it is there, 5 to 300. A line that is dead and does not say so
    /// is noticed within twice that.
    #[serde(default = "keep_alive_s")]
    pub keep_alive_s: u16,
}

/// A half-open line is noticed within a minute, and firewalls forget a silent one after five at the earliest.
const fn keep_alive_s() -> u16 {
    20
}

/// How fast the outbox is drained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrainConfig {
    /// Most messages without a receipt at any time, 1 to 256.
    pub window: u32,
}

/// Where its health and metrics are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; loopback unless a collector must reach it.
    pub listen: SocketAddr,
}

impl Default for DrainConfig {
    fn default() -> Self {
        // 32 messages of at most some 1.5 MB: 48 MB in flight, and at 50 ms to the cloud and back 640 messages a second.
        Self { window: 32 }
    }
}

impl Checked for Config {
    fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        self.log.mistakes(&mut mistakes.table("log"));
        let mut broker = mistakes.table("broker");
        let named = !self.broker.host.is_empty();
        broker.require(named, "host", "give the name in the broker's certificate, such as broker.example.org");
        broker.require(self.broker.port > 0, "port", "give the broker's TLS port, 8883 by convention");
        let heard = (5..=300).contains(&self.broker.keep_alive_s);
        broker.require(heard, "keep_alive_s", "use 5 to 300 seconds; 20 suits most lines");
        let window = (1..=256).contains(&self.drain.window);
        mistakes.table("drain").require(window, "window", "use 1 to 256 messages; 32 suits most lines");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use vitals::config;

    const GOOD: &str = r#"
[device]
state_dir = "state"
identity_dir = "identity"
[broker]
host = "localhost"
port = 8883
[http]
listen = "127.0.0.1:8082"
"#;

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let text = GOOD.replace("port = 8883", "port = 0\n[drain]\nwindow = 0").replace("identity_dir", "identity_dri");
        let words = config::parse::<Config>(Path::new("a.toml"), &text).unwrap_err().to_string();
        for mistake in ["a.toml:4: [device] identity_dri", "a.toml:7: [broker] port", "a.toml:9: [drain] window"] {
            assert!(words.contains(mistake), "{mistake}: {words}");
        }
    }

    #[test]
    fn every_mistake_names_the_file_and_the_key() {
        assert_eq!(config::parse::<Config>(Path::new("a.toml"), GOOD).unwrap().drain.window, 32);
        for (from, to, key) in [
            ("state_dir", "state", "state"),
            ("port = 8883", "port = 0.5", "port"),
            ("host = \"localhost\"", "host = \"\"", "[broker] host"),
            ("port = 8883", "port = 8883\nkeep_alive_s = 4", "[broker] keep_alive_s"),
            ("port = 8883", "port = 8883\nkeep_alive_s = 301", "[broker] keep_alive_s"),
            ("[http]", "[drain]\nwindow = 0\n[http]", "[drain] window"),
            ("[http]", "[drain]\nwindow = 257\n[http]", "[drain] window"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let words = vitals::exit::chain(
                &config::parse::<Config>(Path::new("a.toml"), &GOOD.replace(from, to)).unwrap_err(),
            );
            assert!(words.contains("a.toml") && words.contains(key), "{key}: {words}");
        }
    }
}
