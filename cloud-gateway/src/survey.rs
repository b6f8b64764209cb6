//! From stored readings to numbers about the model's quality: asks `store` for counts and cases, has `quality` compute, and
//! says with each number which studies stand behind it. For the API and for the metrics; it decides nothing and stores nothing.

use serde::{Deserialize, Serialize};

use crate::auth::sites::Sites;
use crate::domain::when::{self, UnixMs};
use crate::store::readings::Which;

pub mod accuracy;
pub mod drift;
pub mod fairness;
pub mod flow;
pub mod watch;

/// Where the studies behind a number are listed.
pub const STUDIES: &str = "/api/v1/quality/studies";

/// Most judged readings that one answer computes with, the newest ones: their bootstrap takes about a second. With so many
/// cases an interval is narrower than anybody could act on, and the answer says that its period was narrowed.
const MOST_JUDGED: i64 = 20_000;

/// Whose readings are looked at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The sites that whoever asks may see.
    pub sites: Sites,
    /// Received then or later.
    pub from: UnixMs,
    /// Received before.
    pub to: UnixMs,
    /// By this device only.
    pub device: Option<String>,
    /// By this model only, `id@version`.
    pub model: Option<String>,
    /// At this site only.
    pub site: Option<String>,
}

/// A period as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Period {
    /// Its beginning; RFC 3339, milliseconds, UTC.
    pub from: String,
    /// Its end, which is not in it.
    pub to: String,
}

/// Which studies stand behind a number: a link's query, and what the list of studies is asked with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Behind {
    /// Received then or later; RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Received before; RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// By this device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// By this model, `id@version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// At this site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// `read`, `abstained` or `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Not read for the reason of this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Read by a model, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<bool>,
    /// Called positive, or negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive: Option<bool>,
    /// With a verdict of agree or disagree; or with none at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<bool>,
    /// With this verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Patient's Sex (0010,0040): `F`, `M`, `O` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// The age as a band, or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_band: Option<String>,
    /// View Position (0018,5101), or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// With a probability of at least so many thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permille_from: Option<i64>,
    /// With a probability of fewer thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permille_to: Option<i64>,
    /// Entries on this page, 1 to 200; 50 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Scope {
    fn which(&self) -> Which {
        Which {
            from: Some(self.from),
            to: Some(self.to),
            device: self.device.clone(),
            model: self.model.clone(),
            site: self.site.clone(),
            ..Which::default()
        }
    }

    fn period(&self) -> Period {
        Period { from: shown(self.from), to: shown(self.to) }
    }

    /// The studies of this scope; the caller narrows them.
    fn behind(&self) -> Behind {
        let Period { from, to } = self.period();
        Behind {
            from: Some(from),
            to: Some(to),
            device: self.device.clone(),
            model: self.model.clone(),
            site: self.site.clone(),
            ..Behind::default()
        }
    }
}

impl Behind {
    /// The address of the list.
    #[must_use]
    pub fn link(&self) -> String {
        // A struct of texts, numbers and truths always has a form.
        let query = serde_urlencoded::to_string(self).unwrap_or_default();
        format!("{STUDIES}?{query}")
    }

    /// As the store is asked.
    ///
    /// # Errors
    /// The name of the time that is none.
    pub fn which(self) -> Result<Which, &'static str> {
        let time = |text: Option<String>, name| text.map(|text| when::from_rfc3339(&text).ok_or(name)).transpose();
        Ok(Which {
            from: time(self.from, "from")?,
            to: time(self.to, "to")?,
            device: self.device,
            model: self.model,
            site: self.site,
            outcome: self.outcome,
            reason: self.reason,
            read: self.read,
            positive: self.positive,
            judged: self.judged,
            verdict: self.verdict,
            sex: self.sex,
            age_band: self.age_band,
            view: self.view,
            permille_from: self.permille_from,
            permille_to: self.permille_to,
        })
    }
}

/// An instant as shown; the callers' times are a calendar's.
fn shown(at: UnixMs) -> String {
    when::rfc3339(at).unwrap_or_default()
}

/// A count of the database, which is never negative.
fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

/// What the reviewer holds true, from what it was called and whether she agreed.
fn truth(called: bool, verdict: &str) -> bool {
    called == (verdict == "agree")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_back_as_what_it_was_made_of() {
        let behind = Behind {
            from: Some("2026-01-02T03:00:45.678Z".into()),
            site: Some("St. Mary's & Son's".into()),
            positive: Some(false),
            permille_to: Some(500),
            ..Behind::default()
        };
        let link = behind.link();
        let query = link.strip_prefix("/api/v1/quality/studies?").unwrap();
        assert_eq!(serde_urlencoded::from_str::<Behind>(query).unwrap(), behind);
        let which = behind.which().unwrap();
        assert_eq!((which.from, which.permille_to), (Some(1_767_322_845_678), Some(500)));
        assert_eq!(Behind { to: Some("yesterday".into()), ..Behind::default() }.which(), Err("to"));
    }

    #[test]
    fn a_verdict_says_what_is_true() {
        for (called, verdict, expected) in
            [(true, "agree", true), (true, "disagree", false), (false, "agree", false), (false, "disagree", true)]
        {
            assert_eq!(truth(called, verdict), expected, "{called}, {verdict}");
        }
    }
}
