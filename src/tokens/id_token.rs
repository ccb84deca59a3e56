//! ID tokens (OIDC Core §2, §3.1.3.6).

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::crypto::digest;
use crate::domain::grant::Grant;
use crate::domain::time::Timestamp;

/// The claims of an ID token, but for `at_hash`, which is known when the access token is signed.
#[derive(Debug, Clone, Serialize)]
pub struct IdClaims {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    acr: String,
    amr: Vec<String>,
    sid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    /// Claims of the person that were asked for by name.
    #[serde(flatten)]
    person: Map<String, Value>,
}

impl IdClaims {
    /// For a grant. The nonce of the request goes into the first ID token only (OIDC Core §12.2).
    #[must_use]
    pub fn of(grant: &Grant, issuer: &str, subject: &str, lifetime: Duration, now: Timestamp) -> Self {
        Self {
            iss: issuer.to_owned(),
            sub: subject.to_owned(),
            aud: grant.client_id.as_str().to_owned(),
            iat: now.as_seconds(),
            exp: now.plus(lifetime).as_seconds(),
            auth_time: grant.auth_time.as_seconds(),
            nonce: None,
            acr: grant.acr.clone(),
            amr: grant.amr.split_whitespace().map(str::to_owned).collect(),
            sid: grant.sid.as_str().to_owned(),
            at_hash: None,
            person: Map::new(),
        }
    }

    /// Repeats the nonce of the request.
    #[must_use]
    pub fn with_nonce(mut self, nonce: Option<String>) -> Self {
        self.nonce = nonce;
        self
    }

    /// Adds claims of the person.
    #[must_use]
    pub fn with_person(mut self, person: Map<String, Value>) -> Self {
        self.person = person;
        self
    }

    /// Binds the ID token to the access token it comes with.
    pub(super) fn bind_to(&mut self, access_token: &str) {
        self.at_hash = Some(digest::left_half_b64u(access_token.as_bytes()));
    }
}
