//! The fault harness: the three real programs, a real mosquitto and a real PostgreSQL, everything done to them that a plan
//! says, and at the end one question: is each image that a scanner was told is safe exactly one result in PostgreSQL?
//!
//! ```text
//! seed ─▶ plan ─▶ keepers (kills, fail points, stops) ─┐
//!               ├▶ weather (network, disk, database) ──┼─▶ history ─▶ drain ─▶ verdict
//!                  scanners (send until promised) ─────┘
//! ```
//! It decides everything before it begins; what comes of it depends on the machine.

mod history;
mod keeper;
mod plan;
mod senders;
mod table;
mod verdict;
mod weather;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fail_points::{Point, Program};

pub use history::{Image, Record};
pub use plan::{Measure, Plan};
pub use verdict::{Row, Verdict};

use crate::authority::Authority;
use crate::broker::Broker;
use crate::cloud::{Cloud, CloudPlan};
use crate::disk::Disk;
use crate::hospital::{Hospital, HospitalPlan};
use crate::house;
use crate::line::{Condition, Line};
use crate::process::Process;
use crate::pseudonym::{Kind, pseudonym};
use crate::{journal, place, ports, postgres};
use history::History;
use keeper::{Keeper, Until, keep_broker};
use senders::Scanner;
use weather::Surroundings;

/// SIGKILL at a moment of chance.
const KILLED: &str = "killed (SIGKILL)";
/// SIGKILL at a named point.
const DIED_AT: &str = "killed at a fail point";
/// Stopped for a while.
const STOPPED: &str = "stopped for a while (SIGSTOP)";
/// Asked to stop and started again.
const ASKED: &str = "restarted (SIGTERM)";
/// The broker's store was taken away.
const WIPED: &str = "stored data wiped";
/// Ended although nobody asked it to: for the supervisor, which starts it again.
const ENDED: &str = "ended by itself";

/// Scanners that send at the same time.
const SCANNERS: usize = 3;

/// The device's disk: its reserve of 512 MiB, and 1.5 GiB for what waits, of which an image without a receipt takes some 0.2 MiB.
const DISK_MIB: u32 = 2_048;

/// How long points that were never met are tried after the time is up.
const LONGER: Duration = Duration::from_secs(240);

/// A drain in which nothing moves for so long is stuck. A lost receipt is missed after 15 s, a broker called again after at
/// most 30 s, an image that was refused read again after some two minutes.
const STUCK: Duration = Duration::from_secs(240);

/// A run.
#[derive(Clone, Debug)]
pub struct Torture {
    /// Everything lies here.
    pub folder: PathBuf,
    /// An empty PostgreSQL database.
    pub database: String,
    /// How hard.
    pub measure: Measure,
    /// New images in a second, of all scanners together.
    pub pace: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened.
    pub record: Record,
    /// The judgement.
    pub verdict: Verdict,
    /// Points that nobody died at.
    pub missed: Vec<Point>,
    /// Whether the device's disk could be filled: that takes root.
    pub disk: bool,
    /// Until the last fault.
    pub troubled: Duration,
    /// From there until nothing waited any more; none where it got stuck.
    pub drained: Option<Duration>,
    /// Line by line.
    pub history: PathBuf,
}

/// Everything that is tortured. Fields are dropped in this order: the disk after those who write to it.
struct Victims {
    cloud: Cloud,
    hospital: Hospital,
    device_line: Line,
    cloud_line: Line,
    broker: Broker,
    disk: Option<Disk>,
    pseudonym_key: [u8; 32],
}

impl Torture {
    /// Runs it.
    ///
    /// # Errors
    /// Where something of the lab itself fails; what the product does wrong is in the [`Outcome`].
    pub fn run(&self) -> anyhow::Result<Outcome> {
        let mut victims = self.prepare()?;
        let history = History::begin(&self.folder.join("history.jsonl"))?;
        let films = senders::films(&self.folder.join("films"), self.measure.seed)?;
        let began = Instant::now();
        let missed = self.trouble(&mut victims, &films, &history)?;
        let (troubled, calm) = (began.elapsed(), Instant::now());
        let processes = Self::calm(&mut victims)?;
        let drained = drain(&victims.hospital, &history)?.then(|| calm.elapsed());
        drop(processes);
        let record = history.record();
        let rows = rows(&self.database)?;
        let key = victims.pseudonym_key;
        let verdict = Verdict::of(&record.images, &rows, |instance| pseudonym(&key, Kind::Instance, instance));
        let (disk, history) = (victims.disk.is_some(), history.file);
        Ok(Outcome { record, verdict, missed, disk, troubled, drained, history })
    }

