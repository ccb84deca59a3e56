//! The doors of relying apps: read the request, ask `oauth`, answer. No decision is taken here.

pub mod authorize;
pub mod browser_logout;
pub mod direct;
pub mod documents;
pub mod end_session;
pub mod introspect;
pub mod preflight;
pub mod revoke;
pub mod token;
pub mod userinfo;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};

use super::reply::json::Refusal;
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;

/// Parameters that must never stand in a query: queries end up in logs and histories.
const CREDENTIALS: [&str; 8] = [
    "client_secret",
    "code",
    "code_verifier",
    "refresh_token",
    "token",
    "access_token",
    "password",
    "client_assertion",
];

/// Refuses credentials in the query (RFC 6749 §2.3.1).
fn refuse_credentials_in(query: Option<&str>) -> Result<(), OAuthError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    if CREDENTIALS.iter().any(|name| params.has(name)) {
        return Err(OAuthError::invalid_request("parameters go into the body, not into the query"));
    }
    Ok(())
}

/// The `Authorization` header. Two of them are no proof at all.
fn authorization(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let first = sent.next()?;
    Some(if sent.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

fn refuse(error: OAuthError, basic: bool) -> Response {
    Refusal::from(error).with_basic(basic).into_response()
}
