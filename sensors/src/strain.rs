//! How badly heat and power hold the machine back: one table from what was read to what it means. Pure; it decides nothing
//! about anybody's work.

use std::fmt;

use serde::Serialize;

use crate::gpu::{Gpu, Reason};
use crate::watch::Readings;
use crate::zone::Zone;

/// Distance from the temperature at which the kernel shuts the machine down, thousandths of a degree: time to become
/// cooler by doing less.
const MARGIN: i64 = 10_000;

/// The same for a card that tells when it switches itself off and not when it slows down, degrees: on cards that tell both
/// the two lie 3 to 5 degrees apart.
const CARD_MARGIN: f64 = 5.0;

/// How much of it there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strain {
    /// As it should be.
    #[default]
    Normal,
    /// Something computes more slowly than it could, for its own protection.
    Throttled,
    /// Not far from switching itself off.
    Critical,
}

/// One thing that holds the machine back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A sensor is close to the temperature at which its machine or card switches itself off.
    NearShutdown {
        /// Zone or card.
        place: String,
        /// Degrees Celsius.
        celsius: f64,
    },
    /// A zone is at the temperature from which the kernel slows its devices down.
    Hot {
        /// Zone.
        place: String,
        /// Degrees Celsius.
        celsius: f64,
    },
    /// The board says that it slows a part down.
    Alert(String),
    /// A card says so.
    Card {
        /// Its name.
        gpu: String,
        /// What it says.
        reason: Reason,
    },
    /// The board was slowed down since the last look because it drew too much current.
    Overcurrent {
        /// So many times.
        times: u64,
    },
}

impl Cause {
    /// The table.
    #[must_use]
    pub fn strain(&self) -> Strain {
        match self {
            Self::NearShutdown { .. } | Self::Card { reason: Reason::HardwareHeat, .. } => Strain::Critical,
            Self::Hot { .. } | Self::Alert(_) | Self::Overcurrent { .. } => Strain::Throttled,
            Self::Card { reason: Reason::Heat | Reason::PowerBrake | Reason::Slowdown, .. } => Strain::Throttled,
            // Cards work at their limit whenever they are busy: less work would only be less work.
            Self::Card { reason: Reason::PowerCap, .. } => Strain::Normal,
        }
    }

    /// As the metrics' label has it; one of [`Cause::NAMES`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NearShutdown { .. } => "near_shutdown",
            Self::Hot { .. } | Self::Alert(_) => "heat",
            Self::Card { reason, .. } => reason.name(),
            Self::Overcurrent { .. } => "overcurrent",
        }
    }

    /// All names that a cause can have.
    pub const NAMES: [&str; 7] =
        ["near_shutdown", "heat", "hardware_heat", "power_cap", "power_brake", "slowdown", "overcurrent"];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NearShutdown { place, celsius } => {
                write!(f, "{place} is at {celsius:.0} °C, close to where it switches itself off")
            }
            Self::Hot { place, celsius } => write!(f, "slowed down by heat: {place} is at {celsius:.0} °C"),
            Self::Alert(name) => write!(f, "slowed down by heat ({name})"),
            Self::Overcurrent { .. } => write!(f, "slowed down because the board drew too much current"),
            Self::Card { gpu, reason } => match reason {
                Reason::PowerCap => write!(f, "{gpu} works at its power limit, as it may"),
                Reason::Heat => write!(f, "{gpu} is slowed down by heat"),
                Reason::HardwareHeat => write!(f, "{gpu} is slowed down to half or less by heat"),
                Reason::PowerBrake => write!(f, "{gpu} is slowed down by the power supply"),
                Reason::Slowdown => write!(f, "{gpu} is slowed down by its hardware"),
            },
        }
    }
}

/// All that `readings` show, the worst first. `overcurrents` is what the board had counted at the look before;
/// what it counted before the first one is past.
#[must_use]
pub fn causes(readings: &Readings, overcurrents: Option<u64>) -> Vec<Cause> {
    let kernel = &readings.kernel;
    let mut found: Vec<Cause> = kernel.zones.iter().filter_map(of_zone).collect();
    found.extend(readings.gpus.iter().filter_map(of_temperature));
    for gpu in &readings.gpus {
        found.extend(gpu.reasons.iter().map(|reason| Cause::Card { gpu: gpu.name.clone(), reason: *reason }));
    }
    found.extend(kernel.alerts.iter().cloned().map(Cause::Alert));
    let times = kernel.overcurrents.zip(overcurrents).map_or(0, |(now, before)| now.saturating_sub(before));
    found.extend((times > 0).then_some(Cause::Overcurrent { times }));
    found.sort_by_key(|cause| std::cmp::Reverse(cause.strain()));
    found
}

/// The worst of `causes`.
#[must_use]
pub fn strain(causes: &[Cause]) -> Strain {
    causes.iter().map(Cause::strain).max().unwrap_or_default()
}

fn of_zone(zone: &Zone) -> Option<Cause> {
    let (place, celsius) = (zone.name.clone(), zone.now as f64 / 1e3);
    if zone.critical.is_some_and(|critical| zone.now >= critical - MARGIN) {
        Some(Cause::NearShutdown { place, celsius })
    } else {
        zone.passive.is_some_and(|passive| zone.now >= passive).then_some(Cause::Hot { place, celsius })
    }
}

fn of_temperature(gpu: &Gpu) -> Option<Cause> {
    let limit = gpu.slowdown_celsius.or_else(|| Some(gpu.shutdown_celsius? - CARD_MARGIN))?;
    let celsius = gpu.celsius.filter(|celsius| *celsius >= limit)?;
    Some(Cause::NearShutdown { place: gpu.name.clone(), celsius })
}

/// Looks over which the worst counts: half a minute at [`crate::PERIOD`]. A regulator that switches on and off every few
/// seconds must not switch anybody's work on and off with it.
const LOOKS: usize = 6;

/// Rises at once and falls slowly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settling([Strain; LOOKS]);

impl Settling {
    /// The worst of the last looks, of which `now` is the newest.
    pub fn after(&mut self, now: Strain) -> Strain {
        self.0.rotate_left(1);
        self.0[LOOKS - 1] = now;
        self.0.into_iter().max().unwrap_or(now)
    }
}

#[cfg(test)]
mod tests;
