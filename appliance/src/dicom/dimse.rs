//! DIMSE commands (PS3.7): command sets to types and back. Implicit VR Little Endian always (PS3.7 6.3.1). It never touches
//! a socket.

mod set;

use super::Uid;
use set::{CommandSet, Writer};

/// Longest command set that is collected, bytes. A C-STORE-RQ with every optional element stays below 500.
pub const LONGEST: usize = 4096;

/// Command Field values, PS3.7 table E.1-1.
mod field {
    pub(super) const STORE_RQ: u16 = 0x0001;
    pub(super) const ECHO_RQ: u16 = 0x0030;
    pub(super) const EVENT_REPORT_RQ: u16 = 0x0100;
    pub(super) const ACTION_RQ: u16 = 0x0130;
    pub(super) const CANCEL_RQ: u16 = 0x0FFF;
    /// Set in every response.
    pub(super) const RESPONSE: u16 = 0x8000;
}

/// Elements of group 0000 that are read or written here, PS3.7 table E.1-1.
mod element {
    pub(super) const GROUP_LENGTH: u16 = 0x0000;
    pub(super) const SOP_CLASS: u16 = 0x0002;
    /// Requested SOP Class UID, in N-ACTION and the like.
    pub(super) const REQUESTED_CLASS: u16 = 0x0003;
    pub(super) const COMMAND: u16 = 0x0100;
    pub(super) const MESSAGE_ID: u16 = 0x0110;
    pub(super) const RESPONDED_TO: u16 = 0x0120;
    pub(super) const PRIORITY: u16 = 0x0700;
    pub(super) const DATASET: u16 = 0x0800;
    pub(super) const STATUS: u16 = 0x0900;
    pub(super) const COMMENT: u16 = 0x0902;
    pub(super) const SOP_INSTANCE: u16 = 0x1000;
    /// Requested SOP Instance UID, in N-ACTION and the like.
    pub(super) const REQUESTED_INSTANCE: u16 = 0x1001;
    pub(super) const EVENT_TYPE: u16 = 0x1002;
    pub(super) const ACTION_TYPE: u16 = 0x1008;
}

/// Command Data Set Type (0000,0800) where no dataset follows; any other value means that one does.
const NO_DATASET: u16 = 0x0101;
/// See [`NO_DATASET`].
const A_DATASET: u16 = 0x0001;

/// A request, as far as anything here depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub kind: Kind,
    /// Message ID (0000,0110), to be echoed.
    pub message_id: u16,
    /// Affected SOP Class UID (0000,0002), or the requested one (0000,0003) of an N-ACTION.
    pub sop_class: Option<Uid>,
    /// Affected SOP Instance UID (0000,1000), or the requested one (0000,1001) of an N-ACTION.
    pub sop_instance: Option<Uid>,
    /// Action Type ID (0000,1008) or Event Type ID (0000,1002), where it is of such a kind.
    pub type_id: Option<u16>,
    /// Priority (0000,0700), where it is given.
    pub priority: Option<u16>,
    /// A dataset follows.
    pub has_dataset: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// C-ECHO-RQ.
    Echo,
    /// C-STORE-RQ.
    Store,
    /// C-CANCEL-RQ, which has no answer.
    Cancel,
    /// N-ACTION-RQ.
    Action,
    /// N-EVENT-REPORT-RQ.
    EventReport,
    /// Any other request, by its Command Field.
    Other(u16),
}

/// A command set that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DimseError {
    /// An element reaches over the end, or is of a group other than 0000.
    #[error("the command set is damaged")]
    Damaged,
    /// Without it there is nothing to answer.
    #[error("the command set has no Command Field or Message ID")]
    Incomplete,
    /// Nobody here asked anything.
    #[error("a response came where a request belongs")]
    Response,
}

impl Request {
    /// Reads a whole command set.
    ///
    /// # Errors
    /// [`DimseError`]: the association is then aborted, since there is no message to answer.
    pub fn parse(bytes: &[u8]) -> Result<Self, DimseError> {
        let set = CommandSet::parse(bytes)?;
        let command = set.number(element::COMMAND).ok_or(DimseError::Incomplete)?;
        let kind = match command {
            field::ECHO_RQ => Kind::Echo,
            field::STORE_RQ => Kind::Store,
            field::CANCEL_RQ => Kind::Cancel,
            field::ACTION_RQ => Kind::Action,
            field::EVENT_REPORT_RQ => Kind::EventReport,
            other if other & field::RESPONSE != 0 => return Err(DimseError::Response),
            other => Kind::Other(other),
        };
        // A C-CANCEL-RQ has only the id of what it cancels (PS3.7 table 9.3-3).
        let id = if kind == Kind::Cancel { element::RESPONDED_TO } else { element::MESSAGE_ID };
        // PS3.7 10.3.1 and 10.3.4: what an N-ACTION is about is requested, what everything else here is about, affected.
        let (class, instance) = match kind {
            Kind::Action => (element::REQUESTED_CLASS, element::REQUESTED_INSTANCE),
            _ => (element::SOP_CLASS, element::SOP_INSTANCE),
        };
        Ok(Self {
            kind,
            message_id: set.number(id).ok_or(DimseError::Incomplete)?,
            sop_class: set.uid(class),
            sop_instance: set.uid(instance),
            type_id: kind.type_element().and_then(|element| set.number(element)),
            priority: set.number(element::PRIORITY),
            has_dataset: set.number(element::DATASET).is_some_and(|kind| kind != NO_DATASET),
        })
    }

