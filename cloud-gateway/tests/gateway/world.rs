//! A gateway of one's own: SQLite and objects in a folder, HTTP on a port of its own, and a client that keeps cookies.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gateway::app::{self, Running};
use gateway::auth::password;
use gateway::auth::roles::Role;
use gateway::auth::sites::EVERY;
use gateway::auth::token::Alive;
use gateway::config::{
    AuthConfig, CaConfig, Config, DatabaseConfig, EstConfig, HttpConfig, IdentityConfig, MqttConfig, ObjectsConfig,
    ReviewConfig,
};
use gateway::domain::reading::Reading;
use gateway::domain::result;
use gateway::identity;
use gateway::live::Live;
use gateway::store::devices::NewDevice;
use gateway::store::results::NewResult;
use gateway::store::users::{self, UserRow};
use gateway::store::{Store, commit, devices, results, shadow, sites};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sqlx::Executor;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vitals::health::Health;
use wire::ids::{DeviceId, MessageId};
use wire::v1::{ResultV1, ShadowV1};

use super::papers::Papers;

/// The one password of every account here.
pub const PASSWORD: &str = "correct horse battery";

/// Sessions of any age that were used since then.
pub fn used_since(at: i64) -> Alive {
    Alive { used_since: at, opened_since: 0 }
}

/// A port on which nobody listens: binding and dropping it frees it.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One gateway and what belongs to it.
pub struct World {
    pub folder: TempDir,
    pub papers: Papers,
    pub runtime: Runtime,
    pub config: Config,
    /// A second door into the same database.
    pub store: Store,
    running: Option<(Running, CancellationToken)>,
    replica: Option<(Running, CancellationToken)>,
}

impl World {
    /// A gateway whose broker is not there.
    pub fn without_broker() -> Self {
        let mut world = Self::stopped();
        world.start();
        world
    }

    /// Everything made, nothing started.
    pub fn stopped() -> Self {
        Self::stopped_on(None)
    }

    /// The same on another database than SQLite.
    pub fn stopped_on(database: Option<String>) -> Self {
        // Another test of this process may have done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let papers = Papers::new(folder.path());
        let mut config = config(folder.path(), papers.mqtt("gateway", free_port()));
        config.database.url = database.unwrap_or(config.database.url);
        identity::init(&config.identity.hpke_key).unwrap();
        let runtime = Runtime::new().unwrap();
        let store = runtime.block_on(app::open_store(&config)).unwrap();
        Self { folder, papers, runtime, config, store, running: None, replica: None }
    }

    pub fn start(&mut self) {
        self.running = Some(self.launch());
    }

    /// A second gateway on the same database and broker; ready when this returns.
    pub fn start_replica(&mut self) {
        let replica = self.launch();
        let until = std::time::Instant::now() + super::broker::PATIENCE;
        while !replica.0.health.is_ready() {
            assert!(std::time::Instant::now() < until, "{:?}", replica.0.health.report());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        self.replica = Some(replica);
    }

    fn launch(&self) -> (Running, CancellationToken) {
        let (stop, health) = (CancellationToken::new(), Health::default());
        let signs_of_life = health.router(metrics());
        let started = app::start(self.config.clone(), health, signs_of_life, stop.clone());
        (self.runtime.block_on(started).unwrap(), stop)
    }

    pub fn stop(&mut self) {
        let (running, stop) = self.running.take().expect("it runs");
        stop.cancel();
        self.runtime.block_on(running.finish()).unwrap();
    }

    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").0.address
    }

    /// Where devices enrol.
    pub fn est_port(&self) -> u16 {
        self.running.as_ref().expect("it runs").0.est_address.expect("it takes devices in").port()
    }

    /// What it tells of changes.
    pub fn live(&self) -> &Live {
        &self.running.as_ref().expect("it runs").0.live
    }

    pub fn health(&self) -> &Health {
        &self.running.as_ref().expect("it runs").0.health
    }

    /// An account, logged in.
    pub fn client(&self, username: &str, role: Role) -> Client {
        self.add_user(username, role);
        self.logged_in(username)
    }

    /// An account that sees these sites, logged in.
    pub fn client_at(&self, username: &str, role: Role, granted: &[&str]) -> Client {
        self.add_user_at(username, role, granted);
        self.logged_in(username)
    }

    fn logged_in(&self, username: &str) -> Client {
        let mut client = self.stranger();
        assert_eq!(client.login(username, PASSWORD).status, 200);
        client
    }

