//! Who is calling: what a good access token says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::challenge::{Challenge, Refusal};
use crate::claims::CheckedClaims;

/// The caller of an API, read from an access token that passed every check. Cheap to clone.
#[derive(Clone)]
pub struct Principal {
    claims: Arc<CheckedClaims>,
    challenge: Arc<Challenge>,
    /// Seconds since 1970.
    checked_at: u64,
}

impl Principal {
    pub(crate) fn new(claims: CheckedClaims, challenge: Arc<Challenge>, checked_at: u64) -> Self {
        Self { claims: Arc::new(claims), challenge, checked_at }
    }

    /// `sub`: the person, or the client itself when [`is_client`](Self::is_client). Unique within
    /// the issuer and never reassigned.
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// `client_id`: the app that holds the token.
    pub fn client_id(&self) -> &str {
        &self.claims.client_id
    }

    /// Does the app call for itself, without a person (`client_credentials`)?
    pub fn is_client(&self) -> bool {
        self.subject() == self.client_id()
    }

    /// `scope` as it stands in the token, values separated by spaces.
    pub fn scope(&self) -> &str {
        &self.claims.scope
    }

    /// Was this scope value granted?
    pub fn has_scope(&self, value: &str) -> bool {
        !value.is_empty() && self.scope().split(' ').any(|granted| granted == value)
    }

    /// `acr`: how the person signed in.
    pub fn acr(&self) -> Option<&str> {
        self.claim("acr").and_then(Value::as_str)
    }

    /// `sid`: the session the token belongs to.
    pub fn session_id(&self) -> Option<&str> {
        self.claim("sid").and_then(Value::as_str)
    }

    /// `act`: who acts for the subject (RFC 8693 §4.1), an object.
    pub fn actor(&self) -> Option<&Value> {
        self.claim("act")
    }

    /// `cnf`: the key that the token is bound to (RFC 9449 §6.1, RFC 8705 §3.1). Always `None` today:
    /// a bound token needs a proof, which this crate does not check yet, so it is refused.
    pub fn confirmation(&self) -> Option<&Value> {
        self.claim("cnf")
    }

    /// `jti`: the token's own name.
    pub fn token_id(&self) -> &str {
        &self.claims.token_id
    }

    /// `auth_time`: when the person signed in, in seconds since 1970.
    pub fn auth_time(&self) -> Option<u64> {
        self.claims.auth_time
    }

    /// `iat`: when the token was made, in seconds since 1970.
    pub fn issued_at(&self) -> u64 {
        self.claims.issued_at
    }

    /// `exp`: when the token ends, in seconds since 1970.
    pub fn expires_at(&self) -> u64 {
        self.claims.expires_at
    }

    /// Any other claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.all.get(name)
    }

    /// Asks for scope values, separated by spaces; all must have been granted.
    ///
    /// # Errors
    /// 403 `insufficient_scope` with the scope that is needed (RFC 6750 §3.1).
    pub fn require(&self, scope: &str) -> Result<(), Refusal> {
        if scope.split_ascii_whitespace().all(|value| self.has_scope(value)) {
            return Ok(());
        }
        Err(self.challenge.insufficient_scope(scope))
    }

    /// Asks that the person signed in by one of these `acr` values.
    ///
    /// # Errors
    /// 401 `insufficient_user_authentication` with the values, best first (RFC 9470 §3).
    pub fn require_acr(&self, values: &[&str]) -> Result<(), Refusal> {
        if self.acr().is_some_and(|acr| values.contains(&acr)) {
            return Ok(());
        }
        let values = values.join(" ");
        Err(self.challenge.insufficient_user_authentication("acr_values", &values))
    }

    /// Asks that the person signed in at most `max_age` ago, in whole seconds.
    ///
    /// # Errors
    /// 401 `insufficient_user_authentication` with `max_age` (RFC 9470 §3).
    pub fn require_recent_sign_in(&self, max_age: Duration) -> Result<(), Refusal> {
        let max_age = max_age.as_secs();
        let recent = |signed_in| self.checked_at.saturating_sub(signed_in) <= max_age;
        if self.auth_time().is_some_and(recent) {
            return Ok(());
        }
        let max_age = max_age.to_string();
        Err(self.challenge.insufficient_user_authentication("max_age", &max_age))
    }
}

