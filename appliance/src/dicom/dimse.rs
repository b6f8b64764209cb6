//! DIMSE commands (PS3.7): command sets to types and back. Implicit VR Little Endian always (PS3.7 6.3.1). It never touches
//! a socket.

use super::Uid;

/// Longest command set that is collected, bytes. A C-STORE-RQ with every optional element stays below 500.
pub const LONGEST: usize = 4096;

/// Command Field values, PS3.7 table E.1-1.
mod field {
    pub(super) const STORE_RQ: u16 = 0x0001;
    pub(super) const ECHO_RQ: u16 = 0x0030;
    pub(super) const CANCEL_RQ: u16 = 0x0FFF;
    /// Set in every response.
    pub(super) const RESPONSE: u16 = 0x8000;
}

/// Elements of group 0000 that are read or written here, PS3.7 table E.1-1.
mod element {
    pub(super) const GROUP_LENGTH: u16 = 0x0000;
    pub(super) const SOP_CLASS: u16 = 0x0002;
    pub(super) const COMMAND: u16 = 0x0100;
    pub(super) const MESSAGE_ID: u16 = 0x0110;
    pub(super) const RESPONDED_TO: u16 = 0x0120;
    pub(super) const PRIORITY: u16 = 0x0700;
    pub(super) const DATASET: u16 = 0x0800;
    pub(super) const STATUS: u16 = 0x0900;
    pub(super) const COMMENT: u16 = 0x0902;
    pub(super) const SOP_INSTANCE: u16 = 0x1000;
}

/// Command Data Set Type (0000,0800) where no dataset follows; any other value means that one does.
const NO_DATASET: u16 = 0x0101;

/// A request, as far as anything here depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub kind: Kind,
    /// Message ID (0000,0110), to be echoed.
    pub message_id: u16,
    /// Affected SOP Class UID (0000,0002).
    pub sop_class: Option<Uid>,
    /// Affected SOP Instance UID (0000,1000).
    pub sop_instance: Option<Uid>,
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
            other if other & field::RESPONSE != 0 => return Err(DimseError::Response),
            other => Kind::Other(other),
        };
        // A C-CANCEL-RQ has only the id of what it cancels (PS3.7 table 9.3-3).
        let id = if kind == Kind::Cancel { element::RESPONDED_TO } else { element::MESSAGE_ID };
        Ok(Self {
            kind,
            message_id: set.number(id).ok_or(DimseError::Incomplete)?,
            sop_class: set.uid(element::SOP_CLASS),
            sop_instance: set.uid(element::SOP_INSTANCE),
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
        set.finish()
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
    // Any value but NO_DATASET.
    set.number(element::DATASET, 0x0001);
    set.uid(element::SOP_INSTANCE, Some(sop_instance));
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

/// Element numbers of group 0000 with their values.
struct CommandSet<'a>(Vec<(u16, &'a [u8])>);

impl<'a> CommandSet<'a> {
    fn parse(mut bytes: &'a [u8]) -> Result<Self, DimseError> {
        let mut elements = Vec::new();
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_first_chunk::<8>().ok_or(DimseError::Damaged)?;
            let [g0, g1, e0, e1, length @ ..] = *head;
            let length = u32::from_le_bytes(length) as usize;
            if [g0, g1] != [0, 0] || length > rest.len() {
                return Err(DimseError::Damaged);
            }
            let (value, rest) = rest.split_at(length);
            elements.push((u16::from_le_bytes([e0, e1]), value));
            bytes = rest;
        }
        Ok(Self(elements))
    }

    fn find(&self, element: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(number, _)| *number == element).map(|(_, value)| *value)
    }

    fn number(&self, element: u16) -> Option<u16> {
        self.find(element)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn uid(&self, element: u16) -> Option<Uid> {
        std::str::from_utf8(self.find(element)?).ok()?.parse().ok()
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn element(&mut self, element: u16, value: &[u8]) {
        // A value is at most a UID of 64 or a comment of 64 bytes, so its length fits.
        self.0.extend([0, 0]);
        self.0.extend(element.to_le_bytes());
        self.0.extend((value.len() as u32).to_le_bytes());
        self.0.extend(value);
    }

    fn number(&mut self, element: u16, value: u16) {
        self.element(element, &value.to_le_bytes());
    }

    fn text(&mut self, element: u16, value: &str, pad: u8) {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(pad);
        }
        self.element(element, &bytes);
    }

    fn uid(&mut self, element: u16, value: Option<&Uid>) {
        if let Some(uid) = value {
            self.text(element, uid.as_str(), 0);
        }
    }

    /// The set with its group length in front (PS3.7 6.3.1 makes it mandatory).
    fn finish(self) -> Vec<u8> {
        let mut whole = Self::default();
        whole.element(element::GROUP_LENGTH, &(self.0.len() as u32).to_le_bytes());
        whole.0.extend(self.0);
        whole.0
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
            let _ = Request::parse(&bytes);
            let _ = Response::parse(&bytes);
        }
    }
}
