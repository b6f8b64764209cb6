//! Command sets as bytes: elements of group 0000 in Implicit VR Little Endian (PS3.7 6.3.1). It knows no command.

use super::{DimseError, element};
use crate::dicom::Uid;

/// Element numbers of group 0000 with their values.
pub(super) struct CommandSet<'a>(pub(super) Vec<(u16, &'a [u8])>);

impl<'a> CommandSet<'a> {
    pub(super) fn parse(mut bytes: &'a [u8]) -> Result<Self, DimseError> {
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

    pub(super) fn find(&self, element: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(number, _)| *number == element).map(|(_, value)| *value)
    }

    pub(super) fn number(&self, element: u16) -> Option<u16> {
        self.find(element)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    pub(super) fn uid(&self, element: u16) -> Option<Uid> {
        std::str::from_utf8(self.find(element)?).ok()?.parse().ok()
    }
}

/// A command set being written.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    fn element(&mut self, element: u16, value: &[u8]) {
        // A value is at most a UID of 64 or a comment of 64 bytes, so its length fits.
        self.0.extend([0, 0]);
        self.0.extend(element.to_le_bytes());
        self.0.extend((value.len() as u32).to_le_bytes());
        self.0.extend(value);
    }

    pub(super) fn number(&mut self, element: u16, value: u16) {
        self.element(element, &value.to_le_bytes());
    }

    pub(super) fn text(&mut self, element: u16, value: &str, pad: u8) {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(pad);
        }
        self.element(element, &bytes);
    }

    pub(super) fn uid(&mut self, element: u16, value: Option<&Uid>) {
        if let Some(uid) = value {
            self.text(element, uid.as_str(), 0);
        }
    }

    /// The set with its group length in front (PS3.7 6.3.1 makes it mandatory).
    pub(super) fn finish(self) -> Vec<u8> {
        let mut whole = Self::default();
        whole.element(element::GROUP_LENGTH, &(self.0.len() as u32).to_le_bytes());
        whole.0.extend(self.0);
        whole.0
    }
}
