//! Minutes of full load, as a morning in a radiology department brings it: does the device keep its speed, and what does it say
//! of heat and power meanwhile?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reader::model::ModelSession;
use reader::pixels::INPUT_SIDE;
use sensors::{Readings, Watch};

use crate::check::{Found, Outcome};
use crate::table::Table;

/// Images of one batch, as the appliance has it by default.
const BATCH: usize = 8;

/// One row of the table; two looks of the sensors.
const INTERVAL: Duration = Duration::from_secs(10);

/// What is compared: the first and the last minute.
const EDGE: Duration = Duration::from_secs(60);

/// Share of the first minute's speed that must be left in the last one. Boost clocks fall by a few percent while a card warms
/// up; losing a tenth is throttling.
const KEPT: f64 = 0.9;

/// Causes under which no device is fit for its place.
const UNFIT: [&str; 2] = ["near_shutdown", "hardware_heat"];

/// One interval.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    /// Since the beginning of the load, at the interval's end.
    ended: Duration,
    images_per_second: f64,
    sample: Sample,
}

/// What the sensors said, reduced to one line.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sample {
    celsius: Option<f64>,
    watts: Option<f64>,
    clock_mhz: Option<u32>,
    causes: BTreeSet<&'static str>,
}

impl Sample {
    /// `overcurrents` is the count before. A card speaks for itself; on a board the graphics processor's zone counts, else the
    /// hottest, and the rail of the whole module, else all rails together.
    fn of(readings: &Readings, overcurrents: Option<u64>) -> Self {
        let (kernel, card) = (&readings.kernel, readings.gpus.first());
        let zones = kernel.zones.iter().filter(|zone| zone.name.contains("gpu") || zone.name.contains("GPU"));
        let zone = zones.map(|zone| zone.now).max().or_else(|| kernel.zones.iter().map(|zone| zone.now).max());
        let module = kernel.rails.iter().find(|rail| rail.name == "VDD_IN").map(|rail| rail.watts);
        let sum = (!kernel.rails.is_empty()).then(|| kernel.rails.iter().map(|rail| rail.watts).sum());
        Self {
            celsius: card.and_then(|card| card.celsius).or_else(|| Some(zone? as f64 / 1e3)),
            watts: card.and_then(|card| card.watts).or(module).or(sum),
            clock_mhz: card.and_then(|card| card.clock_mhz).or_else(|| kernel.integrated?.clock_mhz),
            causes: sensors::causes(readings, overcurrents).iter().map(sensors::Cause::name).collect(),
        }
    }
}

/// Loads the device for `minutes` and judges.
pub(crate) fn check(session: &mut ModelSession, minutes: u64) -> Result<Outcome> {
    let sensors = Watch::start().context("the system gives no threads for the sensors")?;
    let batch: Vec<Vec<u8>> = (0..BATCH).map(|n| vec![n as u8 * 30; INPUT_SIDE * INPUT_SIDE]).collect();
    let whole = Duration::from_secs(minutes * 60);
    // The first runs allocate and choose kernels.
    session.run(&batch)?;
    let before = sensors.first(INTERVAL);
    let mut overcurrents = before.kernel.overcurrents;
    if Sample::of(&before, overcurrents).celsius.is_none() {
        return Ok(Outcome::Refused(
            "no sensor tells a temperature here: neither NVIDIA's driver nor the kernel".into(),
        ));
    }
    let (began, mut rows) = (Instant::now(), Vec::new());
    while began.elapsed() < whole {
        let (interval, mut images) = (Instant::now(), 0);
        while interval.elapsed() < INTERVAL {
            session.run(&batch)?;
            images += BATCH;
        }
        let readings = sensors.latest(Instant::now());
        let rate = images as f64 / interval.elapsed().as_secs_f64();
        let sample = Sample::of(&readings, overcurrents);
        overcurrents = readings.kernel.overcurrents.or(overcurrents);
        rows.push(Row { ended: began.elapsed(), images_per_second: rate, sample });
    }
    let found = |words| Found { words, table: Some(table(&rows)) };
    Ok(match verdict(&rows) {
        Ok(words) => Outcome::Passed(found(words)),
        Err(words) => Outcome::Failed(found(words)),
    })
}

fn table(rows: &[Row]) -> Table {
    let told = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
    let row = |row: &Row| {
        let Sample { celsius, watts, clock_mhz, causes } = &row.sample;
        let causes: Vec<&str> = causes.iter().copied().collect();
        vec![
            format!("{:.0}", row.ended.as_secs_f64()),
            format!("{:.1}", row.images_per_second),
            told(*celsius),
            told(*watts),
            clock_mhz.map_or_else(|| "–".to_owned(), |mhz| mhz.to_string()),
            if causes.is_empty() { "nothing".to_owned() } else { causes.join(", ") },
        ]
    };
    Table { head: vec!["Second", "Images/s", "°C", "W", "MHz", "Held back by"], rows: rows.iter().map(row).collect() }
}

