//! The room as one thing to run: a courier for each destination, the archives' reports, and a look at how it all stands.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, gauge};
use outbox::{DeliveryCount, DeliveryState};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
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

/// By destination's name: what it was started for, how to end it, and its end.
type Couriers = HashMap<String, (DestinationConfig, CancellationToken, JoinHandle<()>)>;

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
        tasks.spawn(super::commitment::run(notices, self.journal.clone(), self.world, stop.clone()));
        let (mut couriers, mut config) = (Couriers::new(), self.dispatch.config.clone());
        let mut tick = tokio::time::interval(PERIOD);
        self.staff(&mut couriers, &tasks, &stop).await;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = tick.tick() => {
                    if let Err(error) = self.look().await {
                        tracing::warn!(error = vitals::exit::chain(&error), "the deliveries were not counted");
                    }
                }
                Ok(()) = config.changed() => self.staff(&mut couriers, &tasks, &stop).await,
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// A courier for each destination as it is configured now. One whose destination changed or went ends first: what it had
    /// under way is sent again, as the same object, and what waits for a destination that went stays.
    async fn staff(&self, couriers: &mut Couriers, tasks: &TaskTracker, stop: &CancellationToken) {
        let config = Arc::clone(&self.dispatch.config.borrow());
        for (_, (_, end, ended)) in couriers.extract_if(|_, (known, ..)| !config.destination.contains(known)) {
            end.cancel();
            // One that panicked has ended, too.
            let _ = ended.await;
        }
        for destination in &config.destination {
            couriers.entry(destination.name().to_owned()).or_insert_with(|| {
                let end = stop.child_token();
                let courier = tasks.spawn(self.courier(destination).run(end.clone()));
                (destination.clone(), end, courier)
            });
        }
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
        let mut levels = self.journal.delivery_levels().await?;
        let config = Arc::clone(&self.dispatch.config.borrow());
        let mut names: Vec<&str> = config.destination.iter().map(DestinationConfig::name).collect();
        levels.stranded = stranded(&levels.counts, &names);
        names.extend(levels.stranded.iter().map(|(name, _)| name.as_str()));
        for name in names {
            for state in DeliveryState::ALL {
                let same = |count: &&DeliveryCount| count.destination == name && count.state == state;
                let count = levels.counts.iter().find(same).map_or(0, |count| count.count);
                gauge!("deliveries", "destination" => name.to_owned(), "state" => state.word()).set(count as f64);
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

/// How many deliveries wait for each destination that is not in the configuration any more.
fn stranded(counts: &[DeliveryCount], known: &[&str]) -> Vec<(String, u64)> {
    let mut stranded = Vec::<(String, u64)>::new();
    let is_owed = |count: &&DeliveryCount| matches!(count.state, DeliveryState::Waiting | DeliveryState::Sent);
    for count in counts.iter().filter(is_owed).filter(|count| !known.contains(&count.destination.as_str())) {
        match stranded.iter_mut().find(|(name, _)| *name == count.destination) {
            Some((_, total)) => *total += count.count,
            None => stranded.push((count.destination.clone(), count.count)),
        }
    }
    stranded
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_destination_that_went_is_counted() {
        let count = |to: &str, state, count| DeliveryCount { destination: to.to_owned(), state, count, oldest_ms: 0 };
        let counts = [
            count("gone", DeliveryState::Sent, 2),
            count("gone", DeliveryState::Waiting, 3),
            count("gone", DeliveryState::Committed, 50),
            count("old", DeliveryState::Delivered, 7),
            count("pacs", DeliveryState::Waiting, 9),
        ];
        assert_eq!(stranded(&counts, &["pacs"]), [("gone".to_owned(), 5)]);
        assert_eq!(stranded(&counts, &["pacs", "gone"]), []);
    }
}
