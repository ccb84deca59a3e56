//! `/oauth2/userinfo` (OIDC Core §5.3).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::bearer_of;
use crate::http::cors::{self, AllowedOrigin};
use crate::http::doors::Doors;
use crate::http::extract::content_type::{ContentType, is};
use crate::http::layers::Visit;
use crate::http::reply::bearer::BearerRefusal;
use crate::http::reply::json;
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::params::Params;
use crate::oauth::userinfo::{self, Told};

/// A request with the token in the header, or for POST in the form. Never in the query (RFC 6750 §2.3 is not offered).
pub async fn any(
    State(doors): State<Doors>,
    visit: Visit,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let snapshot = doors.provider().directory.snapshot();
    // Until the client is known, a refusal may be read by every app's page, so that it can learn why.
    let mut reader = AllowedOrigin::of_any_client(&headers, snapshot.as_ref());
    let reply = match told(&doors, &visit, token(&method, &headers, &body)).await {
        Ok(Some(told)) => {
            let client = snapshot.client(told.client.as_str());
            reader = client.and_then(|client| AllowedOrigin::of_client(&headers, client));
            json::with_status(StatusCode::OK, &told.claims)
        }
        Ok(None) => BearerRefusal::NoToken.into_response(),
        Err(error) => refuse(error),
    };
    cors::answer(reply, reader)
}

/// What the app is told; `None` if it brought no token.
async fn told(
    doors: &Doors,
    visit: &Visit,
    token: Result<Option<String>, OAuthError>,
) -> Result<Option<Told>, OAuthError> {
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(visit, now)?;
    let Some(token) = token? else { return Ok(None) };
    let told = userinfo::userinfo(&token, doors.provider(), now).await?;
    // Who holds a good token is known, and can be stopped.
    doors.limits().give_back(permit, now);
    Ok(Some(told))
}

fn refuse(error: OAuthError) -> Response {
    match error.code() {
        ErrorCode::InsufficientScope => BearerRefusal::InsufficientScope("openid").into_response(),
        _ => BearerRefusal::from(error).into_response(),
    }
}

fn token(method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Option<String>, OAuthError> {
    let header = bearer_of(headers)?;
    let posted = if method == Method::POST && is(headers, ContentType::Form) {
        let params = Params::parse(body);
        params.refuse_duplicates()?;
        params.get("access_token").map(str::to_owned)
    } else {
        None
    };
    match (header, posted) {
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("the token was sent in two places, use one")),
        (header, posted) => Ok(header.or(posted)),
    }
}
