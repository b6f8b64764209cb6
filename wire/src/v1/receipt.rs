//! What the gateway tells a device about its messages, only ever after its own commit.

use serde::{Deserialize, Serialize};

use crate::ids::MessageId;

/// A batch of receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptV1 {
    /// One for each message, in the order of their commit.
    pub receipts: Vec<Receipt>,
    /// The gateway's newest X25519 key, 64 hexadecimal characters, where the device has been sealing to an older one: it seals to
    /// this one from now on. The seal on the batch is what vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_key: Option<String>,
}

/// One message's receipt. A replay gets the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The message.
    pub id: MessageId,
    /// What became of it.
    pub status: ReceiptStatus,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// It is in the gateway's database; the device may forget it.
    Stored,
    /// It will never be accepted; the device keeps it and shows why.
    Rejected {
        /// A sentence for the technician.
        reason: String,
    },
}
