//! One graphics processor, in units that people use, from what NVIDIA's management library told of it. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

/// Why a graphics processor computes more slowly than it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It draws what its power limit allows: the limit's purpose, and no danger.
    PowerCap,
    /// Its driver keeps it at its highest working temperature.
    Heat,
    /// Its hardware halves the clock, or worse, because it is too hot.
    HardwareHeat,
    /// The power supply told it to draw less at once.
    PowerBrake,
    /// Its hardware halves the clock and does not say why.
    Slowdown,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::PowerCap, Self::Heat, Self::HardwareHeat, Self::PowerBrake, Self::Slowdown];

    /// As the metrics' label has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PowerCap => "power_cap",
            Self::Heat => "heat",
            Self::HardwareHeat => "hardware_heat",
            Self::PowerBrake => "power_brake",
            Self::Slowdown => "slowdown",
        }
    }
}

/// NVML's clocks event reasons (`nvmlClocksEventReasons`, nvml.h). Those that are no trouble are not listed: idle, clocks set
/// by an administrator, sync boost, display clocks.
const REASONS: [(u64, Reason); 5] = [
    (0x04, Reason::PowerCap),
    (0x08, Reason::Slowdown),
    (0x20, Reason::Heat),
    (0x40, Reason::HardwareHeat),
    (0x80, Reason::PowerBrake),
];

/// What the library told, in its units; `None` where this card, driver or board does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) name: Option<String>,
    /// Degrees Celsius.
    pub(crate) celsius: Option<u32>,
    pub(crate) slowdown_celsius: Option<u32>,
    pub(crate) shutdown_celsius: Option<u32>,
    pub(crate) milliwatts: Option<u32>,
    pub(crate) limit_milliwatts: Option<u32>,
    /// A mask of clocks event reasons.
    pub(crate) reasons: Option<u64>,
    pub(crate) busy_percent: Option<u32>,
    /// Bytes in use and all of them.
    pub(crate) memory: Option<(u64, u64)>,
    pub(crate) clock_mhz: Option<u32>,
}

/// One graphics processor, now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Gpu {
    /// As its driver names it, such as `NVIDIA L4`.
    pub name: String,
    /// Degrees Celsius of the die.
    pub celsius: Option<f64>,
    /// From here on its hardware slows it down.
    pub slowdown_celsius: Option<f64>,
    /// From here on its hardware switches it off.
    pub shutdown_celsius: Option<f64>,
    /// Watts that it draws.
    pub watts: Option<f64>,
    /// Watts that it may draw.
    pub limit_watts: Option<f64>,
    /// Share of the last moments in which it computed, 0 to 1.
    pub busy: Option<f64>,
    /// Bytes of its memory in use.
    pub memory_used_bytes: Option<u64>,
    /// Bytes of its memory.
    pub memory_bytes: Option<u64>,
    /// Megahertz of its processors.
    pub clock_mhz: Option<u32>,
    /// What holds it back; empty where nothing does, or where it does not tell.
    pub reasons: BTreeSet<Reason>,
}

impl From<Told> for Gpu {
    fn from(told: Told) -> Self {
        let watts = |milliwatts: Option<u32>| milliwatts.map(|milliwatts| f64::from(milliwatts) / 1e3);
        // Some cards answer 0 where they have no such threshold.
        let degrees = |celsius: Option<u32>| celsius.filter(|celsius| *celsius > 0).map(f64::from);
        Self {
            name: told.name.unwrap_or_else(|| "NVIDIA GPU".to_owned()),
            celsius: told.celsius.map(f64::from),
            slowdown_celsius: degrees(told.slowdown_celsius),
            shutdown_celsius: degrees(told.shutdown_celsius),
            watts: watts(told.milliwatts),
            limit_watts: watts(told.limit_milliwatts),
            busy: told.busy_percent.map(|percent| f64::from(percent.min(100)) / 100.0),
            memory_used_bytes: told.memory.map(|(used, _)| used),
            memory_bytes: told.memory.map(|(_, all)| all),
            clock_mhz: told.clock_mhz,
            reasons: reasons(told.reasons.unwrap_or(0)),
        }
    }
}

fn reasons(mask: u64) -> BTreeSet<Reason> {
    let mut found: BTreeSet<Reason> =
        REASONS.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, reason)| *reason).collect();
    // The general bit is set beside each of the two that name the hardware's reason.
    if found.contains(&Reason::HardwareHeat) || found.contains(&Reason::PowerBrake) {
        found.remove(&Reason::Slowdown);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_trouble_is_a_reason() {
        for (mask, expected) in [
            (0x000, &[][..]),
            // Idle, set clocks, sync boost, display clocks.
            (0x113, &[]),
            (0x004, &[Reason::PowerCap]),
            (0x008, &[Reason::Slowdown]),
            (0x020, &[Reason::Heat]),
            (0x048, &[Reason::HardwareHeat]),
            (0x088, &[Reason::PowerBrake]),
            (0x024, &[Reason::PowerCap, Reason::Heat]),
            (u64::MAX, &[Reason::PowerCap, Reason::Heat, Reason::HardwareHeat, Reason::PowerBrake]),
        ] {
            assert_eq!(reasons(mask).into_iter().collect::<Vec<_>>(), expected, "{mask:#x}");
        }
    }

    #[test]
    fn units_are_peoples_and_what_is_not_told_is_left_out() {
        let nothing = Gpu::from(Told::default());
        assert_eq!(nothing, Gpu { name: "NVIDIA GPU".into(), ..Gpu::default() });
        let gpu = Gpu::from(Told {
            name: Some("NVIDIA L4".into()),
            celsius: Some(71),
            slowdown_celsius: Some(0),
            shutdown_celsius: Some(92),
            milliwatts: Some(54_320),
            limit_milliwatts: Some(72_000),
            reasons: Some(4),
            busy_percent: Some(93),
            memory: Some((2, 24)),
            clock_mhz: Some(2040),
        });
        assert_eq!((gpu.celsius, gpu.slowdown_celsius, gpu.shutdown_celsius), (Some(71.0), None, Some(92.0)));
        assert_eq!((gpu.watts, gpu.limit_watts, gpu.busy), (Some(54.32), Some(72.0), Some(0.93)));
        assert_eq!((gpu.memory_used_bytes, gpu.memory_bytes, gpu.clock_mhz), (Some(2), Some(24), Some(2040)));
    }
}
