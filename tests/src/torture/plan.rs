//! What is done to whom and when: a pure function of the seed. It knows no process and no clock.

use std::time::Duration;

use fail_points::{Point, Program};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One life of a program, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The point at which it dies, and at the how many-th time there; else it is killed when its time is up.
    pub order: Option<(Point, u32)>,
    /// Its time: one that has not got to its point by then is killed there.
    pub lasts: Duration,
    /// When it is stopped (SIGSTOP) and for how long.
    pub stopped: Option<(Duration, Duration)>,
    /// Until the next one starts.
    pub pause: Duration,
}

/// One life of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerLife {
    /// Its time.
    pub lasts: Duration,
    /// By SIGKILL; else it is asked to stop, and may write down what it holds.
    pub killed: bool,
    /// What it wrote down is taken away before the next start.
    pub wiped: bool,
    /// Until the next one starts.
    pub pause: Duration,
}

/// Which cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cable {
    /// Between sync-agent and broker.
    Device,
    /// Between gateway and broker.
    Cloud,
}

/// What happens to the surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The cable is cut, and mended at the end.
    Cut(Cable),
    /// Bytes vanish; connections that lost some stay dead.
    Silence(Cable),
    /// Each piece takes so long.
    Delay(Cable, Duration),
    /// Connections are reset; the cable is whole at once.
    Reset(Cable),
    /// The device's disk is filled over its watermark.
    DiskAtWatermark,
    /// The device's disk is filled to the last byte.
    DiskFull,
    /// PostgreSQL hangs up on everybody.
    DatabaseHangUp,
}

/// A trouble and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// After the end of the one before.
    pub after: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What.
    pub trouble: Trouble,
}

/// What is done in a run. The lives of each are more than it can live in that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The appliance's.
    pub appliance: Vec<Life>,
    /// The sync-agent's.
    pub agent: Vec<Life>,
    /// The gateway's.
    pub gateway: Vec<Life>,
    /// The broker's.
    pub broker: Vec<BrokerLife>,
    /// The surroundings.
    pub episodes: Vec<Episode>,
}

/// How hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Everything follows from it.
    pub seed: u64,
    /// For how long.
    pub time: Duration,
    /// The broker loses what it wrote down at every restart, and not by chance.
    pub wipe_broker: bool,
}

/// Chance that can be had again.
struct Dice(ChaCha8Rng);

impl Dice {
    /// Each part has its own, so that one's length does not change another.
    fn new(seed: u64, part: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(part);
        Self(dice)
    }

    fn below(&mut self, end: u32) -> u32 {
        // The bias of a remainder is one in a million here, and nobody minds.
        self.0.next_u32() % end.max(1)
    }

    fn ms(&mut self, from: u32, to: u32) -> Duration {
        Duration::from_millis(u64::from(from + self.below(to - from)))
    }

    fn one_in(&mut self, parts: u32) -> bool {
        self.below(parts) == 0
    }
}

impl Plan {
    /// Makes one.
    #[must_use]
    pub fn of(measure: &Measure) -> Self {
        let lives = |program| lives(program, measure);
        Self {
            appliance: lives(Program::Appliance),
            agent: lives(Program::Agent),
            gateway: lives(Program::Gateway),
            broker: broker(measure),
            episodes: episodes(measure),
        }
    }
}

/// Rounds: in each the program dies once at every point of its, in an order of chance, and between two of those it mostly
/// dies at a moment of chance. The first round has the points alone, so that a short run gets through it.
fn lives(program: Program, measure: &Measure) -> Vec<Life> {
    let mut dice = Dice::new(measure.seed, 1 + program as u64);
    let (mut lives, mut planned, mut round) = (Vec::new(), Duration::ZERO, 0);
    // A fail point is mostly met in a fifth of its time: eight times the time is lives enough.
    while round == 0 || planned < measure.time * 8 {
        let mut points: Vec<Point> = Point::of(program).filter(|point| before(*point).is_none()).collect();
        while !points.is_empty() {
            let point = points.swap_remove(dice.below(points.len() as u32) as usize);
            lives.push(ordered(point, round, &mut dice));
            if let Some((_, then)) = LEAVES_A_FILE.into_iter().find(|(first, _)| *first == point) {
                lives.push(ordered(then, round, &mut dice));
            }
            if round > 0 || dice.one_in(4) {
                lives.push(free(program, &mut dice));
            }
        }
        planned = lives.iter().map(|life| life.lasts + life.pause).sum();
        round += 1;
    }
    lives
}

/// A life that ends at a point.
#[must_use]
fn ordered(point: Point, round: u32, dice: &mut Dice) -> Life {
    let at_start = matches!(
        point,
        Point::StartOpened
            | Point::StartRemoved
            | Point::StartAdopted
            | Point::StartAgreed
            | Point::AgentStarted
            | Point::GatewayMigrated
    );
    // Later rounds go in deeper: how often a point is passed before.
    let times = if at_start { 1 } else { 1 + dice.below(if round == 0 { 3 } else { 12 }) };
    Life { order: Some((point, times)), lasts: time_to(point), stopped: None, pause: dice.ms(20, 400) }
}