    fn prepare(&self) -> anyhow::Result<Victims> {
        let authority = Authority::found(&self.folder.join("authority"))?;
        let broker = Broker::start_storing(&self.folder.join("broker"), &authority)?;
        let (device_line, cloud_line) = (Line::to(broker.port)?, Line::to(broker.port)?);
        let cloud = CloudPlan {
            folder: self.folder.join("cloud"),
            port: ports::free()?,
            est_port: ports::free()?,
            broker_port: cloud_line.port,
            database: Some(self.database.clone()),
            password: hex::encode(house::random()?),
        };
        let cloud = Cloud::prepare(cloud, &authority)?;
        let folder = self.folder.join("hospital");
        let disk = Disk::mount(&folder.join("state"), DISK_MIB)?;
        let mut plan = HospitalPlan::new(&folder, "lab-1", device_line.port)?;
        // A model that computes in no time: what is tortured is the way, not the arithmetic.
        plan.bundle = place::root().join("reader/tests/models/tiny");
        plan.trusted_keys = vec![plan.bundle.with_extension("pub")];
        let pseudonym_key = house::random()?;
        let hospital = Hospital::prepare(plan, pseudonym_key, house::random()?)?;
        hospital.enrol(&cloud)?;
        Ok(Victims { cloud, hospital, device_line, cloud_line, broker, disk, pseudonym_key })
    }

    /// Sends and troubles at the same time; gives the points that were never met.
    fn trouble(&self, victims: &mut Victims, films: &[senders::Film], history: &History) -> anyhow::Result<Vec<Point>> {
        let plan = Plan::of(&self.measure);
        let planned = Instant::now() + self.measure.time;
        let until = Until { planned, longest: planned + LONGER };
        let (over, busy) = (AtomicBool::new(false), AtomicUsize::new(Program::SERVICES.len()));
        let (hospital, cloud) = (&victims.hospital, &victims.cloud);
        let (disk, database) = (victims.disk.as_ref(), self.database.as_str());
        let surroundings =
            Surroundings { device: &victims.device_line, cloud: &victims.cloud_line, disk, database, history };
        let broker = &mut victims.broker;
        thread::scope(|scope| {
            let scanners: Vec<_> = (0..SCANNERS)
                .map(|number| self.scanner(number, hospital.plan.dicom_port, films, history))
                .map(|scanner| {
                    scope.spawn({
                        let over = &over;
                        move || scanner.run(over)
                    })
                })
                .collect();
            let keepers = Program::SERVICES.map(|program| {
                let keeper = Keeper { program, launch: launcher(program, hospital, cloud), history, busy: &busy };
                let lives: &[_] = match program {
                    Program::Appliance => &plan.appliance,
                    Program::Agent => &plan.agent,
                    Program::Gateway => &plan.gateway,
                    Program::Rotation => &[],
                };
                scope.spawn(move || keeper.keep(lives, until))
            });
            let weather = scope.spawn(|| surroundings.trouble(&plan.episodes, until));
            let broker = scope.spawn(|| keep_broker(broker, &plan.broker, (until, &over), history));
            let kept = keepers.map(|keeper| joined(keeper.join()));
            let weather = joined(weather.join());
            over.store(true, Ordering::Relaxed);
            let sent = scanners.into_iter().map(|scanner| joined(scanner.join()));
            sent.chain([weather, joined(broker.join())]).collect::<anyhow::Result<()>>()?;
            let missed: Vec<_> = kept.into_iter().collect::<anyhow::Result<_>>()?;
            Ok(missed.concat())
        })
    }

