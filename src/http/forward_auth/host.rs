//! For which host a request is meant. On the hosts of apps nothing of ours is served but their sign-in and sign-out.

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, Uri};

use crate::config::Config;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The hosts of the apps behind a proxy.
#[derive(Debug, Clone)]
pub struct AppHosts {
    hosts: Vec<String>,
    development: bool,
}

impl AppHosts {
    /// Takes them from the settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let hosts = config.gateway.apps.iter().map(|app| app.host.clone()).collect();
        Self { hosts, development: config.is_development() }
    }

    /// Whether an app lives at the host that the request is for, so that nothing is to be seen at this path.
    #[must_use]
    pub fn hide(&self, uri: &Uri, headers: &HeaderMap, by_proxy: bool) -> bool {
        if self.hosts.is_empty() || is_served(uri.path()) {
            return false;
        }
        self.asked(uri, headers, by_proxy).is_some_and(|host| self.hosts.contains(&host))
    }

    /// The host that a request is for: what a trusted proxy says of it, else what stands in the request. `None` where that can be
    /// read in two ways.
    #[must_use]
    pub fn asked(&self, uri: &Uri, headers: &HeaderMap, by_proxy: bool) -> Option<String> {
        if by_proxy && headers.contains_key(FORWARDED_HOST) {
            return self.normal(one(headers, &FORWARDED_HOST)?);
        }
        self.named(uri, headers)
    }

    /// The host that stands in the request.
    #[must_use]
    pub fn named(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        // HTTP/2 may say it in the address alone.
        let host = if headers.contains_key(HOST) { one(headers, &HOST)? } else { uri.authority()?.as_str() };
        self.normal(host)
    }

    /// The host that a proxy says the request is for.
    #[must_use]
    pub fn forwarded(&self, headers: &HeaderMap) -> Option<String> {
        self.normal(one(headers, &FORWARDED_HOST)?)
    }

    /// A host as it stands in the settings: small letters, no port that is the scheme's own.
    #[must_use]
    pub fn normal(&self, host: &str) -> Option<String> {
        let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(proper) {
            return None;
        }
        let own_port = if self.development { ":80" } else { ":443" };
        Some(host.strip_suffix(own_port).unwrap_or(host).to_ascii_lowercase())
    }
}

/// What is served on the hosts of apps, if a proxy leads it here; of `/forward-auth/` only proxies see anything.
fn is_served(path: &str) -> bool {
    matches!(path, "/.frontdesk/start" | "/.frontdesk/callback" | "/.frontdesk/logout")
        || path.starts_with("/forward-auth/")
}

/// The value of a header that stands there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn hosts() -> AppHosts {
        AppHosts { hosts: vec!["notes.example.com".to_owned()], development: false }
    }

    #[test]
    fn only_a_trusted_proxy_says_for_which_host_a_request_is() {
        let uri = Uri::from_static("/login");
        let both = headers(&[("host", "id.example.com"), ("x-forwarded-host", "Notes.Example.com:443")]);
        assert_eq!(hosts().asked(&uri, &both, true).as_deref(), Some("notes.example.com"));
        assert_eq!(hosts().asked(&uri, &both, false).as_deref(), Some("id.example.com"));
        assert!(hosts().hide(&uri, &both, true));
        assert!(!hosts().hide(&uri, &both, false));
        for two in [
            &[("host", "a"), ("x-forwarded-host", "a, notes.example.com")][..],
            &[("host", "a"), ("x-forwarded-host", "a"), ("x-forwarded-host", "b")],
            &[("host", "a"), ("x-forwarded-host", "")],
        ] {
            assert_eq!(hosts().asked(&uri, &headers(two), true), None, "{two:?}");
        }
    }

    #[test]
    fn at_an_apps_host_nothing_is_to_be_seen_but_its_sign_in() {
        let at_app = headers(&[("host", "NOTES.example.com")]);
        for path in
            ["/", "/login", "/.well-known/jwks.json", "/.frontdesk/", "/.frontdesk/start/x", "/static/style.css"]
        {
            assert!(hosts().hide(&Uri::from_static(path), &at_app, false), "{path}");
        }
        for path in ["/.frontdesk/start?to=x", "/.frontdesk/callback", "/.frontdesk/logout", "/forward-auth/envoy/x"] {
            assert!(!hosts().hide(&Uri::from_static(path), &at_app, false), "{path}");
        }
        assert!(hosts().hide(&Uri::from_static("https://notes.example.com/login"), &HeaderMap::new(), false));
        let elsewhere = headers(&[("host", "notes.example.com.evil.test")]);
        assert!(!hosts().hide(&Uri::from_static("/login"), &elsewhere, false));
    }
}