/// What the rows say, in words; an error where the device is not fit for continuous work.
fn verdict(rows: &[Row]) -> Result<String, String> {
    let end = rows.last().map_or(Duration::ZERO, |row| row.ended);
    let mean = |within: &dyn Fn(Duration) -> bool| {
        let rates: Vec<f64> = rows.iter().filter(|row| within(row.ended)).map(|row| row.images_per_second).collect();
        (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
    };
    // An interval belongs to the minute in which it ended; it takes a little longer than ten seconds.
    let edge = EDGE + INTERVAL / 2;
    let first = mean(&|ended| ended <= edge);
    let last = mean(&|ended| ended + EDGE > end + INTERVAL / 2);
    let (Some(first), Some(last)) = (first, last) else { return Err("nothing was measured".into()) };
    let causes: BTreeSet<&str> = rows.iter().flat_map(|row| &row.sample.causes).copied().collect();
    let told: Vec<&str> = causes.iter().copied().collect();
    let hottest = rows.iter().filter_map(|row| row.sample.celsius).max_by(f64::total_cmp);
    let heat =
        hottest.map_or_else(|| "no sensor told its temperature".into(), |celsius| format!("at most {celsius:.0} °C"));
    let held =
        if told.is_empty() { "nothing held it back".to_owned() } else { format!("held back by {}", told.join(", ")) };
    let words = format!("{first:.1} images/s in the first minute, {last:.1} in the last; {heat}; {held}");
    if causes.iter().any(|cause| UNFIT.contains(cause)) {
        Err(format!("{words}: cool it better before it goes into service"))
    } else if last < KEPT * first {
        Err(format!("{words}: it lost {:.0} % of its speed", (1.0 - last / first) * 100.0))
    } else {
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use sensors::{Gpu, Kernel, Rail, Reason, Zone};

    use super::*;

    fn rows(rates: &[f64], causes: &[&'static str]) -> Vec<Row> {
        let sample = Sample { celsius: Some(70.0), causes: causes.iter().copied().collect(), ..Sample::default() };
        let row = |(n, rate): (usize, &f64)| Row {
            ended: INTERVAL * (n as u32 + 1),
            images_per_second: *rate,
            sample: sample.clone(),
        };
        rates.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_first_minute_is_held_against_the_last() {
        let steps = |first: f64, middle: f64, last: f64| [vec![first; 6], vec![middle; 12], vec![last; 6]].concat();
        for (rates, causes, fit, words) in [
            (steps(100.0, 100.0, 100.0), &[][..], true, "nothing held it back"),
            (steps(100.0, 10.0, 91.0), &["power_cap"], true, "100.0 images/s in the first minute, 91.0 in the last"),
            (steps(100.0, 100.0, 89.0), &[], false, "lost 11 %"),
            (steps(100.0, 100.0, 99.0), &["heat"], true, "held back by heat"),
            (steps(100.0, 100.0, 99.0), &["hardware_heat"], false, "cool it better"),
            (steps(100.0, 100.0, 99.0), &["heat", "near_shutdown"], false, "cool it better"),
            (vec![], &[], false, "nothing was measured"),
        ] {
            let found = verdict(&rows(&rates, causes));
            assert_eq!(found.is_ok(), fit, "{found:?}");
            let (Ok(told) | Err(told)) = found;
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn a_card_speaks_for_itself_and_a_board_through_its_zones_and_rails() {
        let zone = |name: &str, now| Zone { name: name.into(), now, passive: None, critical: None };
        let rail = |name: &str, watts| Rail { name: name.into(), watts };
        let kernel = Kernel {
            zones: vec![zone("cpu-thermal", 60_000), zone("gpu-thermal", 51_500)],
            rails: vec![rail("VDD_IN", 6.0), rail("VDD_SOC", 1.5)],
            overcurrents: Some(1),
            ..Kernel::default()
        };
        let mut readings = Readings { kernel, ..Readings::default() };
        let board = Sample::of(&readings, Some(0));
        assert_eq!((board.celsius, board.watts, board.clock_mhz), (Some(51.5), Some(6.0), None));
        assert_eq!(board.causes.into_iter().collect::<Vec<_>>(), ["overcurrent"]);
        readings.kernel.rails.remove(0);
        readings.kernel.zones.remove(1);
        let board = Sample::of(&readings, Some(1));
        assert_eq!((board.celsius, board.watts, board.causes.len()), (Some(60.0), Some(1.5), 0));
        let reasons = BTreeSet::from([Reason::PowerCap]);
        let card = Gpu { celsius: Some(80.0), watts: Some(300.0), clock_mhz: Some(1755), reasons, ..Gpu::default() };
        readings.gpus.push(card);
        let card = Sample::of(&readings, Some(1));
        assert_eq!((card.celsius, card.watts, card.clock_mhz), (Some(80.0), Some(300.0), Some(1755)));
    }

    #[test]
    fn what_is_not_told_is_a_dash() {
        let rows = vec![Row { ended: INTERVAL, images_per_second: 12.34, sample: Sample::default() }];
        assert_eq!(table(&rows).rows, [["10", "12.3", "–", "–", "–", "nothing"]]);
    }
}
