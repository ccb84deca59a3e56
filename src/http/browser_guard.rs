//! Cookie mode: the guards that run before any cookie is read (RFC 10017, cookies and CSRF).
//!
//! A request that fails is answered 403 without CORS headers and without any `Set-Cookie`: browsers keep cookies from
//! answers that CORS hides, also from a cross-site form post, so a clearing cookie there would let any site sign people
//! out. The app's developer sees only a failed fetch, so the log names the guard.

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, ORIGIN};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::domain::client::Client;
use crate::oauth::params::Params;

use super::extract::content_type::{ContentType, is};
use super::reply::{Remark, json};

/// A request of a browser app, as far as the guards look at it.
#[derive(Debug, Clone, Copy)]
pub struct BrowserRequest<'r> {
    /// The method.
    pub method: &'r Method,
    /// All headers.
    pub headers: &'r HeaderMap,
    /// The body.
    pub body: Body<'r>,
}

/// The body the endpoint takes.
#[derive(Debug, Clone, Copy)]
pub enum Body<'r> {
    /// A form.
    Form(&'r Params),
    /// A JSON object, and whether it has a member `refresh_token`.
    Json {
        /// Whether the member is there.
        refresh_token: bool,
    },
}

/// Proof that a request has passed every guard, for this client. Needed to read its cookies.
#[derive(Debug)]
pub struct Guarded<'c> {
    client: &'c Client,
    origin: HeaderValue,
}

impl<'c> Guarded<'c> {
    /// The client the request speaks for.
    #[must_use]
    pub fn client(&self) -> &'c Client {
        self.client
    }

    /// The origin it comes from: one of the client's own.
    #[must_use]
    pub fn origin(&self) -> &HeaderValue {
        &self.origin
    }
}

/// The guards, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The method is POST.
    Method,
    /// The content type is the endpoint's.
    ContentType,
    /// The client is in cookie mode and may act.
    CookieMode,
    /// There is no `Authorization`.
    Authorization,
    /// The body has no refresh token.
    BodyRefreshToken,
    /// `Origin` is one of the client's own.
    Origin,
    /// `Sec-Fetch-Site`, if sent, is `same-origin` or `same-site`.
    SecFetchSite,
    /// `Sec-Fetch-Mode`, if sent, is `cors` or `same-origin`.
    SecFetchMode,
    /// `Sec-Fetch-Dest`, if sent, is `empty`.
    SecFetchDest,
    /// `X-OAuth-Browser: 1` is sent, which no foreign page can do without a preflight.
    BrowserHeader,
}

impl Guard {
    /// The name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::ContentType => "content-type",
            Self::CookieMode => "cookie-mode",
            Self::Authorization => "authorization",
            Self::BodyRefreshToken => "body-refresh-token",
            Self::Origin => "origin",
            Self::SecFetchSite => "sec-fetch-site",
            Self::SecFetchMode => "sec-fetch-mode",
            Self::SecFetchDest => "sec-fetch-dest",
            Self::BrowserHeader => "x-oauth-browser",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::Method => "this endpoint takes POST",
            Self::ContentType => "the content type is not the one of this endpoint",
            Self::CookieMode => "the client is not in cookie mode",
            Self::Authorization => "a browser app sends no Authorization here",
            Self::BodyRefreshToken => "in cookie mode the refresh token is never in the body",
            Self::Origin => "origin not allowed",
            Self::SecFetchSite | Self::SecFetchMode | Self::SecFetchDest => "the request is not a fetch of the app",
            Self::BrowserHeader => "the header X-OAuth-Browser: 1 is missing",
        }
    }
}

/// A guard refused the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardRefusal {
    /// Which one.
    pub guard: Guard,
}

impl IntoResponse for GuardRefusal {
    fn into_response(self) -> Response {
        let hint = self.guard.hint();
        tracing::info!(guard = self.guard.as_str(), hint, "a guard refused a request of a browser app");
        let mut response = json::error_body(StatusCode::FORBIDDEN, "invalid_request", hint);
        response.extensions_mut().insert(Remark { error: "invalid_request", hint: self.guard.as_str() });
        response
    }
}