    /// The response with this status and comment.
    #[must_use]
    pub fn response(&self, status: u16, comment: &str) -> Vec<u8> {
        let command = match self.kind {
            Kind::Echo => field::ECHO_RQ,
            Kind::Store => field::STORE_RQ,
            Kind::Cancel => field::CANCEL_RQ,
            Kind::Action => field::ACTION_RQ,
            Kind::EventReport => field::EVENT_REPORT_RQ,
            Kind::Other(command) => command,
        };
        let mut set = Writer::default();
        set.uid(element::SOP_CLASS, self.sop_class.as_ref());
        set.number(element::COMMAND, command | field::RESPONSE);
        set.number(element::RESPONDED_TO, self.message_id);
        set.number(element::DATASET, NO_DATASET);
        set.number(element::STATUS, status);
        if !comment.is_empty() {
            set.text(element::COMMENT, comment, b' ');
        }
        set.uid(element::SOP_INSTANCE, self.sop_instance.as_ref());
        if let (Some(element), Some(id)) = (self.kind.type_element(), self.type_id) {
            set.number(element, id);
        }
        set.finish()
    }
}

impl Kind {
    fn type_element(self) -> Option<u16> {
        match self {
            Self::Action => Some(element::ACTION_TYPE),
            Self::EventReport => Some(element::EVENT_TYPE),
            _ => None,
        }
    }
}

/// What a peer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It asks.
    Request(Request),
    /// It answers.
    Response(Response),
}

impl Message {
    /// Reads a whole command set.
    ///
    /// # Errors
    /// [`DimseError`]: the association is then aborted, since there is no message to answer.
    pub fn parse(bytes: &[u8]) -> Result<Self, DimseError> {
        match Request::parse(bytes) {
            Err(DimseError::Response) => Response::parse(bytes).map(Self::Response),
            parsed => parsed.map(Self::Request),
        }
    }
}

/// A C-STORE-RQ of priority medium with a dataset.
#[must_use]
pub fn store_request(message_id: u16, sop_class: &Uid, sop_instance: &Uid) -> Vec<u8> {
    let mut set = Writer::default();
    set.uid(element::SOP_CLASS, Some(sop_class));
    set.number(element::COMMAND, field::STORE_RQ);
    set.number(element::MESSAGE_ID, message_id);
    set.number(element::PRIORITY, 0);
    set.number(element::DATASET, A_DATASET);
    set.uid(element::SOP_INSTANCE, Some(sop_instance));
    set.finish()
}

/// An N-ACTION-RQ with a dataset.
#[must_use]
pub fn action_request(message_id: u16, sop_class: &Uid, sop_instance: &Uid, action_type: u16) -> Vec<u8> {
    let mut set = Writer::default();
    set.uid(element::REQUESTED_CLASS, Some(sop_class));
    set.number(element::COMMAND, field::ACTION_RQ);
    set.number(element::MESSAGE_ID, message_id);
    set.number(element::DATASET, A_DATASET);
    set.uid(element::REQUESTED_INSTANCE, Some(sop_instance));
    set.number(element::ACTION_TYPE, action_type);
    set.finish()
}

/// An N-EVENT-REPORT-RQ with a dataset.
#[must_use]
pub fn event_report_request(message_id: u16, sop_class: &Uid, sop_instance: &Uid, event_type: u16) -> Vec<u8> {
    let mut set = Writer::default();
    set.uid(element::SOP_CLASS, Some(sop_class));
    set.number(element::COMMAND, field::EVENT_REPORT_RQ);
    set.number(element::MESSAGE_ID, message_id);
    set.number(element::DATASET, A_DATASET);
    set.uid(element::SOP_INSTANCE, Some(sop_instance));
    set.number(element::EVENT_TYPE, event_type);
    set.finish()
}

/// A response, as far as a sender depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Message ID Being Responded To (0000,0120).
    pub responded_to: u16,
    /// Status (0000,0900).
    pub status: u16,
    /// Error Comment (0000,0902); empty where there is none.
    pub comment: String,
}

