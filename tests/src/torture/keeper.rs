//! Lets programs live and die as the plan says: each in a thread of its own, which alone holds its process. What comes of a
//! life is counted; a life that ends in a way that nobody ordered is told with its last words.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fail_points::{Point, Program};
use rustix::process::Signal;

use super::history::History;
use super::plan::{BrokerLife, Life, once_more};
use super::{ASKED, DIED_AT, ENDED, KILLED, STOPPED, WIPED};
use crate::broker::Broker;
use crate::process::Process;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// SIGKILL by its number, as a wait status has it.
const SIGKILL: i32 = 9;

/// When a run's faults end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// From here on only points that were never met are tried again.
    pub planned: Instant,
    /// And from here on not even those.
    pub longest: Instant,
}

/// One program and who keeps it.
pub(super) struct Keeper<'a> {
    /// Which.
    pub program: Program,
    /// Starts it; with the words that arm it, where it is to die at a point.
    pub launch: Box<dyn Fn(Option<String>) -> anyhow::Result<Process> + Send + 'a>,
    /// What is counted goes there.
    pub history: &'a History,
    /// How many keepers are still at it.
    pub busy: &'a AtomicUsize,
}

/// How a life ended.
#[derive(Clone, Copy)]
enum End {
    At(Point),
    Killed,
    ByItself(ExitStatus),
}

impl Keeper<'_> {
    /// Life after life; gives the points that were never met.
    ///
    /// # Errors
    /// Where the program can't be started.
    pub(super) fn keep(&self, lives: &[Life], until: Until) -> anyhow::Result<Vec<Point>> {
        let missed = self.live_and_die(lives, until);
        // The others need it for the points that they have not met.
        let process = (self.launch)(None);
        self.busy.fetch_sub(1, Ordering::Relaxed);
        while self.busy.load(Ordering::Relaxed) > 0 {
            thread::sleep(LOOK);
        }
        process.and(missed)
    }

    fn live_and_die(&self, lives: &[Life], until: Until) -> anyhow::Result<Vec<Point>> {
        let mut lives = lives.iter().copied();
        let mut missed: VecDeque<Point> = Point::of(self.program).collect();
        let mut last = None;
        while Instant::now() < until.longest {
            let planned = if Instant::now() < until.planned { lives.next() } else { None };
            let again = || missed.front().map(|point| once_more(*point, last));
            let Some(life) = planned.or_else(again) else { break };
            let end = self.live(&life)?;
            last = if let End::At(point) = end { Some(point) } else { None };
            if let End::At(point) = end {
                missed.retain(|other| *other != point);
            }
            if planned.is_none() && life.order.map(|(point, _)| point) == missed.front().copied() {
                missed.rotate_left(1);
            }
            self.tell(end);
            thread::sleep(life.pause);
        }
        Ok(missed.into())
    }

    fn live(&self, life: &Life) -> anyhow::Result<End> {
        let order = life.order.map(|(point, times)| format!("{}:{times}", point.name()));
        let mut process = (self.launch)(order)?;
        let began = Instant::now();
        let mut stop = life.stopped;
        while began.elapsed() < life.lasts {
            if let Some(status) = process.ended()? {
                return Ok(self.end_of(&process, status, life));
            }
            if let Some((_, time)) = stop.take_if(|(after, _)| began.elapsed() >= *after) {
                self.history.fault(STOPPED, self.program.executable());
                // One that has just died is found dead by the next look.
                let _ = process.signal(Signal::STOP);
                thread::sleep(time);
                let _ = process.signal(Signal::CONT);
            }
            thread::sleep(LOOK);
        }
        if let Some(status) = process.ended()? {
            return Ok(self.end_of(&process, status, life));
        }
        process.kill()?;
        Ok(End::Killed)
    }

    fn end_of(&self, process: &Process, status: ExitStatus, life: &Life) -> End {
        match life.order {
            Some((point, _)) if status.signal() == Some(SIGKILL) => End::At(point),
            _ => {
                let words = process.last_words();
                self.history.note(&format!("{} ended by itself ({status}): {words}", process.name()));
                End::ByItself(status)
            }
        }
    }

    fn tell(&self, end: End) {
        let name = self.program.executable();
        match end {
            End::At(point) => self.history.fault(DIED_AT, point.name()),
            End::Killed => self.history.fault(KILLED, name),
            End::ByItself(status) => self.history.fault(ENDED, &format!("{name}, {status}")),
        }
    }
}

/// The broker's lives, the last of them until `over`. Where it ends by itself it is started again, as a supervisor
/// does.
///
/// # Errors
/// Where it can't be started.
pub(super) fn keep_broker(
    broker: &mut Broker,
    lives: &[BrokerLife],
    (until, over): (Until, &AtomicBool),
    history: &History,
) -> anyhow::Result<()> {
    const NAME: &str = "mosquitto";
    let mut lives = lives.iter();
    while !over.load(Ordering::Relaxed) {
        let Some(life) = lives.next().filter(|_| Instant::now() < until.planned) else {
            supervise(broker, LOOK, history)?;
            continue;
        };
        supervise(broker, life.lasts, history)?;
        if life.killed {
            broker.kill()?;
            history.fault(KILLED, NAME);
        } else {
            broker.process().stop()?;
            history.fault(ASKED, NAME);
        }
        if life.wiped {
            broker.wipe()?;
            history.fault(WIPED, NAME);
        }
        thread::sleep(life.pause);
        broker.restart()?;
    }
    Ok(())
}

/// Looks after the broker for so long.
fn supervise(broker: &mut Broker, time: Duration, history: &History) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        if let Some(status) = broker.process().ended()? {
            history.fault(ENDED, &format!("mosquitto, {status}"));
            broker.restart()?;
        }
        if began.elapsed() >= time {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
}
