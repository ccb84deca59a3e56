//! Redirect URIs: what may be registered, and what counts as equal (RFC 6749 §3.1.2, RFC 8252, RFC 9700 §2.1).

use std::fmt;

use url::{Host, Url};

/// A registered redirect URI. The text is kept byte for byte, since it is compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri {
    text: String,
    target: Target,
}

/// Where a redirect URI leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// An https site.
    Https {
        /// The host as it stands in the URI.
        host: String,
        /// The origin, `https://host[:port]`.
        origin: String,
    },
    /// A program on the person's own machine, by http (RFC 8252 §7.3).
    Loopback {
        /// `127.0.0.1`, `[::1]`, `localhost` or a name under `.localhost`.
        host: String,
        /// The origin, `http://host[:port]`.
        origin: String,
    },
    /// A program that owns a private-use scheme (RFC 8252 §7.1).
    PrivateUse {
        /// The scheme without its colon.
        scheme: String,
    },
}

/// Why a URI may not be registered. The text tells what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRedirectUri(pub &'static str);

impl fmt::Display for BadRedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadRedirectUri {}

/// Names of our answer's parameters. A registered query that holds one would be mistaken for ours.
const ANSWER_PARAMETERS: [&str; 11] = [
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "error_uri",
    "response",
    "session_state",
    "id_token",
    "access_token",
    "expires_in",
];

const DANGEROUS_SCHEMES: [&str; 9] =
    ["javascript", "data", "file", "blob", "about", "vbscript", "filesystem", "view-source", "ws"];

impl RedirectUri {
    /// Checks a URI for registration.
    ///
    /// # Errors
    /// [`BadRedirectUri`] with what is wrong and what to write.
    pub fn register(text: &str) -> Result<Self, BadRedirectUri> {
        let (scheme, rest, url) = plain(text).map_err(BadRedirectUri)?;
        if url.query_pairs().any(|(name, _)| ANSWER_PARAMETERS.contains(&name.as_ref())) {
            return Err(BadRedirectUri(
                "the query of a redirect URI may not hold names that the answer uses (code, state, iss, error …)",
            ));
        }
        let target = match scheme {
            "https" | "http" => {
                let host = plain_host(&url, rest).map_err(BadRedirectUri)?;
                let origin = url.origin().ascii_serialization();
                match scheme {
                    "https" => Target::Https { host, origin },
                    _ if is_loopback(&host) => Target::Loopback { host, origin },
                    _ => {
                        return Err(BadRedirectUri(
                            "http is for programs on the person's own machine (http://127.0.0.1/…); use https",
                        ));
                    }
                }
            }
            other => private_use_target(other)?,
        };
        Ok(Self { text: text.to_owned(), target })
    }

