//! Which origins may read which answers (Fetch Standard, CORS protocol).
//!
//! | endpoint                                       | may be read by                          | credentials |
//! |------------------------------------------------|-----------------------------------------|-------------|
//! | discovery, key set, browser library            | everybody                               | never       |
//! | token, revoke, userinfo                        | the client's own origins                | no          |
//! | token in cookie mode, browser logout, `/auth/` | this client's exact origins             | yes         |
//! | pages, authorize, introspect, admin            | nobody                                  | –           |
//!
//! A preflight cannot know the client, so it is answered by what is registered to any client; the request itself is
//! checked against its own client and, if that does not fit, answered without CORS headers. `null` is never an origin.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, ORIGIN, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::domain::client::Client;

use super::browser_guard::Guarded;

/// The origins that clients have registered.
pub trait KnownOrigins {
    /// Whether some active client has registered the origin.
    fn is_known_origin(&self, origin: &str) -> bool;
    /// Whether some active client in cookie mode has registered the origin.
    fn is_cookie_mode_origin(&self, origin: &str) -> bool;
}

/// An endpoint that browser apps of other origins call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/oauth2/token`.
    Token,
    /// `/oauth2/revoke`.
    Revoke,
    /// `/oauth2/userinfo`.
    UserInfo,
    /// `/oauth2/browser/logout` and `/auth/*`.
    CookieMode,
}

/// Answers `OPTIONS` of an endpoint that browser apps call: 204, or 403 without CORS headers.
#[must_use]
pub fn preflight(endpoint: Endpoint, headers: &HeaderMap, origins: &impl KnownOrigins) -> Response {
    let methods = if endpoint == Endpoint::UserInfo { "GET, POST" } else { "POST" };
    let vary = HeaderValue::from_static("Origin, Access-Control-Request-Headers");
    let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|method| method.to_str().ok());
    let allowed = origin_of(headers).and_then(|origin| {
        let text = origin.to_str().ok()?;
        let cookie_mode =
            endpoint != Endpoint::Revoke && endpoint != Endpoint::UserInfo && origins.is_cookie_mode_origin(text);
        let known = cookie_mode || (endpoint != Endpoint::CookieMode && origins.is_known_origin(text));
        let method = wanted.is_some_and(|wanted| methods.split(", ").any(|method| method == wanted));
        (known && method).then(|| (origin.clone(), cookie_mode))
    });
    let Some((origin, credentials)) = allowed else {
        return (StatusCode::FORBIDDEN, [(VARY, vary)]).into_response();
    };
    let mut response = StatusCode::NO_CONTENT.into_response();
    let out = response.headers_mut();
    out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if credentials {
        out.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    out.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, dpop, x-oauth-browser"),
    );
    out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    out.insert(VARY, vary);
    response
}

/// Answers `OPTIONS` of a public document, to be kept for a day.
#[must_use]
pub fn preflight_public() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD")),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*")),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// An origin that was checked and may read an answer.
#[derive(Debug, Clone)]
pub struct AllowedOrigin {
    value: HeaderValue,
    credentials: bool,
}

impl AllowedOrigin {
    /// The request's origin if it is one of the client's own; without credentials. A client in cookie mode gets its
    /// answers through [`AllowedOrigin::guarded`] only.
    #[must_use]
    pub fn of_client(headers: &HeaderMap, client: &Client) -> Option<Self> {
        let origin = origin_of(headers)?;
        let own = client.settings.allows_origin(origin.to_str().ok()?);
        (own && client.is_active()).then(|| Self { value: origin.clone(), credentials: false })
    }

    /// The request's origin if some client has registered it; without credentials. For refusals that name no client,
    /// such as 401 at userinfo, so that an app can read why.
    #[must_use]
    pub fn of_any_client(headers: &HeaderMap, origins: &impl KnownOrigins) -> Option<Self> {
        let origin = origin_of(headers)?;
        origins.is_known_origin(origin.to_str().ok()?).then(|| Self { value: origin.clone(), credentials: false })
    }

    /// The origin of a request that has passed the guards of cookie mode; with credentials.
    #[must_use]
    pub fn guarded(guarded: &Guarded<'_>) -> Self {
        Self { value: guarded.origin().clone(), credentials: true }
    }
}

/// Adds what CORS needs to an answer. Without an allowed origin only `Vary: Origin`.
#[must_use]
pub fn answer(mut response: Response, allowed: Option<AllowedOrigin>) -> Response {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(AllowedOrigin { value, credentials }) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("dpop-nonce, www-authenticate, retry-after"),
        );
    }
    response
}

