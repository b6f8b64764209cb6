//! `[[destination]]` and `[[route]]` of the configuration: which of the hospital's own systems there are, and which of them
//! is given what of which image.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use vitals::config::Mistakes;

use super::record::Finding;
use crate::dicom::scu::Target;
use crate::reading_order::Reading;

/// Both tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputConfig {
    /// The systems.
    pub destination: Vec<DestinationConfig>,
    /// Who is given what.
    pub route: Vec<RouteConfig>,
}

/// One of the hospital's systems, by how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DestinationConfig {
    /// A PACS or another archive: DICOM storage.
    Dicom(DicomDestination),
    /// A RIS or an interface engine: HL7 v2.5 ORU^R01 over MLLP.
    Hl7(Hl7Destination),
    /// A FHIR R4 server.
    Fhir(FhirDestination),
}

/// An archive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DicomDestination {
    /// A name of your own, as routes and the status page use it.
    pub name: String,
    /// `AE@host:port`.
    #[serde(deserialize_with = "target")]
    pub address: Target,
    /// Whether it is asked to commit itself to keep what it took.
    #[serde(default = "yes")]
    pub commitment: bool,
    /// Whether it is spoken to over TLS, with the papers of `[dicom.tls]`.
    #[serde(default)]
    pub tls: bool,
}

/// A receiver of HL7 messages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hl7Destination {
    /// A name of your own, as routes and the status page use it.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// MSH-5, Receiving Application.
    #[serde(default)]
    pub receiving_application: String,
    /// MSH-6, Receiving Facility.
    #[serde(default)]
    pub receiving_facility: String,
}

/// A FHIR R4 server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FhirDestination {
    /// A name of your own, as routes and the status page use it.
    pub name: String,
    /// Its base, such as `https://fhir.example.org/r4`.
    pub url: String,
    /// File with a bearer token, if it wants one.
    pub token_file: Option<PathBuf>,
    /// The authority of its certificate, PEM; needed for https://.
    pub ca: Option<PathBuf>,
    /// Our own certificate, PEM, if it wants one.
    pub certificate: Option<PathBuf>,
    /// The private key of our certificate, PEM.
    pub key: Option<PathBuf>,
}

impl FhirDestination {
    /// Its base without a slash at the end.
    #[must_use]
    pub fn base(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    fn mistakes(&self, its: &mut Mistakes<'_>) {
        let secured = self.url.starts_with("https://");
        its.require(
            secured || self.url.starts_with("http://"),
            "url",
            "begin it with https://, or http:// within one machine",
        );
        its.require(
            self.ca.is_some() || !secured,
            "ca",
            "name the authority of the server's certificate: nobody else's is believed",
        );
        its.require(
            secured || self.token_file.is_none(),
            "token_file",
            "use https://, so that nobody reads the token on its way",
        );
        its.require(
            self.certificate.is_some() == self.key.is_some(),
            "key",
            "name both certificate and key, or neither",
        );
        if !secured {
            its.warning("url", "reports with patients' names go unencrypted; use https://");
        }
    }
}

/// Who is given what of which image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// AE titles of the scanners; of all where it is left out.
    #[serde(default)]
    pub from: Vec<String>,
    /// Which images.
    #[serde(default)]
    pub finding: Wanted,
    /// Names of destinations; may be empty where `reading` is given.
    #[serde(default)]
    pub to: Vec<String>,
    /// Who is read first: `urgent`, or `routine` whatever the sender asks for. Where it is left out, the sender is heeded.
    #[serde(default)]
    pub reading: Option<Reading>,
    /// Which objects a DICOM destination is given; a report and a capture where it is left out.
    #[serde(default = "both")]
    pub objects: Vec<DicomObject>,
    /// Whether these go before others; where it is left out, positive findings do.
    #[serde(default)]
    pub urgent: Option<bool>,
}

/// Which images a route is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// All of them.
    #[default]
    Any,
    /// Read, at or over the operating point.
    Positive,
    /// Read, below it.
    Negative,
    /// Not for this model.
    Abstained,
    /// Not an image that could be read.
    Unreadable,
}

/// What a DICOM destination can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DicomObject {
    /// A Structured Report.
    Sr,
    /// A Secondary Capture.
    Sc,
}

