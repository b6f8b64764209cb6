//! A configured service in a folder of its own, and what a test does to it: send, ask, look into its database, stop.

use super::onnxruntime::library;
use super::*;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_hilum-appliance");

/// A configured appliance in a folder of its own.
pub(crate) struct Lab {
    pub(crate) folder: TempDir,
    pub(crate) dicom: u16,
    pub(crate) http: u16,
}

/// Killed where a test ends early.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pseudonym.key"), "0a".repeat(32)).unwrap();
        give_key(&folder.path().join("at-rest.key"), "0b");
        let lab = Self { folder, dicom: free_port(), http: free_port() };
        lab.configure(|text| text);
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn configure(&self, change: impl FnOnce(String) -> String) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = format!(
            "[device]\nid = \"lab-1\"\nsite = \"Lab\"\nstate_dir = {state:?}\npseudonym_key = {key:?}\n\
             at_rest_key = {at_rest:?}\n\
             [dicom]\nlisten = \"127.0.0.1:{dicom}\"\nae_title = \"HILUM\"\n\
             [[dicom.allow]]\nae_title = \"XR-ROOM-1\"\n\
             [model]\nbundle = {bundle:?}\ntrusted_keys = [{publisher:?}]\nonnxruntime = {library:?}\nprovider = \"cpu\"\nthreads = 1\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n",
            state = self.path("state"),
            key = self.path("pseudonym.key"),
            at_rest = self.path("at-rest.key"),
            dicom = self.dicom,
            http = self.http,
            bundle = here.join("../reader/tests/models/tiny"),
            publisher = here.join("../reader/tests/models/tiny.pub"),
            library = library(),
        );
        std::fs::write(self.path("appliance.toml"), change(text)).unwrap();
    }

    pub(crate) fn start(&self) -> Running {
        let running = self.launch();
        eventually("ready", || self.get("/health/ready").is_some_and(|(status, _)| status == 200));
        running
    }

    /// Starts the service and waits for nothing. Files that grow beyond a limit are an error of the write, not its end.
    pub(crate) fn launch(&self) -> Running {
        self.launch_with(&[])
    }

    /// The same with variables in its environment.
    pub(crate) fn launch_with(&self, environment: &[(&str, &Path)]) -> Running {
        let config = self.path("appliance.toml");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\"", PROGRAM]).arg(config);
        let log = std::fs::File::options().create(true).append(true).open(self.path("service.log")).unwrap();
        Running(command.envs(environment.iter().copied()).stderr(log).spawn().unwrap())
    }

    /// Starts a service that cannot start: its status and its last words.
    pub(crate) fn failing(&self) -> (Option<i32>, String) {
        let output = run(&["serve", "--config", self.path("appliance.toml").to_str().unwrap()]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(crate) fn synth(&self, count: u32) -> PathBuf {
        self.draw(count, 5)
    }

    pub(crate) fn draw(&self, count: u32, seed: u32) -> PathBuf {
        let films = self.path(&format!("films-{seed}"));
        let (count, seed) = (count.to_string(), seed.to_string());
        let drawn = run(&["synth", "--count", &count, "--seed", &seed, "--out", films.to_str().unwrap()]);
        assert!(drawn.status.success(), "{drawn:?}");
        films
    }

    pub(crate) fn send(&self, path: &Path) -> Output {
        self.sender(path).output().unwrap()
    }

    pub(crate) fn sender(&self, path: &Path) -> Command {
        self.sender_from("XR-ROOM-1", path)
    }

    pub(crate) fn sender_from(&self, title: &str, path: &Path) -> Command {
        let mut sender = Command::new(PROGRAM);
        let to = format!("HILUM@127.0.0.1:{}", self.dicom);
        sender.args(["send", "--to", &to, "--from", title]).arg(path);
        sender
    }

    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent.get(format!("http://127.0.0.1:{}{path}", self.http)).call().ok()?;
        Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
    }

    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::open(&self.path("state/outbox.sqlite"), &self.database_key()).unwrap()
    }

    /// As the sync-agent gets it: once, from a configuration that is whole.
    pub(crate) fn database_key(&self) -> DatabaseKey {
        let (config, key) = (self.path("appliance.toml"), self.path("database.key"));
        if !key.exists() {
            let made = run(&["key", "database", "--config", config.to_str().unwrap(), "--out", key.to_str().unwrap()]);
            assert!(made.status.success(), "{made:?}");
        }
        DatabaseKey::load(None, Some(&key)).unwrap()
    }

    pub(crate) fn await_concluded(&self, count: u64) {
        eventually("every image concluded", || {
            let counts = self.outbox().journal_counts().unwrap();
            counts.accepted == 0 && counts.concluded == count
        });
    }

    /// All messages, as the sync-agent would get them.
    pub(crate) fn messages(&self) -> (Vec<ResultV1>, Vec<ImageV1>) {
        let mut outbox = self.outbox();
        let leased = outbox.lease(1000, 0, 1).unwrap();
        outbox.end_leases().unwrap();
        let of = |kind| leased.iter().filter(move |message| message.kind == kind);
        let results = of(Up::Result).map(|message| codec::decode(&message.payload).unwrap()).collect();
        let images = of(Up::Image).map(|message| {
            let mut image: ImageV1 = codec::decode(&message.payload).unwrap();
            image.preview.unpack().unwrap();
            image
        });
        (results, images.collect())
    }
}

/// Asks a service to stop: it must do so well, and within what its unit allows.
pub(crate) fn stop(mut service: Running) {
    let asked = Command::new("kill").args(["-TERM", &service.0.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let began = Instant::now();
    assert!(service.0.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(30), "stopped after {:?}", began.elapsed());
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Lets a running service write files of at most so many bytes.
pub(crate) fn limit_files(service: &Running, bytes: &str) {
    let limited =
        Command::new("prlimit").arg(format!("--pid={}", service.0.id())).arg(format!("--fsize={bytes}:")).status();
    assert!(limited.unwrap().success());
}

/// A key of 32 bytes `byte`, for its owner alone.
pub(crate) fn give_key(file: &Path, byte: &str) {
    std::fs::write(file, byte.repeat(32)).unwrap();
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
