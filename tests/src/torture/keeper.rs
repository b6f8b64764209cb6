//! Lets programs live and die as the plan says: each in a thread of its own, which alone holds its process. What comes of a
//! life is counted; a life that ends in a way that nobody ordered is told with its last words.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
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
}

/// How a life ended.
enum End {
    At(Point),
    Killed,
    ByItself(ExitStatus),
}

impl Keeper<'_> {
    /// Life after life; then one that nobody ends, and the points that were never met.
    ///
    /// # Errors
    /// Where the program can't be started.
    pub(super) fn keep(&self, lives: &[Life], until: Until) -> anyhow::Result<(Process, Vec<Point>)> {
        let mut lives = lives.iter().copied();
        let mut missed: VecDeque<Point> = Point::of(self.program).collect();
        while Instant::now() < until.longest {
            let planned = if Instant::now() < until.planned { lives.next() } else { None };
            let Some(life) = planned.or_else(|| missed.front().copied().map(once_more)) else { break };
            let end = self.live(&life)?;
            if let End::At(point) = end {
                missed.retain(|other| *other != point);
            } else if planned.is_none() {
                missed.rotate_left(1);
            }
            self.tell(end);
            thread::sleep(life.pause);
        }
        Ok(((self.launch)(None)?, missed.into()))
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

/// The broker's lives; then one that nobody ends.
///
/// # Errors
/// Where it can't be started.
pub(super) fn keep_broker(
    broker: &mut Broker,
    lives: &[BrokerLife],
    until: Until,
    history: &History,
) -> anyhow::Result<()> {
    const NAME: &str = "mosquitto";
    for life in lives {
        thread::sleep(life.lasts.min(until.planned.saturating_duration_since(Instant::now())));
        if Instant::now() >= until.planned {
            return Ok(());
        }
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
