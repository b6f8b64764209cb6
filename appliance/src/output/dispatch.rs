//! What is owed of one concluded image: its record, sealed, and the deliveries that its routes ask for. It is written with the
//! image's result in one transaction, and opened again for each attempt to deliver.

use std::io::{Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use outbox::{Instance, NewDelivery};
use reader::{Outcome, Reading};
use tokio::sync::{Notify, watch};
use wire::v1::result::{OutcomeV1, ReasonV1};

use super::config::OutputConfig;
use super::record::{Moment, Origin, Picture, Record};
use super::routing::{self, Object, Planned};
use super::uids::Kind;
use crate::at_rest::{AtRest, AtRestError};
use crate::config::DeviceConfig;

/// What records are sealed for.
pub(crate) const PURPOSE: &[u8] = b"output record";
/// Bytes of a record at most: two for each of a preview's 1024² samples, the saliency and a header.
const LONGEST: u64 = 4 << 20;

/// Makes and opens what is owed.
#[derive(Clone)]
pub struct Dispatch {
    /// The routes, as they are at any moment.
    pub config: watch::Receiver<Arc<OutputConfig>>,
    /// Whose objects they are.
    pub origin: Origin,
    /// Records say who the patient is.
    pub at_rest: AtRest,
    /// The wall's distance from UTC at a moment in milliseconds since the Unix epoch, minutes.
    pub utc_offset: fn(i64) -> i16,
    /// Told of new deliveries.
    pub arrived: Arc<Notify>,
}

/// A sealed record and who is given what of it.
#[derive(Clone)]
pub struct Owed {
    /// The sealed record.
    pub payload: Vec<u8>,
    /// Each with the identifier of its object.
    pub deliveries: Vec<(Planned, Option<String>)>,
}

/// Why a record cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// It cannot be written down.
    #[error("a record for the hospital's systems could not be encoded; report this with the software's version")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot be sealed or opened.
    #[error(transparent)]
    Sealed(#[from] AtRestError),
    /// It was opened and is none.
    #[error("a record for the hospital's systems is damaged, or a later release wrote it")]
    Damaged,
}

impl Dispatch {
    /// As configured, in the machine's own time zone.
    #[must_use]
    pub fn new(device: &DeviceConfig, config: watch::Receiver<Arc<OutputConfig>>, at_rest: AtRest) -> Self {
        let origin = Origin {
            device: device.id.to_string(),
            site: device.site.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Self { config, origin, at_rest, utc_offset: crate::time_zone::offset_minutes, arrived: Arc::default() }
    }

    /// What is owed of an image; `None` where no route asks for anything. Without room for pictures a capture is not made, and
    /// its delivery says so.
    ///
    /// # Errors
    /// [`DispatchError`].
    pub fn owed(
        &self,
        image: &Instance,
        reading: &Reading,
        told: (OutcomeV1, Vec<ReasonV1>),
        (now_ms, with_picture): (i64, bool),
    ) -> Result<Option<Owed>, DispatchError> {
        let Some(mut record) = self.record(image, reading, told, now_ms) else { return Ok(None) };
        let config = Arc::clone(&self.config.borrow());
        let planned = routing::plan(&config, &image.source, &record);
        if planned.is_empty() {
            return Ok(None);
        }
        // A megabyte that only a capture needs.
        if with_picture && planned.iter().any(|one| one.object == Object::Capture) {
            record.picture = picture(reading);
        }
        let identified = planned.into_iter().map(|one| {
            let kind = one.object.kind();
            (one, kind.map(|kind| record.uid(kind)))
        });
        Ok(Some(Owed { deliveries: identified.collect(), payload: self.seal(&record)? }))
    }

    fn record(
        &self,
        image: &Instance,
        reading: &Reading,
        (outcome, caveats): (OutcomeV1, Vec<ReasonV1>),
        now_ms: i64,
    ) -> Option<Record> {
        if self.config.borrow().route.iter().all(|route| route.to.is_empty()) {
            return None;
        }
        let about = reading.about.as_ref()?;
        let stated = about.identity.utc_offset.as_deref().and_then(minutes);
        let offset_minutes = stated.unwrap_or_else(|| (self.utc_offset)(now_ms));
        Some(Record {
            origin: self.origin.clone(),
            identity: about.identity.clone(),
            facts: about.facts.clone(),
            sop_instance: image.sop_instance.clone(),
            digest: hex::encode(image.digest),
            moment: Moment { unix_ms: now_ms, offset_minutes },
            outcome,
            caveats,
            picture: None,
        })
    }

    /// A record that was sealed here.
    ///
    /// # Errors
    /// [`DispatchError`].
    pub fn open(&self, payload: &[u8]) -> Result<Record, DispatchError> {
        let packed = self.at_rest.open(PURPOSE, payload)?;
        let mut plain = Vec::new();
        ZlibDecoder::new(&*packed).take(LONGEST).read_to_end(&mut plain).map_err(|_| DispatchError::Damaged)?;
        ciborium::from_reader(&*plain).map_err(|_| DispatchError::Damaged)
    }

    fn seal(&self, record: &Record) -> Result<Vec<u8>, DispatchError> {
        let mut plain = Vec::new();
        ciborium::into_writer(record, &mut plain).map_err(|error| DispatchError::Encode(Box::new(error)))?;
        // Samples of 12 bits in words of 16 shrink by a quarter at the fastest level, as measured on drawn films.
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        let packed = packed.write_all(&plain).and_then(|()| packed.finish());
        let packed = packed.map_err(|error| DispatchError::Encode(Box::new(error)))?;
        Ok(self.at_rest.seal(PURPOSE, &packed)?)
    }
}

impl Owed {
    /// The deliveries as the journal writes them.
    pub(crate) fn rows(&self) -> impl Iterator<Item = NewDelivery<'_>> {
        self.deliveries.iter().map(|(planned, sop_instance)| NewDelivery {
            destination: &planned.destination,
            object: planned.object.word(),
            sop_instance: sop_instance.as_deref(),
            priority: planned.priority,
        })
    }
}

impl Object {
    /// What its identifier is made for; messages have none.
    fn kind(self) -> Option<Kind> {
        match self {
            Self::Report => Some(Kind::Report),
            Self::Capture => Some(Kind::Capture),
            Self::Hl7 | Self::Fhir => None,
        }
    }
}

/// Minutes of an offset such as `+0100`, whose form the reader has checked.
fn minutes(offset: &str) -> Option<i16> {
    let (hours, minutes): (i16, i16) = (offset.get(1..3)?.parse().ok()?, offset.get(3..5)?.parse().ok()?);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    Some(sign * (hours * 60 + minutes))
}

fn picture(reading: &Reading) -> Option<Picture> {
    let Outcome::Read { saliency, .. } = &reading.outcome else { return None };
    Some(Picture { preview: reading.preview.clone()?, saliency: saliency.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_record_comes_back_and_nothing_of_it_is_seen_on_the_disk() {
        let dispatch = Dispatch {
            config: watch::channel(Arc::default()).1,
            origin: record().origin,
            at_rest: AtRest::new(&[7; 32], || [9; 16]),
            utc_offset: |_| 0,
            arrived: Arc::default(),
        };
        let sealed = dispatch.seal(&record()).unwrap();
        assert!(dispatch.open(&sealed).unwrap() == record());
        assert!(!sealed.windows(4).any(|window| window == b"4711"));
        let other = Dispatch { at_rest: AtRest::new(&[8; 32], || [9; 16]), ..dispatch.clone() };
        assert!(other.open(&sealed).is_err());
        assert!(dispatch.open(&sealed[1..]).is_err());
    }

    #[test]
    fn offsets_are_minutes_east() {
        for (text, expected) in [("+0100", Some(60)), ("-0330", Some(-210)), ("+0000", Some(0)), ("+1", None)] {
            assert_eq!(minutes(text), expected, "{text}");
        }
    }
}
