//! For which host a request is meant. On the hosts of apps nothing of ours is served but their sign-in and sign-out.

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::config::Config;

pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The hosts of the apps behind a proxy.
#[derive(Debug, Clone)]
pub struct AppHosts {
    hosts: Vec<String>,
    /// The issuer's name, which the world asks by; `None` in development mode, where everything is on one machine.
    own: Option<String>,
    development: bool,
}

impl AppHosts {
    /// Takes them from the settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let hosts = config.gateway.apps.iter().map(|app| app.host.clone()).collect();
        let development = config.is_development();
        let own = (!development).then(|| config.server.issuer.host().to_owned());
        Self { hosts, own, development }
    }

    /// Whether an app may live at the host that the request is for, so that nothing is to be seen at this path. Whatever can be
    /// read as an app's host is one here, and so is what cannot be read.
    #[must_use]
    pub fn hide(&self, uri: &Uri, headers: &HeaderMap, by_proxy: bool) -> bool {
        if self.hosts.is_empty() || is_served(uri.path()) {
            return false;
        }
        self.readings(uri, headers, by_proxy).any(|host| host.is_none_or(|host| self.hosts.contains(&host)))
    }

    /// Whether a request may have come by the issuer's own name, where everybody may ask.
    #[must_use]
    pub fn is_public(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(own) = &self.own else { return false };
        self.readings(uri, headers, true).any(|host| host.is_none_or(|host| without_port(&host) == own))
    }

    /// All that a request says of its host, in itself and, where it is believed, by the proxy. `None`: it cannot be read. What is
    /// empty says nothing.
    fn readings<'r>(
        &'r self,
        uri: &'r Uri,
        headers: &'r HeaderMap,
        by_proxy: bool,
    ) -> impl Iterator<Item = Option<String>> + 'r {
        let forwarded = headers.get_all(FORWARDED_HOST).iter().filter(move |_| by_proxy);
        let forwarded = forwarded.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        let named = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
        let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
        let said = forwarded.chain(named).chain(authority).map(<[u8]>::trim_ascii).filter(|host| !host.is_empty());
        said.map(|host| std::str::from_utf8(host).ok().and_then(|host| self.normal(host)))
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

    /// A host as it stands in the settings: small letters, no port that is the scheme's own, no dot behind the name.
    #[must_use]
    pub fn normal(&self, host: &str) -> Option<String> {
        let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(proper) {
            return None;
        }
        let own_port = if self.development { ":80" } else { ":443" };
        let host = host.strip_suffix(own_port).unwrap_or(host).to_ascii_lowercase();
        let name = without_port(&host);
        let port = host.strip_prefix(name).unwrap_or_default();
        Some(name.strip_suffix('.').map_or_else(|| host.clone(), |name| format!("{name}{port}")))
    }
}

/// What is served on the hosts of apps, if a proxy leads it here; of `/forward-auth/` only proxies see anything.
fn is_served(path: &str) -> bool {
    matches!(path, "/.frontdesk/start" | "/.frontdesk/callback" | "/.frontdesk/logout")
        || path.starts_with("/forward-auth/")
}

/// A host's name, of one in its normal form.
fn without_port(host: &str) -> &str {
    let end = host.find(']').map(|bracket| bracket + 1).or_else(|| host.find(':'));
    end.and_then(|end| host.get(..end)).unwrap_or(host)
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

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn hosts() -> AppHosts {
        AppHosts {
            hosts: vec!["notes.example.com".to_owned()],
            own: Some("id.example.com".to_owned()),
            development: false,
        }
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
    fn what_may_be_read_as_an_apps_host_is_one() {
        let hidden = |pairs, by_proxy| hosts().hide(&Uri::from_static("/login"), &headers(pairs), by_proxy);
        for pairs in [
            &[("host", "id.example.com"), ("x-forwarded-host", "id.example.com, notes.example.com")][..],
            &[
                ("host", "id.example.com"),
                ("x-forwarded-host", "notes.example.com"),
                ("x-forwarded-host", "id.example.com"),
            ],
            &[("host", ""), ("x-forwarded-host", ", notes.example.com")],
            &[("host", "id.example.com"), ("x-forwarded-host", "x@notes.example.com")],
            &[("host", "id.example.com"), ("x-forwarded-host", "notes.example.com.")],
            &[("host", "notes.example.com"), ("x-forwarded-host", "id.example.com")],
        ] {
            assert!(hidden(pairs, true), "{pairs:?}");
        }
        // Where no reading leads to an app, a chain of proxies may name as many hosts as it likes; and a stranger's word is none.
        let chain = &[("host", "10.0.0.5:8080"), ("x-forwarded-host", "id.example.com, inner.example.com")];
        assert!(!hidden(chain, true));
        assert!(!hidden(&[("host", "id.example.com"), ("x-forwarded-host", "?")], false));
        assert!(!hidden(&[], false), "HTTP/1.0");
        assert!(!hidden(&[("host", ""), ("x-forwarded-host", "")], true), "who asks whether the process is well");
        for host in ["notes.example.com.", "Notes.Example.com.:443", "notes.example.com/", "notes.example.com@"] {
            assert!(hosts().hide(&Uri::from_static("/login"), &headers(&[("host", host)]), false), "{host}");
        }
    }

    #[test]
    fn the_issuers_own_name_is_where_everybody_asks() {
        let public = |pairs| hosts().is_public(&Uri::from_static("/forward-auth/nginx"), &headers(pairs));
        for pairs in [
            &[("host", "id.example.com")][..],
            &[("host", "ID.example.com:8443")],
            &[("host", "x@id.example.com")],
            &[("host", "id.example.com.")],
            &[("host", "10.0.0.5"), ("x-forwarded-host", "notes.example.com, id.example.com")],
            &[("host", "id.example.com"), ("x-forwarded-host", "notes.example.com")],
        ] {
            assert!(public(pairs), "{pairs:?}");
        }
        assert!(!public(&[("host", "frontdesk"), ("x-forwarded-host", "notes.example.com")]));
        assert!(hosts().is_public(&Uri::from_static("https://id.example.com/forward-auth/nginx"), &HeaderMap::new()));
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
