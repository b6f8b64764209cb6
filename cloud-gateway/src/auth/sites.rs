//! Which sites a person sees. It never asks the database; the queries of `store` are narrowed by it.

use std::collections::BTreeSet;

use crate::enrolment::is_site;

/// How every site, those of tomorrow too, is written down.
pub const EVERY: &str = "*";

/// What a person was granted. Nothing granted is nothing seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sites {
    /// Every site.
    All,
    /// These and no others.
    These(BTreeSet<String>),
}

impl Sites {
    /// Reads what is written down of one account.
    pub fn granted(rows: impl IntoIterator<Item = String>) -> Self {
        let sites: BTreeSet<String> = rows.into_iter().collect();
        if sites.contains(EVERY) { Self::All } else { Self::These(sites) }
    }

    /// As the API says it: no list is every site.
    #[must_use]
    pub fn of(list: Option<BTreeSet<String>>) -> Self {
        list.map_or(Self::All, Self::These)
    }

    /// Whether what stands at this site is seen.
    #[must_use]
    pub fn include(&self, site: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(sites) => sites.contains(site),
        }
    }

    /// The names, sorted; `None` where it is every site.
    #[must_use]
    pub fn names(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::All => None,
            Self::These(sites) => Some(sites),
        }
    }
}

/// Whether this can be granted by its name; every site is granted by saying so, never by a name.
#[must_use]
pub fn can_be_granted(site: &str) -> bool {
    is_site(site) && site != EVERY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(rows: &[&str]) -> Sites {
        Sites::granted(rows.iter().map(|row| (*row).to_owned()))
    }

    #[test]
    fn nothing_granted_is_nothing_seen_and_every_site_is_said() {
        for (rows, st_mary, st_john) in [
            (&[][..], false, false),
            (&["st-mary"], true, false),
            (&["st-mary", "st-john"], true, true),
            (&["St-Mary"], false, false),
            (&["*"], true, true),
            (&["st-john", "*"], true, true),
        ] {
            let sites = granted(rows);
            assert_eq!((sites.include("st-mary"), sites.include("st-john")), (st_mary, st_john), "{rows:?}");
        }
        assert_eq!(granted(&["*"]), Sites::All);
        assert!(granted(&[]).names().unwrap().is_empty());
    }

    #[test]
    fn a_name_grants_no_more_than_itself() {
        for (name, good) in [("st-mary", true), ("", false), ("*", false), ("a\nb", false)] {
            assert_eq!(can_be_granted(name), good, "{name:?}");
        }
    }
}
