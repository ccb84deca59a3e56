//! Whom an access token is for, and what it allows there (RFC 8707, RFC 9068 §3).

use super::error::{ErrorCode, OAuthError};
use super::provider::Provider;
use crate::domain::alg::Alg;
use crate::domain::claims::is_oidc_scope;
use crate::domain::client::Client;
use crate::domain::resource::{self, Resource};
use crate::domain::scope::ScopeSet;
use crate::store::directory::Snapshot;
use crate::tokens::access::Audience;

/// The scope of our own admin API.
pub const ADMIN_SCOPE: &str = "frontdesk:admin";

/// The scope of the stream of revocations.
pub const REVOCATIONS_SCOPE: &str = "frontdesk:revocations";

/// Whether a scope opens something of our own, beyond what is told about people.
#[must_use]
pub fn is_house_scope(word: &str) -> bool {
    [ADMIN_SCOPE, REVOCATIONS_SCOPE].contains(&word)
}

/// The audience of one access token.
#[derive(Debug)]
pub struct Target {
    /// `aud`.
    pub audience: Audience,
    /// What it allows there.
    pub scope: ScopeSet,
    /// How it is signed: the resource verifies it, so it chooses.
    pub alg: Alg,
}

/// Checks the `resource` parameters of an authorization request; gives the registered spellings.
///
/// # Errors
/// `invalid_target`.
pub fn check_requested(requested: &[&str], client: &Client, provider: &Provider) -> Result<Vec<String>, OAuthError> {
    let snapshot = provider.directory.snapshot();
    let mut registered = Vec::new();
    for name in requested {
        let identifier = match find(name, client, provider, &snapshot)? {
            Some(resource) => resource.identifier.clone(),
            None => provider.issuer_id().to_owned(),
        };
        if !registered.contains(&identifier) {
            registered.push(identifier);
        }
    }
    Ok(registered)
}

/// Decides whom a token is for: the one resource that is named, else the one that owns the granted scopes, else ourselves.
///
/// # Errors
/// `invalid_target` if that is not exactly one.
pub fn decide(
    requested: &[&str],
    granted_resources: &[String],
    scope: &ScopeSet,
    client: &Client,
    provider: &Provider,
) -> Result<Target, OAuthError> {
    let snapshot = provider.directory.snapshot();
    let named = match requested {
        [] => match granted_resources {
            [] => return decide_by_scope(scope, client, provider, &snapshot),
            [one] => one.as_str(),
            _ => return Err(invalid_target("the authorization covers several resources, name one of them")),
        },
        [one] => one,
        _ => return Err(invalid_target("an access token is for one resource, name one")),
    };
    let resource = find(named, client, provider, &snapshot)?;
    let identifier = resource.map_or(provider.issuer_id(), |resource| resource.identifier.as_str());
    let covered = match granted_resources {
        // No resource was named when it was granted, so it covers those that its scopes belong to (RFC 8707 §2.2).
        [] => resource.is_none_or(|own| scope.iter().any(|word| own.scopes.contains(word))),
        granted => granted.iter().any(|granted| granted == identifier),
    };
    if !covered {
        return Err(invalid_target("the authorization does not cover this resource"));
    }
    Ok(Target {
        audience: Audience::One(identifier.to_owned()),
        scope: scope_at(resource, scope),
        alg: alg_of(resource, provider),
    })
}

fn decide_by_scope(
    scope: &ScopeSet,
    client: &Client,
    provider: &Provider,
    snapshot: &Snapshot,
) -> Result<Target, OAuthError> {
    let mut owners = scope.iter().filter_map(|word| snapshot.resource_of_scope(word));
    let owner = owners.next();
    if let Some(owner) = owner {
        if owners.any(|other| other.identifier != owner.identifier) {
            return Err(invalid_target("the scope belongs to several resources, name one of them"));
        }
        if !is_usable(owner, client) {
            return Err(invalid_target("the resource is not known or not for this client"));
        }
    }
    let issuer = provider.issuer_id().to_owned();
    let audience = match owner {
        // What every real app asks for, `openid notes:read`, must work at userinfo too.
        Some(owner) if scope.contains("openid") => Audience::Several(vec![owner.identifier.clone(), issuer]),
        Some(owner) => Audience::One(owner.identifier.clone()),
        None => Audience::One(issuer),
    };
    Ok(Target { audience, scope: scope_at(owner, scope), alg: alg_of(owner, provider) })
}

/// The resource that a name means; `None` means ourselves.
fn find<'s>(
    name: &str,
    client: &Client,
    provider: &Provider,
    snapshot: &'s Snapshot,
) -> Result<Option<&'s Resource>, OAuthError> {
    if !resource::is_identifier(name) {
        return Err(invalid_target("resource is an absolute URI without fragment"));
    }
    if name == provider.issuer_id() {
        return Ok(None);
    }
    match snapshot.resource_named(name) {
        Some(resource) if is_usable(resource, client) => Ok(Some(resource)),
        _ => Err(invalid_target("the resource is not known or not for this client")),
    }
}

/// The audience of what an app behind a proxy is given, whether it is registered as a resource or not. Nothing of our own is
/// opened by it. `None`: it is registered and was switched off.
#[must_use]
pub fn of_app(identifier: &str, scope: &ScopeSet, provider: &Provider) -> Option<Target> {
    let snapshot = provider.directory.snapshot();
    let resource = snapshot.resource_named(identifier);
    if resource.is_some_and(|resource| resource.disabled_at.is_some()) {
        return None;
    }
    Some(Target {
        audience: Audience::One(resource.map_or(identifier, |resource| &resource.identifier).to_owned()),
        scope: scope_at(resource, scope).filter(|word| !is_house_scope(word)),
        alg: alg_of(resource, provider),
    })
}

/// A client may use a resource if it may have one of its scopes.
fn is_usable(resource: &Resource, client: &Client) -> bool {
    resource.disabled_at.is_none() && client.settings.scope.iter().any(|word| resource.scopes.contains(word))
}

fn scope_at(resource: Option<&Resource>, scope: &ScopeSet) -> ScopeSet {
    scope.filter(|word| is_oidc_scope(word) || resource.map_or(is_house_scope(word), |own| own.scopes.contains(word)))
}

fn alg_of(resource: Option<&Resource>, provider: &Provider) -> Alg {
    let enabled = &provider.config.keys.algorithms;
    let wanted = resource.map_or(Alg::ES256, |resource| resource.access_token_alg);
    if enabled.contains(&wanted) { wanted } else { enabled.first().copied().unwrap_or(wanted) }
}

const fn invalid_target(hint: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidTarget, hint)
}
