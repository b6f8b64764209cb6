//! The gateway's configuration file. Every mistake is told with the file, the key and what to do; nothing is guessed.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use vitals::config::{Checked, Mistakes};
use vitals::logging::LogConfig;

use crate::api::cross_origin::is_origin;
use crate::auth::roles::Role;

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
    /// `[redis]`; only replicas need it.
    pub redis: Option<RedisConfig>,
    /// `[identity]`.
    pub identity: IdentityConfig,
    /// `[ca]`; only who takes devices in needs it, so that other replicas need not hold the authority's key.
    pub ca: Option<CaConfig>,
    /// `[est]`; where devices enrol over the network. It needs `[ca]`.
    pub est: Option<EstConfig>,
    /// `[auth]`.
    #[serde(default)]
    pub auth: AuthConfig,
    /// `[review]`.
    #[serde(default)]
    pub review: ReviewConfig,
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
    /// Requests that one address may send to the API in any 60 s; 0 for as many as it likes.
    #[serde(default = "default_requests_per_minute")]
    pub requests_per_minute: u32,
    /// Blocks of addresses of the proxies in front, whose word in `X-Forwarded-For` is believed. Nobody else's is.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// Other origins whose pages may ask the API, such as `https://ris.example.org`; none by default.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
}

/// What accounts must have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Roles that may do nothing until they have a second factor; everybody else may have one.
    #[serde(default)]
    pub second_factor_required: Vec<Role>,
}

impl AuthConfig {
    /// Whether this role must have one.
    #[must_use]
    pub fn requires_second_factor(&self, role: Role) -> bool {
        self.second_factor_required.contains(&role)
    }
}

/// How results are read.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewConfig {
    /// Share of results, 0 to 1, that a second reader reads, too; drawn by their names.
    #[serde(default)]
    pub second_read_share: f64,
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

/// What replicas know together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://[USER@]HOST[:PORT][/NUMBER]`, or `rediss://` for TLS. Without a password.
    pub url: String,
    /// A file with the password, where one is asked for.
    pub password_file: Option<PathBuf>,
    /// Authorities that the server's certificate is checked against, PEM; the machine's own where absent.
    pub ca: Option<PathBuf>,
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
    /// How long a device's certificate is good for, 1 to 825 days.
    #[serde(default = "default_certificate_days")]
    pub certificate_days: u16,
    /// Where the list of revoked certificates is written, PEM, for the broker.
    pub crl: Option<PathBuf>,
    /// How long that list is good for, 2 to 365 days. It is written anew each day.
    #[serde(default = "default_crl_days")]
    pub crl_days: u16,
}

/// Where devices enrol (RFC 7030).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// What devices call, `https://HOST:PORT`.
    pub public_url: String,
    /// The server's certificate, PEM, with those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// What devices check that certificate against, PEM; `[ca] certificate` where absent.
    pub authorities: Option<PathBuf>,
}

/// A limit remembers the times of as many requests of each address: more than this would be memory for nothing.
const MOST_REQUESTS_PER_MINUTE: u32 = 10_000;

/// Long enough for a device that stands in a cupboard over the holidays, short enough that a stolen one ends by itself.
fn default_certificate_days() -> u16 {
    90
}

/// An expired list makes a broker refuse everybody: this is how long the gateway may be down before that.
fn default_crl_days() -> u16 {
    30
}

/// Five times what the dashboard asks while somebody walks through studies, and too little to read out a work list.
fn default_requests_per_minute() -> u32 {
    100
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
        if let Some(ca) = &self.ca {
            let mut table = mistakes.table("ca");
            let life = (1..=825).contains(&ca.certificate_days);
            table.require(life, "certificate_days", "use 1 to 825 days; 90 suits most");
            let list = (2..=365).contains(&ca.crl_days);
            table.require(list, "crl_days", "use 2 to 365 days: longer than the gateway is ever down");
        }
        if let Some(est) = &self.est {
            let mut table = mistakes.table("est");
            let address = est.public_url.strip_prefix("https://").is_some_and(|host| !host.is_empty());
            let bare = address && !est.public_url[8..].contains('/');
            table.require(bare, "public_url", "write https://HOST:PORT as devices call it, without a path");
            table.require(self.ca.is_some(), "listen", "add [ca]: who takes devices in has to sign for them");
        }
        let database = self.database.url.starts_with("sqlite:") || self.database.url.starts_with("postgres");
        let remedy = "use \"sqlite:PATH\" or \"postgres://USER:PASSWORD@HOST/NAME\"";
        mistakes.table("database").require(database, "url", remedy);
        let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        let public = self.http.public_url.as_ref().is_none_or(web);
        let remedy = "begin it with https:// (or http:// for a demonstration)";
        let mut http = mistakes.table("http");
        http.require(public, "public_url", remedy);
        let few = self.http.requests_per_minute <= MOST_REQUESTS_PER_MINUTE;
        http.require(few, "requests_per_minute", "use 1 to 10000, or 0 for no limit");
        let origins = self.http.allowed_origins.iter().all(|origin| is_origin(origin));
        http.require(origins, "allowed_origins", "write each as https://HOST[:PORT], small letters, nothing after it");
        let share = (0.0..=1.0).contains(&self.review.second_read_share);
        mistakes.table("review").require(share, "second_read_share", "use a share, 0.0 to 1.0");
        if let Some(redis) = &self.redis {
            redis.mistakes(mistakes);
        }
    }
}

