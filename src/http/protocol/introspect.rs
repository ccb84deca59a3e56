//! `/oauth2/introspect` (RFC 7662).

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{caller, refuse, refuse_credentials_in};
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::layers::Visit;
use crate::http::reply::json;
use crate::oauth::error::OAuthError;
use crate::oauth::introspect::{self, Introspection};
use crate::oauth::params::Params;

/// An introspection request.
pub async fn post(
    State(doors): State<Doors>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    StrictForm(params): StrictForm,
) -> Response {
    match answer(&doors, &visit, &headers, query.as_deref(), &params).await {
        Ok(introspection) => json::with_status(StatusCode::OK, &introspection),
        Err(error) => refuse(error, &headers),
    }
}

async fn answer(
    doors: &Doors,
    visit: &Visit,
    headers: &HeaderMap,
    query: Option<&str>,
    params: &Params,
) -> Result<Introspection, OAuthError> {
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(visit, now);
    refuse_credentials_in(query)?;
    params.refuse_duplicates()?;
    let caller = caller(doors, permit, headers, params, now).await?;
    introspect::introspect(&caller, params, doors.provider(), now).await
}
