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
        comment: "Only C-ECHO and C-STORE are served here" };
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
        let all = [
            Status::SUCCESS,
            Status::UNRECOGNIZED_OPERATION,
            Status::CLASS_NOT_SUPPORTED,
            Status::INVALID_INSTANCE,
            Status::DATASET_MISMATCH,
            Status::NO_DATASET,
            Status::DISK_FULL,
            Status::TOO_LARGE,
            Status::FAILED,
        ];
        for status in all {
            assert!(status.comment.len() <= 64 && status.comment.is_ascii(), "{}", status.comment);
            assert_eq!(status.is_success(), status.comment.is_empty());
        }
    }
}
