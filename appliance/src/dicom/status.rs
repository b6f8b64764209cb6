//! What a scanner is told about its object: status codes of PS3.7 annex C and PS3.4 table B.2-1, each with a sentence.

/// A status with its Error Comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Status (0000,0900).
    pub code: u16,
    /// Error Comment (0000,0902), at most 64 characters (LO); empty for success.
    pub comment: &'static str,
    /// Stable word for metrics.
    pub label: &'static str,
}

#[rustfmt::skip]
impl Status {
    /// The object is durable and will be read.
    pub const SUCCESS: Self = Self { code: 0x0000, label: "success", comment: "" };
    /// Nothing here does that.
    pub const UNRECOGNIZED_OPERATION: Self = Self { code: 0x0211, label: "unrecognized_operation",
        comment: "Only C-ECHO, C-STORE and storage commitment are served here" };
    /// The command's SOP class is not the presentation context's.
    pub const CLASS_NOT_SUPPORTED: Self = Self { code: 0x0122, label: "class_not_supported",
        comment: "SOP class differs from its presentation context" };
    /// The command's SOP Instance UID is missing or no UID.
    pub const INVALID_INSTANCE: Self = Self { code: 0x0117, label: "invalid_instance",
        comment: "SOP Instance UID is missing or not a UID" };
    /// The dataset is another object than the command says.
    pub const DATASET_MISMATCH: Self = Self { code: 0xA900, label: "dataset_mismatch",
        comment: "UIDs in the dataset differ from those of the C-STORE command" };
    /// A dataset was announced and none came, or the other way round.
    pub const NO_DATASET: Self = Self { code: 0xC000, label: "no_dataset",
        comment: "The C-STORE command announces no dataset" };
    /// The disk or the database is full.
    pub const DISK_FULL: Self = Self { code: 0xA700, label: "disk_full",
        comment: "Disk full on the appliance; free space and send again" };
    /// The object is over the limit.
    pub const TOO_LARGE: Self = Self { code: 0xA700, label: "too_large",
        comment: "Object is larger than this appliance accepts" };
    /// It could not be made durable for another reason.
    pub const FAILED: Self = Self { code: 0x0110, label: "failed",
        comment: "Appliance could not store the object; see its status page" };
    /// Storage commitment was asked of, or reported about, another instance than its well-known one.
    pub const NO_SUCH_INSTANCE: Self = Self { code: 0x0112, label: "no_such_instance",
        comment: "Storage commitment has one instance, 1.2.840.10008.1.20.1.1" };
    /// An N-EVENT-REPORT of another type than 1 and 2.
    pub const NO_SUCH_EVENT: Self = Self { code: 0x0113, label: "no_such_event",
        comment: "Storage commitment has event types 1 and 2" };
    /// The dataset of an N-ACTION or N-EVENT-REPORT lacks what it must have.
    pub const INVALID_ARGUMENT: Self = Self { code: 0x0115, label: "invalid_argument",
        comment: "Transaction UID or Referenced SOP Sequence missing or not valid" };
    /// An N-ACTION of another type than 1.
    pub const NO_SUCH_ACTION: Self = Self { code: 0x0123, label: "no_such_action",
        comment: "Storage commitment has action type 1 only" };
    /// The dataset of an N-ACTION or N-EVENT-REPORT is over the limit.
    pub const TOO_MANY_REFERENCES: Self = Self { code: 0x0213, label: "too_many_references",
        comment: "Too many objects in one request; ask for fewer at a time" };
    /// As many reports as can be are owed.
    pub const TOO_MANY_REPORTS: Self = Self { code: 0x0213, label: "too_many_reports",
        comment: "Too many commitment reports wait; see the status page" };
    /// A request or a report could not be noted.
    pub const COMMITMENT_FAILED: Self = Self { code: 0x0110, label: "commitment_failed",
        comment: "Appliance could not note this; ask or report again later" };

    /// Every status that is given here.
    pub const ALL: [Self; 16] = [
        Self::SUCCESS,
        Self::UNRECOGNIZED_OPERATION,
        Self::CLASS_NOT_SUPPORTED,
        Self::INVALID_INSTANCE,
        Self::DATASET_MISMATCH,
        Self::NO_DATASET,
        Self::DISK_FULL,
        Self::TOO_LARGE,
        Self::FAILED,
        Self::NO_SUCH_INSTANCE,
        Self::NO_SUCH_EVENT,
        Self::INVALID_ARGUMENT,
        Self::NO_SUCH_ACTION,
        Self::TOO_MANY_REFERENCES,
        Self::TOO_MANY_REPORTS,
        Self::COMMITMENT_FAILED,
    ];
}

impl Status {
    /// True for [`Status::SUCCESS`].
    #[must_use]
    pub fn is_success(self) -> bool {
        self.code == 0
    }
}

/// What a status code of a C-STORE response means, for whoever sends.
#[must_use]
pub fn meaning(code: u16) -> &'static str {
    match code {
        0x0000 => "stored",
        0x0110 => "the receiver failed while processing it",
        0x0117 => "the receiver found the SOP Instance UID invalid",
        0x0122 => "the receiver does not take this kind of object",
        0x0124 => "the receiver does not allow this sender to store",
        0x0211 => "the receiver does not know the operation",
        0xA700..=0xA7FF => "the receiver is out of resources",
        0xA900..=0xA9FF => "the dataset does not match its SOP class or its command",
        0xB000 => "stored, with values coerced",
        0xB006 => "stored, with elements discarded",
        0xB007 => "stored, although the dataset does not match its SOP class",
        0xC000..=0xCFFF => "the receiver cannot understand it",
        _ => "the receiver gave a status of its own",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_fit_their_value_representation() {
        for status in Status::ALL {
            assert!(status.comment.len() <= 64 && status.comment.is_ascii(), "{}", status.comment);
            assert_eq!(status.is_success(), status.comment.is_empty());
        }
    }
}
