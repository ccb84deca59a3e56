//! `/.well-known/…`: ready bytes.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

use crate::http::doors::Doors;
use crate::http::reply::json::Refusal;
use crate::oauth::error::OAuthError;

/// How old the picture of the keys may be where they are only shown.
const STALE_KEYS: Duration = Duration::from_secs(15 * 60);

/// Answers at once: nothing in it waits.
pub type AtOnce = fn(&Doors, &HeaderMap) -> Response;

/// What relying apps fetch all the time, and where.
const FETCHED: [(&str, AtOnce); 3] = [
    ("/.well-known/jwks.json", key_set),
    ("/.well-known/openid-configuration", metadata),
    ("/.well-known/oauth-authorization-server", metadata),
];

/// The document at a path, with the path as a name for the log.
#[must_use]
pub fn at(path: &str) -> Option<(&'static str, AtOnce)> {
    FETCHED.into_iter().find(|(known, _)| *known == path)
}

/// The key set (RFC 7517 §5).
pub async fn jwks(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    key_set(&doors, &headers)
}

/// The metadata document (OIDC Discovery §4, RFC 8414 §3).
pub async fn discovery(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    metadata(&doors, &headers)
}

fn key_set(doors: &Doors, headers: &HeaderMap) -> Response {
    // Long enough to survive a restart of the database. Later, a key that was revoked meanwhile would be vouched for.
    let provider = doors.provider();
    if provider.keys.confirmed_at().plus(STALE_KEYS).has_passed(doors.app().clock.now()) {
        let error = OAuthError::unavailable("the key set has not been compared with the database for too long");
        return Refusal::from(error).into_response();
    }
    doors.jwks().1.answer(headers)
}

fn metadata(doors: &Doors, headers: &HeaderMap) -> Response {
    doors.discovery().1.answer(headers)
}
