//! The token that opens the stream: the service's own, by `client_credentials` (RFC 6749 §4.4).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::fetch::{Fetch, FetchError, Request};
use crate::json;

/// What the service may do with the token.
const SCOPE: &str = "frontdesk:revocations";

/// Largest answer of the token endpoint.
const MAX_ANSWER: usize = 64 * 1024;

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(30);

/// The service's credentials at the issuer.
pub(super) struct Login {
    /// The value of `Authorization` (RFC 6749 §2.3.1).
    basic: String,
}

/// A token that the issuer gave us.
pub(super) struct Ticket {
    /// The value of `Authorization` (RFC 6750 §2.1).
    bearer: String,
    until: Duration,
}

impl Login {
    pub(super) fn new(client_id: &str, client_secret: &str) -> Self {
        let part = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", part(client_id), part(client_secret));
        Self { basic: format!("Basic {}", STANDARD.encode(pair)) }
    }

    /// Asks for a token.
    pub(super) async fn ticket(&self, fetch: &dyn Fetch, endpoint: &Url, now: Duration) -> Result<Ticket, FetchError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", SCOPE)
            .finish();
        let request = Request::new(endpoint, MAX_ANSWER).with_authorization(&self.basic).with_form(&form);
        let answer = fetch.send(request).await?;
        // What the answer says may be logged only when it is no token.
        if answer.status() != 200 {
            return Err(FetchError::new(format!("the token endpoint answers with status {}", answer.status())));
        }
        Ticket::read(answer.accept(MAX_ANSWER)?, now)
            .ok_or_else(|| FetchError::new("the token endpoint's answer has no bearer token"))
    }
}

impl Ticket {
    fn read(answer: &[u8], now: Duration) -> Option<Self> {
        let answer = json::object(answer)?;
        let bearer = answer.get("token_type").and_then(Value::as_str)?.eq_ignore_ascii_case("Bearer");
        let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty())?;
        let life = answer.get("expires_in").and_then(Value::as_u64).unwrap_or(60).min(86_400);
        bearer.then(|| Self { bearer: format!("Bearer {token}"), until: now + Duration::from_secs(life) })
    }

    pub(super) fn authorization(&self) -> &str {
        &self.bearer
    }

    pub(super) fn is_good(&self, now: Duration) -> bool {
        now + MARGIN < self.until
    }
}

/// Shows nothing: all of it is secret.
impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Login").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_encoded_twice() {
        let login = Login::new("shop app", "a:b+c/ü");
        let sent = STANDARD.decode(login.basic.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(sent).unwrap(), "shop+app:a%3Ab%2Bc%2F%C3%BC");
        assert_eq!(format!("{login:?}"), "Login { .. }");
    }

    #[test]
    fn only_a_bearer_token_opens_the_stream() {
        let now = Duration::from_secs(1000);
        let good = Ticket::read(br#"{"access_token":"t","token_type":"bearer","expires_in":900}"#, now).unwrap();
        assert_eq!(good.authorization(), "Bearer t");
        assert!(good.is_good(now) && good.is_good(now + Duration::from_secs(869)));
        assert!(!good.is_good(now + Duration::from_secs(870)));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"token_type":"Bearer"}"#,
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            r#"{"access_token":1,"token_type":"Bearer"}"#,
            r#"{"access_token":"t","token_type":"DPoP"}"#,
            r#"{"access_token":"t","access_token":"u","token_type":"Bearer"}"#,
        ] {
            assert!(Ticket::read(bad.as_bytes(), now).is_none(), "{bad}");
        }
    }
}