/// Time to get to a point: several times what it mostly takes on a machine with two busy cores.
fn time_to(point: Point) -> Duration {
    Duration::from_secs(match point {
        // The first sweep comes 10 s after the start.
        Point::RetentionRemoved => 20,
        // After the model is loaded.
        Point::ReadingBegun | Point::ReadingEnded | Point::ConcludeBeforeCommit | Point::ConcludeAfterCommit => 15,
        _ => 10,
    })
}

/// Who dies at the first point leaves what the next life needs to get to the second: half a file, or a whole one that no row names.
const LEAVES_A_FILE: [(Point, Point); 2] =
    [(Point::SpoolBegun, Point::StartRemoved), (Point::SpoolListed, Point::StartAdopted)];

/// Where the life before must have ended for this point to be met.
fn before(point: Point) -> Option<Point> {
    LEAVES_A_FILE.into_iter().find(|(_, then)| *then == point).map(|(first, _)| first)
}

/// The same point once more, for a run whose time is up and that has not seen it; or what must come before, where `last` was
/// another.
#[must_use]
pub(super) fn once_more(point: Point, last: Option<Point>) -> Life {
    let point = before(point).filter(|first| last != Some(*first)).unwrap_or(point);
    // Long enough for a backoff of the broker's connection to pass.
    let lasts = time_to(point) * 2;
    Life { order: Some((point, 1)), lasts, stopped: None, pause: Duration::from_millis(100) }
}

/// A life that ends at a moment of chance.
fn free(program: Program, dice: &mut Dice) -> Life {
    // The appliance loads a model first; the others are at work within a second.
    let lasts = if program == Program::Appliance { dice.ms(300, 12_000) } else { dice.ms(200, 7_000) };
    let stopped = dice.one_in(4).then(|| (lasts / 4, dice.ms(200, 3_000)));
    Life { order: None, lasts, stopped, pause: dice.ms(20, 800) }
}

fn broker(measure: &Measure) -> Vec<BrokerLife> {
    let mut dice = Dice::new(measure.seed, 11);
    let count = measure.time.as_secs() / 8 + 1;
    let life = |_| BrokerLife {
        lasts: dice.ms(8_000, 25_000),
        killed: dice.one_in(2),
        wiped: dice.one_in(2) || measure.wipe_broker,
        pause: dice.ms(20, 1_500),
    };
    (0..count).map(life).collect()
}

fn episodes(measure: &Measure) -> Vec<Episode> {
    let mut dice = Dice::new(measure.seed, 12);
    let (mut episodes, mut planned) = (Vec::new(), Duration::ZERO);
    while planned < measure.time {
        let cable = if dice.one_in(2) { Cable::Device } else { Cable::Cloud };
        let (trouble, lasts) = match dice.below(10) {
            0 | 1 => (Trouble::Cut(cable), dice.ms(500, 4_000)),
            2 | 3 => (Trouble::Silence(cable), dice.ms(500, 3_000)),
            4 | 5 => (Trouble::Delay(cable, dice.ms(20, 300)), dice.ms(1_000, 4_000)),
            6 => (Trouble::Reset(cable), Duration::ZERO),
            7 => (Trouble::DiskAtWatermark, dice.ms(500, 3_000)),
            8 => (Trouble::DiskFull, dice.ms(500, 2_500)),
            _ => (Trouble::DatabaseHangUp, Duration::ZERO),
        };
        let episode = Episode { after: dice.ms(300, 3_000), lasts, trouble };
        planned += episode.after + episode.lasts;
        episodes.push(episode);
    }
    episodes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_plan_and_each_point_occurs(
            seed in any::<u64>(), seconds in 1_u64..1_200, wipe_broker in any::<bool>(),
        ) {
            let measure = Measure { seed, time: Duration::from_secs(seconds), wipe_broker };
            let plan = Plan::of(&measure);
            prop_assert_eq!(&plan, &Plan::of(&measure));
            prop_assert_ne!(&plan, &Plan::of(&Measure { seed: seed.wrapping_add(1), ..measure }));
            let lives = [(&plan.appliance, Program::Appliance), (&plan.agent, Program::Agent), (&plan.gateway, Program::Gateway)];
            for (lives, program) in lives {
                let met: BTreeSet<Point> = lives.iter().filter_map(|life| life.order).map(|(point, _)| point).collect();
                prop_assert_eq!(met, Point::of(program).collect::<BTreeSet<_>>());
                prop_assert!(lives.iter().map(|life| life.lasts).sum::<Duration>() >= measure.time);
            }
            prop_assert!(!wipe_broker || plan.broker.iter().all(|life| life.wiped));
        }

        #[test]
        fn a_longer_run_begins_as_a_shorter_one(seed in any::<u64>()) {
            let of = |seconds| Plan::of(&Measure { seed, time: Duration::from_secs(seconds), wipe_broker: false });
            let (short, long) = (of(60), of(600));
            prop_assert!(long.agent.starts_with(&short.agent) && long.episodes.starts_with(&short.episodes));
        }
    }
}
