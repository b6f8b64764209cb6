//! The table of who may do what. What isn't listed is refused.

use serde::{Deserialize, Serialize};

/// What a person is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads results and says whether each is right.
    Reviewer,
    /// Checks what others did.
    Auditor,
    /// Looks after devices and accounts.
    Administrator,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// See one's own session, and end it.
    KeepSession,
    /// See results and their images.
    ReadResults,
    /// Give a verdict.
    GiveVerdict,
    /// See the audit trail.
    ReadAudit,
    /// See the devices.
    ReadDevices,
}

use Role::{Administrator, Auditor, Reviewer};

/// A verdict is a reviewer's and nobody else's. A reviewer sees the audit trail, since her own verdicts are in it.
const GRANTS: [(Act, &[Role]); 5] = [
    (Act::KeepSession, &[Reviewer, Auditor, Administrator]),
    (Act::ReadResults, &[Reviewer, Auditor, Administrator]),
    (Act::GiveVerdict, &[Reviewer]),
    (Act::ReadAudit, &[Reviewer, Auditor, Administrator]),
    (Act::ReadDevices, &[Reviewer, Auditor, Administrator]),
];

impl Role {
    /// All roles, for tables and tests.
    pub const ALL: [Self; 3] = [Reviewer, Auditor, Administrator];

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reviewer => "reviewer",
            Auditor => "auditor",
            Administrator => "administrator",
        }
    }

    /// Reads [`Role::as_str`] back.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether the table grants it.
    #[must_use]
    pub fn may(self, act: Act) -> bool {
        GRANTS.iter().any(|(granted, roles)| *granted == act && roles.contains(&self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reviewer_gives_verdicts() {
        for role in Role::ALL {
            assert_eq!(role.may(Act::GiveVerdict), role == Reviewer, "{role:?}");
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        assert_eq!(Role::from_name("root"), None);
    }
}