    /// The text as registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it leads.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether a presented URI counts as this one: byte for byte, but for the port of a native app's loopback address
    /// (RFC 8252 §7.3), which the system hands out at run time.
    #[must_use]
    pub fn matches(&self, presented: &str, native: bool) -> bool {
        if self.text == presented {
            return true;
        }
        match (&self.target, native) {
            (Target::Loopback { host, .. }, true) => {
                match (without_port(&self.text, host), without_port(presented, host)) {
                    (Some(own), Some(theirs)) => own == theirs,
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// This URI as it was presented: for a native app's loopback address with the presented port. That one need not be
    /// written as it would have to be registered: `:80` is a port like any other.
    #[must_use]
    pub fn presented_as(&self, presented: &str) -> Self {
        match (&self.target, Url::parse(presented)) {
            (Target::Loopback { host, .. }, Ok(url)) if self.matches(presented, true) => Self {
                text: presented.to_owned(),
                target: Target::Loopback { host: host.clone(), origin: url.origin().ascii_serialization() },
            },
            _ => self.clone(),
        }
    }
}

impl serde::Serialize for RedirectUri {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for RedirectUri {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::register(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// Whether a host as it stands in a URI is this machine: RFC 8252 §7.3, and RFC 6761 §6.3 for names under `.localhost`.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
        || host.strip_suffix(".localhost").is_some_and(|name| !name.is_empty())
}

/// The parts of an absolute URI that is written as one reads it: its scheme, what follows the colon, and what a parser makes of it.
pub(super) fn plain(text: &str) -> Result<(&str, &str, Url), &'static str> {
    if text.is_empty() || text.len() > 2048 {
        return Err("a URI has 1 to 2048 characters");
    }
    if text.bytes().any(|b| b <= b' ' || b >= 0x7f) {
        return Err("a URI has no spaces, control characters or characters outside ASCII; percent-encode them");
    }
    if text.contains(['\\', '*', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return Err("a URI has no wildcards, backslashes, quotes, angle brackets or braces; write each URI out");
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err("the URI is absolute; begin it with https://");
    };
    let url = Url::parse(text).map_err(|_| "write a valid absolute URI")?;
    if url.scheme() != scheme {
        return Err("write the scheme in lower case");
    }
    if text.contains('#') {
        return Err("the URI has no fragment; leave out # and what follows");
    }
    Ok((scheme, rest, url))
}

/// The host of a URI of the web. The parser may have understood another host than a person reads (`0x7f.1`, `EXAMPLE.com`): only
/// its own spelling is taken.
pub(super) fn plain_host(url: &Url, rest: &str) -> Result<String, &'static str> {
    let Some(after) = rest.strip_prefix("//") else {
        return Err("write // after the scheme");
    };
    let authority = after.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("leave out the user name and password before the host");
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        None => return Err("name a host"),
    };
    let spelled = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.clone(),
    };
    if authority != spelled {
        return Err(
            "write the host in its plain form: lower case, no default port, addresses in dotted or bracketed form",
        );
    }
    Ok(host)
}

fn private_use_target(scheme: &str) -> Result<Target, BadRedirectUri> {
    if DANGEROUS_SCHEMES.contains(&scheme) || !scheme.contains('.') {
        return Err(BadRedirectUri("a private-use scheme is a reversed domain name of yours, such as com.example.app"));
    }
    Ok(Target::PrivateUse { scheme: scheme.to_owned() })
}

/// The URI in two parts around its port: `http://host` must stand first, then at most one `:port`.
fn without_port<'a>(uri: &'a str, host: &str) -> Option<&'a str> {
    let rest = uri.strip_prefix("http://")?.strip_prefix(host)?;
    let after = match rest.strip_prefix(':') {
        Some(port) => {
            let end = port.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(port.len());
            let (digits, after) = port.split_at(end);
            digits.parse::<u16>().ok().filter(|port| *port > 0)?;
            after
        }
        None => rest,
    };
    (after.is_empty() || after.starts_with(['/', '?'])).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_registered() {
        for good in [
            "https://app.example.com/callback",
            "https://app.example.com",
            "https://app.example.com:8443/cb?tenant=1",
            "http://127.0.0.1/cb",
            "http://[::1]:7000/cb",
            "http://localhost:8081/callback",
            "http://app.demo.localhost:1/cb",
            "com.example.app:/oauth",
            "com.example.app://callback",
        ] {
            assert!(RedirectUri::register(good).is_ok(), "{good}: {:?}", RedirectUri::register(good));
        }
        for bad in [
            "",
            "callback",
            "//evil.example/cb",
            "/cb",
            "http://app.example.com/cb",
            "http://localhost.evil.example/cb",
            "https://app.example.com/cb#x",
            "https://app.example.com/cb#",
            "https://user@app.example.com/cb",
            "https://good.example@evil.example/",
            "https://*.example.com/cb",
            "https://app.example.com\\@evil.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "blob:https://a/b",
            "about:blank",
            "myapp:/cb",
            "myapp://cb",
            "https://app.example.com/c b",
            "https://app.example.com/\tcb",
            "https://app.example.com/\ncb",
            "https://app.example.com/\u{0}",
            "HTTPS://app.example.com/cb",
            "https://APP.example.com/cb",
            "https://app.example.com:443/cb",
            "https:app.example.com/cb",
            "https://app.example.com/cb?code=1",
            "https://app.example.com/cb?a=1&state=2",
            "https://app.example.com/cb?iss=x",
            "http://0x7f.0.0.1/cb",
            "http://127.1/cb",
            "https://",
            "https://exämple.com/",
        ] {
            assert!(RedirectUri::register(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn comparison_is_exact() {
        let uri = RedirectUri::register("https://app.example.com/a/cb?x=1").unwrap();
        assert!(uri.matches("https://app.example.com/a/cb?x=1", true));
        for other in [
            "https://app.example.com/a/cb",
            "https://app.example.com/a/cb?x=1&y=2",
            "https://app.example.com/a/cb/?x=1",
            "https://app.example.com/a/../a/cb?x=1",
            "https://app.example.com/a/%63b?x=1",
            "https://app.example.com//a/cb?x=1",
            "https://APP.example.com/a/cb?x=1",
            "https://app.example.com:443/a/cb?x=1",
            "http://app.example.com/a/cb?x=1",
            "https://app.example.com/A/cb?x=1",
            "https://app.example.com.evil.example/a/cb?x=1",
            "https://appXexample.com/a/cb?x=1",
            "https://app.example.com/a/cb?x=1#f",
            " https://app.example.com/a/cb?x=1",
            "https://app.example.com/a/cb?x=1\u{0}",
            "https://good@app.example.com/a/cb?x=1",
            "https://app.example.com\\/a/cb?x=1",
            "https://app.example.com/a/cb?x=1 ",
            "https://app.example.com/a/%2e%2e/a/cb?x=1",
            "https://app.example.com/a/cb?X=1",
            "",
        ] {
            assert!(!uri.matches(other, true), "{other}");
        }
    }

    #[test]
    fn a_native_app_may_choose_its_loopback_port_and_nothing_else() {
        let uri = RedirectUri::register("http://127.0.0.1/cb").unwrap();
        for port in
            ["http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1/cb", "http://127.0.0.1:80/cb"]
        {
            assert!(uri.matches(port, true), "{port}");
            assert_eq!(uri.presented_as(port).as_str(), port);
        }
        assert_eq!(uri.presented_as("http://127.0.0.1:5000/other"), uri);
        assert!(!uri.matches("http://127.0.0.1:5000/cb", false));
        for other in [
            "http://127.0.0.1:5000/other",
            "http://127.0.0.1:5000/cb?x=1",
            "http://localhost:5000/cb",
            "http://[::1]:5000/cb",
            "http://127.0.0.1:5000@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "https://127.0.0.1:5000/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:70000/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:5000",
            "http://127.0.0.1:5000cb",
            "http://localhost.evil.example:5000/cb",
            "http://127.0.0.2:5000/cb",
            "http://127.0.0.1:-1/cb",
            "http://127.0.0.1:5000\\/cb",
            "http://127.0.0.1:50 00/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:5000/CB",
            "http://127.0.0.1:5000/cb#f",
        ] {
            assert!(!uri.matches(other, true), "{other}");
        }
    }
}
