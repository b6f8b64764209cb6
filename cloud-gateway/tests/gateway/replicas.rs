//! Two gateways, each a process of its own, on one PostgreSQL and one Redis with TLS and a password; and what becomes of
//! them while Redis is gone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gateway::auth::lockout::MAX_FAILURES;
use gateway::auth::roles::Role;
use serde_json::json;

use super::broker::PATIENCE;
use super::world::{Answer, Client, PASSWORD, World, free_port, fresh_postgres};
use super::{events, samples};

/// The password of Redis.
const SECRET: &str = "redis-pass-phrase";

/// A process that ends with the test.
pub struct Program(Child);

impl Program {
    fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
    }

    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two gateways that share a database and a Redis.
struct Pair {
    world: World,
    redis_port: u16,
    redis: Option<Program>,
    ports: [u16; 2],
    _gateways: [Program; 2],
}

impl Pair {
    fn start(requests_per_minute: u32) -> Self {
        let database = tokio::runtime::Runtime::new().unwrap().block_on(fresh_postgres());
        let world = World::stopped_on(Some(database));
        let (redis_port, ports) = (free_port(), [free_port(), free_port()]);
        std::fs::write(world.folder.path().join("redis.password"), format!("{SECRET}\n")).unwrap();
        let gateways = ports.map(|port| gateway(&world, port, redis_port, requests_per_minute));
        let mut pair = Self { world, redis_port, redis: None, ports, _gateways: gateways };
        pair.until("each serves without Redis", |told| told.contains("Redis does not answer"));
        pair.start_redis();
        pair
    }

    fn start_redis(&mut self) {
        let at = |name: &str| self.world.folder.path().join(name);
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", "0", "--tls-port", &self.redis_port.to_string()]);
        command.args(["--tls-auth-clients", "no", "--requirepass", SECRET, "--save", "", "--appendonly", "no"]);
        command.arg("--tls-cert-file").arg(at("broker.pem")).arg("--tls-key-file").arg(at("broker.key"));
        command.arg("--tls-ca-cert-file").arg(at("ca.pem"));
        self.redis = Some(Program::start(command.current_dir(at("")), &at("redis.log")));
        self.until("both have found Redis", |told| told == "ok");
    }

    fn kill_redis(&mut self) {
        self.redis = None;
        self.until("both have missed Redis", |told| told.contains("Redis does not answer"));
    }

