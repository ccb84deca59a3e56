//! Which kind of body a request says it has.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

/// A kind of body that some endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
}

/// Whether the request says so, once, and with no parameter but a `charset` that changes nothing. A content type that browsers
/// send across origins without asking first, such as `text/plain`, is never taken for another.
#[must_use]
pub fn is(headers: &HeaderMap, wanted: ContentType) -> bool {
    let name = match wanted {
        ContentType::Form => "application/x-www-form-urlencoded",
        ContentType::Json => "application/json",
    };
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(name)) && parts.all(is_charset)
}

/// In these, ASCII is ASCII, and that is all that a percent-encoded form is made of. In UTF-16 the same bytes would say something
/// else. What is no UTF-8 after decoding is refused later (RFC 6749 appendix B).
const CHARSETS: [&str; 3] = ["utf-8", "us-ascii", "iso-8859-1"];

fn is_charset(parameter: &str) -> bool {
    parameter.is_empty()
        || parameter.split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("charset")
                && CHARSETS.iter().any(|charset| value.trim_matches('"').eq_ignore_ascii_case(charset))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_the_exact_type_counts() {
        for (text, form) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded", true),
            ("application/x-www-form-urlencoded; charset=UTF-8", true),
            ("application/x-www-form-urlencoded;charset=\"utf-8\"", true),
            ("application/x-www-form-urlencoded; charset=ISO-8859-1", true),
            ("application/x-www-form-urlencoded; charset=utf-16", false),
            ("application/x-www-form-urlencoded; charset=", false),
            ("application/x-www-form-urlencoded;", true),
            ("application/x-www-form-urlencoded; boundary=x", false),
            ("application/x-www-form-urlencoded2", false),
            ("text/plain; application/x-www-form-urlencoded", false),
            ("text/plain", false),
            ("multipart/form-data", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]);
            assert_eq!(is(&headers, ContentType::Form), form, "{text}");
        }
        assert!(!is(&HeaderMap::new(), ContentType::Form));
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        assert!(!is(&twice, ContentType::Json));
    }
}
