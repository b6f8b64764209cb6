//! The table of who may do what. What isn't listed is refused.

use serde::{Deserialize, Serialize};

/// What a person is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// Reads results and says whether each is right.
    Reviewer,
    /// Does that, and decides where reviewers differ.
    LeadReviewer,
    /// Looks after the devices of many sites.
    FleetOperator,
    /// Looks after the devices that stand where he works.
    SiteTechnician,
    /// Checks what others did.
    Auditor,
    /// Looks after devices and accounts.
    Administrator,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Act {
    /// See one's own session, and end it; look after one's own password and second factor.
    KeepSession,
    /// Hear what changes, of what one may read.
    HearChanges,
    /// See results and their images.
    ReadResults,
    /// Give a verdict.
    GiveVerdict,
    /// Decide where two readers differ.
    Adjudicate,
    /// Take verdicts out of the house, by stand-ins.
    ExportVerdicts,
    /// See how far readers agree, by their names.
    ReadAgreement,
    /// See the audit trail.
    ReadAudit,
    /// See the devices.
    ReadDevices,
    /// See what was refused of devices, and why.
    ReadRefused,
    /// Make the token that lets a device in.
    EnrolDevices,
    /// See the numbers about the model's quality.
    ReadQuality,
    /// Look after other people's accounts, and after the keys of programs.
    ManageAccounts,
}

use Role::{Administrator, Auditor, FleetOperator, LeadReviewer, Reviewer, SiteTechnician};

/// A verdict is a reviewer's and nobody else's. A reviewer sees the audit trail, since her own verdicts are in it. Who looks
/// after devices sees no patient's film: he needs none for it.
const GRANTS: &[(Act, &[Role])] = &[
    (Act::KeepSession, &Role::ALL),
    (Act::HearChanges, &Role::ALL),
    (Act::ReadResults, &[Reviewer, LeadReviewer, Auditor, Administrator]),
    (Act::GiveVerdict, &[Reviewer, LeadReviewer]),
    (Act::Adjudicate, &[LeadReviewer]),
    (Act::ExportVerdicts, &[LeadReviewer, Auditor, Administrator]),
    (Act::ReadAgreement, &[LeadReviewer, Auditor, Administrator]),
    (Act::ReadAudit, &[Reviewer, LeadReviewer, Auditor, Administrator]),
    (Act::ReadDevices, &Role::ALL),
    (Act::ReadRefused, &[FleetOperator, SiteTechnician, Auditor, Administrator]),
    (Act::EnrolDevices, &[FleetOperator, SiteTechnician, Administrator]),
    (Act::ReadQuality, &[Reviewer, LeadReviewer, FleetOperator, Auditor, Administrator]),
    (Act::ManageAccounts, &[Administrator]),
];

impl Act {
    /// All of them, in the table's order.
    pub const ALL: [Self; GRANTS.len()] = {
        let mut all = [Self::KeepSession; GRANTS.len()];
        let mut line = 0;
        while line < GRANTS.len() {
            all[line] = GRANTS[line].0;
            line += 1;
        }
        all
    };

    /// Whether a program may be given a key for it. What is a person's own, a verdict above all, and what would let a key make
    /// more of itself, is none of a program's business.
    #[must_use]
    pub fn is_for_keys(self) -> bool {
        match self {
            Self::ReadResults | Self::ReadAudit | Self::ReadDevices | Self::ReadQuality => true,
            Self::KeepSession
            | Self::HearChanges
            | Self::GiveVerdict
            | Self::Adjudicate
            | Self::ExportVerdicts
            | Self::ReadAgreement
            | Self::ReadRefused
            | Self::EnrolDevices
            | Self::ManageAccounts => false,
        }
    }

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepSession => "keep_session",
            Self::HearChanges => "hear_changes",
            Self::ReadResults => "read_results",
            Self::GiveVerdict => "give_verdict",
            Self::Adjudicate => "adjudicate",
            Self::ExportVerdicts => "export_verdicts",
            Self::ReadAgreement => "read_agreement",
            Self::ReadAudit => "read_audit",
            Self::ReadDevices => "read_devices",
            Self::ReadRefused => "read_refused",
            Self::EnrolDevices => "enrol_devices",
            Self::ReadQuality => "read_quality",
            Self::ManageAccounts => "manage_accounts",
        }
    }
}

impl Role {
    /// All roles, for tables and tests.
    pub const ALL: [Self; 6] = [Reviewer, LeadReviewer, FleetOperator, SiteTechnician, Auditor, Administrator];

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reviewer => "reviewer",
            LeadReviewer => "lead_reviewer",
            FleetOperator => "fleet_operator",
            SiteTechnician => "site_technician",
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

    /// Changed by hand and by nobody else: who widens the table says so here, too.
    const TABLE: &str = "\
act              reviewer lead_reviewer fleet_operator site_technician auditor administrator
keep_session     yes      yes           yes            yes             yes     yes
hear_changes     yes      yes           yes            yes             yes     yes
read_results     yes      yes           -              -               yes     yes
give_verdict     yes      yes           -              -               -       -
adjudicate       -        yes           -              -               -       -
export_verdicts  -        yes           -              -               yes     yes
read_agreement   -        yes           -              -               yes     yes
read_audit       yes      yes           -              -               yes     yes
read_devices     yes      yes           yes            yes             yes     yes
read_refused     -        -             yes            yes             yes     yes
enrol_devices    -        -             yes            yes             -       yes
read_quality     yes      yes           yes            -               yes     yes
manage_accounts  -        -             -              -               -       yes
";

    #[test]
    fn the_table_is_this_one() {
        let head: String = Role::ALL.iter().map(|role| format!(" {}", role.as_str())).collect();
        let mut table = format!("{:<16}{head}\n", "act");
        for act in Act::ALL {
            assert_eq!(serde_json::to_value(act).unwrap(), act.as_str());
            let cells: String = Role::ALL
                .iter()
                .map(|role| format!(" {:1$}", if role.may(act) { "yes" } else { "-" }, role.as_str().len()))
                .collect();
            table += &format!("{:<16}{cells}", act.as_str());
            table.truncate(table.trim_end().len());
            table.push('\n');
        }
        assert_eq!(table, TABLE);
    }

    #[test]
    fn a_role_is_read_back_as_it_is_stored_and_typed() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
            assert_eq!(<Role as clap::ValueEnum>::from_str(role.as_str(), false), Ok(role));
        }
        assert_eq!(Role::from_name("root"), None);
    }
}
