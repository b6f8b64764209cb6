//! The gateway's configuration file. Every mistake is told with the file, the key and what to do; nothing is guessed.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use vitals::config::{Checked, Mistakes};
use vitals::logging::LogConfig;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[http]`.
    pub http: HttpConfig,
    /// `[database]`.
    pub database: DatabaseConfig,
    /// `[objects]`.
    pub objects: ObjectsConfig,
    /// `[mqtt]`.
    pub mqtt: MqttConfig,
    /// `[identity]`.
    pub identity: IdentityConfig,
    /// `[ca]`; only `enrol` needs it, so that a serving replica need not hold the authority's key.
    pub ca: Option<CaConfig>,
    /// `[log]`.
    #[serde(default)]
    pub log: LogConfig,
}

/// Where people come in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// The dashboard's built files.
    pub dashboard_dir: PathBuf,
    /// The address that browsers use, where a proxy stands in front; with `https://` the session cookie is `Secure`.
    pub public_url: Option<String>,
}

/// Where results are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
}

/// Where images are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectsConfig {
    /// A directory.
    pub dir: PathBuf,
}

/// Where devices' messages come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// The broker's name as in its certificate.
    pub host: String,
    /// 8883 by convention.
    pub port: u16,
    /// Authorities that the broker's certificate is checked against, PEM.
    pub ca: PathBuf,
    /// The gateway's own certificate, PEM, common name `gateway`.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Name of the shared subscription; replicas of one gateway share it.
    #[serde(default = "default_group")]
    pub group: String,
}

/// Who the gateway is to its devices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// X25519 private key that payloads are sealed to; made by `cloud-gateway identity init`.
    pub hpke_key: PathBuf,
}

/// Who vouches for devices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaConfig {
    /// The authority's certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

fn default_group() -> String {
    "gateway".to_owned()
}

impl Checked for Config {
    fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        self.log.mistakes(&mut mistakes.table("log"));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let group = !self.mqtt.group.is_empty() && self.mqtt.group.chars().all(plain);
        let mut mqtt = mistakes.table("mqtt");
        mqtt.require(group, "group", "use letters, digits, '-' and '_'");
        let named = !self.mqtt.host.is_empty();
        mqtt.require(named, "host", "give the name in the broker's certificate, such as broker.example.org");
        mqtt.require(self.mqtt.port > 0, "port", "give the broker's TLS port, 8883 by convention");
        let database = self.database.url.starts_with("sqlite:") || self.database.url.starts_with("postgres");
        let remedy = "use \"sqlite:PATH\" or \"postgres://USER:PASSWORD@HOST/NAME\"";
        mistakes.table("database").require(database, "url", remedy);
        let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        let public = self.http.public_url.as_ref().is_none_or(web);
        let remedy = "begin it with https:// (or http:// for a demonstration)";
        mistakes.table("http").require(public, "public_url", remedy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use vitals::config;

    const GOOD: &str = r#"
[http]
listen = "127.0.0.1:8080"
dashboard_dir = "dist"
[database]
url = "sqlite:gateway.sqlite"
[objects]
dir = "objects"
[mqtt]
host = "localhost"
port = 8883
ca = "ca.pem"
certificate = "gateway.pem"
key = "gateway.key"
[identity]
hpke_key = "hpke.key"
"#;

    fn refusal(text: &str) -> String {
        vitals::exit::chain(&config::parse::<Config>(Path::new("gateway.toml"), text).unwrap_err())
    }

    #[test]
    fn the_shortest_file_is_enough() {
        let config = config::parse::<Config>(Path::new("gateway.toml"), GOOD).unwrap();
        assert_eq!(config.mqtt.group, "gateway");
        assert!(config.ca.is_none());
    }

    #[test]
    fn the_example_is_a_configuration_and_so_is_everything_commented_out_in_it() {
        let example = include_str!("../gateway.example.toml");
        assert!(config::parse::<Config>(Path::new("example"), example).unwrap().ca.is_some());
        let setting = |line: &str| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).map(str::to_owned);
        let whole: Vec<String> = example.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned())).collect();
        let config = config::parse::<Config>(Path::new("example"), &whole.join("\n")).unwrap();
        assert_eq!((config.mqtt.group.as_str(), config.log.level.as_str()), ("gateway", "info"));
        assert!(config.http.public_url.is_some());
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let words = refusal(&GOOD.replace("sqlite:gateway.sqlite", "mysql://u:s3cret@h").replace("8883", "\"x\""));
        assert!(words.contains("gateway.toml:6: [database] url") && words.contains("gateway.toml:11: [mqtt] port"));
        assert!(!words.contains("s3cret"), "{words}");
    }

    #[test]
    fn every_mistake_names_the_file_and_the_key() {
        for (from, to, key) in [
            ("[objects]\ndir", "[objects]\nfolder", "folder"),
            ("listen = \"127.0.0.1:8080\"", "listen = \"everywhere\"", "listen"),
            ("port = 8883", "port = 99999", "port"),
            ("[identity]\nhpke_key = \"hpke.key\"", "", "identity"),
            ("port = 8883", "port = 8883\ngroup = \"a/b\"", "[mqtt] group"),
            ("sqlite:gateway.sqlite", "mysql://x", "[database] url"),
            ("dashboard_dir = \"dist\"", "dashboard_dir = \"dist\"\npublic_url = \"x\"", "[http] public_url"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let words = refusal(&GOOD.replace(from, to));
            assert!(words.contains("gateway.toml") && words.contains(key), "{key}: {words}");
        }
    }
}
