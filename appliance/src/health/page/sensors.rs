//! Graphics, power and what slows the machine down, in words; nothing where no sensor tells.

use ::sensors::{Cause, Gpu, Integrated, Rail, Strain};

use super::super::thermal::Sensed;
use super::size;

pub(super) fn rows(sensed: &Sensed) -> Vec<(&'static str, String)> {
    let kernel = &sensed.readings.kernel;
    let mut rows: Vec<(&str, String)> = sensed.readings.gpus.iter().map(|gpu| ("Graphics card", card(gpu))).collect();
    rows.extend(kernel.integrated.map(|found| ("Graphics on the board", integrated(&found))));
    if !kernel.rails.is_empty() {
        rows.push(("Power", kernel.rails.iter().map(rail).collect::<Vec<_>>().join(", ")));
    }
    rows.extend(kernel.power_mode.iter().map(|mode| ("Power mode", mode.clone())));
    rows.push(("Held back", held_back(sensed)));
    rows
}

fn card(gpu: &Gpu) -> String {
    let power = gpu.watts.map(|watts| match gpu.limit_watts {
        Some(limit) => format!("{watts:.0} W of {limit:.0} W"),
        None => format!("{watts:.0} W"),
    });
    let memory = gpu.memory_used_bytes.zip(gpu.memory_bytes);
    told(
        &gpu.name,
        [
            gpu.celsius.map(|celsius| format!("{celsius:.0} °C")),
            power,
            gpu.busy.map(busy),
            memory.map(|(used, all)| format!("{} of {} in use", size(used), size(all))),
            gpu.clock_mhz.map(|mhz| format!("{mhz} MHz")),
        ],
    )
}

fn integrated(found: &Integrated) -> String {
    let clock = found.clock_mhz.map(|mhz| match found.most_mhz {
        Some(most) => format!("{mhz} of {most} MHz"),
        None => format!("{mhz} MHz"),
    });
    told("", [found.busy.map(busy), clock])
}

fn told<const N: usize>(name: &str, parts: [Option<String>; N]) -> String {
    let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if name.is_empty() { parts } else { format!("{name}: {parts}") }
}

fn busy(share: f64) -> String {
    format!("{:.0} % busy", share * 100.0)
}

fn rail(rail: &Rail) -> String {
    format!("{} {:.1} W", rail.name, rail.watts)
}

fn held_back(sensed: &Sensed) -> String {
    let mut words: Vec<String> = sensed.causes.iter().map(Cause::to_string).collect();
    if words.is_empty() && sensed.strain != Strain::Normal {
        words.push("within the last half minute, not now".to_owned());
    }
    if words.is_empty() {
        words.push("by nothing that a sensor tells of".to_owned());
    }
    let work = match sensed.strain {
        Strain::Normal => None,
        Strain::Throttled => Some("the model is given half as many images at once"),
        Strain::Critical => Some("the model is given one image at a time, and none of the backlog"),
    };
    words.extend(work.map(str::to_owned));
    if sensed.readings.is_silent {
        words.push(
            "some sensors have stopped answering: `nvidia-smi` shows whether the graphics driver still does".into(),
        );
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ::sensors::{Kernel, Readings, Reason};

    use super::*;

    #[test]
    fn a_machine_without_sensors_says_so_in_one_row() {
        assert_eq!(rows(&Sensed::default()), [("Held back", "by nothing that a sensor tells of".to_owned())]);
    }

    #[test]
    fn a_card_and_a_board_are_told_in_words() {
        let gpu = Gpu {
            name: "NVIDIA L4".into(),
            celsius: Some(71.4),
            watts: Some(71.8),
            limit_watts: Some(72.0),
            busy: Some(0.93),
            memory_used_bytes: Some(2_000_000_000),
            memory_bytes: Some(24_000_000_000),
            reasons: BTreeSet::from([Reason::PowerCap]),
            ..Gpu::default()
        };
        let kernel = Kernel {
            rails: vec![Rail { name: "VDD_IN".into(), watts: 6.27 }, Rail { name: "VDD_SOC".into(), watts: 1.48 }],
            integrated: Some(Integrated { busy: Some(0.5), clock_mhz: Some(612), most_mhz: Some(624) }),
            power_mode: Some("15W".into()),
            ..Kernel::default()
        };
        let causes = vec![Cause::Card { gpu: gpu.name.clone(), reason: Reason::PowerCap }];
        let readings = Readings { kernel, gpus: vec![gpu], is_silent: false };
        let expected = [
            ("Graphics card", "NVIDIA L4: 71 °C, 72 W of 72 W, 93 % busy, 2.0 GB of 24.0 GB in use"),
            ("Graphics on the board", "50 % busy, 612 of 624 MHz"),
            ("Power", "VDD_IN 6.3 W, VDD_SOC 1.5 W"),
            ("Power mode", "15W"),
            ("Held back", "NVIDIA L4 works at its power limit, as it may"),
        ];
        let sensed = Sensed { readings, causes, strain: Strain::Normal };
        assert_eq!(rows(&sensed), expected.map(|(name, words)| (name, words.to_owned())));
    }

    #[test]
    fn what_the_model_is_given_and_what_fell_silent_is_said() {
        let silent = Readings { is_silent: true, ..Readings::default() };
        let words = held_back(&Sensed { readings: silent, causes: vec![], strain: Strain::Throttled });
        for part in ["not now", "half as many", "nvidia-smi"] {
            assert!(words.contains(part), "{words}");
        }
    }
}
