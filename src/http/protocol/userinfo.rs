//! `/oauth2/userinfo` (OIDC Core §5.3).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::http::cors::{self, AllowedOrigin};
use crate::http::doors::Doors;
use crate::http::extract::content_type::{ContentType, is};
use crate::http::reply::bearer::BearerRefusal;
use crate::http::reply::json;
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::params::Params;
use crate::oauth::userinfo;

/// A request with the token in the header, or for POST in the form. Never in the query (RFC 6750 §2.3 is not offered).
pub async fn any(State(doors): State<Doors>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let snapshot = doors.provider().directory.snapshot();
    // Until the client is known, a refusal may be read by every app's page, so that it can learn why.
    let mut reader = AllowedOrigin::of_any_client(&headers, snapshot.as_ref());
    let reply = match token(&method, &headers, &body) {
        Ok(Some(token)) => {
            let now = doors.app().clock.now();
            match userinfo::userinfo(&token, doors.provider(), now).await {
                Ok(told) => {
                    let client = snapshot.client(told.client.as_str());
                    reader = client.and_then(|client| AllowedOrigin::of_client(&headers, client));
                    json::with_status(StatusCode::OK, &told.claims)
                }
                Err(error) => refuse(error),
            }
        }
        Ok(None) => BearerRefusal::NoToken.into_response(),
        Err(error) => refuse(error),
    };
    cors::answer(reply, reader)
}

fn refuse(error: OAuthError) -> Response {
    match error.code() {
        ErrorCode::InsufficientScope => BearerRefusal::InsufficientScope("openid").into_response(),
        _ => BearerRefusal::from(error).into_response(),
    }
}

fn token(method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Option<String>, OAuthError> {
    let header = match headers.get(header::AUTHORIZATION) {
        None => None,
        Some(value) => Some(
            value
                .to_str()
                .ok()
                .and_then(|text| text.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim().to_owned())
                .ok_or_else(|| OAuthError::invalid_request("the Authorization header is not Bearer and a token"))?,
        ),
    };
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
