//! Heat and power: what the sensors say goes into metrics, the status page and the health part "temperature", and the model is
//! given less work while the machine is held back. It reads no sensor itself, and sets no fan and no clock.

use std::time::Instant;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use reader::inference::{Admission, BatchPolicy, Engine};
use sensors::{Cause, Gpu, PERIOD, Readings, Settling, Strain};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;

/// What the sensors said last, and what it means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sensed {
    /// As told.
    pub readings: Readings,
    /// What holds the machine back now, the worst first.
    pub causes: Vec<Cause>,
    /// The worst of the last half minute.
    pub strain: Strain,
}

/// What must be remembered between two looks.
#[derive(Debug, Default)]
struct Judge {
    settling: Settling,
    /// Over-currents that the board had counted when it told last; none before, since those were before this service.
    overcurrents: Option<u64>,
}

impl Judge {
    fn look(&mut self, readings: Readings) -> Sensed {
        let causes = sensors::causes(&readings, self.overcurrents);
        self.overcurrents = readings.kernel.overcurrents.or(self.overcurrents);
        let strain = self.settling.after(sensors::strain(&causes));
        Sensed { readings, causes, strain }
    }
}

/// What the model may be given under `strain`: half of a batch of `max_batch` while something is slowed down, single images
/// and no backlog before a shutdown.
#[must_use]
pub fn admission(strain: Strain, max_batch: usize) -> Admission {
    match strain {
        Strain::Normal => Admission::default(),
        Strain::Throttled => Admission { max_batch: max_batch.div_ceil(2), backlog: true },
        Strain::Critical => Admission { max_batch: 1, backlog: false },
    }
}

/// Looks until `stop`; `batch` is what the configuration asks for at the moment.
pub async fn watch(
    engine: Engine,
    batch: watch::Receiver<BatchPolicy>,
    part: Part,
    told: watch::Sender<Sensed>,
    stop: CancellationToken,
) {
    let sensors = match sensors::Watch::start() {
        Ok(sensors) => sensors,
        Err(error) => return part.down(&format!("no thread for the sensors ({error}): restart the service")),
    };
    let (mut tick, mut judge, mut before) = (tokio::time::interval(PERIOD), Judge::default(), Admission::default());
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let sensed = judge.look(sensors.latest(Instant::now()));
        export(&sensed);
        let admission = admission(sensed.strain, batch.borrow().max_batch);
        if admission != before {
            let why: Vec<String> = sensed.causes.iter().map(Cause::to_string).collect();
            tracing::info!(strain = ?sensed.strain, why = why.join("; "), "heat or power change what the model is given");
            engine.admit(admission);
            before = admission;
        }
        match trouble(&sensed) {
            None => part.up(),
            Some(words) => part.down(&words),
        }
        told.send_replace(sensed);
    }
}

/// Only what a person must see to at once.
fn trouble(sensed: &Sensed) -> Option<String> {
    let worst = sensed.causes.first().filter(|cause| cause.strain() == Strain::Critical);
    let what = worst.map_or_else(|| "it was too hot half a minute ago".to_owned(), Cause::to_string);
    let words = format!("{what}; the backlog waits: look at the fan and the dust");
    (sensed.strain == Strain::Critical).then_some(words)
}

fn export(sensed: &Sensed) {
    let Readings { kernel, gpus, is_silent } = &sensed.readings;
    gauge!("thermal_state").set(f64::from(sensed.strain as u8));
    gauge!("sensors_silent").set(f64::from(u8::from(*is_silent)));
    for zone in &kernel.zones {
        gauge!("temperature_celsius", "zone" => zone.name.clone()).set(zone.now as f64 / 1e3);
    }
    for rail in &kernel.rails {
        gauge!("power_rail_watts", "rail" => rail.name.clone()).set(rail.watts);
    }
    for name in Cause::NAMES {
        let holds = sensed.causes.iter().any(|cause| cause.name() == name);
        gauge!("throttled", "reason" => name).set(f64::from(u8::from(holds)));
    }
    if let Some(counted) = kernel.overcurrents {
        counter!("overcurrent_events_total").absolute(counted);
    }
    gpus.iter().enumerate().for_each(|(index, gpu)| export_card(&index.to_string(), gpu));
    if let Some(found) = kernel.integrated {
        let gpu = Gpu { busy: found.busy, clock_mhz: found.clock_mhz, ..Gpu::default() };
        export_card("integrated", &gpu);
    }
}

