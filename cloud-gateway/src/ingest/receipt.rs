//! What is told to devices, gathered per device and sealed. Pure: it never talks to a broker.

use std::collections::{BTreeMap, HashMap};

use rand::CryptoRng;
use wire::ids::{DeviceId, MessageId};
use wire::seal::{self, KeyId, PublicKey};
use wire::topics::{Down, Topic};
use wire::v1::receipt::{Receipt, ReceiptStatus, ReceiptV1};
use wire::{codec, codec::CodecError};

use crate::identity::SealingKeys;

/// The receipts of one transaction, in the order of their commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    devices: BTreeMap<DeviceId, Vec<Receipt>>,
    /// The keys of ours that each device sealed to.
    known: BTreeMap<DeviceId, Vec<KeyId>>,
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

    /// The device knows this key of ours.
    pub fn knows(&mut self, device: &DeviceId, key: &KeyId) {
        let known = self.known.entry(device.clone()).or_default();
        if !known.contains(key) {
            known.push(key.clone());
        }
    }

    fn push(&mut self, device: &DeviceId, receipt: Receipt) {
        self.devices.entry(device.clone()).or_default().push(receipt);
    }

    /// One message per device: topic and payload, sealed from the gateway to the device, because a receipt deletes a row
    /// there and a broker must not be able to forge one. A device without a known key has no rows to settle. One that does not know
    /// our newest key yet is answered with the newest that it knows, and told of that one.
    ///
    /// # Errors
    /// None in practice: a batch of receipts is far under the codec's bound.
    pub fn into_messages(
        self,
        ours: &SealingKeys,
        devices: &HashMap<DeviceId, PublicKey>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<(String, Vec<u8>)>, CodecError> {
        let mut messages = Vec::with_capacity(self.devices.len());
        for (device, receipts) in self.devices {
            let Some(recipient) = devices.get(&device) else { continue };
            let sender = self.known.get(&device).and_then(|known| ours.newest_of(known)).unwrap_or(ours.newest());
            let (public, newest) = (sender.public(), ours.public());
            let gateway_key = (public != newest).then(|| newest.to_hex());
            let plain = codec::encode(&ReceiptV1 { receipts, gateway_key })?;
            let sealed = seal::seal(&plain, &seal::receipt_binding(&device), recipient, (sender, &public), rng);
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
        let messages = receipts.into_messages(&SealingKeys::of(&[gateway.0]), &known, &mut rng).unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].0, "hilum/v1/a/down/receipt");
        let sealed = Sealed::from_bytes(&messages[1].1).unwrap();
        let binding = seal::receipt_binding(&b);
        assert_eq!(seal::open(&sealed, &binding, &key_a.0, &gateway.1), Err(SealError::Open));
        assert_eq!(seal::open(&sealed, &binding, &key_b.0, &known[&b]), Err(SealError::Open));
        let of_b: ReceiptV1 = codec::decode(&seal::open(&sealed, &binding, &key_b.0, &gateway.1).unwrap()).unwrap();
        assert_eq!(of_b.receipts.iter().map(|receipt| receipt.id).collect::<Vec<_>>(), [id(1), id(3)]);
        assert_eq!(of_b.receipts[0].status, ReceiptStatus::Stored);
        assert_eq!(of_b.gateway_key, None);
    }

    #[test]
    fn who_knows_an_older_key_is_answered_with_it_and_told_of_the_newest() {
        let mut rng = rand::rng();
        let device: DeviceId = "a".parse().unwrap();
        let (old, new, key) = (seal::generate(&mut rng), seal::generate(&mut rng), seal::generate(&mut rng));
        let ours = SealingKeys::of(&[old.0, new.0]);
        let known = HashMap::from([(device.clone(), key.1)]);
        for (knows, sender, told) in [
            (vec![&old.1], &old.1, Some(new.1.to_hex())),
            (vec![&new.1], &new.1, None),
            // Both in one batch: it has just changed.
            (vec![&new.1, &old.1], &new.1, None),
        ] {
            let mut receipts = Receipts::default();
            receipts.stored(&device, "01890a5d-ac96-774b-bcce-b302099a8001".parse().unwrap());
            knows.iter().for_each(|known| receipts.knows(&device, &known.key_id()));
            let messages = receipts.into_messages(&ours, &known, &mut rng).unwrap();
            let sealed = Sealed::from_bytes(&messages[0].1).unwrap();
            let opened = seal::open(&sealed, &seal::receipt_binding(&device), &key.0, sender).unwrap();
            assert_eq!(codec::decode::<ReceiptV1>(&opened).unwrap().gateway_key, told);
        }
    }
}
