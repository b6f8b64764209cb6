//! Debian's packages: a table of what is needed, how it is noticed, and who needs it.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::For;
use crate::shell;
use crate::step::Steps;

/// One thing that a package brings.
struct Need {
    /// Debian's package.
    package: &'static str,
    /// How one notices that it is there.
    sign: Sign,
    /// Who needs it.
    purpose: For,
}

/// How one notices that something is installed, however it came there.
enum Sign {
    /// A program on `PATH` or in `/usr/sbin`.
    Program(&'static str),
    /// Any file whose path is this.
    File(&'static str),
    /// A folder with something in it.
    Folder(&'static str),
    /// `pkg-config --exists`.
    Library(&'static str),
    /// `python3 -c "import …"`.
    Module(&'static str),
}

const NEEDS: &[Need] = &[
    // What crates are built with: CharLS and OpenJPEG are C++ and C, the services speak to systemd.
    need("pkg-config", Sign::Program("pkg-config"), For::Demo),
    need("libsystemd-dev", Sign::Library("libsystemd"), For::Demo),
    need("cmake", Sign::Program("cmake"), For::Demo),
    need("make", Sign::Program("make"), For::Demo),
    // With make, what OpenSSL's libcrypto is built with, for SQLCipher; perl-base alone lacks modules, and has no `prove`.
    need("perl", Sign::Program("prove"), For::Demo),
    need("g++", Sign::Program("c++"), For::Demo),
    // What the demo runs, and looks with.
    need("mosquitto", Sign::Program("mosquitto"), For::Demo),
    // What the tests run against.
    need("mosquitto-clients", Sign::Program("mosquitto_pub"), For::Test),
    need("curl", Sign::Program("curl"), For::Test),
    need("openssl", Sign::Program("openssl"), For::Test),
    need("postgresql", Sign::Folder("/usr/lib/postgresql"), For::Test),
    need("postgresql-client", Sign::Program("psql"), For::Test),
    need("redis-server", Sign::Program("redis-server"), For::Test),
    need("dcmtk", Sign::Program("storescu"), For::Test),
    need("dicom3tools", Sign::Program("dciodvfy"), For::Test),
    need("libgdcm-tools", Sign::Program("gdcmconv"), For::Test),
    need("orthanc", Sign::Program("Orthanc"), For::Test),
    need("chromium", Sign::Program("chromium"), For::Test),
    // A browser without a font shows a page without words.
    need("fonts-dejavu-core", Sign::File("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"), For::Test),
    need("systemd", Sign::Program("systemd-analyze"), For::Test),
    need("python3-venv", Sign::Module("ensurepip"), For::Test),
    // Another clock for one program, and packets that are lost.
    need("faketime", Sign::Program("faketime"), For::Test),
    need("nftables", Sign::Program("nft"), For::Test),
    need("git", Sign::Program("git"), For::Test),
];

const fn need(package: &'static str, sign: Sign, purpose: For) -> Need {
    Need { package, sign, purpose }
}

/// Installs what is missing, as root; else says the one command that does.
///
/// # Errors
/// That command, or what apt said.
pub(crate) fn install(steps: &mut Steps, purpose: For) -> anyhow::Result<()> {
    let missing = missing(purpose);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_root() {
        bail!(
            "these Debian packages are missing, and installing them needs root. Run this, then the same command again:\n\n    \
             sudo apt-get update && sudo apt-get install --no-install-recommends {packages}\n"
        );
    }
    steps.run("Debian's package lists", |line| shell::quietly("apt-get update", apt().args(["-q", "update"]), line))?;
    steps.run(&format!("Debian packages: {packages}"), |line| {
        let mut install = apt();
        install.args(["-q", "-y", "--no-install-recommends", "install"]).args(&missing);
        shell::quietly("apt-get install", &mut install, line)
    })
}

fn missing(purpose: For) -> Vec<&'static str> {
    NEEDS.iter().filter(|need| need.purpose <= purpose && !need.sign.is_there()).map(|need| need.package).collect()
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    // Nobody is there to answer a question; a service that a package brings is started by us, on a port of our own.
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "Dpkg::Use-Pty=0"]);
    command
}

fn is_root() -> bool {
    shell::succeeds("sh", &["-c", "test \"$(id -u)\" = 0"])
}

impl Sign {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => shell::find(name).is_some(),
            Self::File(path) => Path::new(path).is_file(),
            Self::Folder(path) => std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
            Self::Library(name) => shell::succeeds("pkg-config", &["--exists", name]),
            Self::Module(name) => shell::succeeds("python3", &["-c", &format!("import {name}")]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_need_all_that_the_demo_needs() {
        assert!(For::Demo < For::Test);
        assert!(NEEDS.iter().any(|need| need.purpose == For::Demo && need.package == "mosquitto"));
    }

    #[test]
    fn what_is_there_is_seen_and_what_is_not_is_missed() {
        assert!(Sign::Program("sh").is_there() && !Sign::Program("hilum-no-such-program").is_there());
        assert!(Sign::File("/etc/passwd").is_there() && !Sign::File("/etc/hilum-no-such-file").is_there());
        assert!(Sign::Folder("/etc").is_there() && !Sign::Folder("/hilum-no-such-folder").is_there());
        assert!(Sign::Module("sys").is_there() && !Sign::Module("hilum_no_such_module").is_there());
    }
}
