//! Clients among each other: whose pages may see whose tokens.
//!
//! A cookie-mode client's refresh token cannot be read by script. That holds only as long as no other client can be driven from
//! the same origin in a way that gives script a refresh token, or another owner's token.

use super::{Findings, RegistrationError};
use crate::domain::client::{ApplicationType, ClientSettings};
use crate::domain::id::ClientId;
use crate::domain::redirect_uri::{RedirectUri, Target};
use crate::store::clients::cookie_tag;

/// A client in service, as it would stand in the database.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Its id.
    pub id: &'a ClientId,
    /// What is registered of it.
    pub settings: &'a ClientSettings,
}

/// Checks one client against all others in service. `all` may hold the client itself; it is passed over.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn check_together(one: Listed<'_>, all: &[Listed<'_>]) -> Result<(), Vec<RegistrationError>> {
    let findings = &mut Findings::default();
    for other in all.iter().filter(|other| other.id != one.id) {
        if cookie_tag(other.id) == cookie_tag(one.id) {
            findings.add(
                "client_id",
                format!("its cookie would have the name of that of {}", other.id),
                "choose another client_id",
            );
        }
        check_pair(one, *other, findings);
        check_pair(*other, one, findings);
    }
    std::mem::take(findings).none_or(())
}

/// The origins of `cookie` against the redirect URIs of `other`.
fn check_pair(cookie: Listed<'_>, other: Listed<'_>, findings: &mut Findings) {
    if !cookie.settings.is_cookie_mode() {
        return;
    }
    let Some((origin, uri)) = shared_origin(cookie.settings, other.settings) else { return };
    let (named, redirecting) = (cookie.id, other.id);
    if other.settings.is_public() && !other.settings.is_cookie_mode() {
        findings.add(
            "redirect_uris",
            format!(
                "{} of client {redirecting} leads to {origin}, an allowed origin of client {named} in cookie mode; script there \
                 could get a readable refresh token",
                uri.as_str()
            ),
            "put the two on different origins, or use cookie mode for both",
        );
    } else if cookie.settings.owner.is_none() || cookie.settings.owner != other.settings.owner {
        findings.add(
            "allowed_origins",
            format!(
                "{origin} of client {named} in cookie mode is a redirect origin of client {redirecting}: {}",
                uri.as_str()
            ),
            "use different origins, or name the same owner in both",
        );
    }
}

fn shared_origin<'a>(cookie: &'a ClientSettings, other: &'a ClientSettings) -> Option<(&'a str, &'a RedirectUri)> {
    cookie.allowed_origins.iter().find_map(|allowed| {
        let leads_there = |uri: &&RedirectUri| match uri.target() {
            Target::Https { origin, .. } => origin == allowed.as_str(),
            // A native app may present any port of its loopback address.
            Target::Loopback { host, .. } if other.application_type == ApplicationType::Native => {
                allowed.scheme() == "http" && allowed.host() == host
            }
            Target::Loopback { origin, .. } => origin == allowed.as_str(),
            Target::PrivateUse { .. } => false,
        };
        other.redirect_uris.iter().find(leads_there).map(|uri| (allowed.as_str(), uri))
    })
}
