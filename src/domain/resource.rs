//! Resources: APIs that check our access tokens (RFC 8707).

use super::alg::Alg;
use super::id::ClientId;
use super::scope::ScopeSet;
use super::time::Timestamp;

/// An API. A scope belongs to exactly one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its identifier, an absolute URI: the `aud` of its tokens, in this spelling.
    pub identifier: String,
    /// Its name for people.
    pub name: String,
    /// The scopes it understands.
    pub scopes: ScopeSet,
    /// Clients that may introspect its tokens.
    pub introspected_by: Vec<ClientId>,
    /// The algorithm its access tokens are signed with: the resource verifies them, so it chooses.
    pub access_token_alg: Alg,
    /// Since when no tokens are issued for it.
    pub disabled_at: Option<Timestamp>,
}

impl Resource {
    /// Whether an identifier in a request means this resource. Scheme and host are compared without case, a default port and
    /// one trailing slash on an empty path do not count (RFC 8707 §2 leaves it to us; MCP clients differ there).
    #[must_use]
    pub fn is_named_by(&self, identifier: &str) -> bool {
        self.identifier == identifier
            || canonical(&self.identifier).is_some_and(|own| canonical(identifier) == Some(own))
    }
}

/// Whether the text may name a resource: an absolute URI without fragment.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    text.len() <= 512
        && text.bytes().all(|b| b > b' ' && b < 0x7f)
        && !text.contains('#')
        && url::Url::parse(text).is_ok()
}

fn canonical(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    if url.fragment().is_some() {
        return None;
    }
    let written = url.to_string();
    Some(if url.path() == "/" && url.query().is_none() { written.trim_end_matches('/').to_owned() } else { written })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_of_scheme_host_and_empty_path_does_not_matter() {
        let resource = Resource {
            identifier: "https://api.example.com".to_owned(),
            name: String::new(),
            scopes: ScopeSet::default(),
            introspected_by: Vec::new(),
            access_token_alg: Alg::ES256,
            disabled_at: None,
        };
        for same in [
            "https://api.example.com",
            "https://api.example.com/",
            "HTTPS://API.example.com",
            "https://api.example.com:443/",
        ] {
            assert!(resource.is_named_by(same), "{same}");
        }
        for other in [
            "http://api.example.com",
            "https://api.example.com/v1",
            "https://api.example.com?x",
            "https://api.example.com#f",
            "https://api.example.com.evil.example",
            "api.example.com",
            "",
        ] {
            assert!(!resource.is_named_by(other), "{other}");
        }
    }
}
