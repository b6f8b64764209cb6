//! What is told to devices, gathered per device. Pure: it never talks to a broker.

use std::collections::BTreeMap;

use wire::ids::{DeviceId, MessageId};
use wire::topics::{Down, Topic};
use wire::v1::receipt::{Receipt, ReceiptStatus, ReceiptV1};
use wire::{codec, codec::CodecError};

/// The receipts of one transaction, in the order of their commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    devices: BTreeMap<DeviceId, Vec<Receipt>>,
}

impl Receipts {
    /// The message is in the database, now or since before.
    pub fn stored(&mut self, device: &DeviceId, id: MessageId) {
        self.push(device, Receipt { id, status: ReceiptStatus::Stored });
    }

    /// The message will never be accepted.
    pub fn rejected(&mut self, device: &DeviceId, id: MessageId, reason: String) {
        self.push(device, Receipt { id, status: ReceiptStatus::Rejected { reason } });
    }

    fn push(&mut self, device: &DeviceId, receipt: Receipt) {
        self.devices.entry(device.clone()).or_default().push(receipt);
    }

    /// One message per device: topic and payload.
    ///
    /// # Errors
    /// None in practice: a batch of receipts is far under the codec's bound.
    pub fn into_messages(self) -> Result<Vec<(String, Vec<u8>)>, CodecError> {
        let message = |(device, receipts)| {
            let payload = codec::encode(&ReceiptV1 { receipts })?;
            Ok((Topic::Down(device, Down::Receipt).to_string(), payload))
        };
        self.devices.into_iter().map(message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_gets_its_own_and_no_others() {
        let (a, b): (DeviceId, DeviceId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let id = |last: u8| format!("01890a5d-ac96-774b-bcce-b302099a80{last:02x}").parse().unwrap();
        let mut receipts = Receipts::default();
        receipts.stored(&b, id(1));
        receipts.stored(&a, id(2));
        receipts.rejected(&b, id(3), "why".into());
        let messages = receipts.into_messages().unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].0, "hilum/v1/a/down/receipt");
        let of_b: ReceiptV1 = codec::decode(&messages[1].1).unwrap();
        assert_eq!(of_b.receipts.iter().map(|receipt| receipt.id).collect::<Vec<_>>(), [id(1), id(3)]);
        assert_eq!(of_b.receipts[0].status, ReceiptStatus::Stored);
    }
}
