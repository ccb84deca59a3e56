//! `/oauth2/revoke` (RFC 7009).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::cors;
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::reply::json;
use crate::oauth::client_auth::Presented;
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::revoke;

/// A revocation request. No cookie is read here: cookie mode has its own sign-out.
pub async fn post(State(doors): State<Doors>, headers: HeaderMap, StrictForm(params): StrictForm) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let snapshot = doors.provider().directory.snapshot();
    let client = params.get("client_id").and_then(|id| snapshot.client(id)).cloned();
    let reply = match answer(&doors, authorization, &params).await {
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        Err(error) => json::refuse(&error, authorization.is_some()),
    };
    match client {
        Some(client) => cors::for_origin_of(reply, &headers, &client.settings, false),
        None => reply,
    }
}

async fn answer(doors: &Doors, authorization: Option<&str>, params: &Params) -> Result<(), OAuthError> {
    params.refuse_duplicates()?;
    let now = doors.app().clock.now();
    let caller = Presented::read(authorization, params)?.authenticate(doors.provider(), now).await?;
    revoke::revoke(&caller, params, doors.provider(), now).await
}