fn export_card(label: &str, gpu: &Gpu) {
    for (name, value) in [
        ("gpu_temperature_celsius", gpu.celsius),
        ("gpu_power_watts", gpu.watts),
        ("gpu_power_limit_watts", gpu.limit_watts),
        ("gpu_busy_ratio", gpu.busy),
        ("gpu_memory_used_bytes", gpu.memory_used_bytes.map(|bytes| bytes as f64)),
        ("gpu_memory_size_bytes", gpu.memory_bytes.map(|bytes| bytes as f64)),
        ("gpu_clock_hertz", gpu.clock_mhz.map(|mhz| f64::from(mhz) * 1e6)),
    ] {
        if let Some(value) = value {
            gauge!(name, "gpu" => label.to_owned()).set(value);
        }
    }
}

/// Says what each of these metrics means.
pub(super) fn describe() {
    describe_gauge!("temperature_celsius", "Temperature of each of the kernel's thermal zones, degrees Celsius");
    describe_gauge!(
        "thermal_state",
        "The worst of the last half minute: 0 normal, 1 something is slowed down by heat or power, 2 close to a shutdown by heat"
    );
    describe_gauge!(
        "throttled",
        "1 while it holds the machine back, by reason: near_shutdown, heat, hardware_heat, power_cap (no trouble), \
         power_brake, slowdown, overcurrent"
    );
    describe_gauge!(
        "sensors_silent",
        "1 while the kernel's or the graphics driver's sensors do not answer: what they told is old"
    );
    describe_gauge!("power_rail_watts", "Power that flows on each rail of the board, watts");
    describe_counter!(
        "overcurrent_events_total",
        "Times that the board was slowed down since its start because it drew too much current"
    );
    describe_gauge!("gpu_temperature_celsius", "Temperature of each graphics card, degrees Celsius");
    describe_gauge!("gpu_power_watts", "Power that each graphics card draws, watts");
    describe_gauge!("gpu_power_limit_watts", "Power that each graphics card may draw, watts");
    describe_gauge!("gpu_busy_ratio", "Share of the last moments in which the graphics processor computed, 0 to 1");
    describe_gauge!("gpu_memory_used_bytes", Unit::Bytes, "Memory of each graphics card in use");
    describe_gauge!("gpu_memory_size_bytes", Unit::Bytes, "Memory of each graphics card");
    describe_gauge!("gpu_clock_hertz", "Clock of each graphics processor, hertz");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sensors::{Kernel, Reason};

    use super::*;

    fn board(overcurrents: u64) -> Readings {
        Readings { kernel: Kernel { overcurrents: Some(overcurrents), ..Kernel::default() }, ..Readings::default() }
    }

    fn card(reason: Reason) -> Readings {
        let gpu = Gpu { name: "L4".into(), reasons: BTreeSet::from([reason]), ..Gpu::default() };
        Readings { gpus: vec![gpu], ..Readings::default() }
    }

    #[test]
    fn less_is_let_through_the_worse_it_is() {
        assert_eq!(admission(Strain::Normal, 8), Admission::default());
        assert_eq!(admission(Strain::Throttled, 8), Admission { max_batch: 4, backlog: true });
        assert_eq!(admission(Strain::Throttled, 1), Admission { max_batch: 1, backlog: true });
        assert_eq!(admission(Strain::Critical, 8), Admission { max_batch: 1, backlog: false });
    }

    #[test]
    fn only_overcurrents_since_the_last_look_count() {
        let mut judge = Judge::default();
        // No sensor answered yet; then, what was before this service was started.
        assert_eq!(judge.look(Readings::default()).strain, Strain::Normal);
        assert_eq!(judge.look(board(5)).strain, Strain::Normal);
        assert_eq!(judge.look(Readings::default()).strain, Strain::Normal);
        assert_eq!(judge.look(board(5)).strain, Strain::Normal);
        let sensed = judge.look(board(7));
        assert_eq!((sensed.causes, sensed.strain), (vec![Cause::Overcurrent { times: 2 }], Strain::Throttled));
        // Past, and it lasts for a while.
        let sensed = judge.look(board(7));
        assert_eq!((sensed.causes, sensed.strain), (vec![], Strain::Throttled));
        let last = (0..10).map(|_| judge.look(board(7)).strain).last();
        assert_eq!(last, Some(Strain::Normal));
    }

    #[test]
    fn a_person_is_called_for_a_shutdown_only() {
        for (reason, calls) in [(Reason::PowerCap, false), (Reason::Heat, false), (Reason::HardwareHeat, true)] {
            let mut judge = Judge::default();
            let words = trouble(&judge.look(card(reason)));
            assert_eq!(words.is_some(), calls, "{words:?}");
            assert!(words.is_none_or(|words| words.contains("L4") && words.contains("fan")));
            assert_eq!(trouble(&judge.look(board(0))).is_some(), calls);
        }
    }
}