    /// Nobody yet.
    pub fn stranger(&self) -> Client {
        Client::new(self.address())
    }

    /// An account that sees every site.
    pub fn add_user(&self, username: &str, role: Role) {
        self.add_user_at(username, role, &[EVERY]);
    }

    /// An account that sees these sites.
    pub fn add_user_at(&self, username: &str, role: Role, granted: &[&str]) {
        static HASH: OnceLock<String> = OnceLock::new();
        let user = UserRow {
            username: username.into(),
            display_name: format!("Dr {username}"),
            role: role.as_str().into(),
            password_hash: HASH.get_or_init(|| password::hash(PASSWORD).unwrap()).clone(),
            created_at: 0,
            disabled_at: None,
        };
        self.runtime.block_on(async {
            let mut work = self.store.begin().await.unwrap();
            assert!(users::add(&mut work, &user).await.unwrap());
            for site in granted {
                assert!(sites::grant(&mut work, username, site).await.unwrap());
            }
            commit(work).await.unwrap();
        });
    }

    /// A result of `demo-1`, as if it had come; its id.
    pub fn add_result(&self, number: u128, reading: &ResultV1) -> Uuid {
        self.add_result_of("demo-1", number, reading)
    }

    /// The same of another device.
    pub fn add_result_of(&self, device: &str, number: u128, reading: &ResultV1) -> Uuid {
        let (device, message): (DeviceId, _) = (device.parse().unwrap(), MessageId(Uuid::from_u128(number)));
        let row = NewResult {
            supersedes: None,
            id: result::id(&device, message),
            device: device.to_string(),
            message: message.to_string(),
            received_at: reading.received_at_ms,
            stored_at: reading.received_at_ms + 1_000,
            finding: result::finding(reading),
            urgency: result::urgency(reading),
            keys: result::keys(reading),
            payload: serde_json::to_string(reading).unwrap(),
            reading: Reading::of(reading),
        };
        self.runtime.block_on(async {
            let mut work = self.store.begin().await.unwrap();
            results::insert(&mut work, &row).await.unwrap();
            commit(work).await.unwrap();
        });
        row.id
    }

    /// A window of `demo-1`, as if it had come.
    pub fn add_shadow(&self, number: u128, window: &ShadowV1) {
        self.add_shadow_of("demo-1", number, window);
    }

    /// The same of another device.
    pub fn add_shadow_of(&self, device: &str, number: u128, window: &ShadowV1) {
        let (device, message) = (device.parse().unwrap(), MessageId(Uuid::from_u128(number)));
        self.runtime.block_on(async {
            let mut work = self.store.begin().await.unwrap();
            shadow::insert(&mut work, &device, message, window, window.to_ms).await.unwrap();
            commit(work).await.unwrap();
        });
    }

    /// A row for a device, without papers.
    pub fn add_device(&self, name: &str, sealing_key: &str) {
        self.runtime.block_on(add_device(&self.store, name, sealing_key));
    }

    /// The same at a site of one's choice.
    pub fn add_device_at(&self, name: &str, site: &str) {
        self.runtime.block_on(add_device_at(&self.store, name, "00", site));
    }
}

/// A database of its own in the cluster that `cargo xtask test` starts.
pub async fn fresh_postgres() -> String {
    let url = std::env::var("HILUM_TEST_POSTGRES")
        .expect("HILUM_TEST_POSTGRES is not set: run `cargo xtask test`, which starts a PostgreSQL for the tests");
    let cluster = Store::open(&url).await.unwrap();
    let name = format!("hilum_{}", Uuid::new_v4().simple());
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    cluster.pool().execute(create).await.unwrap();
    cluster.close().await;
    let (server, _) = url.rsplit_once('/').expect("postgres://USER@HOST:PORT/NAME");
    format!("{server}/{name}")
}

pub async fn add_device(store: &Store, name: &str, sealing_key: &str) {
    add_device_at(store, name, sealing_key, "st-mary").await;
}

pub async fn add_device_at(store: &Store, name: &str, sealing_key: &str, site: &str) {
    let device = NewDevice {
        id: name.parse().unwrap(),
        site: site.into(),
        sealing_key: sealing_key.into(),
        certificate_fingerprint: "00".into(),
        enrolled_at: 1_000,
    };
    let mut work = store.begin().await.unwrap();
    devices::enrol(&mut work, &device).await.unwrap();
    commit(work).await.unwrap();
}

