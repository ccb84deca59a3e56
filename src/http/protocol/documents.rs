//! `/.well-known/…`: ready bytes.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::doors::Doors;

/// The key set (RFC 7517 §5).
pub async fn jwks(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    doors.jwks().1.answer(&headers)
}

/// The metadata document (OIDC Discovery §4, RFC 8414 §3).
pub async fn discovery(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    doors.discovery().1.answer(&headers)
}