impl OutputConfig {
    /// Notes every mistake that can be known without asking the destinations; `mistakes` is of the whole file, `has_papers`
    /// says whether it has a `[dicom.tls]`.
    pub(crate) fn mistakes(&self, has_papers: bool, mistakes: &mut Mistakes<'_>) {
        for (index, destination) in self.destination.iter().enumerate() {
            let name = destination.name();
            let mut its = mistakes.item("destination", index);
            // It stands in metrics and on the status page.
            let is_short = !name.is_empty() && name.len() <= 32 && !name.chars().any(char::is_control);
            its.require(is_short, "name", "give it a name of 1 to 32 characters");
            let is_twice = self.destination[..index].iter().any(|other| other.name() == name);
            its.require(!is_twice, "name", "another destination has this name; give each a name of its own");
            let is_used = self.route.iter().any(|route| route.to.iter().any(|to| to == name));
            if !is_used {
                its.warning(
                    "name",
                    "no [[route]] leads here, so nothing is sent; add one, or leave the destination out",
                );
            }
            match destination {
                DestinationConfig::Dicom(archive) => {
                    let can = has_papers || !archive.tls;
                    its.require(can, "tls", "it takes the papers of [dicom.tls], which is missing; add that table");
                }
                DestinationConfig::Hl7(ris) => {
                    let port = ris.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
                    its.require(port.is_some(), "address", "write it as host:port, such as ris.example.org:2575");
                }
                DestinationConfig::Fhir(server) => server.mistakes(&mut its),
            }
        }
        for (index, route) in self.route.iter().enumerate() {
            let mut its = mistakes.item("route", index);
            let has_use = !route.to.is_empty() || route.reading.is_some();
            its.require(has_use, "to", "name at least one destination, or leave the route out");
            let is_known = route.reading.is_none() || route.finding == Wanted::Any;
            its.require(is_known, "reading", "leave finding out: what it will be is not known before the reading");
            its.require(!route.objects.is_empty(), "objects", "name \"sr\", \"sc\" or both, or leave the key out");
            for to in route.to.iter().filter(|to| !self.destination.iter().any(|known| known.name() == *to)) {
                its.mistake("to", format!("no [[destination]] is named \"{to}\"; correct it or add the destination"));
            }
        }
    }
}

impl DestinationConfig {
    /// Whether it is spoken to with the papers of `[dicom.tls]`.
    #[must_use]
    pub fn needs_papers(&self) -> bool {
        matches!(self, Self::Dicom(archive) if archive.tls)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Dicom(destination) => &destination.name,
            Self::Hl7(destination) => &destination.name,
            Self::Fhir(destination) => &destination.name,
        }
    }
}

impl Wanted {
    /// True where the route is for such images.
    #[must_use]
    pub fn is(self, finding: Finding) -> bool {
        match self {
            Self::Any => true,
            Self::Positive => finding == Finding::Positive,
            Self::Negative => finding == Finding::Negative,
            Self::Abstained => finding == Finding::Abstained,
            Self::Unreadable => finding == Finding::Unreadable,
        }
    }
}

fn target<'de, D: Deserializer<'de>>(from: D) -> Result<Target, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// An archive that does not commit itself to what it took is rare enough to be the one that is configured for.
fn yes() -> bool {
    true
}

/// Both kinds of object: the report for machines, the capture for whoever has no viewer for reports.
fn both() -> Vec<DicomObject> {
    vec![DicomObject::Sr, DicomObject::Sc]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use vitals::config::{Checked, Reading};

    use super::*;

    impl Checked for OutputConfig {
        fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
            Self::mistakes(self, false, mistakes);
        }
    }

    fn read(toml: &str) -> Result<(OutputConfig, usize), String> {
        let read = Reading::<OutputConfig>::of_text(Path::new("appliance.toml"), toml).finish();
        read.map(|(config, warnings)| (config, warnings.as_slice().len())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pacs_and_a_route_are_all_it_takes() {
        let pacs = "[[destination]]\nname = \"pacs\"\nkind = \"dicom\"\naddress = \"ARCHIVE@10.0.0.5:104\"\n";
        let (config, warnings) = read(&format!("{pacs}[[route]]\nto = [\"pacs\"]\n")).unwrap();
        let DestinationConfig::Dicom(archive) = &config.destination[0] else { panic!("an archive") };
        assert_eq!((archive.commitment, archive.tls, archive.address.host.as_str()), (true, false, "10.0.0.5:104"));
        assert_eq!((config.route[0].finding, config.route[0].objects.len(), warnings), (Wanted::Any, 2, 0));
        assert_eq!(read(pacs).unwrap().1, 1, "nothing leads there");
        assert_eq!(read("").unwrap().1, 0);
    }

    #[test]
    fn every_mistake_is_told() {
        let told = read(
            "[[destination]]\nname = \"a\"\nkind = \"hl7\"\naddress = \"ris\"\n\
             [[destination]]\nname = \"a\"\nkind = \"hl7\"\naddress = \"ris:2575\"\n\
             [[route]]\nto = [\"a\", \"c\"]\nobjects = []\n[[route]]\nto = []\n",
        );
        let told = told.unwrap_err();
        for part in [
            "host:port",
            "another destination has this name",
            "named \"c\"",
            "\"sr\", \"sc\"",
            "at least one destination",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
    }

    #[test]
    fn keys_and_addresses_that_nobody_knows_are_refused() {
        for (line, part) in [
            ("kind = \"dicom\"\naddress = \"A@b:1\"\ncomitment = false", "comitment"),
            ("kind = \"dicom\"\naddress = \"b:1\"", "AE@host:port"),
            ("kind = \"dicom\"\naddress = \"A@b:1\"\ntls = true", "[dicom.tls]"),
            ("kind = \"fhir\"\nurl = \"http://f\"\ntoken_file = \"t\"", "nobody reads the token"),
            ("kind = \"fhir\"\nurl = \"https://f\"", "authority"),
            ("kind = \"pigeon\"", "pigeon"),
        ] {
            let told = read(&format!("[[destination]]\nname = \"a\"\n{line}\n")).unwrap_err();
            assert!(told.contains(part), "{part} is not in {told}");
        }
    }
}