/// The one `Origin` of a request.
fn origin_of(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(ORIGIN).iter();
    match (values.next(), values.next()) {
        (Some(origin), None) if origin != "null" => Some(origin),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::browser_guard::tests::guarded;
    use crate::http::test_client::client;

    struct Registered;

    impl KnownOrigins for Registered {
        fn is_known_origin(&self, origin: &str) -> bool {
            ["https://app.example.com", "https://body.example.com", "null"].contains(&origin)
        }

        fn is_cookie_mode_origin(&self, origin: &str) -> bool {
            ["https://app.example.com", "null"].contains(&origin)
        }
    }

    const COOKIE: &str = "https://app.example.com";
    const BODY: &str = "https://body.example.com";

    fn asked(origins: &[&'static str], method: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        if let Some(method) = method {
            headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static(method));
        }
        headers
    }

    fn has_cors(response: &Response) -> bool {
        response.headers().keys().any(|name| name.as_str().starts_with("access-control-"))
    }

    #[test]
    fn preflights_follow_the_matrix() {
        use Endpoint::{CookieMode, Revoke, Token, UserInfo};
        for (endpoint, origin, credentials, methods) in [
            (Token, COOKIE, true, "POST"),
            (Token, BODY, false, "POST"),
            (Revoke, COOKIE, false, "POST"),
            (Revoke, BODY, false, "POST"),
            (UserInfo, COOKIE, false, "GET, POST"),
            (UserInfo, BODY, false, "GET, POST"),
            (CookieMode, COOKIE, true, "POST"),
        ] {
            let response = preflight(endpoint, &asked(&[origin], Some("POST")), &Registered);
            let headers = response.headers();
            assert_eq!(response.status(), StatusCode::NO_CONTENT, "{endpoint:?} {origin}");
            assert_eq!(headers["access-control-allow-origin"], origin);
            assert_eq!(headers.contains_key("access-control-allow-credentials"), credentials, "{endpoint:?} {origin}");
            assert_eq!(headers["access-control-allow-methods"], methods);
            assert_eq!(headers["access-control-allow-headers"], "authorization, content-type, dpop, x-oauth-browser");
            assert_eq!(headers["access-control-max-age"], "600");
            assert_eq!(headers["vary"], "Origin, Access-Control-Request-Headers");
        }
    }

    #[test]
    fn everything_else_is_refused_without_a_trace_of_cors() {
        use Endpoint::{CookieMode, Revoke, Token, UserInfo};
        for (endpoint, headers) in [
            (CookieMode, asked(&[BODY], Some("POST"))),
            (Token, asked(&["https://evil.test"], Some("POST"))),
            (Token, asked(&["null"], Some("POST"))),
            (Token, asked(&[], Some("POST"))),
            (Token, asked(&[COOKIE, COOKIE], Some("POST"))),
            (Token, asked(&[COOKIE], None)),
            (Token, asked(&[COOKIE], Some("GET"))),
            (Revoke, asked(&[COOKIE], Some("DELETE"))),
            (UserInfo, asked(&["https://app.example.com.evil.test"], Some("GET"))),
        ] {
            let response = preflight(endpoint, &headers, &Registered);
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{endpoint:?} {headers:?}");
            assert!(!has_cors(&response));
            assert!(response.headers().contains_key(VARY));
        }
    }

    #[test]
    fn a_public_document_is_everybodys_and_never_with_credentials() {
        let response = preflight_public();
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }

    #[test]
    fn an_answer_goes_to_the_clients_own_origin() {
        let own = client("spa-1");
        let allowed = |headers: &HeaderMap| AllowedOrigin::of_client(headers, &own);
        let response = answer(StatusCode::OK.into_response(), allowed(&asked(&[COOKIE], None)));
        assert_eq!(response.headers()["access-control-allow-origin"], COOKIE);
        assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert_eq!(response.headers()["access-control-expose-headers"], "dpop-nonce, www-authenticate, retry-after");
        assert_eq!(response.headers()["vary"], "Origin");
        for headers in [asked(&[BODY], None), asked(&["null"], None), asked(&[], None), asked(&[COOKIE, COOKIE], None)]
        {
            assert!(allowed(&headers).is_none());
        }
        let response = answer(StatusCode::OK.into_response(), None);
        assert!(!has_cors(&response));
        assert_eq!(response.headers()["vary"], "Origin");
        let mut disabled = own.clone();
        disabled.disabled_at = Some(disabled.created_at);
        assert!(AllowedOrigin::of_client(&asked(&[COOKIE], None), &disabled).is_none());
    }

    #[test]
    fn credentials_need_the_proof_of_the_guards() {
        guarded("spa-1", |proof| {
            let response = answer(StatusCode::OK.into_response(), Some(AllowedOrigin::guarded(proof)));
            assert_eq!(response.headers()["access-control-allow-origin"], COOKIE);
            assert_eq!(response.headers()["access-control-allow-credentials"], "true");
        });
    }

    #[test]
    fn a_refusal_without_client_is_read_by_known_origins_only() {
        assert!(AllowedOrigin::of_any_client(&asked(&[BODY], None), &Registered).is_some());
        assert!(AllowedOrigin::of_any_client(&asked(&["https://evil.test"], None), &Registered).is_none());
        assert!(AllowedOrigin::of_any_client(&asked(&["null"], None), &Registered).is_none());
    }
}
