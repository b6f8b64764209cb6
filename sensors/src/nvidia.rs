//! NVIDIA's management library (NVML), which comes with the driver and is loaded at run time: the edge where its answers come
//! in. Calls into a sick driver may hang, so only a thread of [`crate::Watch`] makes them. It sets nothing.

use std::ffi::OsStr;

use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor, TemperatureThreshold};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use crate::gpu::{Gpu, Told};

/// The library's name as its ABI has it; the name without a number exists on machines with development files only.
pub const LIBRARY: &str = "libnvidia-ml.so.1";

/// More cards than any machine has that this house knows; bounds what one look costs.
const MOST_CARDS: u32 = 16;

/// Why nothing is known of NVIDIA's cards.
#[derive(Debug, thiserror::Error)]
pub enum NvidiaError {
    /// As on every machine without NVIDIA's driver.
    #[error("there is no NVIDIA management library ({LIBRARY}) on this machine")]
    NotInstalled,
    /// It is there and does not work.
    #[error(
        "NVIDIA's management library does not answer: {0}; look at `nvidia-smi` and at the service's access to /dev/nvidia*"
    )]
    Refused(NvmlError),
}

/// The library, loaded and ready.
pub struct Nvidia(Nvml);

impl Nvidia {
    /// Loads the library; may take seconds, and may hang with a sick driver.
    ///
    /// # Errors
    /// Where there is none, or it does not find its driver.
    pub fn open(library: &OsStr) -> Result<Self, NvidiaError> {
        match Nvml::builder().lib_path(library).init() {
            Ok(nvml) => Ok(Self(nvml)),
            Err(NvmlError::LibloadingError(_)) => Err(NvidiaError::NotInstalled),
            Err(error) => Err(NvidiaError::Refused(error)),
        }
    }

    /// All cards, now.
    ///
    /// # Errors
    /// Where the driver no longer answers. What a card does not tell is left out and no error.
    pub fn read(&self) -> Result<Vec<Gpu>, NvidiaError> {
        let count = self.0.device_count().map_err(NvidiaError::Refused)?.min(MOST_CARDS);
        (0..count)
            .map(|index| Ok(told(&self.0.device_by_index(index)?).into()))
            .collect::<Result<_, _>>()
            .map_err(NvidiaError::Refused)
    }
}

fn told(device: &Device<'_>) -> Told {
    Told {
        name: device.name().ok(),
        celsius: device.temperature(TemperatureSensor::Gpu).ok(),
        slowdown_celsius: device.temperature_threshold(TemperatureThreshold::Slowdown).ok(),
        shutdown_celsius: device.temperature_threshold(TemperatureThreshold::Shutdown).ok(),
        milliwatts: device.power_usage().ok(),
        limit_milliwatts: device.enforced_power_limit().ok(),
        reasons: device.current_throttle_reasons().ok().map(|reasons| reasons.bits()),
        busy_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
        memory: device.memory_info().ok().map(|memory| (memory.used, memory.total)),
        clock_mhz: device.clock_info(Clock::SM).ok(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
