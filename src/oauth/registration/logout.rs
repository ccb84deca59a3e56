//! Where an app is told that somebody signed out (OpenID Connect Back-Channel Logout 1.0 §2.2, Front-Channel Logout 1.0 §2).

use super::metadata::ClientMetadata;
use super::{Findings, House};
use crate::domain::client::{ApplicationType, ClientSettings};
use crate::domain::redirect_uri::Target;
use crate::domain::web_uri::WebUri;

/// Reads one of the two addresses.
pub(super) fn uri(member: &'static str, text: Option<&str>, findings: &mut Findings) -> Option<WebUri> {
    match WebUri::parse(text?) {
        Ok(uri) => Some(uri),
        Err(error) => {
            findings.add(member, format!("{:?} cannot be registered", text.unwrap_or_default()), error.to_string());
            None
        }
    }
}

pub(super) fn check(house: &House, settings: &ClientSettings, metadata: &ClientMetadata, findings: &mut Findings) {
    for (member, wanted) in [
        ("backchannel_logout_uri", metadata.backchannel_logout_uri.is_some()),
        ("frontchannel_logout_uri", metadata.frontchannel_logout_uri.is_some()),
    ] {
        if wanted && settings.application_type == ApplicationType::Service {
            findings.add(member, "nobody signs in to a service", "leave it out, or write application_type = \"web\"");
        }
    }
    if settings.backchannel_logout_session_required && metadata.backchannel_logout_uri.is_none() {
        findings.add(
            "backchannel_logout_session_required",
            "nothing is sent without backchannel_logout_uri",
            "add that address, or leave this out",
        );
    }
    if settings.frontchannel_logout_session_required && metadata.frontchannel_logout_uri.is_none() {
        findings.add(
            "frontchannel_logout_session_required",
            "nothing is shown without frontchannel_logout_uri",
            "add that address, or leave this out",
        );
    }
    if let Some(uri) = &settings.backchannel_logout_uri
        && let Some(reason) = house.outbound.against(uri)
    {
        findings.add(
            "backchannel_logout_uri",
            format!("{} would not be called: {reason}", uri.as_str()),
            format!(
                "use the app's public https address; if {} is yours, name it in the setting outbound.allow",
                uri.origin().as_str()
            ),
        );
    }
    if let Some(uri) = &settings.frontchannel_logout_uri {
        check_frontchannel(house, settings, uri, findings);
    }
}

fn check_frontchannel(house: &House, settings: &ClientSettings, uri: &WebUri, findings: &mut Findings) {
    const MEMBER: &str = "frontchannel_logout_uri";
    if !(uri.is_https() || house.development && uri.is_loopback()) {
        findings.add(MEMBER, format!("{} is not https", uri.as_str()), "use the app's https address");
        return;
    }
    let is_own = settings.redirect_uris.iter().any(|own| match own.target() {
        Target::Https { origin, .. } | Target::Loopback { origin, .. } => origin == uri.origin().as_str(),
        Target::PrivateUse { .. } => false,
    });
    if !is_own {
        findings.add(
            MEMBER,
            format!("no redirect URI of the app begins with {}", uri.origin().as_str()),
            "use an address of the same origin as one of redirect_uris: scheme, host and port",
        );
    }
}