/// Runs every guard in order. Looks at no cookie.
///
/// # Errors
/// The first guard that refuses.
pub fn check<'c>(request: BrowserRequest<'_>, client: &'c Client) -> Result<Guarded<'c>, GuardRefusal> {
    let headers = request.headers;
    let form = matches!(request.body, Body::Form(_));
    hold(*request.method == Method::POST, Guard::Method)?;
    hold(is(headers, if form { ContentType::Form } else { ContentType::Json }), Guard::ContentType)?;
    hold(client.settings.is_cookie_mode() && client.is_active(), Guard::CookieMode)?;
    hold(!headers.contains_key(AUTHORIZATION), Guard::Authorization)?;
    let refresh_token = match request.body {
        Body::Form(params) => params.has("refresh_token"),
        Body::Json { refresh_token } => refresh_token,
    };
    hold(!refresh_token, Guard::BodyRefreshToken)?;
    let origin = match one(headers, ORIGIN.as_str()) {
        Sent::Once(origin) if origin.to_str().is_ok_and(|text| client.settings.allows_origin(text)) => origin.clone(),
        _ => return Err(GuardRefusal { guard: Guard::Origin }),
    };
    hold(absent_or(headers, "sec-fetch-site", &["same-origin", "same-site"]), Guard::SecFetchSite)?;
    hold(absent_or(headers, "sec-fetch-mode", &["cors", "same-origin"]), Guard::SecFetchMode)?;
    hold(absent_or(headers, "sec-fetch-dest", &["empty"]), Guard::SecFetchDest)?;
    hold(matches!(one(headers, "x-oauth-browser"), Sent::Once(value) if value == "1"), Guard::BrowserHeader)?;
    Ok(Guarded { client, origin })
}

fn hold(holds: bool, guard: Guard) -> Result<(), GuardRefusal> {
    if holds { Ok(()) } else { Err(GuardRefusal { guard }) }
}

enum Sent<'h> {
    Never,
    Once(&'h HeaderValue),
    Twice,
}

fn one<'h>(headers: &'h HeaderMap, name: &str) -> Sent<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Sent::Never,
        (Some(value), None) => Sent::Once(value),
        (Some(_), Some(_)) => Sent::Twice,
    }
}