    /// Until both say of Redis what they should.
    fn until(&self, what: &str, said: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        for replica in [0, 1] {
            // Nobody listens yet where the process has only just begun.
            while !self.redis_told(replica).is_some_and(|told| said(&told)) {
                assert!(Instant::now() < until, "{what}: {:?}\n{}", self.redis_told(replica), self.log(replica));
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn redis_told(&self, replica: usize) -> Option<String> {
        std::net::TcpStream::connect(("127.0.0.1", self.ports[replica])).ok()?;
        let report = self.client(replica).get("/health/ready").json();
        report["parts"]["redis"].as_str().map(str::to_owned)
    }

    fn log(&self, replica: usize) -> String {
        std::fs::read_to_string(log(&self.world, self.ports[replica])).unwrap_or_default()
    }

    fn client(&self, replica: usize) -> Client {
        Client::new(SocketAddr::from(([127, 0, 0, 1], self.ports[replica])))
    }

    /// A request to a replica, from an address behind the proxy that this test is.
    fn ask(&self, replica: usize, address: &str) -> Answer {
        self.client(replica).get_with("/api/v1/session", ("x-forwarded-for", address))
    }

    fn sign_in(&self, replica: usize, address: &str, password: &str) -> Answer {
        let body = json!({ "username": "ada", "password": password });
        self.client(replica).post_with("/api/v1/session", ("x-forwarded-for", address), &body)
    }
}

pub fn log(world: &World, port: u16) -> PathBuf {
    world.folder.path().join(format!("gateway-{port}.log"))
}

pub fn gateway(world: &World, port: u16, redis_port: u16, requests_per_minute: u32) -> Program {
    let at = |name: &str| world.folder.path().join(name).display().to_string();
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:{port}\"\ndashboard_dir = \"{}\"\nrequests_per_minute = {requests_per_minute}\n\
         trusted_proxies = [\"127.0.0.0/8\"]\n[database]\nurl = \"{}\"\n[objects]\ndir = \"{}\"\n\
         [mqtt]\nhost = \"localhost\"\nport = {}\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
         [identity]\nhpke_key = \"{}\"\n\
         [redis]\nurl = \"rediss://localhost:{redis_port}\"\npassword_file = \"{}\"\nca = \"{}\"\n",
        at("dist"),
        world.config.database.url,
        at("objects"),
        world.config.mqtt.port,
        at("ca.pem"),
        at("gateway.pem"),
        at("gateway.key"),
        at("hpke.key"),
        at("redis.password"),
        at("ca.pem"),
    );
    let file = at(&format!("gateway-{port}.toml"));
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-gateway"));
    Program::start(command.args(["serve", "--config", &file]), &log(world, port))
}

#[test]
fn two_replicas_count_together_alone_while_redis_is_gone_and_together_again() {
    let mut pair = Pair::start(6);
    for (number, replica) in [0, 1, 1, 0, 0, 1].into_iter().enumerate() {
        let answer = pair.ask(replica, "192.0.2.1");
        assert_eq!(answer.status, 401, "request {number}");
        assert!(answer.header("ratelimit").starts_with(&format!("\"address\";r={};t=", 5 - number)), "{number}");
    }
    for replica in [0, 1] {
        let refused = pair.ask(replica, "192.0.2.1");
        assert_eq!((refused.status, refused.header("content-type")), (429, "application/problem+json"));
        assert_eq!(refused.header("ratelimit-policy"), "\"address\";q=6;w=60");
        assert!((1..=60).contains(&refused.header("retry-after").parse::<i64>().unwrap()));
        assert_eq!(refused.json()["type"], "urn:hilum:problem:too-many-requests");
        assert_eq!(pair.ask(replica, "192.0.2.2").status, 401, "another address");
        // Who sends it through this trusted proxy twice is still the one that the proxy saw.
        assert_eq!(pair.ask(replica, "192.0.2.3, 192.0.2.1").status, 429);
    }
    pair.kill_redis();
    let used_up = |replica| (0..6).all(|_| pair.ask(replica, "192.0.2.1").status == 401);
    assert!(used_up(0), "each begins to count by itself");
    assert_eq!(pair.ask(0, "192.0.2.1").status, 429);
    assert!(used_up(1), "and counts for nobody else");
    pair.start_redis();
    let statuses: Vec<u16> = (0..7).map(|number| pair.ask(number % 2, "192.0.2.1").status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 429], "Redis has kept nothing, and both count there again");
    assert!(!pair.log(0).contains(SECRET) && !pair.log(1).contains(SECRET));
}

#[test]
fn who_guesses_at_one_replica_is_locked_out_of_both_and_stays_so_without_redis() {
    let mut pair = Pair::start(0);
    pair.world.add_user("ada", Role::Reviewer);
    for attempt in 0..MAX_FAILURES {
        assert_eq!(pair.sign_in(0, "192.0.2.1", "a wrong guess").status, 401, "attempt {attempt}");
    }
    assert_eq!(pair.sign_in(1, "192.0.2.1", PASSWORD).status, 429, "the other replica knows");
    assert_eq!(pair.sign_in(1, "192.0.2.2", PASSWORD).status, 200, "ada herself is elsewhere");
    pair.kill_redis();
    assert_eq!(pair.sign_in(0, "192.0.2.1", PASSWORD).status, 429, "where it was guessed, it is remembered");
    pair.start_redis();
    assert_eq!(pair.sign_in(0, "192.0.2.1", PASSWORD).status, 429);
}

#[test]
fn what_changes_at_one_replica_is_heard_at_the_other_and_what_was_missed_without_redis_is_told() {
    let mut pair = Pair::start(0);
    pair.world.add_device("demo-1", "00");
    pair.world.add_user("ada", Role::Reviewer);
    let result = pair.world.add_result(1, &samples::read(0.9, 0)).to_string();
    let clients = [0, 1].map(|replica| {
        let mut client = pair.client(replica);
        assert_eq!(client.login("ada", PASSWORD).status, 200);
        client
    });
    let streams = clients.each_ref().map(events::listening);
    let judge = |replica: usize| {
        let path = format!("/api/v1/results/{result}/verdicts");
        assert_eq!(clients[replica].post(&path, &json!({ "verdict": "agree" })).status, 201);
    };
    let verdict = ("verdict".to_owned(), result.clone());
    for giver in [0, 1] {
        judge(giver);
        assert!(streams.iter().all(|stream| stream.change() == verdict), "given at replica {giver}");
    }
    pair.kill_redis();
    for stream in &streams {
        assert_eq!(stream.next().data, json!({ "whole": false }));
    }
    judge(0);
    assert_eq!(streams[0].change(), verdict, "one's own replica tells it still");
    pair.start_redis();
    for stream in &streams {
        // The other one never heard of the verdict: this is the next thing that it is told.
        assert_eq!(stream.next().data, json!({ "whole": true }));
        assert_eq!(stream.next().name, "resync");
    }
    judge(1);
    // Each replica's greeting may be one more reason to look at everything.
    assert!(streams.iter().all(|stream| stream.until("change").data["subject"] == result.as_str()));
    assert_eq!(clients[0].delete("/api/v1/session").status, 204);
    assert_eq!(streams[0].until("end").data, json!({ "why": "session_over" }));
    judge(1);
    assert_eq!(streams[1].until("change").data["subject"], result.as_str(), "another session of hers goes on");
}

#[test]
fn one_gateway_alone_limits_the_api_and_nothing_else() {
    let mut world = World::stopped();
    world.config.http.requests_per_minute = 2;
    world.start();
    let client = world.stranger();
    let statuses: Vec<u16> = (0..3).map(|_| client.get("/api/v1/session").status).collect();
    assert_eq!(statuses, [401, 401, 429]);
    assert_eq!(client.get("/api/docs/").status, 429);
    for path in ["/health/live", "/metrics", "/"] {
        let answer = client.get(path);
        assert_ne!(answer.status, 429, "{path}");
        assert_eq!(answer.header("ratelimit"), "", "{path}");
    }
    // Nobody is trusted to speak for others here.
    assert_eq!(client.get_with("/api/v1/session", ("x-forwarded-for", "192.0.2.1")).status, 429);
}