impl RedisConfig {
    fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        let mut table = mistakes.table("redis");
        let rest = self.url.strip_prefix("redis://").or_else(|| self.url.strip_prefix("rediss://"));
        let remedy = "write redis://HOST:PORT, or rediss://HOST:PORT for TLS";
        table.require(rest.is_some_and(|rest| !rest.is_empty()), "url", remedy);
        let password = rest.and_then(|rest| rest.split_once('@')).is_some_and(|(account, _)| account.contains(':'));
        table.require(!password, "url", "put the password into a file of its own and name that in password_file");
        let tls = self.ca.is_none() || self.url.starts_with("rediss://");
        table.require(tls, "ca", "begin the url with rediss://, or leave ca away");
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
        assert!(config.ca.is_none() && config.est.is_none() && config.redis.is_none());
        assert_eq!((config.http.requests_per_minute, config.http.trusted_proxies.len()), (100, 0));
    }

    const TAKES_DEVICES_IN: &str = "[ca]\ncertificate = \"ca.pem\"\nkey = \"ca.key\"\n[est]\n\
        listen = \"127.0.0.1:8443\"\npublic_url = \"https://localhost:8443\"\n\
        certificate = \"est.pem\"\nkey = \"est.key\"\n";

    #[test]
    fn who_takes_devices_in_has_an_address_an_authority_and_sane_lives() {
        let whole = format!("{GOOD}{TAKES_DEVICES_IN}");
        let config = config::parse::<Config>(Path::new("gateway.toml"), &whole).unwrap();
        let ca = config.ca.unwrap();
        assert_eq!((ca.certificate_days, ca.crl_days), (90, 30));
        for (from, to, key) in [
            ("https://localhost:8443", "http://localhost:8443", "[est] public_url"),
            ("https://localhost:8443", "https://localhost/est", "[est] public_url"),
            ("https://localhost:8443", "https://", "[est] public_url"),
            ("key = \"ca.key\"", "key = \"ca.key\"\ncertificate_days = 0", "[ca] certificate_days"),
            ("key = \"ca.key\"", "key = \"ca.key\"\ncrl_days = 1", "[ca] crl_days"),
            ("[ca]\ncertificate = \"ca.pem\"\nkey = \"ca.key\"\n", "", "[est] listen"),
        ] {
            assert!(whole.contains(from), "{from}");
            let words = refusal(&whole.replace(from, to));
            assert!(words.contains(key), "{key}: {words}");
        }
    }

    #[test]
    fn the_example_is_a_configuration_and_so_is_everything_commented_out_in_it() {
        let example = include_str!("../gateway.example.toml");
        assert!(config::parse::<Config>(Path::new("example"), example).unwrap().ca.is_some());
        let is_setting = |rest: &&str| rest.contains(" = ") || rest.starts_with('[');
        let setting = |line: &str| line.strip_prefix("# ").filter(is_setting).map(str::to_owned);
        let whole: Vec<String> = example.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned())).collect();
        let config = config::parse::<Config>(Path::new("example"), &whole.join("\n")).unwrap();
        assert_eq!((config.mqtt.group.as_str(), config.log.level.as_str()), ("gateway", "info"));
        assert!(config.redis.is_some() && config.http.trusted_proxies.len() == 1);
        assert!(config.auth.requires_second_factor(Role::Administrator));
        assert_eq!(config.http.allowed_origins.len(), 1);
        assert!(config.http.public_url.is_some() && config.est.is_some_and(|est| est.authorities.is_some()));
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
            ("[objects]", "requests_per_minute = 1\n[objects]", "requests_per_minute"),
            ("[database]", "requests_per_minute = 10001\n[database]", "[http] requests_per_minute"),
            ("[database]", "trusted_proxies = [\"proxy\"]\n[database]", "trusted_proxies"),
            ("[mqtt]", "[auth]\nsecond_factor_required = [\"root\"]\n[mqtt]", "second_factor_required"),
            ("[database]", "allowed_origins = [\"*\"]\n[database]", "[http] allowed_origins"),
            ("[mqtt]", "[redis]\nurl = \"localhost:6379\"\n[mqtt]", "[redis] url"),
            ("[mqtt]", "[redis]\nurl = \"redis://:s3cret@localhost\"\n[mqtt]", "password_file"),
            ("[mqtt]", "[redis]\nurl = \"redis://localhost\"\nca = \"ca.pem\"\n[mqtt]", "[redis] ca"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let words = refusal(&GOOD.replace(from, to));
            assert!(words.contains("gateway.toml") && words.contains(key), "{key}: {words}");
        }
    }
}
