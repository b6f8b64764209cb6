//! How long the certificates last that this appliance shows to others, so that none ends unnoticed. It reads certificates,
//! never a key, and changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics::{Unit, describe_gauge, gauge};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vitals::health::Part;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::words::{counted, moment};
use crate::output::OutputConfig;
use crate::output::config::DestinationConfig;
use crate::world::World;

/// Between two looks: a certificate ends at a day, and one that was renewed is seen within the hour.
const PERIOD: Duration = Duration::from_secs(15 * 60);
/// Days before the end from which it is told: a hospital's authority may take weeks.
const SOON_DAYS: i64 = 30;
/// The same for the cloud's, which the sync-agent renews by itself with a quarter to a third of its 90 days left: below this it
/// has failed to for a week at least.
const SOON_DAYS_CLOUD: i64 = 14;
const DAY_S: i64 = 86_400;
/// In the state folder: when the certificate for the cloud ends, seconds since the Unix epoch, as the sync-agent writes it.
/// The certificate itself is none of the appliance's business.
const CLOUD: &str = "cloud-certificate";

/// A certificate in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What it is for.
    pub name: String,
    /// When it ends, seconds since the Unix epoch, or why that is not known.
    pub ends_s: Result<i64, String>,
    /// Another one lies in its file, and comes into use with a restart.
    pub is_renewed: bool,
    /// Days before the end from which it is told.
    pub soon_days: i64,
}

/// How much longer it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// Long enough, or nobody knows.
    Fine,
    /// Not for long.
    Soon,
    /// No longer.
    Ended,
}

/// Who looks.
pub struct Lookout {
    /// The certificate of `[dicom.tls]`.
    pub tls: Option<PathBuf>,
    /// The destinations, as they are at any moment.
    pub output: watch::Receiver<Arc<OutputConfig>>,
    /// The state folder.
    pub state_dir: PathBuf,
    /// Not well once one has ended.
    pub health: Part,
    /// For the status page.
    pub told: watch::Sender<Vec<Certificate>>,
    /// Clock.
    pub world: World,
}

impl Certificate {
    /// How much longer it can be used at `now_ms`, and that in words.
    #[must_use]
    pub fn lasting(&self, now_ms: i64) -> (Lasting, String) {
        let ends_s = match &self.ends_s {
            Err(why) => return (Lasting::Fine, format!("not known: {why}")),
            Ok(ends_s) => *ends_s,
        };
        let (left_s, until) = (ends_s - now_ms.div_euclid(1000), moment(ends_s.saturating_mul(1000)));
        let renewed =
            if self.is_renewed { "; another one lies in its file: restart the service to use it" } else { "" };
        if left_s <= 0 {
            let now = moment(now_ms);
            let words =
                format!("ended {until} by the clock here, which says {now}; others refuse it, so renew it{renewed}");
            return (Lasting::Ended, words);
        }
        let days = counted(left_s.unsigned_abs() / DAY_S.unsigned_abs(), "day", "days");
        let soon = left_s < self.soon_days * DAY_S;
        let advice = if soon && !self.is_renewed { "; renew it" } else { renewed };
        (if soon { Lasting::Soon } else { Lasting::Fine }, format!("{days} left, until {until}{advice}"))
    }
}

impl Lookout {
    /// Looks until `stop`, and at once where the destinations change.
    pub async fn run(mut self, stop: CancellationToken) {
        // What was read at the start is what is shown, whatever lies in the file since.
        let in_use = self.tls.as_deref().map(ends);
        let look = async {
            loop {
                self.look(in_use.as_ref()).await;
                tokio::select! {
                    () = tokio::time::sleep(PERIOD) => {}
                    Ok(()) = self.output.changed() => {}
                }
            }
        };
        stop.run_until_cancelled(look).await;
    }

    async fn look(&mut self, in_use: Option<&Result<i64, String>>) {
        let (tls, in_use, state_dir) = (self.tls.clone(), in_use.cloned(), self.state_dir.clone());
        let output = Arc::clone(&self.output.borrow_and_update());
        let found = tokio::task::spawn_blocking(move || {
            let dicom = tls.zip(in_use).map(|(file, in_use)| Certificate {
                name: "DICOM TLS".to_owned(),
                is_renewed: ends(&file).is_ok_and(|now| in_use != Ok(now)),
                ends_s: in_use,
                soon_days: SOON_DAYS,
            });
            dicom.into_iter().chain(of_destinations(&output)).chain([of_cloud(&state_dir)]).collect::<Vec<_>>()
        });
        let Ok(found) = found.await else { return };
        let now_ms = (self.world.now_ms)();
        let mut ended = Vec::new();
        for certificate in &found {
            if let Ok(ends_s) = certificate.ends_s {
                let name = certificate.name.clone();
                gauge!("certificate_not_after_timestamp_seconds", "certificate" => name).set(ends_s as f64);
            }
            match certificate.lasting(now_ms) {
                (Lasting::Fine, _) => {}
                (Lasting::Soon, words) => {
                    tracing::warn!(certificate = certificate.name, words, "a certificate ends soon");
                }
                (Lasting::Ended, words) => ended.push(format!("the certificate for {} {words}", certificate.name)),
            }
        }
        if ended.is_empty() {
            self.health.up();
        } else {
            self.health.down(&ended.join("; "));
        }
        self.told.send_replace(found);
    }
}