impl Response {
    /// Reads a whole command set.
    ///
    /// # Errors
    /// [`DimseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DimseError> {
        let set = CommandSet::parse(bytes)?;
        let number = |element| set.number(element).ok_or(DimseError::Incomplete);
        let comment = set.find(element::COMMENT).map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
        Ok(Self {
            responded_to: number(element::RESPONDED_TO)?,
            status: number(element::STATUS)?,
            comment: comment.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        text.parse().unwrap()
    }

    #[test]
    fn a_store_request_survives_the_wire() {
        let bytes = store_request(7, &uid("1.2.840.10008.5.1.4.1.1.1"), &uid("2.25.42"));
        assert_eq!(bytes[..12], [0, 0, 0, 0, 4, 0, 0, 0, (bytes.len() - 12) as u8, 0, 0, 0]);
        let request = Request::parse(&bytes).unwrap();
        assert_eq!((request.kind, request.message_id, request.has_dataset), (Kind::Store, 7, true));
        assert_eq!(request.sop_instance, Some(uid("2.25.42")));
    }

    #[test]
    fn the_priority_of_a_store_request_is_read() {
        let bytes = store_request(7, &uid("1.2.840.10008.5.1.4.1.1.1"), &uid("2.25.42"));
        let at = bytes.windows(8).position(|at| at == [0, 0, 0, 7, 2, 0, 0, 0]).unwrap() + 8;
        for priority in 0..3 {
            let mut bytes = bytes.clone();
            bytes[at] = priority;
            assert_eq!(Request::parse(&bytes).unwrap().priority, Some(priority.into()));
        }
    }

    #[test]
    fn a_response_echoes_the_message_and_what_it_is_about() {
        let request = Request::parse(&store_request(513, &uid("1.2.3"), &uid("2.25.42"))).unwrap();
        let bytes = request.response(0xA700, "Disk full");
        let set = CommandSet::parse(&bytes).unwrap();
        assert_eq!(set.number(element::COMMAND), Some(0x8001));
        assert_eq!(set.uid(element::SOP_CLASS), Some(uid("1.2.3")));
        assert_eq!(set.uid(element::SOP_INSTANCE), Some(uid("2.25.42")));
        assert_eq!(set.number(element::DATASET), Some(NO_DATASET));
        let numbers: Vec<u16> = set.0.iter().map(|(number, _)| *number).collect();
        assert!(numbers.is_sorted(), "elements ascend (PS3.5 7.1)");
        let response = Response::parse(&bytes).unwrap();
        assert_eq!(response, Response { responded_to: 513, status: 0xA700, comment: "Disk full".into() });
    }

    #[test]
    fn a_verification_request_of_another_product_is_understood() {
        // echoscu of dcmtk 3.6.7, message id 1.
        let mut bytes = vec![0, 0, 0, 0, 4, 0, 0, 0, 56, 0, 0, 0, 0, 0, 2, 0, 18, 0, 0, 0];
        bytes.extend(b"1.2.840.10008.1.1\0");
        bytes.extend([0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0, 0, 0, 0x10, 1, 2, 0, 0, 0, 1, 0]);
        bytes.extend([0, 0, 0, 8, 2, 0, 0, 0, 1, 1]);
        let request = Request::parse(&bytes).unwrap();
        assert_eq!((request.kind, request.message_id, request.has_dataset), (Kind::Echo, 1, false));
    }

    #[test]
    fn requests_about_a_well_known_instance_say_what_is_done_with_it() {
        let (class, instance) = (uid("1.2.840.10008.1.20.1"), uid("1.2.840.10008.1.20.1.1"));
        for (bytes, kind, answer) in [
            (action_request(3, &class, &instance, 1), Kind::Action, 0x8130),
            (event_report_request(3, &class, &instance, 2), Kind::EventReport, 0x8100),
        ] {
            let Message::Request(request) = Message::parse(&bytes).unwrap() else { panic!("a request") };
            assert_eq!((request.kind, request.message_id, request.has_dataset), (kind, 3, true));
            assert_eq!((request.sop_class.as_ref(), request.sop_instance.as_ref()), (Some(&class), Some(&instance)));
            let type_id = request.type_id;
            assert_eq!(type_id, Some(if kind == Kind::Action { 1 } else { 2 }));
            let bytes = request.response(0, "");
            let set = CommandSet::parse(&bytes).unwrap();
            assert_eq!(set.number(element::COMMAND), Some(answer));
            // PS3.7 10.3.1 and 10.3.4: answers name what they are about as affected.
            assert_eq!(set.uid(element::SOP_INSTANCE), Some(instance.clone()));
            assert!(matches!(Message::parse(&bytes).unwrap(), Message::Response(Response { responded_to: 3, .. })));
        }
    }

    #[test]
    fn a_response_or_an_empty_set_is_no_request() {
        let request = Request::parse(&store_request(1, &uid("1.2"), &uid("1.3"))).unwrap();
        assert_eq!(Request::parse(&request.response(0, "")), Err(DimseError::Response));
        assert_eq!(Request::parse(&[]), Err(DimseError::Incomplete));
        assert_eq!(Request::parse(&[0, 0, 0, 1, 255, 255, 255, 255]), Err(DimseError::Damaged));
        assert_eq!(Request::parse(&[8, 0, 0, 1, 0, 0, 0, 0]), Err(DimseError::Damaged));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes: Vec<u8>) {
            let _ = Message::parse(&bytes);
            let _ = Response::parse(&bytes);
        }
    }
}
