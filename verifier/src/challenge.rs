//! What a refused caller hears: a status and `WWW-Authenticate` (RFC 6750 §3), nothing more.

use std::fmt::Write as _;
use std::time::Duration;

/// An answer without a body. Works with any web framework; with the `axum` feature it is a
/// response by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    www_authenticate: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// The HTTP status: 400, 401, 403 or 503.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of `WWW-Authenticate`, if the answer has one.
    pub fn www_authenticate(&self) -> Option<&str> {
        self.www_authenticate.as_deref()
    }

    /// The value of `Retry-After` in whole seconds, at least one, if the answer has one.
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after.map(|wait| {
            let part = u64::from(wait.subsec_nanos() > 0);
            wait.as_secs().saturating_add(part).max(1)
        })
    }
}

/// The challenge of one API: `Bearer realm="…"`, perhaps with `resource_metadata` (RFC 9728 §5.1).
#[derive(Debug, Clone)]
pub(crate) struct Challenge {
    prefix: String,
}

impl Challenge {
    pub(crate) fn new(realm: &str, resource_metadata: Option<&str>) -> Self {
        let mut prefix = format!("Bearer realm={}", quoted(realm));
        if let Some(url) = resource_metadata {
            let _ = write!(prefix, ", resource_metadata={}", quoted(url));
        }
        Self { prefix }
    }

    /// No token came: 401 without an error code, since nothing was wrong with it.
    pub(crate) fn no_token(&self) -> Refusal {
        self.refusal(401, &[])
    }

    /// The request itself is wrong, for example two tokens: 400.
    pub(crate) fn invalid_request(&self) -> Refusal {
        self.refusal(400, &[("error", "invalid_request")])
    }

    /// 401, the same for every reason.
    pub(crate) fn invalid_token(&self) -> Refusal {
        self.refusal(401, &[("error", "invalid_token")])
    }

    /// 403 with the scope that is needed.
    pub(crate) fn insufficient_scope(&self, scope: &str) -> Refusal {
        self.refusal(403, &[("error", "insufficient_scope"), ("scope", scope)])
    }

    /// The person must sign in better or again (RFC 9470 §3): 401.
    pub(crate) fn insufficient_user_authentication(&self, name: &str, value: &str) -> Refusal {
        self.refusal(401, &[("error", "insufficient_user_authentication"), (name, value)])
    }

    /// Tokens cannot be checked now: 503.
    pub(crate) fn unavailable(retry_after: Duration) -> Refusal {
        Refusal { status: 503, www_authenticate: None, retry_after: Some(retry_after) }
    }

    fn refusal(&self, status: u16, parameters: &[(&str, &str)]) -> Refusal {
        let mut value = self.prefix.clone();
        for (name, text) in parameters {
            let _ = write!(value, ", {name}={}", quoted(text));
        }
        Refusal { status, www_authenticate: Some(value), retry_after: None }
    }
}

/// A quoted-string (RFC 9110 §5.6.4). Characters that a header cannot carry are left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ') {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenges_are_those_of_the_rfc() {
        let challenge = Challenge::new("https://api.example.com", None);
        let realm = r#"Bearer realm="https://api.example.com""#;
        for (refusal, status, rest) in [
            (challenge.no_token(), 401, ""),
            (challenge.invalid_request(), 400, r#", error="invalid_request""#),
            (challenge.invalid_token(), 401, r#", error="invalid_token""#),
            (challenge.insufficient_scope("a b"), 403, r#", error="insufficient_scope", scope="a b""#),
            (
                challenge.insufficient_user_authentication("max_age", "60"),
                401,
                r#", error="insufficient_user_authentication", max_age="60""#,
            ),
        ] {
            assert_eq!(refusal.status(), status);
            assert_eq!(refusal.www_authenticate(), Some(format!("{realm}{rest}").as_str()));
            assert_eq!(refusal.retry_after(), None);
        }
    }

    #[test]
    fn resource_metadata_is_announced() {
        let challenge = Challenge::new("notes", Some("https://api.example.com/m"));
        assert_eq!(
            challenge.no_token().www_authenticate(),
            Some(r#"Bearer realm="notes", resource_metadata="https://api.example.com/m""#)
        );
    }

    #[test]
    fn retry_after_is_rounded_up() {
        for (wait, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (10_000, 10)] {
            let refusal = Challenge::unavailable(Duration::from_millis(wait));
            assert_eq!((refusal.status(), refusal.retry_after()), (503, Some(seconds)));
            assert_eq!(refusal.www_authenticate(), None);
        }
    }

    #[test]
    fn nothing_escapes_from_the_quotes() {
        for (text, expected) in [
            ("", r#""""#),
            ("a\"b", r#""a\"b""#),
            ("a\\", r#""a\\""#),
            ("a\r\nSet-Cookie: x", "\"aSet-Cookie: x\""),
            ("ä\0\t\u{7f}z", "\"z\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
