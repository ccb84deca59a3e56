//! `/.well-known/…`: ready bytes.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{HeaderName, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse as _, Response};

use crate::domain::status;
use crate::http::doors::Doors;
use crate::http::layers::Visit;
use crate::http::reply::json::Refusal;
use crate::keys::sightings::Said;
use crate::oauth::error::OAuthError;

/// How old the picture of the keys may be where they are only shown.
const STALE_KEYS: Duration = Duration::from_secs(15 * 60);

/// What is known of one who fetches a document.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    /// Where from.
    pub address: IpAddr,
    /// The path of the address.
    pub path: &'r str,
    /// The query of the address.
    pub query: Option<&'r str>,
    /// The headers.
    pub headers: &'r HeaderMap,
}

/// Answers at once: nothing in it waits.
pub type AtOnce = fn(&Doors, &Asked<'_>) -> Response;

/// What the verifier library says of the app that it works for.
const APP: HeaderName = HeaderName::from_static("frontdesk-app");

/// What relying apps fetch all the time, and where.
const FETCHED: [(&str, AtOnce); 3] = [
    ("/.well-known/jwks.json", key_set),
    ("/.well-known/openid-configuration", metadata),
    ("/.well-known/oauth-authorization-server", metadata),
];

/// The document at a path, with the path as a name for the log.
#[must_use]
pub fn at(doors: &Doors, path: &str) -> Option<(&'static str, AtOnce)> {
    if let Some(list) = status::list_at(path) {
        // One that is not at hand is looked for, which takes time.
        doors.app().status_lists.list(list)?;
        return Some(("/status/{list}", super::status::at_once));
    }
    FETCHED.into_iter().find(|(known, _)| *known == path)
}

/// The key set (RFC 7517 §5).
pub async fn jwks(
    State(doors): State<Doors>,
    visit: Visit,
    method: Method,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    // Whoever asks for the head only is given no keys.
    if method == Method::HEAD {
        return answer_key_set(&doors, &headers, |_| {});
    }
    let address = visit.address.ip();
    key_set(&doors, &Asked { address, path: uri.path(), query: query.as_deref(), headers: &headers })
}

/// The key history (OpenID Federation §8.7). It is signed anew only when the ring changes.
pub async fn historical_keys(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    match doors.key_history() {
        Some(ready) => ready.1.answer(&headers),
        None => Refusal::from(OAuthError::unavailable("no key can sign the key history")).into_response(),
    }
}

/// The metadata document (OIDC Discovery §4, RFC 8414 §3).
pub async fn discovery(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    doors.discovery().1.answer(&headers)
}

/// Whoever fetches the set is seen to have it, whether he is given it or has it already.
fn key_set(doors: &Doors, asked: &Asked<'_>) -> Response {
    answer_key_set(doors, asked.headers, |etag| {
        let header = |name| asked.headers.get(name).map(HeaderValue::as_bytes);
        let app = doors.app();
        let said = Said { address: asked.address, query: asked.query, app: header(APP), agent: header(USER_AGENT) };
        app.sightings.saw(said, etag, app.clock.now());
    })
}

fn answer_key_set(doors: &Doors, headers: &HeaderMap, seen: impl FnOnce(&str)) -> Response {
    // Long enough to survive a restart of the database. Later, a key that was revoked meanwhile would be vouched for.
    let provider = doors.provider();
    let now = doors.app().clock.now();
    if provider.keys.confirmed_at().plus(STALE_KEYS).has_passed(now) {
        let error = OAuthError::unavailable("the key set has not been compared with the database for too long");
        return Refusal::from(error).into_response();
    }
    let ready = doors.jwks(now);
    seen(ready.document.etag());
    ready.document.answer(headers)
}

fn metadata(doors: &Doors, asked: &Asked<'_>) -> Response {
    doors.discovery().1.answer(asked.headers)
}
