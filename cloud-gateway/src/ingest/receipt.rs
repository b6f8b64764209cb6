//! What is told to devices, gathered per device and sealed. Pure: it never talks to a broker.

use std::collections::{BTreeMap, HashMap};

use rand::CryptoRng;
use wire::ids::{DeviceId, MessageId};
use wire::seal::{self, PrivateKey, PublicKey};
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

    /// One message per device: topic and payload, sealed from the gateway to the device, because a receipt deletes a row
    /// there and a broker must not be able to forge one. A device without a known key has no rows to settle.
    ///
    /// # Errors
    /// None in practice: a batch of receipts is far under the codec's bound.
    pub fn into_messages(
        self,
        gateway: &PrivateKey,
        devices: &HashMap<DeviceId, PublicKey>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<(String, Vec<u8>)>, CodecError> {
        let sender = (gateway, &gateway.public());
        let mut messages = Vec::with_capacity(self.devices.len());
        for (device, receipts) in self.devices {
            let Some(recipient) = devices.get(&device) else { continue };
            let plain = codec::encode(&ReceiptV1 { receipts })?;
            let sealed = seal::seal(&plain, &seal::receipt_binding(&device), recipient, sender, rng);
            match sealed.and_then(|sealed| sealed.to_bytes()) {
                Ok(payload) => messages.push((Topic::Down(device, Down::Receipt).to_string(), payload)),
                // One device with a bad key must not keep the others from their receipts.
                Err(error) => tracing::error!(%device, %error, "no receipt could be sealed; enrol the device again"),
            }
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::seal::{SealError, Sealed};

    #[test]
    fn each_device_gets_its_own_and_no_other_can_read_or_forge_them() {
        let mut rng = rand::rng();
        let (a, b): (DeviceId, DeviceId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let id = |last: u8| format!("01890a5d-ac96-774b-bcce-b302099a80{last:02x}").parse().unwrap();
        let (gateway, key_a, key_b) = (seal::generate(&mut rng), seal::generate(&mut rng), seal::generate(&mut rng));
        let mut receipts = Receipts::default();
        receipts.stored(&b, id(1));
        receipts.stored(&a, id(2));
        receipts.rejected(&b, id(3), "why".into());
        receipts.stored(&"unknown".parse().unwrap(), id(4));
        let known = HashMap::from([(a, key_a.1), (b.clone(), key_b.1)]);
        let messages = receipts.into_messages(&gateway.0, &known, &mut rng).unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].0, "hilum/v1/a/down/receipt");
        let sealed = Sealed::from_bytes(&messages[1].1).unwrap();
        let binding = seal::receipt_binding(&b);
        assert_eq!(seal::open(&sealed, &binding, &key_a.0, &gateway.1), Err(SealError::Open));
        assert_eq!(seal::open(&sealed, &binding, &key_b.0, &known[&b]), Err(SealError::Open));
        let of_b: ReceiptV1 = codec::decode(&seal::open(&sealed, &binding, &key_b.0, &gateway.1).unwrap()).unwrap();
        assert_eq!(of_b.receipts.iter().map(|receipt| receipt.id).collect::<Vec<_>>(), [id(1), id(3)]);
        assert_eq!(of_b.receipts[0].status, ReceiptStatus::Stored);
    }
}
