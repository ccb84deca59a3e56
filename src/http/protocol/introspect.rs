//! `/oauth2/introspect` (RFC 7662).

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{authorization, refuse, refuse_credentials_in};
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::reply::json;
use crate::oauth::client_auth::Presented;
use crate::oauth::error::OAuthError;
use crate::oauth::introspect::{self, Introspection};
use crate::oauth::params::Params;

/// An introspection request.
pub async fn post(
    State(doors): State<Doors>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    StrictForm(params): StrictForm,
) -> Response {
    let authorization = authorization(&headers);
    match answer(&doors, authorization, query.as_deref(), &params).await {
        Ok(introspection) => json::with_status(StatusCode::OK, &introspection),
        Err(error) => refuse(error, authorization.is_some()),
    }
}

async fn answer(
    doors: &Doors,
    authorization: Option<&str>,
    query: Option<&str>,
    params: &Params,
) -> Result<Introspection, OAuthError> {
    refuse_credentials_in(query)?;
    params.refuse_duplicates()?;
    let now = doors.app().clock.now();
    let caller = Presented::read(authorization, params)?.authenticate(doors.provider(), now).await?;
    introspect::introspect(&caller, params, doors.provider(), now).await
}
