//! When a device's certificate is renewed, and that it is, while the service runs. Whoever uses the certificate sees the new
//! one in the identity folder; this room tells nobody.

use std::time::Duration;

use metrics::counter;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;
use wire::backoff::Backoff;

use crate::est::{self, EstError};
use crate::identity::IdentityFolder;
use crate::identity::certificate::Certificate;

/// How often the clock is looked at. A sleep until the day itself would miss a clock that jumps.
const LOOK: Duration = Duration::from_secs(60);

/// After a renewal that failed: a gateway that restarts is back in a minute, and one that is away for a week need not be
/// asked more than four times a day.
const AGAIN: Backoff = Backoff { first: Duration::from_secs(60), longest: Duration::from_secs(6 * 60 * 60) };

/// When a certificate is due for renewal, Unix milliseconds: after two thirds of its life, and up to a twelfth later, so
/// that devices which were installed on one day do not come on one day. Where in that twelfth is the certificate's own
/// chance: it stays the same however often the service starts.
#[must_use]
pub fn due_at(certificate: &Certificate) -> i64 {
    let life = i128::from(certificate.until_ms) - i128::from(certificate.from_ms);
    let chance = certificate.hash[..4].iter().fold(0_i128, |number, byte| number << 8 | i128::from(*byte));
    let wait = life * 2 / 3 + life * chance / (12 << 32);
    i64::try_from(i128::from(certificate.from_ms) + wait).unwrap_or(certificate.until_ms)
}

/// Whether so little is left that somebody must know: an eighth of its life.
#[must_use]
pub fn is_late(certificate: &Certificate, now_ms: i64) -> bool {
    let life = certificate.until_ms.saturating_sub(certificate.from_ms);
    now_ms >= certificate.until_ms.saturating_sub(life / 8)
}

/// Renews the certificate if that is due; true where it was.
///
/// # Errors
/// [`EstError`]; the old certificate is in force as before.
pub async fn look(folder: &IdentityFolder, now_ms: i64) -> Result<bool, EstError> {
    let certificate = folder.load()?.certificate;
    if now_ms < due_at(&certificate) {
        return Ok(false);
    }
    est::renew(folder, now_ms).await.map(|_| true)
}

/// How long to wait after a renewal that failed: never shorter than the gateway asks.
fn pause(failures_before: u32, asked: Option<Duration>, chance: u32) -> Duration {
    (LOOK + AGAIN.delay(failures_before, chance)).max(asked.unwrap_or_default())
}

/// Keeps the certificate fresh until `stop`.
pub async fn keep(folder: IdentityFolder, clock: fn() -> i64, part: Part, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let wait = match look(&folder, clock()).await {
            Ok(renewed) => {
                if renewed {
                    counter!("sync_renewals_total", "outcome" => "done").increment(1);
                    tracing::info!("the device's certificate was renewed");
                }
                failures = 0;
                part.up();
                LOOK
            }
            Err(error) => {
                counter!("sync_renewals_total", "outcome" => "failed").increment(1);
                let words = vitals::exit::chain(&error);
                tracing::warn!(error = words, "the device's certificate could not be renewed; trying again later");
                // Until then the old one does, and a device that works is not called ill.
                if folder.load().map_or(true, |identity| is_late(&identity.certificate, clock())) {
                    part.down(&words);
                }
                failures += 1;
                pause(failures - 1, error.retry_after(), rand::random())
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1_000;

    fn certificate(days: i64, chance: u8) -> Certificate {
        Certificate {
            name: "demo-1".into(),
            public_key: Vec::new(),
            sealing_key: String::new(),
            from_ms: 1_000 * DAY,
            until_ms: (1_000 + days) * DAY,
            hash: [chance; 32],
        }
    }

    #[test]
    fn renewal_is_due_after_two_thirds_of_life_and_at_most_a_twelfth_later() {
        for days in [1, 90, 825] {
            let (first, last) = (due_at(&certificate(days, 0)), due_at(&certificate(days, 0xff)));
            assert_eq!(first, 1_000 * DAY + days * DAY * 2 / 3);
            let latest = 1_000 * DAY + days * DAY * 3 / 4;
            assert!(last > latest - DAY / 1_000 && last < latest, "{days}: {last} {latest}");
            assert!(first < due_at(&certificate(days, 0x80)) && due_at(&certificate(days, 0x80)) < last);
            assert!(!is_late(&certificate(days, 0), last) && is_late(&certificate(days, 0), latest + days * DAY / 8));
        }
    }

    #[test]
    fn a_gateway_that_asks_for_time_gets_it() {
        let hour = Duration::from_secs(60 * 60);
        assert!(pause(0, None, u32::MAX) < hour);
        assert_eq!(pause(0, Some(hour), u32::MAX), hour);
        let long = pause(20, None, u32::MAX);
        assert_eq!(pause(20, Some(Duration::from_secs(1)), u32::MAX), long);
    }

    #[test]
    fn impossible_dates_end_in_a_date() {
        let odd = Certificate { from_ms: i64::MIN, until_ms: i64::MAX, ..certificate(1, 0xff) };
        assert!(due_at(&odd) > 0);
        assert!(due_at(&Certificate { until_ms: 0, ..odd }) < 0);
    }
}
