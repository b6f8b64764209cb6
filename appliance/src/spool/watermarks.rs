//! How much of the disk must stay free for what: `[disk]` of the configuration. It measures nothing.

use serde::Deserialize;
use vitals::config::Mistakes;

const MIB: u64 = 1 << 20;

/// `[disk]`: free MiB on the disk that holds `state_dir`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskConfig {
    /// Below it nothing more is accepted, 64 to 1048576: the database and its log must still be able to grow so that what was
    /// accepted can be concluded.
    pub refuse_below_mib: u32,
    /// Below it results go without their pictures, 16 to `refuse_below_mib`, so that findings, a few kilobytes each, always have
    /// room.
    pub no_pictures_below_mib: u32,
}

impl Default for DiskConfig {
    fn default() -> Self {
        // A result with its picture takes about 1 MB, and a spool holds some hundred unread images.
        Self { refuse_below_mib: 512, no_pictures_below_mib: 128 }
    }
}

impl DiskConfig {
    /// What cannot work in `[disk]`.
    pub(crate) fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        let refuse = (64..=1 << 20).contains(&self.refuse_below_mib);
        mistakes.require(refuse, "refuse_below_mib", "use 64 to 1048576 MiB; 512 suits most disks");
        let pictures = (16..=self.refuse_below_mib).contains(&self.no_pictures_below_mib);
        mistakes.require(
            pictures,
            "no_pictures_below_mib",
            "use 16 MiB to refuse_below_mib, below which nothing comes in",
        );
    }

    /// True where so many free bytes are enough to accept more.
    #[must_use]
    pub fn accepts(&self, free: u64) -> bool {
        free >= u64::from(self.refuse_below_mib) * MIB
    }

    /// True where so many free bytes are enough for pictures.
    #[must_use]
    pub fn has_room_for_pictures(&self, free: u64) -> bool {
        free >= u64::from(self.no_pictures_below_mib) * MIB
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_watermark_is_the_last_byte_that_is_enough() {
        let disk = DiskConfig { refuse_below_mib: 64, no_pictures_below_mib: 16 };
        for (free, accepts, pictures) in [
            (0, false, false),
            (16 * MIB - 1, false, false),
            (16 * MIB, false, true),
            (64 * MIB - 1, false, true),
            (64 * MIB, true, true),
            (u64::MAX, true, true),
        ] {
            assert_eq!((disk.accepts(free), disk.has_room_for_pictures(free)), (accepts, pictures), "{free}");
        }
    }
}
