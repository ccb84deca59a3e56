//! The issuer: the origin under which the provider is known, and the start of each of its URLs.

use std::fmt;

use url::{Host, Url};

use super::setting::{TextSetting, Wrong};

/// The issuer identifier (RFC 8414 section 2): an origin without path or trailing slash, `https`
/// except on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    origin: String,
    host: String,
    port: u16,
    development: bool,
}

impl Issuer {
    /// `http://localhost:<port>`, the issuer of development mode.
    #[must_use]
    pub fn localhost(port: u16) -> Self {
        let host = "localhost".to_owned();
        let origin = if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") };
        Self { origin, host, port, development: true }
    }

    /// Reads an issuer.
    ///
    /// # Errors
    /// What is wrong and what to write instead, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::from_text(text).map_err(|wrong| format!("{}. {}", wrong.what, wrong.todo))
    }

    /// The identifier as it stands in `iss`, compared byte by byte by everybody.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The absolute URL of an own `path`, which starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Host name without port; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also when it is the scheme's own and not written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Plain `http` on loopback: for one person's machine, never for the network.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.development
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl TextSetting for Issuer {
    const WRITE: &'static str = "Write the origin of the provider in quotes, such as \"https://id.example.com\".";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        if !text.contains("://") {
            let with_scheme = complete(text);
            return Err(Wrong::new(format!("{text:?} has no scheme"), write(with_scheme.as_deref())));
        }
        let url =
            Url::parse(text).map_err(|error| Wrong::new(format!("{text:?} is not a URL: {error}"), write(None)))?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Wrong::new(format!("{text:?} is not an https URL"), write(None)));
        };
        let development = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => {
                return Err(Wrong::new(format!("{text:?} is not an https URL"), write(None)));
            }
        };
        let mut correct = url.clone();
        if development && !is_loopback(&host) {
            // Cannot fail: http and https are both special schemes.
            let _ = correct.set_scheme("https");
        }
        let correct = correct.origin().ascii_serialization();
        if text == correct {
            return Ok(Self { origin: correct, host: host.to_string(), port, development });
        }
        let what = if development && !is_loopback(&host) {
            "plain http would send passwords and tokens in the clear, it is allowed only on loopback".to_owned()
        } else if !url.username().is_empty() || url.password().is_some() {
            "an issuer has no user name or password".to_owned()
        } else if url.query().is_some() || url.fragment().is_some() {
            format!("{text:?} has a query or a fragment")
        } else if url.path() != "/" {
            format!("{text:?} has a path, and an issuer is only an origin")
        } else if text.ends_with('/') {
            format!("{text:?} ends with a slash, and clients compare the issuer byte by byte")
        } else {
            format!("{text:?} is not in its normal form, and clients compare the issuer byte by byte")
        };
        Err(Wrong::new(what, write(Some(&correct))))
    }

    fn to_text(&self) -> String {
        self.origin.clone()
    }
}

fn write(correct: Option<&str>) -> String {
    correct.map_or_else(|| Issuer::WRITE.to_owned(), |correct| format!("Write \"{correct}\"."))
}

/// The origin that somebody meant who left out the scheme.
fn complete(text: &str) -> Option<String> {
    let secure = Url::parse(&format!("https://{text}")).ok()?;
    let plain = Url::parse(&format!("http://{text}")).ok()?;
    let url = if is_loopback(&secure.host()?) { plain } else { secure };
    Some(url.origin().ascii_serialization())
}

/// The names and addresses of development mode.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => *address == std::net::Ipv4Addr::LOCALHOST,
        Host::Ipv6(address) => *address == std::net::Ipv6Addr::LOCALHOST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_origins() {
        for (text, host, port, development) in [
            ("https://id.example.com", "id.example.com", 443, false),
            ("https://id.example.com:8443", "id.example.com", 8443, false),
            ("https://192.0.2.7", "192.0.2.7", 443, false),
            ("http://localhost", "localhost", 80, true),
            ("http://localhost:8080", "localhost", 8080, true),
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, true),
            ("http://[::1]:8080", "[::1]", 8080, true),
            ("http://id.demo.localhost:8080", "id.demo.localhost", 8080, true),
        ] {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!(issuer.as_str(), text);
            assert_eq!((issuer.host(), issuer.port(), issuer.is_development()), (host, port, development), "{text}");
            assert_eq!(issuer.url("/oauth2/token"), format!("{text}/oauth2/token"));
        }
        assert_eq!(Issuer::parse("http://localhost:9000"), Ok(Issuer::localhost(9000)));
        assert_eq!(Issuer::parse("http://localhost"), Ok(Issuer::localhost(80)));
    }

    #[test]
    fn names_the_correction() {
        for (text, correction) in [
            ("https://id.example.com/", "Write \"https://id.example.com\"."),
            ("https://id.example.com/auth", "Write \"https://id.example.com\"."),
            ("https://id.example.com?x", "Write \"https://id.example.com\"."),
            ("https://id.example.com#x", "Write \"https://id.example.com\"."),
            ("https://me:pw@id.example.com", "Write \"https://id.example.com\"."),
            ("https://ID.example.com", "Write \"https://id.example.com\"."),
            ("https://id.example.com:443", "Write \"https://id.example.com\"."),
            ("https://bücher.example", "Write \"https://xn--bcher-kva.example\"."),
            (" https://id.example.com", "Write \"https://id.example.com\"."),
            ("http://id.example.com", "Write \"https://id.example.com\"."),
            ("http://192.168.0.7:8080", "Write \"https://192.168.0.7:8080\"."),
            ("http://127.0.0.2:8080", "Write \"https://127.0.0.2:8080\"."),
            ("http://notlocalhost:8080", "Write \"https://notlocalhost:8080\"."),
            ("http://localhost.example.com", "Write \"https://localhost.example.com\"."),
            ("id.example.com", "Write \"https://id.example.com\"."),
            ("localhost:8080", "Write \"http://localhost:8080\"."),
            ("ftp://id.example.com", "such as \"https://id.example.com\""),
            ("https://", "such as \"https://id.example.com\""),
            ("", "such as \"https://id.example.com\""),
        ] {
            let error = Issuer::parse(text).unwrap_err();
            assert!(error.contains(correction), "{text}: {error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }
}
