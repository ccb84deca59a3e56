//! Addresses of relying apps that are called when something happens: by us, or by a frame in our pages.

use std::fmt;

use url::{Host, Url};

use super::origin::Origin;
use super::redirect_uri::{is_loopback, plain, plain_host};

/// An absolute http or https URI without a fragment, written as one reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebUri {
    url: Url,
    text: String,
    origin: Origin,
}

/// Why a text is no such address. The text tells what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadWebUri(pub &'static str);

impl fmt::Display for BadWebUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadWebUri {}

impl WebUri {
    /// Reads an address.
    ///
    /// # Errors
    /// [`BadWebUri`] with what to write.
    pub fn parse(text: &str) -> Result<Self, BadWebUri> {
        let (scheme, rest, url) = plain(text).map_err(BadWebUri)?;
        if !matches!(scheme, "https" | "http") {
            return Err(BadWebUri("begin it with https://"));
        }
        plain_host(&url, rest).map_err(BadWebUri)?;
        let origin = Origin::parse(&url.origin().ascii_serialization()).map_err(|_| BadWebUri("name a host"))?;
        Ok(Self { url, text: text.to_owned(), origin })
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As a parser understood it.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The same with further parameters in its query.
    #[must_use]
    pub fn with(mut self, parameters: &[(&str, &str)]) -> Self {
        self.url.query_pairs_mut().extend_pairs(parameters);
        self.text = self.url.as_str().to_owned();
        self
    }

    /// Where it leads, without path and query.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it is encrypted on the way.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.origin.scheme() == "https"
    }

    /// The port, that of the scheme where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// The address, if the host is one.
    #[must_use]
    pub fn address(&self) -> Option<std::net::IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// Whether it names a machine's own loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.origin.host())
    }
}

impl serde::Serialize for WebUri {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for WebUri {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_after_those_that_are_there() {
        let with = |text: &str| WebUri::parse(text).unwrap().with(&[("iss", "https://id.example.com"), ("sid", "a&b")]);
        let added = "iss=https%3A%2F%2Fid.example.com&sid=a%26b";
        assert_eq!(with("https://a.example/out").as_str(), format!("https://a.example/out?{added}"));
        assert_eq!(with("https://a.example/out?x=1").as_str(), format!("https://a.example/out?x=1&{added}"));
    }

    #[test]
    fn only_plainly_written_addresses_of_the_web_are_taken() {
        for (good, port) in [
            ("https://rp.example.com/logout", 443),
            ("https://rp.example.com:8443/logout?tenant=1", 8443),
            ("http://127.0.0.1:9/x", 9),
            ("https://[2001:db8::1]/x", 443),
        ] {
            let read = WebUri::parse(good).unwrap();
            assert_eq!((read.as_str(), read.port()), (good, port));
        }
        for bad in [
            "",
            "rp.example.com/logout",
            "//rp.example.com/logout",
            "ftp://rp.example.com/",
            "file:///etc/passwd",
            "gopher://rp.example.com/",
            "javascript:alert(1)",
            "com.example.app:/logout",
            "HTTPS://rp.example.com/",
            "https:rp.example.com/",
            "https://rp.example.com/#x",
            "https://rp.example.com/#",
            "https://user@rp.example.com/",
            "https://rp.example.com@127.0.0.1/",
            "https://rp.example.com\\@127.0.0.1/",
            "https://rp.example.com:443/",
            "https://RP.example.com/",
            "https://*.example.com/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::ffff:7f00:0001]/",
            "https://①②⑦.0.0.1/",
            "https://rp.example.com/\nx",
            "https:///x",
        ] {
            assert!(WebUri::parse(bad).is_err(), "{bad}");
        }
    }
}
