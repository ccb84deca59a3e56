//! `/oauth2/userinfo` (OIDC Core §5.3).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;

use crate::http::cors;
use crate::http::doors::Doors;
use crate::http::extract::form;
use crate::http::reply::{bearer, json};
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::userinfo;

/// A request with the token in the header, or for POST in the form. Never in the query (RFC 6750 §2.3 is not offered).
pub async fn any(State(doors): State<Doors>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let reply = match token(&method, &headers, &body) {
        Ok(Some(token)) => {
            let now = doors.app().clock.now();
            match userinfo::userinfo(&token, doors.provider(), now).await {
                Ok(claims) => json::no_store(&claims),
                Err(error) => bearer::refuse(&error),
            }
        }
        Ok(None) => bearer::challenge(),
        Err(error) => bearer::refuse(&error),
    };
    // The token is the only authority here, no cookie is read: any origin that has a token may ask.
    cors::any_origin(reply)
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
    let posted = if method == Method::POST && form::is_form(headers) {
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
