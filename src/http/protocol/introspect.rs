//! `/oauth2/introspect` (RFC 7662).

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{authorization, caller, refuse, refuse_credentials_in};
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
    let authorization = authorization(&headers);
    match answer(&doors, &visit, authorization, query.as_deref(), &params).await {
        Ok(introspection) => json::with_status(StatusCode::OK, &introspection),
        Err(error) => refuse(error, authorization.is_some()),
    }
}

async fn answer(
    doors: &Doors,
    visit: &Visit,
    authorization: Option<&str>,
    query: Option<&str>,
    params: &Params,
) -> Result<Introspection, OAuthError> {
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(visit, now);
    refuse_credentials_in(query)?;
    params.refuse_duplicates()?;
    let caller = caller(doors, permit, authorization, params, now).await?;
    introspect::introspect(&caller, params, doors.provider(), now).await
}