fn config(folder: &Path, mqtt: MqttConfig) -> Config {
    let at = |name: &str| -> PathBuf { folder.join(name) };
    Config {
        http: HttpConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            dashboard_dir: at("dist"),
            public_url: None,
            // All tests come from one address; those of the limit set one.
            requests_per_minute: 0,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
        },
        database: DatabaseConfig { url: format!("sqlite:{}", at("gateway.sqlite").display()) },
        objects: ObjectsConfig { dir: at("objects") },
        mqtt,
        redis: None,
        identity: IdentityConfig { hpke_key: at("hpke.key") },
        ca: Some(CaConfig {
            certificate: at("ca.pem"),
            key: at("ca.key"),
            certificate_days: 90,
            crl: Some(at("ca.crl")),
            crl_days: 30,
        }),
        est: Some(EstConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: "https://localhost:8443".into(),
            certificate: at("broker.pem"),
            key: at("broker.key"),
            authorities: None,
        }),
        auth: AuthConfig::default(),
        review: ReviewConfig::default(),
        log: vitals::logging::LogConfig::default(),
    }
}

/// One recorder per process, whoever comes first.
fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| vitals::metrics::install().unwrap()).clone()
}

/// A browser without a screen.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    pub csrf: String,
}

/// What it got.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
        Self { agent: config.new_agent(), base: format!("http://{address}"), csrf: String::new() }
    }

    pub fn login(&mut self, username: &str, password: &str) -> Answer {
        let answer = self.post("/api/v1/session", &json!({ "username": username, "password": password }));
        if answer.status == 200 {
            self.csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
        }
        answer
    }

    /// A response whose body is still to come.
    pub fn open(&self, path: &str, header: (&str, &str)) -> ureq::http::Response<ureq::Body> {
        self.agent.get(format!("{}{path}", self.base)).header(header.0, header.1).call().unwrap()
    }

    pub fn head(&self, path: &str) -> Answer {
        // Without a body there is nothing to unpack.
        let request = self.agent.head(format!("{}{path}", self.base)).header("accept-encoding", "identity");
        answer(request.call().unwrap())
    }

    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(format!("{}{path}", self.base)).call().unwrap())
    }

    pub fn get_with(&self, path: &str, header: (&str, &str)) -> Answer {
        answer(self.agent.get(format!("{}{path}", self.base)).header(header.0, header.1).call().unwrap())
    }

    /// What a browser asks before a page of another origin may send something.
    pub fn preflight(&self, path: &str, origin: &str) -> Answer {
        let request = self.agent.options(format!("{}{path}", self.base)).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        answer(request.header("access-control-request-headers", "x-hilum-csrf").call().unwrap())
    }

    /// The same of a gateway that may be gone.
    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.agent.get(format!("{}{path}", self.base)).call().map(answer)
    }

    /// The same of a gateway that may be gone, over a connection of its own: one that is kept may be closed by the other end
    /// just when something is sent.
    pub fn try_post(&self, path: &str, body: &Value) -> Result<Answer, ureq::Error> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("connection", "close");
        request.header("x-hilum-csrf", &self.csrf).send_json(body).map(answer)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.base)).header("x-hilum-csrf", &self.csrf);
        answer(request.send_json(body).unwrap())
    }

    pub fn post_with(&self, path: &str, header: (&str, &str), body: &Value) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.base)).header("x-hilum-csrf", &self.csrf);
        answer(request.header(header.0, header.1).send_json(body).unwrap())
    }

    /// Any method, without a body and without the session's proof.
    pub fn ask_with(&self, method: &str, path: &str, header: (&str, &str)) -> Answer {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        answer(self.agent.run(request.header(header.0, header.1).body(()).unwrap()).unwrap())
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.put(format!("{}{path}", self.base)).header("x-hilum-csrf", &self.csrf);
        answer(request.send_json(body).unwrap())
    }

    pub fn delete(&self, path: &str) -> Answer {
        let request = self.agent.delete(format!("{}{path}", self.base)).header("x-hilum-csrf", &self.csrf);
        answer(request.call().unwrap())
    }
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = response.headers().iter().map(|(key, value)| (key.to_string(), text(value))).collect();
    Answer { status: response.status().as_u16(), headers, bytes: response.body_mut().read_to_vec().unwrap() }
}
