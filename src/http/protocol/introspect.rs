//! `/oauth2/introspect` (RFC 7662).

use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{caller, refuse, refuse_credentials_in};
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::layers::Visit;
use crate::http::reply::json;
use crate::oauth::error::OAuthError;
use crate::oauth::introspect::{self, Introspection, SIGNED};
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
        Ok(Answer::Json(introspection)) => json::with_status(StatusCode::OK, &introspection),
        Ok(Answer::Signed(token)) => {
            let kept = [
                (CONTENT_TYPE, HeaderValue::from_static(SIGNED)),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (StatusCode::OK, kept, token).into_response()
        }
        Err(error) => refuse(error, &headers),
    }
}

async fn answer(
    doors: &Doors,
    visit: &Visit,
    headers: &HeaderMap,
    query: Option<&str>,
    params: &Params,
) -> Result<Answer, OAuthError> {
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(visit, now);
    refuse_credentials_in(query)?;
    params.refuse_duplicates()?;
    let caller = caller(doors, permit, headers, params, now).await?;
    let introspection = introspect::introspect(&caller, params, doors.provider(), now).await?;
    if wants_signed(headers) {
        return Ok(Answer::Signed(introspection.sign(&caller, doors.provider(), now)?));
    }
    Ok(Answer::Json(introspection))
}

/// An answer, in the form that was asked for.
enum Answer {
    Json(Introspection),
    Signed(String),
}

/// Whether the caller names the signed form in `Accept` (RFC 9701 §4). A wildcard does not.
fn wants_signed(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    named.into_iter().any(|range| {
        let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
        let refused =
            parameters.split(';').any(|parameter| matches!(parameter.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        kind.trim().eq_ignore_ascii_case(SIGNED) && !refused
    })
}
