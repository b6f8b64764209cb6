//! A receiver of HL7 messages over MLLP: one connection for a round, each message acknowledged before the next.

use super::{Silence, fill};
use crate::output::config::Hl7Destination;
use crate::output::courier::Parcel;
use crate::output::hl7::{self, ack, mllp::Mllp};
use crate::output::verdict::Verdict;

/// The receiver.
pub struct Ris {
    /// As configured.
    pub destination: Hl7Destination,
}

impl Ris {
    pub(super) async fn deliver(&self, parcels: &[Parcel]) -> (Vec<Verdict>, Silence) {
        let mut verdicts = Vec::new();
        let mut connection = match Mllp::connect(&self.destination.address).await {
            Ok(connection) => connection,
            Err(error) => return fill(verdicts, parcels.len(), &vitals::exit::chain(&error)),
        };
        for parcel in parcels {
            let message = hl7::message(&parcel.record, &self.destination);
            let answer = match connection.ask(&message.text).await {
                Ok(answer) => answer,
                Err(error) => return fill(verdicts, parcels.len(), &vitals::exit::chain(&error)),
            };
            match ack::verdict(&answer, &message.control_id) {
                Ok(verdict) => verdicts.push(verdict),
                // What comes next may answer this one: the connection is out of step.
                Err(error) => return fill(verdicts, parcels.len(), &error.to_string()),
            }
        }
        (verdicts, Silence::None)
    }
}
