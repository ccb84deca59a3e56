//! Web origins and sites (HTML Standard, "same site"; Public Suffix List).

use std::fmt;

use url::Url;

/// An origin as browsers write it: scheme, host, and the port unless it is the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    scheme: String,
    host: String,
}

/// The text is not an origin as browsers write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadOrigin;

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an origin is written https://host or https://host:port, in lower case, without path or trailing slash",
        )
    }
}

impl std::error::Error for BadOrigin {}

impl Origin {
    /// Reads an origin. Only http and https, only the browser's own spelling.
    ///
    /// # Errors
    /// [`BadOrigin`] for everything else, `null` and wildcards included.
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let url = Url::parse(text).map_err(|_| BadOrigin)?;
        if !matches!(url.scheme(), "http" | "https") || url.origin().ascii_serialization() != text {
            return Err(BadOrigin);
        }
        let host = url.host_str().ok_or(BadOrigin)?;
        if host.contains('*') {
            return Err(BadOrigin);
        }
        Ok(Self { text: text.to_owned(), scheme: url.scheme().to_owned(), host: host.to_owned() })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host, IPv6 addresses in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether a cookie of one reaches a request that the other started: equal scheme, and equal registrable domain by the
    /// Public Suffix List. Addresses and single-label hosts such as `localhost` are same-site with themselves only; ports
    /// do not matter.
    #[must_use]
    pub fn is_same_site(&self, other: &Self) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        match (registrable_domain(&self.host), registrable_domain(&other.host)) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => self.host == other.host,
        }
    }
}

/// The registrable domain of a host: the public suffix and one label more. `None` for addresses, for single labels and for
/// hosts that are a public suffix themselves.
#[must_use]
pub fn registrable_domain(host: &str) -> Option<&str> {
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    psl::domain_str(host)
}

impl serde::Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for Origin {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(left: &str, right: &str) -> bool {
        Origin::parse(left).unwrap().is_same_site(&Origin::parse(right).unwrap())
    }

    #[test]
    fn only_the_browsers_spelling_is_an_origin() {
        for good in
            ["https://app.example.com", "http://localhost:8081", "https://app.example.com:8443", "http://[::1]:1"]
        {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "null",
            "",
            "*",
            "https://*.example.com",
            "https://app.example.com/",
            "https://APP.example.com",
            "https://app.example.com:443",
            "app.example.com",
            "ftp://a.example",
            "https://u@a.example",
            "file://",
            "https://a.example?x",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn same_site_follows_the_public_suffix_list() {
        assert!(same("https://app.example.com", "https://id.example.com"));
        assert!(same("https://example.com", "https://id.example.com:8443"));
        assert!(same("https://a.example.co.uk", "https://b.example.co.uk"));
        assert!(!same("https://a.co.uk", "https://b.co.uk"));
        assert!(!same("https://app.github.io", "https://id.example.com"));
        assert!(!same("https://one.github.io", "https://two.github.io"));
        assert!(!same("https://one.vercel.app", "https://two.vercel.app"));
        assert!(!same("http://app.example.com", "https://id.example.com"));
        assert!(!same("https://app.test", "https://id.test"));
        assert!(same("https://app.shop.test", "https://id.shop.test"));
    }

    #[test]
    fn loopback_names_are_same_site_with_themselves() {
        assert!(same("http://localhost:8081", "http://localhost:8080"));
        assert!(same("http://127.0.0.1:1", "http://127.0.0.1:2"));
        assert!(!same("http://127.0.0.1:1", "http://localhost:1"));
        assert!(same("http://app.demo.localhost:1", "http://id.demo.localhost:2"));
        assert!(!same("http://app.localhost:1", "http://id.localhost:2"));
    }
}
