//! The list. A new point is a line here and a call where it stands.

/// A program that has points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// `hilum-appliance`.
    Appliance,
    /// `hilum-sync-agent`.
    Agent,
    /// `cloud-gateway`.
    Gateway,
    /// `hilum-appliance key rotate`, an order and no service.
    Rotation,
}

macro_rules! points {
    ($($(#[$words:meta])* $point:ident, $program:ident, $name:literal;)*) => {
        /// A place in the code at which a power cut is interesting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[$words])* $point,)*
        }

        impl Point {
            /// All of them, in the order of an image's way.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// What it is called from outside.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)* }
            }

            /// Who gets there.
            #[must_use]
            pub fn program(self) -> Program {
                match self { $(Self::$point => Program::$program,)* }
            }

            /// What it is called in the code.
            #[must_use]
            pub fn identifier(self) -> &'static str {
                match self { $(Self::$point => stringify!($point),)* }
            }
        }
    };
}

points! {
    /// The database is open, nothing was compared yet.
    StartOpened, Appliance, "start.opened";
    /// Half a file is removed, others may be left.
    StartRemoved, Appliance, "start.removed";
    /// A whole file without a row has one now, others may be left.
    StartAdopted, Appliance, "start.adopted";
    /// Spool and journal agree, nothing is received yet.
    StartAgreed, Appliance, "start.agreed";
    /// A file is in the folder, and has its beginning at most.
    SpoolBegun, Appliance, "spool.begun";
    /// All bytes of a file are handed to the system.
    SpoolWritten, Appliance, "spool.written";
    /// The file is synced, its entry in the folder is not.
    SpoolSynced, Appliance, "spool.synced";
    /// The entry is synced, too. (A file is written under its last name, so that nothing is renamed.)
    SpoolListed, Appliance, "spool.listed";
    /// The journal's row is written, not committed.
    AcceptBeforeCommit, Appliance, "accept.before_commit";
    /// The row is committed, or part of a group that is about to be.
    AcceptAfterCommit, Appliance, "accept.after_commit";
    /// Several requests are done, their one commit is not.
    GroupBeforeCommit, Appliance, "group.before_commit";
    /// Their commit is done, nobody was told.
    GroupAfterCommit, Appliance, "group.after_commit";
    /// The image is durable, the scanner was not told.
    IntakeStored, Appliance, "intake.stored";
    /// The journal has noted that a reading begins.
    ReadingBegun, Appliance, "reading.begun";
    /// The image is read, its result is in memory only.
    ReadingEnded, Appliance, "reading.ended";
    /// Result, messages and deliveries are written, not committed.
    ConcludeBeforeCommit, Appliance, "conclude.before_commit";
    /// They are committed, or part of a group that is about to be.
    ConcludeAfterCommit, Appliance, "conclude.after_commit";
    /// A receipted image's file is removed, the journal still names it.
    RetentionRemoved, Appliance, "retention.removed";

    /// The leases of an earlier life are given back.
    AgentStarted, Agent, "agent.started";
    /// Messages are marked as leased, not committed.
    LeaseBeforeCommit, Agent, "lease.before_commit";
    /// The leases are committed, nothing is sent.
    LeaseAfterCommit, Agent, "lease.after_commit";
    /// A message is sealed, not handed to the connection.
    PublishBefore, Agent, "publish.before";
    /// It is handed over; the broker has not said that it took it.
    PublishHanded, Agent, "publish.handed";
    /// The broker has said so (PUBACK).
    PublishTaken, Agent, "publish.taken";
    /// A receipt is opened, not applied.
    ReceiptOpened, Agent, "receipt.opened";
    /// A row is deleted, not committed.
    SettleBeforeCommit, Agent, "settle.before_commit";
    /// Its deletion is committed; the batch's others may not be.
    SettleAfterCommit, Agent, "settle.after_commit";
    /// A whole batch of receipts is applied.
    ReceiptApplied, Agent, "receipt.applied";

    /// The tables are those of this version, nothing is taken from the broker yet.
    GatewayMigrated, Gateway, "gateway.migrated";
    /// Messages are opened, nothing of them is kept.
    IngestOpened, Gateway, "ingest.opened";
    /// Their pictures are on the disk.
    IngestKept, Gateway, "ingest.kept";
    /// Their rows are written, not committed.
    IngestBeforeCommit, Gateway, "ingest.before_commit";
    /// They are committed; neither broker nor device knows.
    IngestAfterCommit, Gateway, "ingest.after_commit";
    /// The broker was told, the device was not.
    IngestAcknowledged, Gateway, "ingest.acknowledged";
    /// The receipts are handed to the connection.
    IngestReceipted, Gateway, "ingest.receipted";

    /// What opens the old key with the new one is on the disk; all else is as it was.
    RotationNoted, Rotation, "rotation.noted";
    /// The service's key is the new one.
    RotationHanded, Rotation, "rotation.handed";
    /// The agent's, too.
    RotationShared, Rotation, "rotation.shared";
    /// The folder's own record is the new key's; from here on the old one is refused.
    RotationClaimed, Rotation, "rotation.claimed";
    /// The database under its new key is on the disk, not in its place.
    RotationCopied, Rotation, "rotation.copied";
    /// It is in its place; the files are as they were.
    RotationDatabase, Rotation, "rotation.database";
    /// A file under the new key is on the disk, not in its place.
    RotationSealed, Rotation, "rotation.sealed";
    /// It is in its place, others may not be.
    RotationFile, Rotation, "rotation.file";
    /// All are; the old key is still to be had with the new one.
    RotationDone, Rotation, "rotation.done";
}