    /// The programs that nobody ends any more. The system ends a program with the thread that started it, so those of the
    /// keepers are gone by now.
    fn calm(victims: &mut Victims) -> anyhow::Result<Vec<Process>> {
        victims.device_line.set(Condition::Whole);
        victims.cloud_line.set(Condition::Whole);
        victims.broker.kill()?;
        victims.broker.restart()?;
        let start = |program| launcher(program, &victims.hospital, &victims.cloud)(None);
        Program::SERVICES.into_iter().map(start).collect()
    }

    fn scanner<'a>(&self, number: usize, port: u16, films: &'a [senders::Film], history: &'a History) -> Scanner<'a> {
        let folder = self.folder.join(format!("scanner-{number}"));
        let pace = self.pace / SCANNERS as f64;
        Scanner { number, port, folder, films, pace, history }
    }
}

/// What starts a program, armed or not.
fn launcher<'a>(
    program: Program,
    hospital: &'a Hospital,
    cloud: &'a Cloud,
) -> Box<dyn Fn(Option<String>) -> anyhow::Result<Process> + Send + 'a> {
    Box::new(move |order| {
        let (mut command, log): (Command, PathBuf) = {
            let file = armed(program)?;
            match program {
                Program::Appliance => hospital.appliance_command(&file),
                Program::Agent => hospital.agent_command(&file),
                Program::Gateway => cloud.command(&file),
                Program::Rotation => bail!("an order is no service that is kept alive"),
            }
        };
        command.envs(order.map(|order| (fail_points::VARIABLE, order)));
        Process::start(program.executable(), command, &log)
    })
}

/// One program of the test build.
fn armed(program: Program) -> anyhow::Result<PathBuf> {
    let file = place::armed_programs().join(program.executable());
    if !file.is_file() {
        bail!("{} is not there: `cargo xtask torture` and `cargo xtask test` build it", file.display());
    }
    Ok(file)
}

/// A thread's answer.
fn joined<T>(joined: thread::Result<anyhow::Result<T>>) -> anyhow::Result<T> {
    joined.unwrap_or_else(|_| bail!("a thread of the harness panicked; its words are above"))
}

/// Waits until nothing is owed any more; false where nothing moves before that.
fn drain(hospital: &Hospital, history: &History) -> anyhow::Result<bool> {
    let outbox = hospital.outbox();
    let (mut before, mut moved) = (None, Instant::now());
    loop {
        let entries = journal::entries(&outbox)?;
        let receipted = entries.iter().filter(|entry| entry.state == "receipted").count();
        let read = entries.iter().filter(|entry| entry.state != "accepted").count();
        let waiting = journal::waiting(&outbox)?.waiting;
        if receipted == entries.len() && waiting == 0 {
            return Ok(true);
        }
        let now = Some((entries.len(), read, receipted, waiting));
        if now != before {
            (before, moved) = (now, Instant::now());
        } else if moved.elapsed() > STUCK {
            history.note(&format!("stuck at {now:?}: images, read, receipted; messages that wait"));
            return Ok(false);
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// What PostgreSQL holds and nothing replaces.
fn rows(database: &str) -> anyhow::Result<Vec<Row>> {
    let sql = "SELECT payload::json->>'instance', concat_ws(', ', payload::json->'outcome'->>'kind', \
               payload::json->'outcome'->'reason'->>'code') FROM results AS result \
               WHERE NOT EXISTS (SELECT 1 FROM results AS next WHERE next.supersedes = result.id)";
    let text = postgres::query(database, sql)?;
    let row = |line: &str| {
        let (instance, outcome) = line.split_once('|')?;
        Some(Row { instance: instance.to_owned(), outcome: outcome.to_owned() })
    };
    text.lines().map(|line| row(line).with_context(|| format!("PostgreSQL answered {line:?}"))).collect()
}

/// A run's folder, empty; what ended runs left there goes, their disks, too.
///
/// # Errors
/// Where the disk refuses.
pub fn folder(kind: &str) -> anyhow::Result<PathBuf> {
    place::left_over(kind)?.iter().for_each(|old| Disk::clear(old));
    place::fresh(kind)
}

/// Takes a run's folder away: a long one leaves hundreds of megabytes.
///
/// # Errors
/// Where the disk refuses.
pub fn clear(folder: &Path) -> anyhow::Result<()> {
    Disk::clear(folder);
    std::fs::remove_dir_all(folder).with_context(|| format!("{} cannot be removed", folder.display()))
}
