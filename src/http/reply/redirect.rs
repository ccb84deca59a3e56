//! 303 answers: the browser goes elsewhere with GET, whatever it came with (RFC 9700 §4.12).

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::response::{IntoResponse, Response};

use crate::oauth::error::OAuthError;

use super::json::Refusal;

/// A redirect that nobody may keep and that tells the next site nothing of this one.
#[derive(Debug)]
pub struct SeeOther {
    location: String,
    cookies: Vec<HeaderValue>,
}

impl SeeOther {
    /// To an own page. `path` starts with a single slash; anything else leads to the start page, so that no request can
    /// choose another site.
    #[must_use]
    pub fn within(path: &str) -> Self {
        let own = path.starts_with('/')
            && !path.starts_with("//")
            && !path.bytes().any(|byte| byte == b'\\' || byte.is_ascii_control());
        Self { location: if own { path } else { "/" }.to_owned(), cookies: Vec::new() }
    }

    /// To a client, with the answer it waits for. The caller has proven that the address is registered.
    #[must_use]
    pub fn to_client(url: String) -> Self {
        Self { location: url, cookies: Vec::new() }
    }

    /// Sets a cookie on the way.
    #[must_use]
    pub fn with_cookie(mut self, cookie: HeaderValue) -> Self {
        self.cookies.push(cookie);
        self
    }
}

impl IntoResponse for SeeOther {
    fn into_response(self) -> Response {
        let location = match HeaderValue::try_from(self.location) {
            Ok(location) => location,
            Err(error) => return Refusal::from(OAuthError::fault(error)).into_response(),
        };
        let headers = [
            (LOCATION, location),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        let mut response = (StatusCode::SEE_OTHER, headers).into_response();
        for cookie in self.cookies {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_carries_its_headers_and_cookies() {
        let response = SeeOther::to_client("https://app.example.com/cb?code=x".to_owned())
            .with_cookie(HeaderValue::from_static("a=1"))
            .with_cookie(HeaderValue::from_static("b=2"))
            .into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()["location"], "https://app.example.com/cb?code=x");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["referrer-policy"], "no-referrer");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn an_own_redirect_stays_within() {
        for (path, location) in [
            ("/login?request=x", "/login?request=x"),
            ("//evil.test/", "/"),
            ("/\\evil.test", "/"),
            ("https://evil.test", "/"),
            ("/a\r\nset-cookie: x=y", "/"),
            ("/\t/evil.test", "/"),
            ("", "/"),
        ] {
            assert_eq!(SeeOther::within(path).into_response().headers()["location"], location, "{path:?}");
        }
    }

    #[test]
    fn a_location_with_a_line_break_is_a_fault() {
        let response = SeeOther::to_client("https://a.example/\r\nx: y".to_owned()).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
