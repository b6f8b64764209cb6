//! A PACS or another archive: one association for a round's objects, in Explicit or, where that is not taken, Implicit VR Little
//! Endian; storage commitment on an association of its own (PS3.4 annexes B and J).

use std::io::Cursor;
use std::time::Duration;

use dicom_dictionary_std::uids;
use outbox::Delivery;

use super::{Silence, fill};
use crate::dicom::commitment::{Ask, Reference, Report};
use crate::dicom::scu::{Link, LinkError, Proposal};
use crate::dicom::syntax::{EXPLICIT_LE, IMPLICIT_LE};
use crate::dicom::tls::Connector;
use crate::dicom::{AeTitle, Uid};
use crate::output::config::DicomDestination;
use crate::output::courier::Parcel;
use crate::output::modules::{EncodeError, Made};
use crate::output::routing::Object;
use crate::output::verdict::{self, Verdict};
use crate::output::{capture, sr};
use crate::spool::part10::Sendable;

/// How long the association stays open for a report after the request: archives that answer on it do so at once, most open
/// one of their own.
const ON_THE_SPOT: Duration = Duration::from_secs(2);

/// The archive.
pub struct Archive {
    /// As configured.
    pub destination: DicomDestination,
    /// Our own AE title.
    pub title: AeTitle,
    /// For an archive that is spoken to over TLS.
    pub tls: Option<Connector>,
}

impl Archive {
    pub(super) async fn deliver(&self, parcels: &[Parcel]) -> (Vec<Verdict>, Silence) {
        let mut verdicts = Vec::new();
        let proposals = proposals(parcels);
        let mut link = match self.open(&proposals).await {
            Ok(link) => link,
            Err(error) => return fill(verdicts, parcels.len(), &words(&error)),
        };
        for parcel in parcels {
            let made = match made(parcel) {
                Ok(Some(made)) => made,
                Ok(None) => {
                    verdicts
                        .push(Verdict::Never("no picture was kept to make it of: the disk was almost full".to_owned()));
                    continue;
                }
                Err(error) => {
                    verdicts.push(Verdict::Never(vitals::exit::chain(&error)));
                    continue;
                }
            };
            match store(&mut link, &made).await {
                Ok(verdict) => verdicts.push(verdict),
                Err(error) => return fill(verdicts, parcels.len(), &words(&error)),
            }
        }
        link.release().await;
        (verdicts, Silence::None)
    }

    pub(super) async fn ask(&self, transaction: &str, about: &[Delivery]) -> Result<Option<Report>, Verdict> {
        let later = |error: &LinkError| Verdict::Later(words(error));
        let Some(ask) = request(transaction, about) else {
            return Err(Verdict::Never("an object has no identifier".to_owned()));
        };
        let mut link = self.open(&[Proposal::commitment(false)]).await.map_err(|error| later(&error))?;
        let answer = match link.ask(&ask).await {
            Ok(answer) => answer,
            Err(error @ LinkError::NotTaken(..)) => {
                link.release().await;
                return Err(Verdict::Never(words(&error)));
            }
            Err(error) => return Err(later(&error)),
        };
        if answer.status != 0 {
            link.release().await;
            // It counts as asked: an archive that refuses each time is in the end one that never confirmed.
            let status = format!("0x{:04X}", answer.status);
            tracing::warn!(destination = self.destination.name, status, "a request for storage commitment was refused");
            return Ok(None);
        }
        let heard = link.hear(ON_THE_SPOT).await;
        let report = match heard {
            // Recorded by the caller; should that fail, it is asked again.
            Ok(Some(heard)) => link.acknowledge(&heard, 0).await.ok().map(|()| heard.report),
            Ok(None) | Err(_) => None,
        };
        link.release().await;
        Ok(report)
    }

    async fn open(&self, proposals: &[Proposal]) -> Result<Link, LinkError> {
        Link::open(&self.destination.address, &self.title, proposals, self.tls.as_ref()).await
    }
}

/// Each class once in each transfer syntax, so that the archive's choice is its own.
fn proposals(parcels: &[Parcel]) -> Vec<Proposal> {
    let mut classes: Vec<&str> = parcels.iter().filter_map(|parcel| class(parcel.object)).collect();
    classes.sort_unstable();
    classes.dedup();
    let both = |class| [EXPLICIT_LE, IMPLICIT_LE].map(|syntax| Proposal::store(class, syntax));
    classes.into_iter().flat_map(both).collect()
}

fn class(object: Object) -> Option<&'static str> {
    match object {
        Object::Report => Some(uids::COMPREHENSIVE_SR_STORAGE),
        Object::Capture => Some(uids::SECONDARY_CAPTURE_IMAGE_STORAGE),
        Object::Hl7 | Object::Fhir => None,
    }
}

fn made(parcel: &Parcel) -> Result<Option<Made>, EncodeError> {
    match parcel.object {
        Object::Report => Ok(Some(sr::report(&parcel.record))),
        Object::Capture => capture::capture(&parcel.record),
        Object::Hl7 | Object::Fhir => Ok(None),
    }
}

/// C-STORE in the first transfer syntax that was accepted. Errors are of the association, verdicts of the object.
async fn store(link: &mut Link, made: &Made) -> Result<Verdict, LinkError> {
    let mut refusal = None;
    for syntax in [EXPLICIT_LE, IMPLICIT_LE] {
        let dataset = match made.dataset(syntax) {
            Ok(dataset) => dataset,
            Err(error) => return Ok(Verdict::Never(vitals::exit::chain(&error))),
        };
        let what = Sendable {
            sop_class: made.class.to_owned(),
            sop_instance: made.instance.clone(),
            transfer_syntax: syntax.to_owned(),
            offset: 0,
        };
        match link.store(&mut Cursor::new(dataset), &what).await {
            Ok(answer) => return Ok(verdict::of_store(answer.status)),
            Err(error @ LinkError::NotTaken(..)) => refusal = Some(words(&error)),
            Err(error) => return Err(error),
        }
    }
    Ok(Verdict::Never(refusal.unwrap_or_default()))
}

/// The request; `None` where an object has no identifier.
fn request(transaction: &str, about: &[Delivery]) -> Option<Ask> {
    let reference = |delivery: &Delivery| {
        let class = class(Object::of(&delivery.object)?)?;
        Some(Reference { class: class.parse().ok()?, instance: delivery.sop_instance.as_deref()?.parse().ok()? })
    };
    let transaction: Uid = transaction.parse().ok()?;
    Some(Ask { transaction, references: about.iter().map(reference).collect::<Option<_>>()? })
}

fn words(error: &LinkError) -> String {
    vitals::exit::chain(error)
}
