//! `/oauth2/introspect` (RFC 7662).

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;

use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::reply::json;
use crate::oauth::client_auth::Presented;
use crate::oauth::error::OAuthError;
use crate::oauth::introspect::{self, Introspection};
use crate::oauth::params::Params;

/// An introspection request.
pub async fn post(State(doors): State<Doors>, headers: HeaderMap, StrictForm(params): StrictForm) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match answer(&doors, authorization, &params).await {
        Ok(introspection) => json::no_store(&introspection),
        Err(error) => json::refuse(&error, authorization.is_some()),
    }
}

async fn answer(doors: &Doors, authorization: Option<&str>, params: &Params) -> Result<Introspection, OAuthError> {
    params.refuse_duplicates()?;
    let now = doors.app().clock.now();
    let caller = Presented::read(authorization, params)?.authenticate(doors.provider(), now).await?;
    introspect::introspect(&caller, params, doors.provider(), now).await
}