/// Shows who calls and what for, not every claim.
impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Principal")
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("scope", &self.scope())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn principal(scope: &str) -> Principal {
        let all = json!({"acr": "urn:frontdesk:acr:pwd", "sid": "s1", "act": {"sub": "admin"}, "gid": "g1"});
        let claims = CheckedClaims {
            all: all.as_object().unwrap().clone(),
            subject: "u1".into(),
            client_id: "app".into(),
            token_id: "t1".into(),
            scope: scope.into(),
            issued_at: 1000,
            expires_at: 1900,
            auth_time: Some(940),
        };
        Principal::new(claims, Arc::new(Challenge::new("notes", None)), 1000)
    }

    #[test]
    fn reads_the_claims() {
        let principal = principal("notes:read");
        assert_eq!(principal.subject(), "u1");
        assert_eq!(principal.client_id(), "app");
        assert!(!principal.is_client());
        assert_eq!(principal.acr(), Some("urn:frontdesk:acr:pwd"));
        assert_eq!(principal.session_id(), Some("s1"));
        assert_eq!(principal.actor(), Some(&json!({"sub": "admin"})));
        assert_eq!(principal.claim("gid"), Some(&json!("g1")));
        assert_eq!(principal.confirmation(), None);
        assert_eq!(principal.token_id(), "t1");
        assert_eq!((principal.issued_at(), principal.expires_at()), (1000, 1900));
    }

    #[test]
    fn scope_values_are_compared_whole() {
        let caller = principal("notes:read profile");
        for (scope, granted) in [
            ("notes:read", true),
            ("profile", true),
            ("profile notes:read", true),
            ("", true),
            ("notes", false),
            ("notes:read:all", false),
            ("Notes:read", false),
            ("read", false),
            ("notes:write", false),
            ("notes:read notes:write", false),
        ] {
            assert_eq!(caller.require(scope).is_ok(), granted, "{scope}");
        }
        assert!(!caller.has_scope("") && !caller.has_scope("notes:read profile"));
        assert!(principal("").require("notes:read").is_err());
        assert!(!principal("a  b").has_scope(""));
        let refusal = caller.require("notes:write").unwrap_err();
        assert_eq!(refusal.status(), 403);
        assert_eq!(
            refusal.www_authenticate(),
            Some(r#"Bearer realm="notes", error="insufficient_scope", scope="notes:write""#)
        );
    }

    #[test]
    fn a_better_sign_in_can_be_asked_for() {
        let caller = principal("");
        assert_eq!(caller.require_acr(&["urn:frontdesk:acr:mfa", "urn:frontdesk:acr:pwd"]), Ok(()));
        let refusal = caller.require_acr(&["a", "b"]).unwrap_err();
        assert_eq!(refusal.status(), 401);
        assert_eq!(
            refusal.www_authenticate(),
            Some(r#"Bearer realm="notes", error="insufficient_user_authentication", acr_values="a b""#)
        );
        assert!(caller.require_acr(&[]).is_err());
    }

    #[test]
    fn a_recent_sign_in_can_be_asked_for() {
        let caller = principal("");
        assert_eq!(caller.require_recent_sign_in(Duration::from_secs(60)), Ok(()));
        let refusal = caller.require_recent_sign_in(Duration::from_secs(59)).unwrap_err();
        assert_eq!(
            refusal.www_authenticate(),
            Some(r#"Bearer realm="notes", error="insufficient_user_authentication", max_age="59""#)
        );
    }

    #[test]
    fn debug_does_not_show_every_claim() {
        let text = format!("{:?}", principal("notes:read"));
        assert!(text.contains("u1") && !text.contains("g1") && !text.contains("t1"));
    }
}
