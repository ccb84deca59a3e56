//! How a page leaves: its status and the headers that protect it.

use std::collections::BTreeSet;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use crate::crypto::digest::sha256;
use crate::domain::origin::{Origin, registrable_domain};
use crate::http::pages::form_post::FormPostView;
use crate::http::reply::Remark;

const COMMON_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

/// A rendered page with everything that goes around it. Never cached, never framed.
#[derive(Debug)]
#[must_use]
pub struct PageReply {
    status: StatusCode,
    html: Result<String, askama::Error>,
    policy: Policy,
    frames: Vec<String>,
    retry_after: Option<u64>,
    remark: Option<Remark>,
}

/// Where the forms of a page may lead, redirects after them included: Chromium applies `form-action` to each
/// redirect that follows a form, silently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormAction(Vec<String>);

/// How far the callback of an app may redirect on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only to its own origin.
    Origin,
    /// To every host of its registrable domain: clients of type `web`.
    Site,
    /// To every https address: clients with `callback_redirects = "anywhere"`.
    Anywhere,
}

#[derive(Debug)]
enum Policy {
    /// Our own script, and forms that lead to us and to these.
    Page(FormAction),
    /// One script known by its hash, and a form that leads to the app.
    FormPost,
}

impl PageReply {
    /// The page with status 200, whose forms lead to us alone.
    pub fn new(view: &impl Template) -> Self {
        Self {
            status: StatusCode::OK,
            html: view.render(),
            policy: Policy::Page(FormAction::default()),
            frames: Vec::new(),
            retry_after: None,
            remark: None,
        }
    }

    /// The page of response mode `form_post`: a script sends its form to the app at once.
    pub fn form_post(view: &FormPostView) -> Self {
        Self { policy: Policy::FormPost, ..Self::new(view) }
    }

    /// The same page with another status.
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same page, whose forms may also lead to these sources. Without effect on a `form_post` page.
    pub fn with_form_action(self, form_action: FormAction) -> Self {
        let policy = match self.policy {
            Policy::Page(_) => Policy::Page(form_action),
            Policy::FormPost => Policy::FormPost,
        };
        Self { policy, ..self }
    }

    /// The same page, which may show these origins in frames.
    pub fn with_frames<'o>(self, origins: impl Iterator<Item = &'o Origin>) -> Self {
        let sources: BTreeSet<String> =
            origins.map(source_of).filter(|source| source.bytes().all(is_source_byte)).collect();
        Self { frames: sources.into_iter().collect(), ..self }
    }

    /// The same page with `Retry-After`, in seconds.
    pub fn with_retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same page, with what its line in the log says.
    pub fn with_remark(self, remark: Remark) -> Self {
        Self { remark: Some(remark), ..self }
    }
}

impl PageReply {
    fn whole_policy(&self) -> String {
        if self.frames.is_empty() {
            return self.policy.to_string();
        }
        format!("{}; frame-src {}", self.policy, self.frames.join(" "))
    }
}

/// CSP has no way to write an IPv6 address.
fn source_of(origin: &Origin) -> String {
    if origin.host().starts_with('[') { format!("{}:", origin.scheme()) } else { origin.as_str().to_owned() }
}

