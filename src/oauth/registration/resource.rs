//! A resource: its identifier, its scopes, and who may introspect its tokens (RFC 8707, RFC 7662).

use serde::{Deserialize, Serialize};

use super::{Findings, House, RegistrationError, is_house_scope};
use crate::domain::alg::Alg;
use crate::domain::claims::is_oidc_scope;
use crate::domain::id::ClientId;
use crate::domain::resource::{Resource, is_identifier};
use crate::domain::scope::ScopeSet;

/// A resource as someone wrote it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResourceMetadata {
    pub identifier: String,
    pub name: Option<String>,
    pub scopes: Vec<String>,
    pub introspected_by: Vec<String>,
    pub access_token_alg: Option<Alg>,
}

/// Fills in the defaults and checks a resource against the others and against the clients that will exist.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn check_resource(
    house: &House,
    others: &[Resource],
    is_client: impl Fn(&str) -> bool,
    metadata: &ResourceMetadata,
) -> Result<Resource, Vec<RegistrationError>> {
    let findings = &mut Findings::default();
    let identifier = metadata.identifier.as_str();
    let others = || others.iter().filter(|other| other.identifier != identifier);
    if !is_identifier(identifier) {
        findings.add(
            "identifier",
            format!("{identifier:?} is not an absolute URI without fragment"),
            "write the API's https address",
        );
    } else if identifier == house.issuer.as_str() {
        findings.add("identifier", "that is this issuer itself", "write the API's own address");
    } else if let Some(same) = others().find(|other| other.is_named_by(identifier)) {
        findings.add("identifier", format!("it means the same as {}", same.identifier), "use that spelling");
    }
    let name = metadata.name.clone().unwrap_or_else(|| identifier.to_owned());
    if name.chars().count() > 128 && metadata.name.is_some() || name.chars().any(char::is_control) {
        findings.add("name", "it is longer than 128 characters or holds control characters", "choose a short name");
    }
    let mut scopes = ScopeSet::default();
    for word in &metadata.scopes {
        if word.is_empty() || word.contains(' ') || ScopeSet::parse(word).is_err() {
            findings.add(
                "scopes",
                format!("{word:?} is not one scope"),
                "write words without spaces, quotes and backslashes",
            );
        } else if is_oidc_scope(word) || is_house_scope(word) {
            findings.add("scopes", format!("{word} is ours"), "choose another word, such as \"notes:read\"");
        } else if scopes.contains(word) {
            findings.add("scopes", format!("{word} stands there twice"), "leave one out");
        } else if let Some(owner) = others().find(|other| other.scopes.contains(word)) {
            findings.add(
                "scopes",
                format!("{word} belongs to {}", owner.identifier),
                "a scope belongs to exactly one resource",
            );
        }
        scopes.insert(word);
    }
    for client in &metadata.introspected_by {
        if !is_client(client) {
            findings.add("introspected_by", format!("there is no client {client:?}"), "register it, or leave it out");
        }
    }
    let alg = metadata.access_token_alg.unwrap_or_else(|| {
        if house.algorithms.contains(&Alg::ES256) {
            Alg::ES256
        } else {
            house.algorithms.first().copied().unwrap_or(Alg::ES256)
        }
    });
    if !house.algorithms.contains(&alg) {
        findings.add("access_token_alg", format!("there is no key for {alg}"), "name one of keys.algorithms");
    }
    let resource = Resource {
        identifier: identifier.to_owned(),
        name,
        scopes,
        introspected_by: metadata.introspected_by.iter().map(ClientId::new).collect(),
        access_token_alg: alg,
        disabled_at: None,
    };
    std::mem::take(findings).none_or(resource)
}
