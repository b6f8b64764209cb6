//! Who may connect and with what: pure decisions on an A-ASSOCIATE-RQ, deny by default. It never touches a socket.

use std::net::IpAddr;

use dicom_ul::pdu::{
    AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason as Acse,
    AssociationRJServiceProviderPresentationReason as Presentation, AssociationRJServiceUserReason as User,
    AssociationRJSource, AssociationRQ, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason as ContextReason, RequestorRoles, UserVariableItem,
};
use serde::Deserialize;

use super::commitment::PUSH_MODEL;
use super::tls::Identity;
use super::{AeTitle, syntax};

/// The DICOM application context, PS3.7 A.2.1.
pub const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// Asynchronous Operations Window sub-item, PS3.7 D.3.3.3.
const ASYNCHRONOUS_OPERATIONS: u8 = 0x53;
/// One operation invoked and one performed at a time: each store is durable before the next begins.
const ONE_AT_A_TIME: [u8; 4] = [0, 1, 0, 1];

/// A scanner that may send.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedScanner {
    /// Its own AE title, the calling one.
    pub ae_title: AeTitle,
    /// Where it must call from; anywhere if absent.
    pub address: Option<IpAddr>,
    /// Where it listens at that address for reports of storage commitment.
    pub port: Option<u16>,
    /// A name in the certificate that it must show: common name or alternative name. It is then taken over TLS only.
    pub certificate: Option<String>,
}

/// Whence a request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// What its certificate says of it; `None` where it came without TLS.
    pub identity: Option<Identity>,
}

/// Who we are and who may call.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Our AE title, which must be the called one.
    pub ae_title: AeTitle,
    /// Everybody else is refused.
    pub allow: Vec<AllowedScanner>,
}

/// Why an association is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Bit 0 of the protocol version is not set.
    Protocol,
    /// Not DICOM's application context.
    ApplicationContext,
    /// It wanted somebody else; the title it called, where that is one.
    Called(Option<AeTitle>),
    /// It is not on the list; its title, where that is one.
    Calling(Option<AeTitle>),
    /// It is on the list, with another address.
    Address(AeTitle, IpAddr),
    /// It is on the list, bound to a certificate that it did not show.
    Certificate(AeTitle, Option<Identity>),
    /// As many associations as configured are open.
    Full(AeTitle, usize),
}

impl Rules {
    /// Says who is calling, or why it is refused. The order is that of PS3.8 table 9-21's sources: the protocol first,
    /// then whom it wants, then who it is.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn judge(&self, request: &AssociationRQ, from: &Peer) -> Result<AeTitle, Rejection> {
        if request.protocol_version & 1 == 0 {
            return Err(Rejection::Protocol);
        }
        if request.application_context_name.trim_end_matches(['\0', ' ']) != APPLICATION_CONTEXT {
            return Err(Rejection::ApplicationContext);
        }
        let called = request.called_ae_title.parse::<AeTitle>().ok();
        if called.as_ref() != Some(&self.ae_title) {
            return Err(Rejection::Called(called));
        }
        let Ok(calling) = request.calling_ae_title.parse::<AeTitle>() else {
            return Err(Rejection::Calling(None));
        };
        let known: Vec<_> = self.allow.iter().filter(|scanner| scanner.ae_title == calling).collect();
        if known.is_empty() {
            return Err(Rejection::Calling(Some(calling)));
        }
        // An IPv4 caller on a dual-stack socket comes as ::ffff:a.b.c.d.
        let address = from.address.to_canonical();
        let here = |scanner: &&AllowedScanner| scanner.address.is_none_or(|listed| listed.to_canonical() == address);
        let mut here = known.into_iter().filter(here).peekable();
        if here.peek().is_none() {
            return Err(Rejection::Address(calling, address));
        }
        let bears = |name: &String| from.identity.as_ref().is_some_and(|identity| identity.bears(name));
        if here.any(|scanner| scanner.certificate.as_ref().is_none_or(bears)) {
            Ok(calling)
        } else {
            Err(Rejection::Certificate(calling, from.identity.clone()))
        }
    }
}

impl Rejection {
    /// What the caller is told, PS3.8 table 9-21.
    #[must_use]
    pub fn answer(&self) -> AssociationRJ {
        use AssociationRJResult::{Permanent, Transient};
        use AssociationRJSource::{ServiceProviderASCE, ServiceProviderPresentation, ServiceUser};
        let (result, source) = match self {
            Self::Protocol => (Permanent, ServiceProviderASCE(Acse::ProtocolVersionNotSupported)),
            Self::ApplicationContext => (Permanent, ServiceUser(User::ApplicationContextNameNotSupported)),
            Self::Called(_) => (Permanent, ServiceUser(User::CalledAETitleNotRecognized)),
            Self::Calling(_) | Self::Address(..) | Self::Certificate(..) => {
                (Permanent, ServiceUser(User::CallingAETitleNotRecognized))
            }
            Self::Full(..) => (Transient, ServiceProviderPresentation(Presentation::LocalLimitExceeded)),
        };
        AssociationRJ { result, source }
    }

