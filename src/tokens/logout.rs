//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4). Made when they are sent; the notice they are made from is kept.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::crypto::digest::sha256_b64u;
use crate::domain::time::Timestamp;
use crate::store::outbox::Notice;

/// Two minutes at most (§2.4): an old one must not sign anybody out.
const LIFETIME: Duration = Duration::from_secs(120);

/// What makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The claims of a logout token. Never a `nonce`, so that it passes for no ID token.
#[derive(Debug, Clone, Serialize)]
pub struct LogoutClaims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: String,
    events: Value,
    sub: String,
    sid: String,
}

impl LogoutClaims {
    /// For a notice. Its `jti` is the same at each try, so that an app which keeps them takes a repeated one for what it is.
    #[must_use]
    pub fn of(notice: &Notice, issuer: &str, now: Timestamp) -> Self {
        Self {
            iss: issuer.to_owned(),
            aud: notice.client_id.as_str().to_owned(),
            iat: now.as_seconds(),
            exp: now.plus(LIFETIME).as_seconds(),
            jti: sha256_b64u(notice.id.as_bytes()),
            events: json!({ EVENT: {} }),
            sub: notice.sub.as_str().to_owned(),
            sid: notice.sid.as_str().to_owned(),
        }
    }

    /// The client that the token is for.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.aud
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ClientId, Sid, Subject};

    fn notice() -> Notice {
        Notice {
            id: "logout.1.s.notes".to_owned(),
            client_id: ClientId::new("notes"),
            sid: Sid::new("sid"),
            sub: Subject::new("sub"),
            created_at: Timestamp::from_seconds(1),
            attempts: 0,
        }
    }

    #[test]
    fn a_logout_token_says_what_it_must_and_nothing_else() {
        let claims = |now| {
            serde_json::to_value(LogoutClaims::of(&notice(), "https://id.example.com", Timestamp::from_seconds(now)))
                .unwrap()
        };
        let first = claims(1_000);
        let jti = first["jti"].as_str().unwrap();
        assert_eq!(jti.len(), 43);
        assert_eq!(
            first,
            json!({
                "iss": "https://id.example.com",
                "aud": "notes",
                "iat": 1_000,
                "exp": 1_120,
                "jti": jti,
                "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
                "sub": "sub",
                "sid": "sid",
            })
        );
        let again = claims(2_000);
        assert_eq!((&again["jti"], &again["iat"], &again["exp"]), (&first["jti"], &json!(2_000), &json!(2_120)));
    }
}
