//! The room as one thing to run: a courier for each destination, the archives' reports, and a look at how it all stands.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, gauge};
use outbox::DeliveryState;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::DestinationConfig;
use super::courier::Courier;
use super::dispatch::Dispatch;
use super::peer::{Archive, FhirServer, Peer, Ris};
use crate::dicom::AeTitle;
use crate::dicom::commitment::Notice;
use crate::dicom::tls::Connector;
use crate::journal::{DeliveryLevels, Journal, JournalError};
use crate::world::World;

/// Between two looks: fine enough for a scrape every 15 s.
const PERIOD: Duration = Duration::from_secs(5);
/// How long a report stays after its last delivery has ended: long enough to see on a Monday what went wrong on a Friday, and
/// to answer an archive that reports late.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Reports forgotten at a time: each frees up to a megabyte, and the journal's thread has other things to do.
const FORGOTTEN: u32 = 50;

/// What it needs.
pub struct Service {
    /// Opens records and knows the destinations.
    pub dispatch: Dispatch,
    /// Where deliveries are.
    pub journal: Journal,
    /// Clock and dice.
    pub world: World,
    /// Our own AE title.
    pub title: AeTitle,
    /// For archives that are spoken to over TLS.
    pub tls: Option<Connector>,
    /// How the deliveries stand, for the status page.
    pub levels: watch::Sender<DeliveryLevels>,
}

impl Service {
    /// Delivers until `stop`; `notices` are the archives' reports of storage commitment.
    pub async fn run(self, notices: mpsc::Receiver<Notice>, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        for destination in &self.dispatch.config.destination {
            tasks.spawn(self.courier(destination).run(stop.clone()));
        }
        tasks.spawn(super::commitment::run(notices, self.journal.clone(), self.world, stop.clone()));
        tasks.close();
        let mut tick = tokio::time::interval(PERIOD);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            if let Err(error) = self.look().await {
                tracing::warn!(error = vitals::exit::chain(&error), "the deliveries were not counted");
            }
        }
        tasks.wait().await;
    }

    fn courier(&self, destination: &DestinationConfig) -> Courier {
        let peer = match destination {
            DestinationConfig::Hl7(ris) => Peer::Ris(Ris { destination: ris.clone() }),
            DestinationConfig::Fhir(server) => Peer::Fhir(FhirServer { destination: server.clone() }),
            DestinationConfig::Dicom(archive) => Peer::Archive(Archive {
                destination: archive.clone(),
                title: self.title.clone(),
                tls: self.tls.clone().filter(|_| archive.tls),
            }),
        };
        Courier {
            destination: destination.name().to_owned(),
            peer,
            journal: self.journal.clone(),
            dispatch: self.dispatch.clone(),
            world: self.world,
        }
    }

    /// Counts, shows, and forgets what nobody is owed any more.
    async fn look(&self) -> Result<(), JournalError> {
        let levels = self.journal.delivery_levels().await?;
        for destination in &self.dispatch.config.destination {
            for state in DeliveryState::ALL {
                let same =
                    |count: &&outbox::DeliveryCount| count.destination == destination.name() && count.state == state;
                let count = levels.counts.iter().find(same).map_or(0, |count| count.count);
                let name = destination.name().to_owned();
                gauge!("deliveries", "destination" => name, "state" => state.word()).set(count as f64);
            }
        }
        self.levels.send_if_modified(|shown| {
            let is_new = *shown != levels;
            *shown = levels;
            is_new
        });
        let before_ms = (self.world.now_ms)().saturating_sub(KEPT_MS);
        self.journal.forget_reports(before_ms, FORGOTTEN).await.map(drop)
    }
}

/// Says what each metric of this room means.
pub fn describe() {
    describe_counter!(
        "deliveries_total",
        Unit::Count,
        "Steps of deliveries to the hospital's systems, by destination and outcome"
    );
    describe_counter!(
        "delivery_commitments_total",
        Unit::Count,
        "Objects that archives reported on after a request for storage commitment, by outcome"
    );
    describe_gauge!("deliveries", Unit::Count, "Deliveries to the hospital's systems, by destination and state");
}