impl IntoResponse for PageReply {
    fn into_response(self) -> Response {
        let whole_policy = self.whole_policy();
        let mut reply = match self.html {
            Ok(html) => (self.status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        let headers = reply.headers_mut();
        // Never `no-referrer` here: browsers then send `Origin: null` with the form, which is refused.
        let referrer = match self.policy {
            Policy::Page(_) => "same-origin",
            Policy::FormPost => "strict-origin",
        };
        for (name, value) in [
            (header::REFERRER_POLICY, referrer),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&whole_policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        } else {
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(remark) = self.remark {
            reply.extensions_mut().insert(remark);
        }
        reply
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Page(form_action) => {
                write!(f, "{COMMON_POLICY}; script-src 'self'; connect-src 'self'; form-action 'self'")?;
                form_action.0.iter().try_for_each(|source| write!(f, " {source}"))
            }
            // No `form-action`: the app's answer to this form may redirect wherever it likes.
            Self::FormPost => {
                let hash = STANDARD.encode(sha256(FormPostView::SCRIPT.as_bytes()));
                write!(f, "{COMMON_POLICY}; script-src 'sha256-{hash}'")
            }
        }
    }
}

impl FormAction {
    /// What a page of a transaction must allow, from the redirect URI (or post-logout redirect URI) of this
    /// transaction.
    pub fn towards(redirect_uri: &Url, reach: Reach) -> Self {
        let mut sources = Vec::new();
        match (redirect_uri.scheme(), redirect_uri.host()) {
            ("https", _) if reach == Reach::Anywhere => sources.push("https:".to_owned()),
            ("https", Some(host)) => {
                sources.push(redirect_uri.origin().ascii_serialization());
                if let (Reach::Site, Host::Domain(name)) = (reach, host)
                    && let Some(domain) = registrable_domain(name)
                {
                    sources.push(format!("https://{domain}:*"));
                    sources.push(format!("https://*.{domain}:*"));
                }
            }
            // CSP has no way to write an IPv6 address.
            ("http", Some(Host::Ipv6(_))) => sources.push("http:".to_owned()),
            ("http", Some(host)) => sources.push(format!("http://{host}:*")),
            (scheme, _) => sources.push(format!("{scheme}:")),
        }
        if reach == Reach::Anywhere && redirect_uri.scheme() == "http" {
            sources.push("https:".to_owned());
        }
        sources.retain(|source| source.bytes().all(is_source_byte));
        Self(sources)
    }
}

/// What may stand in a source without ending it or the directive.
fn is_source_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+*:/%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::sample;

    fn sources(uri: &str, reach: Reach) -> Vec<String> {
        FormAction::towards(&uri.parse().unwrap(), reach).0
    }

    #[test]
    fn a_page_has_exactly_the_headers_that_protect_it() {
        let reply = PageReply::new(&sample::any()).into_response();
        let mut headers: Vec<(String, String)> = reply
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        let expected = [
            ("cache-control", "no-store"),
            (
                "content-security-policy",
                "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; \
                 script-src 'self'; connect-src 'self'; form-action 'self'",
            ),
            ("content-type", "text/html; charset=utf-8"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(reply.status(), StatusCode::OK);
    }

    #[test]
    fn status_retry_after_and_form_action_are_passed_on() {
        let uri = "https://app.notes.example.com/callback".parse().unwrap();
        let reply = PageReply::new(&sample::any())
            .with_status(StatusCode::TOO_MANY_REQUESTS)
            .with_retry_after(90)
            .with_form_action(FormAction::towards(&uri, Reach::Origin))
            .into_response();
        assert_eq!(reply.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(reply.headers()[header::RETRY_AFTER], "90");
        let policy = reply.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.ends_with("; form-action 'self' https://app.notes.example.com"), "{policy}");
    }

    #[test]
    fn frames_are_of_exactly_these_origins() {
        let origins = ["https://b.example", "https://a.example:8443", "https://b.example", "http://[::1]:3000"]
            .map(|text| Origin::parse(text).unwrap());
        let reply = PageReply::new(&sample::any()).with_frames(origins.iter()).into_response();
        let policy = reply.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.ends_with("; frame-src http: https://a.example:8443 https://b.example"), "{policy}");
    }

    #[test]
    fn the_form_post_page_allows_its_one_script_and_says_nothing_of_forms() {
        let view = sample::form_post();
        let html = view.render().unwrap();
        let script = html.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>")).unwrap().0;
        let hash = STANDARD.encode(sha256(script.as_bytes()));
        let reply = PageReply::form_post(&view).into_response();
        let policy = reply.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains(&format!("script-src 'sha256-{hash}'")), "{policy}");
        assert!(!policy.contains("form-action") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.headers()[header::REFERRER_POLICY], "strict-origin");
        assert_eq!(reply.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(reply.headers()[header::X_FRAME_OPTIONS], "DENY");
    }

    #[test]
    fn form_action_follows_the_redirect_uri() {
        let https = "https://app.shop.example.co.uk:8443/cb?x=1";
        assert_eq!(sources(https, Reach::Origin), ["https://app.shop.example.co.uk:8443"]);
        assert_eq!(
            sources(https, Reach::Site),
            ["https://app.shop.example.co.uk:8443", "https://example.co.uk:*", "https://*.example.co.uk:*"]
        );
        assert_eq!(sources(https, Reach::Anywhere), ["https:"]);
        assert_eq!(sources("https://192.0.2.7/cb", Reach::Site), ["https://192.0.2.7"]);
        assert_eq!(sources("https://intranet/cb", Reach::Site), ["https://intranet"]);
        assert_eq!(sources("http://localhost:8081/cb", Reach::Site), ["http://localhost:*"]);
        assert_eq!(sources("http://127.0.0.1/cb", Reach::Origin), ["http://127.0.0.1:*"]);
        assert_eq!(sources("http://localhost/cb", Reach::Anywhere), ["http://localhost:*", "https:"]);
        assert_eq!(sources("http://[::1]:4000/cb", Reach::Origin), ["http:"]);
        assert_eq!(sources("com.example.app:/oauth", Reach::Origin), ["com.example.app:"]);
        assert_eq!(sources("com.example.app:/oauth", Reach::Anywhere), ["com.example.app:"]);
    }

    #[test]
    fn no_source_can_end_the_directive() {
        for uri in ["https://a.example/;script-src *", "x:;script-src%20*", "https://a,b.example/"] {
            let Ok(uri) = uri.parse() else { continue };
            for source in FormAction::towards(&uri, Reach::Site).0 {
                assert!(!source.contains([';', ',', ' ', '\'']), "{source}");
            }
        }
    }
}
