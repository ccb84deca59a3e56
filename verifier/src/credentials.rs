//! Where a request carries its token (RFC 6750 §2).

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use url::form_urlencoded;

/// What a request presents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials<'r> {
    /// No bearer token, perhaps another scheme.
    None,
    /// One token in the `Authorization` header.
    Bearer(&'r str),
    /// Two tokens, a token in the query, or a header that cannot be read.
    Malformed,
}

impl<'r> Credentials<'r> {
    /// Reads the `Authorization` header. A token in the query is refused even if it is the only
    /// one: addresses end up in logs and histories (RFC 9700 §4.3.2). The body is not looked at.
    pub(crate) fn of(headers: &'r HeaderMap, uri: &Uri) -> Self {
        if has_token_in_query(uri) {
            return Self::Malformed;
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Self::None;
        };
        if values.next().is_some() {
            return Self::Malformed;
        }
        let Ok(value) = value.to_str() else {
            return Self::Malformed;
        };
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Self::None;
        }
        let token = token.trim_start_matches(' ');
        if is_b64token(token) { Self::Bearer(token) } else { Self::Malformed }
    }
}

fn has_token_in_query(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
}

/// RFC 6750 §2.1: letters, digits and `-._~+/`, then perhaps `=`.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_header_is_read() {
        use Credentials::{Bearer, Malformed, None};
        for (header, expected) in [
            ("Bearer a.b.c", Bearer("a.b.c")),
            ("bearer a.b.c", Bearer("a.b.c")),
            ("BEARER a.b.c", Bearer("a.b.c")),
            ("Bearer   a.b.c", Bearer("a.b.c")),
            ("Bearer aZ09-._~+/==", Bearer("aZ09-._~+/==")),
            ("", None),
            ("Basic YTpi", None),
            ("DPoP a.b.c", None),
            ("Bearera.b.c", None),
            ("a.b.c", None),
            ("Bearer", Malformed),
            ("Bearer ", Malformed),
            ("Bearer =", Malformed),
            ("Bearer a b", Malformed),
            ("Bearer a.b.c ", Malformed),
            ("Bearer a,Bearer b", Malformed),
            ("Bearer \"a\"", Malformed),
            ("Bearer a=b", Malformed),
            ("Bearer a\tb", Malformed),
            ("Bearer é", Malformed),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_bytes(header.as_bytes()).unwrap());
            let found = Credentials::of(&headers, &Uri::from_static("/notes?x=1"));
            assert_eq!(found, expected, "{header:?}");
        }
    }

    #[test]
    fn two_headers_are_malformed() {
        for second in ["Bearer a.b.c", "Basic YTpi", ""] {
            let mut headers = HeaderMap::new();
            headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
            headers.append(AUTHORIZATION, HeaderValue::from_static(second));
            let found = Credentials::of(&headers, &Uri::from_static("/"));
            assert_eq!(found, Credentials::Malformed);
        }
    }

    #[test]
    fn a_token_in_the_query_is_malformed_with_and_without_header() {
        let mut with_header = HeaderMap::new();
        with_header.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
        for headers in [HeaderMap::new(), with_header] {
            for uri in [
                "/?access_token=a.b.c",
                "/?access_token=",
                "/?access_token",
                "/?x=1&access_token=a",
                "/?access%5Ftoken=a",
                "/?%61ccess_token=a",
            ] {
                let found = Credentials::of(&headers, &Uri::from_static(uri));
                assert_eq!(found, Credentials::Malformed, "{uri}");
            }
            for uri in ["/", "/?", "/?my_access_token=a", "/?x=access_token", "/access_token=a"] {
                let found = Credentials::of(&headers, &Uri::from_static(uri));
                assert_ne!(found, Credentials::Malformed, "{uri}");
            }
        }
    }
}