impl Point {
    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|point| point.name() == name)
    }

    /// All of one program's.
    pub fn of(program: Program) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |point| point.program() == program)
    }
}

impl Program {
    /// The services, in the order of an image's way.
    pub const SERVICES: [Self; 3] = [Self::Appliance, Self::Agent, Self::Gateway];

    /// The executable.
    #[must_use]
    pub fn executable(self) -> &'static str {
        match self {
            Self::Appliance | Self::Rotation => "hilum-appliance",
            Self::Agent => "hilum-sync-agent",
            Self::Gateway => "cloud-gateway",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_told_apart_and_found_again() {
        let names: BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        assert!(Point::ALL.iter().all(|point| Point::from_name(point.name()) == Some(*point)));
        let programs = Program::SERVICES.into_iter().chain([Program::Rotation]);
        assert_eq!(programs.flat_map(Point::of).count(), Point::ALL.len());
    }

    fn code(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                code(&entry.path(), text);
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(entry.path()).unwrap());
            }
        }
    }

    /// The other half, that the code names none that is not in the list, is the compiler's.
    #[test]
    fn each_of_the_list_stands_in_the_code_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut text = String::new();
        ["outbox", "appliance", "sync-agent", "cloud-gateway"]
            .iter()
            .for_each(|room| code(&root.join(room).join("src"), &mut text));
        for point in Point::ALL {
            let call = format!("fail_points::reach(Point::{})", point.identifier());
            assert_eq!(text.matches(&call).count(), 1, "{call}");
        }
    }

    /// What is shipped is built without the feature: nothing that builds a release names it.
    #[test]
    fn nothing_that_builds_a_release_can_arm_them() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let builds = ["packaging/Containerfile", "yocto/meta-hilum/recipes-hilum/hilum/hilum.inc", "Cargo.toml"];
        for file in builds {
            let text = fs::read_to_string(root.join(file)).unwrap();
            assert!(!text.contains("armed") && !text.contains("all-features"), "{file}");
        }
        for program in Program::SERVICES {
            let folder = program.executable().trim_start_matches("hilum-");
            let manifest = fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap();
            let defaults = manifest.lines().find(|line| line.trim_start().starts_with("default"));
            assert!(defaults.is_none_or(|line| !line.contains("fail-points")), "{folder}");
        }
    }
}
