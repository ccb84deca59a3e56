//! `OPTIONS`: what browsers ask before they let a page of another origin call an endpoint.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::http::cors::{self, Endpoint, KnownOrigins};
use crate::http::doors::Doors;
use crate::store::directory::Snapshot;

impl KnownOrigins for Snapshot {
    fn is_known_origin(&self, origin: &str) -> bool {
        Snapshot::is_known_origin(self, origin)
    }

    fn is_cookie_mode_origin(&self, origin: &str) -> bool {
        Snapshot::is_cookie_mode_origin(self, origin)
    }
}

/// Of `/oauth2/token`.
pub async fn token(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    answer(&doors, &headers, Endpoint::Token)
}

/// Of `/oauth2/revoke`.
pub async fn revoke(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    answer(&doors, &headers, Endpoint::Revoke)
}

/// Of `/oauth2/userinfo`.
pub async fn userinfo(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    answer(&doors, &headers, Endpoint::UserInfo)
}

/// Of the endpoints that read cookies of browser apps.
pub async fn cookie_mode(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    answer(&doors, &headers, Endpoint::CookieMode)
}

/// Of public documents.
pub async fn public() -> Response {
    cors::preflight_public()
}

/// Of everything else: no page of another origin may call it. Other methods that an address does not take are told so.
pub async fn refused(method: Method) -> Response {
    if method == Method::OPTIONS { cors::preflight_refused() } else { StatusCode::METHOD_NOT_ALLOWED.into_response() }
}

fn answer(doors: &Doors, headers: &HeaderMap, endpoint: Endpoint) -> Response {
    cors::preflight(endpoint, headers, doors.provider().directory.snapshot().as_ref())
}
