//! `lookup`: from a pseudonym, as the dashboard shows it, to the study it stands for. On this device only, for whoever may
//! read its keys; every look is noted in the device's database, with the user and the pseudonym, never with the answer.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use outbox::{Entry, Found, Outbox};

use super::database;
use crate::config::Config;
use crate::health::words;
use crate::ledger::Whose;
use crate::world::World;

/// Shortest beginning of a pseudonym that is looked for: two of a million images share four characters, and whoever types
/// fewer means something else.
const SHORTEST: usize = 4;
/// Pseudonyms that are listed where a beginning fits several.
const LISTED: u32 = 10;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The pseudonym of a study, an image or a patient, or its beginning.
    #[arg(required_unless_present = "log")]
    pseudonym: Option<String>,
    /// Configuration file.
    #[arg(long, default_value = "/etc/hilum/appliance.toml")]
    config: PathBuf,
    /// Show who looked at what.
    #[arg(long)]
    log: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config: Config = vitals::config::load(&arguments.config)?;
    let mut outbox = database::open(&config.device)?;
    let Some(asked) = &arguments.pseudonym else { return log(&outbox) };
    let key = database::key(&config.device)?;
    let pseudonym = whole(&outbox, asked, config.lookup.keep_days)?;
    let now_ms = (World::real().now_ms)();
    let found = outbox.look_up(&pseudonym, &who(), now_ms).context("nothing is shown that cannot be noted")?;
    println!("{pseudonym}: {}", words::counted(found.len() as u64, "image", "images"));
    for Found { entry, identity } in &found {
        show(entry, identity.as_deref().map(|sealed| Whose::open(&key, sealed)).transpose()?.as_ref());
    }
    Ok(ExitCode::SUCCESS)
}

/// The one pseudonym that is meant.
fn whole(outbox: &Outbox, asked: &str, keep_days: u32) -> anyhow::Result<String> {
    let plain: String = asked.chars().filter(char::is_ascii_alphanumeric).collect();
    let beginning = plain.to_ascii_lowercase();
    if beginning.len() < SHORTEST {
        bail!("\"{asked}\" is too short; give at least the first {SHORTEST} characters of the pseudonym");
    }
    let mut known = outbox.pseudonyms_like(&beginning, LISTED)?;
    match known.len() {
        0 => bail!(
            "no image here has the pseudonym {beginning}; it belongs to another device, or its image is older than the \
             {keep_days} days of [lookup] keep_days"
        ),
        1 => Ok(known.remove(0)),
        _ if known.contains(&beginning) => Ok(beginning),
        _ => {
            bail!("several pseudonyms begin with {beginning}; give more of the one you mean:\n  {}", known.join("\n  "))
        }
    }
}

fn show(entry: &Entry, whose: Option<&Whose>) {
    let empty = Whose::default();
    let whose = whose.unwrap_or(&empty);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "not in the header".to_owned());
    println!();
    println!("  accession number  {}", or_none(&whose.accession_number));
    println!("  patient ID        {}", or_none(&whose.patient_id));
    println!("  study date        {}", or_none(&whose.study_date));
    println!("  study UID         {}", or_none(&whose.study_instance_uid));
    println!("  received from     {}", entry.source);
    println!("  concluded         {}", words::moment(entry.concluded_ms));
    println!("  outcome           {}", words::outcome(&entry.status, &entry.detail));
}

fn log(outbox: &Outbox) -> anyhow::Result<ExitCode> {
    for access in outbox.accesses(1000)? {
        let hits = words::counted(access.hits, "image", "images");
        println!("{}  {}  {}  {hits}", words::moment(access.at_ms), access.who, access.pseudonym);
    }
    Ok(ExitCode::SUCCESS)
}

/// The user of the operating system, and who became it through sudo.
fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = user_name(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned);
    match std::env::var("SUDO_USER") {
        // Only root can have come here by sudo from somebody else, and only root's word about it counts.
        Ok(user) if uid == 0 => {
            format!("{name} (sudo by {})", user.chars().filter(|c| !c.is_control()).collect::<String>())
        }
        _ => name,
    }
}

/// The name of a user in `passwd(5)`.
fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nhilum:x:998:998::/:/usr/sbin/nologin\n";
        assert_eq!((user_name(passwd, 998), user_name(passwd, 99)), (Some("hilum"), None));
    }
}
