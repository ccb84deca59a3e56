//! `/oauth2/revoke` (RFC 7009).

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{caller, refuse, refuse_credentials_in};
use crate::http::cors::{self, AllowedOrigin};
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::layers::Visit;
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::revoke;

/// A revocation request. No cookie is read here: cookie mode has its own sign-out.
pub async fn post(
    State(doors): State<Doors>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    StrictForm(params): StrictForm,
) -> Response {
    let snapshot = doors.provider().directory.snapshot();
    let client = params.get("client_id").and_then(|id| snapshot.client(id)).cloned();
    let reply = match answer(&doors, &visit, &headers, query.as_deref(), &params).await {
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        Err(error) => refuse(error, &headers),
    };
    cors::answer(reply, client.and_then(|client| AllowedOrigin::of_client(&headers, &client)))
}

async fn answer(
    doors: &Doors,
    visit: &Visit,
    headers: &HeaderMap,
    query: Option<&str>,
    params: &Params,
) -> Result<(), OAuthError> {
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(visit, now);
    refuse_credentials_in(query)?;
    params.refuse_duplicates()?;
    let caller = caller(doors, permit, headers, params, now).await?;
    revoke::revoke(&caller, params, doors.provider(), now).await
}
