//! One part of a request on its way through the intake: its beginning is gathered until it says what it is, the rest streams.

use std::sync::Arc;

use super::answer::{Answer, Failure, Object};
use super::media_type::MediaType;
use crate::dicom::{Uid, identity, syntax};
use crate::intake::{Announced, Incoming, Intake, Origin};
use crate::reading_order::Asked;
use crate::spool::part10::{self, LONGEST_HEAD};

/// What every object of one request has in common.
pub(super) struct Batch {
    pub(super) intake: Arc<Intake>,
    pub(super) origin: Origin,
    /// The study that the address names.
    pub(super) study: Option<Uid>,
}

/// An object being received. Dropped before the end, it leaves nothing.
pub(super) enum Receiving {
    /// Its beginning.
    Head(Vec<u8>),
    /// It is known, and goes to the spool.
    Body(Object, Box<Incoming>),
    /// It is thrown away until its end.
    Refused(Option<Object>, Failure),
}

impl Receiving {
    pub(super) fn begin(kind: Option<&MediaType>) -> Self {
        // A part that does not say what it is is looked at all the same.
        match kind {
            Some(kind) if kind.name != "application/dicom" => Self::Refused(None, Failure::NotDicom),
            _ => Self::Head(Vec::new()),
        }
    }

    pub(super) async fn take(&mut self, batch: &Batch, bytes: &[u8]) {
        match self {
            Self::Head(head) => {
                head.extend_from_slice(bytes);
                if head.len() >= LONGEST_HEAD {
                    *self = Self::open(batch, head).await;
                }
            }
            Self::Body(_, incoming) => incoming.take(bytes).await,
            Self::Refused(..) => {}
        }
    }

    /// Its last byte was taken.
    pub(super) async fn finish(mut self, batch: &Batch, answer: &mut Answer) -> Option<Failure> {
        if let Self::Head(head) = &self {
            self = Self::open(batch, head).await;
        }
        let (object, failure) = match self {
            Self::Body(object, incoming) => match incoming.finish().await {
                Ok(_) => {
                    answer.stored(object);
                    return None;
                }
                Err(refusal) => (Some(object), Failure::from(refusal)),
            },
            Self::Refused(object, failure) => (object, failure),
            Self::Head(_) => (None, Failure::NotDicom),
        };
        answer.failed(object, failure);
        Some(failure)
    }

    /// It never became whole.
    pub(super) fn cut_short(self, answer: &mut Answer) {
        match self {
            Self::Head(_) => answer.failed(None, Failure::CutShort),
            Self::Body(object, _) => answer.failed(Some(object), Failure::CutShort),
            Self::Refused(object, failure) => answer.failed(object, failure),
        }
    }

    async fn open(batch: &Batch, head: &[u8]) -> Self {
        match look(head, batch.study.as_ref()) {
            Err((object, failure)) => Self::Refused(object, failure),
            Ok((announced, offset)) => {
                let object = Object { class: announced.class.clone(), instance: announced.instance.clone() };
                let mut incoming = batch.intake.begin(batch.origin.clone(), announced).await;
                incoming.take(head.get(offset..).unwrap_or_default()).await;
                Self::Body(object, Box::new(incoming))
            }
        }
    }
}

/// What an object is by its beginning, and where its dataset begins; or why it is not taken.
fn look(head: &[u8], study: Option<&Uid>) -> Result<(Announced, usize), (Option<Object>, Failure)> {
    let nameless = (None, Failure::NotDicom);
    let what = part10::of_head(head).map_err(|_| nameless.clone())?;
    let (Ok(class), Ok(instance)) = (what.sop_class.parse::<Uid>(), what.sop_instance.parse::<Uid>()) else {
        return Err(nameless);
    };
    let refused = |failure| {
        let (class, instance) = (class.clone(), instance.clone());
        Err((Some(Object { class, instance }), failure))
    };
    if syntax::storage_name(&what.sop_class).is_none() {
        return refused(Failure::Class);
    }
    let known = syntax::TRANSFER_SYNTAXES.into_iter().find(|known| *known == what.transfer_syntax);
    let Some(transfer_syntax) = known else { return refused(Failure::Syntax) };
    let offset = usize::try_from(what.offset).unwrap_or(usize::MAX);
    if let Some(study) = study {
        // Where its beginning does not tell, nobody knows that it belongs there.
        let stated = identity::study(head.get(offset..).unwrap_or_default(), transfer_syntax);
        if stated.as_deref() != Some(study.as_str()) {
            return refused(Failure::Study);
        }
    }
    Ok((Announced { class, instance, asked: Asked::default(), transfer_syntax }, offset))
}