fn absent_or(headers: &HeaderMap, name: &str, allowed: &[&str]) -> bool {
    match one(headers, name) {
        Sent::Never => true,
        Sent::Once(value) => allowed.iter().any(|allowed| value == allowed),
        Sent::Twice => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::http::test_client::{client, cookie_client};
    use axum::http::header::{CONTENT_TYPE, SET_COOKIE};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    /// What a browser sends for a fetch of the app.
    fn proper() -> HeaderMap {
        headers(&[
            ("content-type", "application/x-www-form-urlencoded;charset=UTF-8"),
            ("origin", "https://app.example.com"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
            ("x-oauth-browser", "1"),
        ])
    }

    /// Lends the proof for a client of the id, as other modules' tests need it.
    pub(in crate::http) fn guarded(id: &str, look: impl FnOnce(&Guarded<'_>)) {
        let client = cookie_client(id);
        let params = Params::default();
        let headers = proper();
        let request = BrowserRequest { method: &Method::POST, headers: &headers, body: Body::Form(&params) };
        look(&check(request, &client).unwrap());
    }

    fn outcome(method: &Method, headers: &HeaderMap, form: &str, client: &Client) -> Result<(), Guard> {
        let params = Params::parse(form.as_bytes());
        let request = BrowserRequest { method, headers, body: Body::Form(&params) };
        check(request, client).map(|_| ()).map_err(|refusal| refusal.guard)
    }

    #[test]
    fn a_proper_fetch_passes_with_and_without_fetch_metadata() {
        let client = cookie_client("spa-1");
        assert_eq!(outcome(&Method::POST, &proper(), "grant_type=refresh_token", &client), Ok(()));
        let mut old_browser = proper();
        for name in ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"] {
            old_browser.remove(name);
        }
        assert_eq!(outcome(&Method::POST, &old_browser, "", &client), Ok(()));
        let mut same_origin = proper();
        same_origin.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        same_origin.insert("sec-fetch-mode", HeaderValue::from_static("same-origin"));
        assert_eq!(outcome(&Method::POST, &same_origin, "", &client), Ok(()));
    }

    #[test]
    fn each_header_guard_refuses_by_itself() {
        let client = cookie_client("spa-1");
        for (name, value, guard) in [
            ("content-type", Some("text/plain"), Guard::ContentType),
            ("content-type", Some("application/json"), Guard::ContentType),
            ("content-type", Some("multipart/form-data; boundary=x"), Guard::ContentType),
            ("content-type", None, Guard::ContentType),
            ("authorization", Some("Basic eDp5"), Guard::Authorization),
            ("origin", None, Guard::Origin),
            ("origin", Some("null"), Guard::Origin),
            ("origin", Some("https://other.example.com"), Guard::Origin),
            ("origin", Some("https://app.example.com.evil.test"), Guard::Origin),
            ("origin", Some("https://app.example.com:8443"), Guard::Origin),
            ("origin", Some("http://app.example.com"), Guard::Origin),
            ("origin", Some("https://APP.example.com"), Guard::Origin),
            ("sec-fetch-site", Some("cross-site"), Guard::SecFetchSite),
            ("sec-fetch-site", Some("none"), Guard::SecFetchSite),
            ("sec-fetch-mode", Some("navigate"), Guard::SecFetchMode),
            ("sec-fetch-mode", Some("no-cors"), Guard::SecFetchMode),
            ("sec-fetch-dest", Some("document"), Guard::SecFetchDest),
            ("sec-fetch-dest", Some("image"), Guard::SecFetchDest),
            ("x-oauth-browser", None, Guard::BrowserHeader),
            ("x-oauth-browser", Some("0"), Guard::BrowserHeader),
        ] {
            let mut changed = proper();
            match value {
                Some(value) => changed.insert(name, HeaderValue::from_static(value)),
                None => changed.remove(name),
            };
            assert_eq!(outcome(&Method::POST, &changed, "", &client), Err(guard), "{name}: {value:?}");
        }
    }

    #[test]
    fn a_header_sent_twice_is_refused() {
        let client = cookie_client("spa-1");
        for (name, value, guard) in [
            ("content-type", "application/x-www-form-urlencoded", Guard::ContentType),
            ("origin", "https://app.example.com", Guard::Origin),
            ("sec-fetch-site", "same-site", Guard::SecFetchSite),
            ("sec-fetch-mode", "cors", Guard::SecFetchMode),
            ("sec-fetch-dest", "empty", Guard::SecFetchDest),
            ("x-oauth-browser", "1", Guard::BrowserHeader),
        ] {
            let mut twice = proper();
            twice.append(name, HeaderValue::from_static(value));
            assert_eq!(outcome(&Method::POST, &twice, "", &client), Err(guard), "{name}");
        }
    }

    #[test]
    fn method_body_and_client_are_guarded() {
        let spa = cookie_client("spa-1");
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD] {
            assert_eq!(outcome(&method, &proper(), "", &spa), Err(Guard::Method));
        }
        assert_eq!(outcome(&Method::POST, &proper(), "refresh_token=x", &spa), Err(Guard::BodyRefreshToken));
        let mut body_mode = client("spa-1");
        body_mode.settings.allowed_origins = spa.settings.allowed_origins.clone();
        assert_eq!(outcome(&Method::POST, &proper(), "", &body_mode), Err(Guard::CookieMode));
        let mut disabled = spa;
        disabled.disabled_at = Some(disabled.created_at);
        assert_eq!(outcome(&Method::POST, &proper(), "", &disabled), Err(Guard::CookieMode));
    }

    #[test]
    fn a_json_endpoint_takes_json_only() {
        let client = cookie_client("spa-1");
        let mut headers = proper();
        let json = |headers: &HeaderMap, refresh_token| {
            let request = BrowserRequest { method: &Method::POST, headers, body: Body::Json { refresh_token } };
            check(request, &client).map(|_| ()).map_err(|refusal| refusal.guard)
        };
        assert_eq!(json(&headers, false), Err(Guard::ContentType));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert_eq!(json(&headers, false), Ok(()));
        assert_eq!(json(&headers, true), Err(Guard::BodyRefreshToken));
    }

    #[test]
    fn the_earlier_guard_answers_first() {
        let client = cookie_client("spa-1");
        let wrong = headers(&[("authorization", "Bearer x")]);
        assert_eq!(outcome(&Method::GET, &wrong, "refresh_token=x", &client), Err(Guard::Method));
        assert_eq!(outcome(&Method::POST, &wrong, "refresh_token=x", &client), Err(Guard::ContentType));
    }

    #[test]
    fn a_refusal_has_neither_cors_headers_nor_cookies() {
        let response = GuardRefusal { guard: Guard::Origin }.into_response();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert!(!response.headers().contains_key(SET_COOKIE));
        assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control-")));
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
}
