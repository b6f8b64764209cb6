//! The whole house: authority, broker, cloud and hospital, built in the order in which each needs the one before.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::authority::Authority;
use crate::broker::Broker;
use crate::cloud::{Cloud, CloudPlan};
use crate::hospital::{Hospital, HospitalPlan};
use crate::journal::{self, Entry};
use crate::{patience, place, ports, postgres};

/// What may differ from house to house.
#[derive(Clone, Debug)]
pub struct HousePlan {
    /// Everything lies here.
    pub folder: PathBuf,
    /// The gateway's database; `None` for SQLite.
    pub database: Option<String>,
    /// The dashboard's port, if it is free.
    pub dashboard_port: Option<u16>,
    /// The device's name.
    pub device: String,
}

/// A house, everything in it prepared, nothing but the broker running.
///
/// Fields are dropped in this order: the device stops first and can still hand over what it holds, the broker last.
#[derive(Debug)]
pub struct House {
    /// The device.
    pub hospital: Hospital,
    /// The gateway.
    pub cloud: Cloud,
    /// The broker.
    pub broker: Broker,
    /// Who vouches for all of them.
    pub authority: Authority,
    /// The key of the device's pseudonyms.
    pub pseudonym_key: [u8; 32],
    /// Where everything lies.
    pub folder: PathBuf,
}

impl House {
    /// Makes the papers, starts the broker, prepares gateway and device and enrols the one with the other.
    ///
    /// # Errors
    /// Whatever did not work, in words.
    pub fn prepare(plan: &HousePlan, bend: impl FnOnce(&mut HospitalPlan)) -> anyhow::Result<Self> {
        let authority = Authority::found(&plan.folder.join("authority"))?;
        let broker = Broker::start(&plan.folder.join("broker"), &authority)?;
        let port = plan.dashboard_port.map_or_else(ports::free, ports::preferred)?;
        let cloud = CloudPlan {
            folder: plan.folder.join("cloud"),
            port,
            est_port: ports::free()?,
            broker_port: broker.port,
            database: plan.database.clone(),
            password: password()?,
        };
        let cloud = Cloud::prepare(cloud, &authority)?;
        let pseudonym_key = random()?;
        let mut hospital = HospitalPlan::new(&plan.folder.join("hospital"), &plan.device, broker.port)?;
        bend(&mut hospital);
        let hospital = Hospital::prepare(hospital, pseudonym_key, random()?)?;
        hospital.enrol(&cloud)?;
        Ok(Self { hospital, cloud, broker, authority, pseudonym_key, folder: plan.folder.clone() })
    }

    /// A house for one test: a fresh folder `target/hilum/{kind}-…`, a fresh PostgreSQL database, the shipped model.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn for_test(kind: &str) -> anyhow::Result<Self> {
        Self::for_test_with(kind, |_| ())
    }

    /// The same with another device.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn for_test_with(kind: &str, bend: impl FnOnce(&mut HospitalPlan)) -> anyhow::Result<Self> {
        let database = Some(postgres::fresh_database()?);
        let plan =
            HousePlan { folder: place::fresh(kind)?, database, dashboard_port: None, device: "lab-1".to_owned() };
        Self::prepare(&plan, bend)
    }

    /// Waits until the journal holds `images`, each with its receipt, and nothing is left in the outbox.
    ///
    /// # Errors
    /// Where that takes longer than [`patience::BATCH`], or a program ends by itself.
    pub fn wait_until_drained(&mut self, images: usize) -> anyhow::Result<Vec<Entry>> {
        let outbox = self.hospital.outbox();
        let what = format!("{images} images to be read, sent and receipted");
        patience::until(&what, patience::BATCH, || {
            if let Some((name, words)) = self.casualty() {
                bail!("{name} ended by itself: {words}");
            }
            let entries = journal::entries(&outbox)?;
            let receipted = entries.iter().filter(|entry| entry.state == "receipted").count();
            let left = journal::waiting(&outbox)?;
            let done = entries.len() == images && receipted == images && left.waiting == 0;
            Ok(done.then_some(entries))
        })
    }

    /// Starts gateway, appliance and sync-agent, and waits until each is ready.
    ///
    /// # Errors
    /// Where one of them does not become ready.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.cloud.start()?;
        self.hospital.start_appliance()?;
        self.hospital.start_agent()
    }

    /// The logs of everything, name and file.
    pub fn logs(&mut self) -> Vec<(String, PathBuf)> {
        let broker = std::iter::once(self.broker.process());
        let all = broker.chain(self.cloud.process()).chain(self.hospital.processes());
        all.map(|process| (process.name().to_owned(), process.log().to_owned())).collect()
    }

    /// The name and last words of a program that ended although nobody asked it to.
    pub fn casualty(&mut self) -> Option<(String, String)> {
        let broker = std::iter::once(self.broker.process());
        let mut all = broker.chain(self.cloud.process()).chain(self.hospital.processes());
        let dead = all.find_map(|process| process.ended().ok().flatten().map(|status| (process, status)));
        dead.map(|(process, status)| (process.name().to_owned(), format!("{status}\n{}", process.last_words())))
    }
}

/// 32 random bytes from the system.
///
/// # Errors
/// Where the system has none.
pub fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut source = std::fs::File::open(Path::new("/dev/urandom")).context("/dev/urandom cannot be opened")?;
    std::io::Read::read_exact(&mut source, &mut bytes).context("/dev/urandom gives nothing")?;
    Ok(bytes)
}

/// 16 characters that are easy to read out: 80 bits of chance, no letter that looks like another.
fn password() -> anyhow::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random()?;
    let groups: Vec<String> = bytes[..16]
        .chunks(4)
        .map(|chunk| chunk.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
        .collect();
    Ok(groups.join("-"))
}