    /// For metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Protocol => "rejected_protocol",
            Self::ApplicationContext => "rejected_application_context",
            Self::Called(_) => "rejected_called_ae_title",
            Self::Calling(_) => "rejected_calling_ae_title",
            Self::Address(..) => "rejected_address",
            Self::Certificate(..) => "rejected_certificate",
            Self::Full(..) => "rejected_limit",
        }
    }

    /// What happened and what the technician can do about it.
    #[must_use]
    pub fn words(&self, ours: &AeTitle, from: IpAddr) -> String {
        let from = from.to_canonical();
        match self {
            Self::Protocol | Self::ApplicationContext => {
                format!("A program at {from} speaks another protocol than DICOM's; look at what it is.")
            }
            Self::Called(Some(called)) => format!(
                "A scanner at {from} called \"{called}\", but this appliance is \"{ours}\"; set the called AE title to \
                 \"{ours}\" at the scanner, or change [dicom] ae_title."
            ),
            Self::Called(None) => format!(
                "A scanner at {from} called something that is no AE title; set the called AE title to \"{ours}\" there."
            ),
            Self::Calling(Some(calling)) => format!(
                "{calling} at {from} is not on the list of allowed scanners; add it with [[dicom.allow]] ae_title = \
                 \"{calling}\"."
            ),
            Self::Calling(None) => {
                format!("A scanner at {from} gave no valid AE title of its own; set one of 1 to 16 letters there.")
            }
            Self::Address(calling, _) => format!(
                "{calling} is on the list of allowed scanners with another address than {from}; if it moved, change \
                 address in its [[dicom.allow]]."
            ),
            Self::Certificate(calling, None) => format!(
                "{calling} at {from} came without TLS, but its [[dicom.allow]] binds it to a certificate; switch DICOM \
                 TLS on at the scanner and let it send to the port of [dicom.tls] listen."
            ),
            Self::Certificate(calling, Some(shown)) => format!(
                "{calling} at {from} showed the certificate of \"{}\", but its [[dicom.allow]] binds it to another; look \
                 at who it is, and change certificate there if it is right.",
                shown.0.join("\", \"")
            ),
            Self::Full(calling, limit) => format!(
                "{calling} was told to try again later: {limit} associations are open; raise [dicom] max_associations \
                 if this happens often."
            ),
        }
    }
}

/// A presentation context in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its id, odd.
    pub id: u8,
    /// The kind of object.
    pub abstract_syntax: String,
    /// The encoding agreed on.
    pub transfer_syntax: &'static str,
}

/// Decides on each proposed context: the first of the scanner's own choices that is taken, so that it need not convert.
#[must_use]
pub fn negotiate(proposed: &[PresentationContextProposed]) -> (Vec<PresentationContextResult>, Vec<Context>) {
    let mut in_force = Vec::<Context>::new();
    let results = proposed.iter().map(|context| match choose(context) {
        Ok(accepted) if !in_force.iter().any(|other| other.id == accepted.id) => {
            let transfer_syntax = accepted.transfer_syntax.to_owned();
            in_force.push(accepted);
            PresentationContextResult { id: context.id, reason: ContextReason::Acceptance, transfer_syntax }
        }
        // The transfer syntax of a refused context is not significant (PS3.8 table 9-18) but must be there.
        Ok(_) => refused(context.id, ContextReason::NoReason),
        Err(reason) => refused(context.id, reason),
    });
    (results.collect(), in_force)
}

fn choose(proposed: &PresentationContextProposed) -> Result<Context, ContextReason> {
    // Ids are odd, PS3.8 9.3.2.2.
    if proposed.id.is_multiple_of(2) {
        return Err(ContextReason::NoReason);
    }
    let abstract_syntax = trimmed(&proposed.abstract_syntax);
    let taken = syntax::accepted_for(abstract_syntax);
    if taken.is_empty() {
        return Err(ContextReason::AbstractSyntaxNotSupported);
    }
    let ours = |uid: &String| taken.iter().find(|known| **known == trimmed(uid));
    let chosen = proposed.transfer_syntaxes.iter().find_map(ours);
    let transfer_syntax = chosen.ok_or(ContextReason::TransferSyntaxesNotSupported)?;
    Ok(Context { id: proposed.id, abstract_syntax: abstract_syntax.to_owned(), transfer_syntax })
}

fn refused(id: u8, reason: ContextReason) -> PresentationContextResult {
    PresentationContextResult { id, reason, transfer_syntax: syntax::IMPLICIT_LE.to_owned() }
}

/// What is answered to the further items of a request (PS3.7 annex D.3.3): roles, and no more than one operation at a time
/// where more are wished. A user's identity and extended negotiation are not looked at, which the standard tells a peer
/// by their absence here.
#[must_use]
pub fn further_items(request: &AssociationRQ, contexts: &[Context]) -> Vec<UserVariableItem> {
    let answer = |item: &UserVariableItem| match item {
        UserVariableItem::ScuScpRoleSelectionSubItem(class, wished) => {
            let class = trimmed(class);
            // A PACS that reports acts as the provider of storage commitment; nothing else is wanted that way round.
            let roles = RequestorRoles { scu: wished.scu, scp: wished.scp && class == PUSH_MODEL };
            let negotiated = contexts.iter().any(|context| context.abstract_syntax == class);
            negotiated.then(|| UserVariableItem::ScuScpRoleSelectionSubItem(class.to_owned(), roles))
        }
        UserVariableItem::Unknown(ASYNCHRONOUS_OPERATIONS, _) => {
            Some(UserVariableItem::Unknown(ASYNCHRONOUS_OPERATIONS, ONE_AT_A_TIME.to_vec()))
        }
        _ => None,
    };
    request.user_variables.iter().filter_map(answer).collect()
}

fn trimmed(uid: &str) -> &str {
    uid.trim_matches(['\0', ' '])
}

#[cfg(test)]
mod tests;
