//! The issuer's identifier and what may be fetched from it.

use std::net::IpAddr;

use url::{Host, Url};

/// An issuer identifier (RFC 8414 §2): kept byte for byte, because `iss` is compared that way.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    identifier: String,
    url: Url,
}

impl Issuer {
    /// Reads an identifier: `https`, or `http` on loopback, without user, query and fragment.
    pub(crate) fn parse(identifier: String) -> Result<Self, &'static str> {
        let url = Url::parse(&identifier).map_err(|_| "is not a URL")?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("must use https, except on loopback"),
            _ => return Err("must use https"),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must have no query and no fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must have no user name and no password");
        }
        Ok(Self { identifier, url })
    }

    /// The identifier as it was configured.
    pub(crate) fn as_str(&self) -> &str {
        &self.identifier
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Plain `http`, which [`Issuer::parse`] allows on loopback only.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Where the metadata is (OpenID Connect Discovery §4.1).
    pub(crate) fn discovery_url(&self) -> Option<Url> {
        let base = self.identifier.trim_end_matches('/');
        Url::parse(&format!("{base}/.well-known/openid-configuration")).ok()
    }
}

/// Is this host the machine itself? `localhost` names are always loopback (RFC 6761 §6.3).
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_issuers_and_their_discovery() {
        for (issuer, discovery) in [
            ("https://id.example.com", "https://id.example.com/.well-known/openid-configuration"),
            ("https://id.example.com/", "https://id.example.com/.well-known/openid-configuration"),
            ("https://id.example.com/tenant", "https://id.example.com/tenant/.well-known/openid-configuration"),
            ("http://localhost:8080", "http://localhost:8080/.well-known/openid-configuration"),
            ("http://id.demo.localhost:8080", "http://id.demo.localhost:8080/.well-known/openid-configuration"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/.well-known/openid-configuration"),
            ("http://[::1]:1", "http://[::1]:1/.well-known/openid-configuration"),
        ] {
            let parsed = Issuer::parse(issuer.to_owned()).unwrap();
            assert_eq!(parsed.as_str(), issuer);
            assert_eq!(parsed.discovery_url().unwrap().as_str(), discovery);
        }
    }

    #[test]
    fn bad_issuers() {
        for issuer in [
            "",
            "id.example.com",
            "//id.example.com",
            "http://id.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://localhost.example.com",
            "http://notlocalhost",
            "http://128.0.0.1",
            "http://[::2]",
            "ftp://id.example.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://",
            "https://id.example.com?x=1",
            "https://id.example.com?",
            "https://id.example.com#x",
            "https://user@id.example.com",
            "https://user:word@id.example.com",
            "https://:word@id.example.com",
        ] {
            assert!(Issuer::parse(issuer.to_owned()).is_err(), "{issuer}");
        }
    }
}
