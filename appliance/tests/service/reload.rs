//! A running service that is told to read its configuration again, with dcmtk's storescp as the hospital's archive.

use outbox::DeliveryState;

use super::*;

/// An archive that takes whatever it is given.
pub(super) struct Archive {
    folder: PathBuf,
    port: u16,
}

impl Archive {
    pub(super) fn new(lab: &Lab, name: &str) -> Self {
        let folder = lab.path(name);
        std::fs::create_dir(&folder).unwrap();
        Self { folder, port: free_port() }
    }

    pub(super) fn open(&self) -> Running {
        self.with(&[])
    }

    pub(super) fn with(&self, arguments: &[&str]) -> Running {
        let mut archive = Command::new("storescp");
        archive.args(arguments).args(["-aet", "ARCHIVE", "-od"]).arg(&self.folder).arg(self.port.to_string());
        let archive = archive.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let archive = Running(archive.unwrap_or_else(|error| {
            panic!("storescp cannot be run ({error}); install it with: apt-get install dcmtk")
        }));
        eventually("the archive answers", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        archive
    }

    pub(super) fn holds(&self) -> usize {
        std::fs::read_dir(&self.folder).unwrap().count()
    }

    /// A destination and a route to it.
    pub(super) fn toml(&self, name: &str) -> String {
        format!(
            "[[destination]]\nname = \"{name}\"\nkind = \"dicom\"\naddress = \"ARCHIVE@127.0.0.1:{}\"\n\
             commitment = false\n[[route]]\nto = [\"{name}\"]\n",
            self.port
        )
    }
}

impl Lab {
    /// Writes another configuration and has it read.
    fn reload(&self, service: &Running, change: impl FnOnce(String) -> String) {
        let reloads = || {
            let (_, metrics) = self.get("/metrics").unwrap();
            let counted = metrics.lines().filter(|line| line.starts_with("configuration_reloads_total{"));
            counted.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        let before = reloads();
        self.configure(change);
        assert!(Command::new("kill").args(["-HUP", &service.0.id().to_string()]).status().unwrap().success());
        eventually("read again", || reloads() > before);
    }

    pub(super) fn delivered(&self, to: &str, state: DeliveryState) -> u64 {
        let counts = self.outbox().delivery_counts().unwrap();
        counts.iter().filter(|one| one.destination == to && one.state == state).map(|one| one.count).sum()
    }

    pub(super) fn told(&self) -> String {
        self.get("/").unwrap().1
    }
}

#[test]
fn a_new_destination_is_given_the_next_image() {
    let lab = Lab::new();
    let [first, second, third] = [1, 2, 3].map(|seed| lab.draw(1, seed));
    let archive = Archive::new(&lab, "archive");
    let (_archive, service) = (archive.open(), lab.start());
    assert!(lab.send(&first).status.success());
    lab.await_concluded(1);

    lab.reload(&service, |text| text + &archive.toml("pacs"));
    assert!(lab.told().contains("and is in force"), "{}", lab.told());
    assert!(lab.send(&second).status.success());
    eventually("a report and a picture of the second alone", || lab.delivered("pacs", DeliveryState::Delivered) == 2);
    assert_eq!(archive.holds(), 2);

    // A slip of the finger, and the route is gone: neither comes into force.
    lab.reload(&service, |text| text.replace("[[dicom.allow]]", "[[dicom.alow]]"));
    let page = lab.told();
    assert!(page.contains("not taken; the one before stays") && page.contains("attention: configuration"), "{page}");
    let (_, metrics) = lab.get("/metrics").unwrap();
    assert!(metrics.lines().any(|line| line == "configuration_last_reload_successful 0"), "{metrics}");
    assert!(lab.send(&third).status.success());
    eventually("the third, by the rules before", || lab.delivered("pacs", DeliveryState::Delivered) == 4);

    lab.reload(&service, |text| text + &archive.toml("pacs"));
    assert!(lab.told().contains("Everything works"), "{}", lab.told());
    stop(service);
}

/// All or nothing: rules that are fine wait for a file that is not.
#[test]
fn a_file_that_is_not_there_keeps_everything_as_it_was() {
    let lab = Lab::new();
    let (good, bad) = (lab.path("good.token"), lab.path("bad.token"));
    std::fs::write(&good, "0123456789abcdef0123456789abcdef").unwrap();
    let archive = Archive::new(&lab, "archive");
    let stow = |file: &Path| {
        format!("[stow]\nlisten = \"127.0.0.1:0\"\n[[stow.client]]\nname = \"PACS\"\ntoken_file = {file:?}\n")
    };
    lab.configure(|text| text + &stow(&good));
    let service = lab.start();
    lab.reload(&service, |text| text + &stow(&bad) + &archive.toml("pacs"));
    let page = lab.told();
    assert!(page.contains("bad.token cannot be read") && page.contains("not taken"), "{page}");
    assert!(lab.send(&lab.synth(1)).status.success());
    lab.await_concluded(1);
    assert_eq!(lab.outbox().delivery_counts().unwrap(), []);
    stop(service);
}

#[test]
fn what_waits_for_a_destination_that_went_stays_and_is_told() {
    let lab = Lab::new();
    let archive = Archive::new(&lab, "archive");
    lab.configure(|text| text + &archive.toml("pacs"));
    let service = lab.start();
    assert!(lab.send(&lab.synth(1)).status.success());
    eventually("two reports wait", || lab.delivered("pacs", DeliveryState::Waiting) == 2);

    lab.reload(&service, |text| text);
    let words = "2 reports wait for pacs, which is no longer in the configuration";
    eventually("it is told", || lab.told().contains(words));
    assert_eq!(lab.delivered("pacs", DeliveryState::Waiting), 2);

    let _archive = archive.open();
    lab.reload(&service, |text| text + &archive.toml("pacs"));
    eventually("it is sent all the same", || lab.delivered("pacs", DeliveryState::Delivered) == 2);
    eventually("and told no more", || !lab.told().contains(words));
    stop(service);
}
