//! Which calibration and which operating point are in force at one site. Pure; the numbers are the manifest's.

use serde::{Deserialize, Serialize};

use super::manifest::{Calibration, Manifest, OperatingPoint, SiteCalibration};

/// From logit to finding, at one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// probability = sigmoid(slope · logit + intercept); over 0.
    pub slope: f64,
    /// See above.
    pub intercept: f64,
    /// At or over its threshold a finding is positive.
    pub point: OperatingPoint,
}

impl Rule {
    /// The manifest's own rule with what it says of `site` in its place.
    ///
    /// [`super::Bundle::open`] refuses a manifest without an operating point.
    #[must_use]
    pub fn at(manifest: &Manifest, site: &str) -> Self {
        let Calibration::Platt { slope, intercept, .. } = manifest.calibration;
        let of_site = manifest.sites.get(site);
        let (slope, intercept) = match of_site.and_then(|site| site.calibration.as_ref()) {
            None => (slope, intercept),
            // Guo et al. 2017: the calibrated logit is divided by the temperature.
            Some(SiteCalibration::Temperature { temperature, .. }) => (slope / temperature, intercept / temperature),
            Some(SiteCalibration::Platt { slope, intercept, .. }) => (*slope, *intercept),
        };
        let point = of_site.and_then(|site| site.operating_point.as_ref());
        Self { slope, intercept, point: point.unwrap_or(&manifest.operating_points[0]).clone() }
    }
}
