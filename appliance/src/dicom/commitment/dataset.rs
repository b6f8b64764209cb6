//! The two datasets of storage commitment (PS3.4 tables J.3-1 and J.3-2) to types and back. What comes from outside is walked
//! within its own bytes and bounded; nothing else of it is kept.

use super::{Ask, Reference, Report};
use crate::dicom::Uid;
use crate::dicom::element::{Element, Encoding, element, items};

const REFERENCED_CLASS: (u16, u16) = (0x0008, 0x1150);
const REFERENCED_INSTANCE: (u16, u16) = (0x0008, 0x1155);
const TRANSACTION: (u16, u16) = (0x0008, 0x1195);
const FAILURE_REASON: (u16, u16) = (0x0008, 0x1197);
const FAILED: (u16, u16) = (0x0008, 0x1198);
const REFERENCED: (u16, u16) = (0x0008, 0x1199);

/// A dataset that lacks what it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDataset {
    /// It has no Transaction UID.
    #[error("the Transaction UID is missing or not a UID")]
    Transaction,
    /// An item lacks one of its identifiers, or there is no item.
    #[error("an item of the Referenced SOP Sequence lacks a SOP class or instance that is a UID")]
    Reference,
}

impl Ask {
    /// Reads the Action Information of an N-ACTION.
    ///
    /// # Errors
    /// [`InvalidDataset`].
    pub fn parse(bytes: &[u8], transfer_syntax: &str) -> Result<Self, InvalidDataset> {
        let encoding = Encoding::of(transfer_syntax);
        let transaction = transaction(bytes, encoding)?;
        let references = sequence(bytes, REFERENCED, encoding).into_iter().map(|item| reference(item, encoding));
        let references = references.collect::<Result<Vec<_>, _>>()?;
        if references.is_empty() {
            return Err(InvalidDataset::Reference);
        }
        Ok(Self { transaction, references })
    }

    /// The Action Information in this transfer syntax.
    #[must_use]
    pub fn encode(&self, transfer_syntax: &str) -> Vec<u8> {
        let writer = Writer(Encoding::of(transfer_syntax));
        [
            writer.uid(TRANSACTION, &self.transaction),
            writer.sequence(REFERENCED, self.references.iter().map(|one| writer.reference(one))),
        ]
        .concat()
    }
}

impl Report {
    /// Reads the Event Information of an N-EVENT-REPORT.
    ///
    /// # Errors
    /// [`InvalidDataset`].
    pub fn parse(bytes: &[u8], transfer_syntax: &str) -> Result<Self, InvalidDataset> {
        let encoding = Encoding::of(transfer_syntax);
        let committed = sequence(bytes, REFERENCED, encoding).into_iter().map(|item| reference(item, encoding));
        let failed = sequence(bytes, FAILED, encoding).into_iter().map(|item| {
            let reason = find(item, FAILURE_REASON, encoding).and_then(|value| value.first_chunk());
            // Type 1; a report that leaves it out still says that it failed. 0x0110: processing failure.
            Ok((reference(item, encoding)?, reason.map_or(0x0110, |bytes| encoding.u16(*bytes))))
        });
        Ok(Self {
            transaction: transaction(bytes, encoding)?,
            committed: committed.collect::<Result<_, _>>()?,
            failed: failed.collect::<Result<_, _>>()?,
        })
    }

    /// The Event Information in this transfer syntax.
    #[must_use]
    pub fn encode(&self, transfer_syntax: &str) -> Vec<u8> {
        let writer = Writer(Encoding::of(transfer_syntax));
        let mut bytes = writer.uid(TRANSACTION, &self.transaction);
        if !self.failed.is_empty() {
            let items = self.failed.iter().map(|(one, reason)| {
                let reason = writer.element(FAILURE_REASON, *b"US", &reason.to_le_bytes());
                [writer.reference(one), reason].concat()
            });
            bytes.extend(writer.sequence(FAILED, items));
        }
        if !self.committed.is_empty() {
            bytes.extend(writer.sequence(REFERENCED, self.committed.iter().map(|one| writer.reference(one))));
        }
        bytes
    }
}

fn transaction(bytes: &[u8], encoding: Encoding) -> Result<Uid, InvalidDataset> {
    uid(bytes, TRANSACTION, encoding).ok_or(InvalidDataset::Transaction)
}

fn reference(item: &[u8], encoding: Encoding) -> Result<Reference, InvalidDataset> {
    let class = uid(item, REFERENCED_CLASS, encoding).ok_or(InvalidDataset::Reference)?;
    let instance = uid(item, REFERENCED_INSTANCE, encoding).ok_or(InvalidDataset::Reference)?;
    Ok(Reference { class, instance })
}

