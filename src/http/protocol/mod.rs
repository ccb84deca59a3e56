//! The doors of relying apps: read the request, ask `oauth`, answer. No decision is taken here.

pub mod authorize;
pub mod browser_logout;
pub mod check_session;
pub mod direct;
pub mod documents;
pub mod end_session;
pub mod introspect;
pub mod preflight;
pub mod revocation_stream;
pub mod revoke;
pub mod status;
pub mod token;
pub mod userinfo;

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};

use super::doors::Doors;
use super::limits::Permit;
use super::reply::json::Refusal;
use crate::domain::client::Client;
use crate::domain::time::Timestamp;
use crate::oauth::client_auth::{AuthenticatedClient, Presented};
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

/// The one `Authorization` header; empty if it is not text.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, OAuthError> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (_, Some(_)) => Err(OAuthError::invalid_request("two Authorization headers were sent, use one")),
        (first, None) => Ok(first.map(|value| value.to_str().unwrap_or_default())),
    }
}

/// The token in the `Authorization` header, if it shows one.
pub(super) fn bearer_of(headers: &HeaderMap) -> Result<Option<String>, OAuthError> {
    authorization(headers)?.map_or(Ok(None), bearer)
}

/// The token of an `Authorization` header. Another scheme shows no token (RFC 6750 §3.1); this scheme shows exactly one, in the
/// characters of §2.1.
fn bearer(header: &str) -> Result<Option<String>, OAuthError> {
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_matches(' ');
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(proper) {
        return Err(OAuthError::invalid_request("the Authorization header is not Bearer and a token"));
    }
    Ok(Some(token.to_owned()))
}

/// The client of that name. For a network that has asked too much only memory is searched, so that it costs the database
/// nothing.
async fn named(
    doors: &Doors,
    id: Option<&str>,
    permit: &Result<Permit, OAuthError>,
    now: Timestamp,
) -> Result<Option<Arc<Client>>, OAuthError> {
    let Some(id) = id else { return Ok(None) };
    if permit.is_ok() {
        return doors.provider().client(id, now).await;
    }
    let snapshot = doors.provider().directory.snapshot();
    Ok(snapshot.client(id).filter(|client| client.is_active()).cloned())
}

/// Who calls. A client that proves who it is counts against itself and gets in however much its neighbours ask; all others
/// need the permit of their network, which they get back to return it if they turn out to be good.
async fn admit(
    doors: &Doors,
    presented: Result<Presented, OAuthError>,
    client: Option<Arc<Client>>,
    permit: Result<Permit, OAuthError>,
    now: Timestamp,
) -> Result<(AuthenticatedClient, Option<Permit>), OAuthError> {
    let caller = match presented {
        Ok(presented) => presented.authenticate(client, doors.provider(), now).await,
        Err(error) => Err(error),
    };
    match (caller, permit) {
        (Ok(caller), permit) if caller.bound.is_some() => {
            if let Ok(permit) = permit {
                doors.limits().give_back(permit, now);
                doors.app().sightings.authenticated(&caller.client.id, permit.address, now);
            }
            doors.limits().count(&caller.client, now)?;
            Ok((caller, None))
        }
        (_, Err(too_many)) => Err(too_many),
        (caller, Ok(permit)) => caller.map(|caller| (caller, Some(permit))),
    }
}

/// The caller of an endpoint for clients only, where nothing but its proof speaks for it.
async fn caller(
    doors: &Doors,
    permit: Result<Permit, OAuthError>,
    headers: &HeaderMap,
    params: &Params,
    now: Timestamp,
) -> Result<AuthenticatedClient, OAuthError> {
    let presented = authorization(headers).and_then(|header| Presented::read(header, params));
    let client = named(doors, presented.as_ref().ok().map(Presented::client_id), &permit, now).await?;
    admit(doors, presented, client, permit, now).await.map(|(caller, _)| caller)
}

fn refuse(error: OAuthError, headers: &HeaderMap) -> Response {
    Refusal::from(error).with_basic(headers.contains_key(header::AUTHORIZATION)).into_response()
}