/// The certificates of our own that destinations are shown. Read for each delivery, so the file is what is in use.
fn of_destinations(output: &OutputConfig) -> impl Iterator<Item = Certificate> {
    output.destination.iter().filter_map(|destination| match destination {
        DestinationConfig::Fhir(server) => {
            let file = server.certificate.as_deref()?;
            Some(Certificate { name: server.name.clone(), ends_s: ends(file), is_renewed: false, soon_days: SOON_DAYS })
        }
        // With the papers of [dicom.tls], or none.
        DestinationConfig::Dicom(_) | DestinationConfig::Hl7(_) => None,
    })
}

fn of_cloud(state_dir: &Path) -> Certificate {
    let said = std::fs::read_to_string(state_dir.join(CLOUD)).ok().and_then(|text| text.trim().parse().ok());
    let ends_s = said.ok_or_else(|| "the sync-agent on this machine has not said".to_owned());
    Certificate { name: "the cloud".to_owned(), ends_s, is_renewed: false, soon_days: SOON_DAYS_CLOUD }
}

/// When the first of a file's certificates ends: the chain is of no use after that.
fn ends(file: &Path) -> Result<i64, String> {
    let unusable = || format!("{} cannot be read as certificates", file.display());
    let chain = CertificateDer::pem_file_iter(file).map_err(|_| unusable())?;
    let end = |der: Result<CertificateDer<'_>, _>| {
        let der = der.map_err(|_| unusable())?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| unusable())?;
        Ok(certificate.validity().not_after.timestamp())
    };
    let ends: Vec<i64> = chain.map(end).collect::<Result<_, String>>()?;
    ends.into_iter().min().ok_or_else(unusable)
}

/// Says what each metric of this room means.
pub(super) fn describe() {
    describe_gauge!(
        "certificate_not_after_timestamp_seconds",
        Unit::Seconds,
        "When a certificate that this appliance shows ends, since the Unix epoch, by what it is for"
    );
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// 2030-06-01.
    const END_S: i64 = 1_906_502_400;

    fn paper(ends_s: Result<i64, String>) -> Certificate {
        Certificate { name: "DICOM TLS".to_owned(), ends_s, is_renewed: false, soon_days: SOON_DAYS }
    }

    #[test]
    fn thirty_days_are_soon_and_the_end_is_the_end() {
        for (left_s, lasting, words) in [
            (400 * DAY_S, Lasting::Fine, "400 days left"),
            (30 * DAY_S, Lasting::Fine, "30 days left"),
            (30 * DAY_S - 1, Lasting::Soon, "29 days left"),
            (DAY_S, Lasting::Soon, "1 day left"),
            (1, Lasting::Soon, "renew it"),
            (0, Lasting::Ended, "ended 2030-06-01"),
            (-9 * DAY_S, Lasting::Ended, "others refuse it"),
        ] {
            let (found, said) = paper(Ok(END_S)).lasting((END_S - left_s) * 1000);
            assert!(found == lasting && said.contains(words), "{left_s}: {found:?} {said}");
        }
        let renewed = Certificate { is_renewed: true, ..paper(Ok(END_S)) };
        let (lasting, said) = renewed.lasting((END_S - DAY_S) * 1000);
        assert!(lasting == Lasting::Soon && said.contains("restart") && !said.contains("renew it"), "{said}");
        assert_eq!(paper(Err("why".to_owned())).lasting(0), (Lasting::Fine, "not known: why".to_owned()));
    }

    #[test]
    fn the_first_of_a_chain_to_end_counts() {
        let folder = tempfile::tempdir().unwrap();
        let made = |year| {
            let mut params = CertificateParams::default();
            params.not_after = date_time_ymd(year, 6, 1);
            params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
        };
        let file = folder.path().join("chain.pem");
        std::fs::write(&file, made(2035) + &made(2030)).unwrap();
        assert_eq!(ends(&file), Ok(END_S));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(ends(&file).is_err() && ends(&folder.path().join("none")).is_err());
    }

    #[test]
    fn what_the_agent_has_not_said_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of_cloud(folder.path()).ends_s.is_err());
        std::fs::write(folder.path().join(CLOUD), "1906502400\n").unwrap();
        assert_eq!(of_cloud(folder.path()).ends_s, Ok(END_S));
        std::fs::write(folder.path().join(CLOUD), "soon").unwrap();
        assert!(of_cloud(folder.path()).ends_s.is_err());
    }
}