fn uid(bytes: &[u8], tag: (u16, u16), encoding: Encoding) -> Option<Uid> {
    std::str::from_utf8(find(bytes, tag, encoding)?).ok()?.parse().ok()
}

fn sequence(bytes: &[u8], tag: (u16, u16), encoding: Encoding) -> Vec<&[u8]> {
    find(bytes, tag, encoding).map(|value| items(value, encoding)).unwrap_or_default()
}

fn find(mut bytes: &[u8], wanted: (u16, u16), encoding: Encoding) -> Option<&[u8]> {
    while let Some(Element { tag, value, rest }) = element(bytes, encoding) {
        if tag == wanted {
            return Some(value);
        }
        bytes = rest;
    }
    None
}

/// Little endian only: no other is agreed on for these datasets.
#[derive(Clone, Copy)]
struct Writer(Encoding);

impl Writer {
    fn element(self, tag: (u16, u16), vr: [u8; 2], value: &[u8]) -> Vec<u8> {
        let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
        if self.0.explicit {
            // UI and US have lengths of two bytes; a UID has at most 64.
            bytes.extend(vr);
            bytes.extend((value.len() as u16).to_le_bytes());
        } else {
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        bytes.extend(value);
        bytes
    }

    fn uid(self, tag: (u16, u16), uid: &Uid) -> Vec<u8> {
        let mut value = uid.as_str().as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), 0);
        self.element(tag, *b"UI", &value)
    }

    fn reference(self, one: &Reference) -> Vec<u8> {
        [self.uid(REFERENCED_CLASS, &one.class), self.uid(REFERENCED_INSTANCE, &one.instance)].concat()
    }

    /// A sequence of defined lengths.
    fn sequence(self, tag: (u16, u16), items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
        let mut value = Vec::new();
        for item in items {
            value.extend([0xFE, 0xFF, 0x00, 0xE0]);
            value.extend((item.len() as u32).to_le_bytes());
            value.extend(item);
        }
        let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
        if self.0.explicit {
            bytes.extend(*b"SQ\0\0");
        }
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(value);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::syntax::{EXPLICIT_LE, IMPLICIT_LE};

    fn one(class: &str, instance: &str) -> Reference {
        Reference { class: class.parse().unwrap(), instance: instance.parse().unwrap() }
    }

    #[test]
    fn both_datasets_survive_the_wire_in_both_encodings() {
        let ask =
            Ask { transaction: "2.25.1".parse().unwrap(), references: vec![one("1.2", "1.3"), one("1.2", "1.45")] };
        let mut report = Report {
            transaction: "2.25.12".parse().unwrap(),
            committed: vec![one("1.2", "1.3")],
            failed: vec![(one("1.2", "1.45"), 0x0119)],
        };
        for syntax in [IMPLICIT_LE, EXPLICIT_LE] {
            assert_eq!(Ask::parse(&ask.encode(syntax), syntax), Ok(ask.clone()));
            assert_eq!(Report::parse(&report.encode(syntax), syntax), Ok(report.clone()));
        }
        report.committed.clear();
        assert_eq!(Report::parse(&report.encode(IMPLICIT_LE), IMPLICIT_LE), Ok(report));
    }

    /// Bytes that pydicom 3.0 wrote: one reference, Explicit VR, sequence and item of undefined length.
    #[test]
    fn a_request_of_another_product_is_understood() {
        let mut bytes =
            b"\x08\0\x95\x11UI\x08\x002.25.99\0\x08\0\x99\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
                .to_vec();
        bytes.extend(b"\x08\0\x50\x11UI\x1a\x001.2.840.10008.5.1.4.1.1.1\0\x08\0\x55\x11UI\x06\x001.2.3\0");
        bytes.extend(b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
        let ask = Ask::parse(&bytes, EXPLICIT_LE).unwrap();
        assert_eq!(ask.transaction.as_str(), "2.25.99");
        assert_eq!(ask.references, [one("1.2.840.10008.5.1.4.1.1.1", "1.2.3")]);
    }

    #[test]
    fn what_names_no_object_is_refused() {
        let empty = Ask { transaction: "2.25.1".parse().unwrap(), references: vec![] };
        assert_eq!(Ask::parse(&empty.encode(IMPLICIT_LE), IMPLICIT_LE), Err(InvalidDataset::Reference));
        assert_eq!(Ask::parse(&[], IMPLICIT_LE), Err(InvalidDataset::Transaction));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes: Vec<u8>, explicit: bool) {
            let syntax = if explicit { EXPLICIT_LE } else { IMPLICIT_LE };
            let _ = (Ask::parse(&bytes, syntax), Report::parse(&bytes, syntax));
        }
    }
}
