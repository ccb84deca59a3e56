//! Refusals of endpoints that take an access token (RFC 6750 §3).

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

use crate::oauth::error::{ErrorCode, OAuthError};

use super::json::Refusal;

/// Why an endpoint with an access token refuses.
#[derive(Debug)]
pub enum BearerRefusal {
    /// No access token was sent: 401 without an error code (RFC 6750 §3.1).
    NoToken,
    /// The token, or the request, is not good.
    Error(OAuthError),
    /// The token lacks this scope.
    InsufficientScope(&'static str),
}

impl From<OAuthError> for BearerRefusal {
    fn from(error: OAuthError) -> Self {
        Self::Error(error)
    }
}

impl IntoResponse for BearerRefusal {
    fn into_response(self) -> Response {
        let (error, scope) = match self {
            Self::NoToken => {
                let mut response =
                    Refusal::from(OAuthError::new(ErrorCode::InvalidToken, "no access token was sent")).into_response();
                // Without credentials there is nothing to say about them, in the header or in the body.
                *response.body_mut() = axum::body::Body::empty();
                response.headers_mut().remove(axum::http::header::CONTENT_TYPE);
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"oauth2\""));
                return response;
            }
            Self::Error(error) => (error, None),
            Self::InsufficientScope(scope) => {
                (OAuthError::new(ErrorCode::InsufficientScope, "the access token lacks a scope"), Some(scope))
            }
        };
        let challenge = challenge(&error, scope);
        let mut response = Refusal::from(error).into_response();
        if let Some(challenge) = challenge.filter(|_| is_about_the_token(response.status())) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Another token would not help against a fault of ours, or against coming too soon.
fn is_about_the_token(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS
}

fn challenge(error: &OAuthError, scope: Option<&str>) -> Option<HeaderValue> {
    // A challenge has at least one parameter (RFC 6750 §3). Hints are in the character set of RFC 6749 §5.2, so they need no
    // escape in a quoted string.
    let scope = scope.map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
    let (code, hint) = (error.code().as_str(), error.hint());
    HeaderValue::try_from(format!("Bearer realm=\"oauth2\", error=\"{code}\", error_description=\"{hint}\"{scope}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rate_limit::TooSoon;

    #[test]
    fn each_refusal_has_its_challenge() {
        for (refusal, status, challenge) in [
            (BearerRefusal::NoToken, 401, Some("Bearer realm=\"oauth2\"")),
            (
                OAuthError::invalid_token().into(),
                401,
                Some(
                    "Bearer realm=\"oauth2\", error=\"invalid_token\", error_description=\"the access token is not valid\"",
                ),
            ),
            (
                OAuthError::invalid_request("two access tokens were sent").into(),
                400,
                Some(
                    "Bearer realm=\"oauth2\", error=\"invalid_request\", error_description=\"two access tokens were sent\"",
                ),
            ),
            (
                BearerRefusal::InsufficientScope("openid"),
                403,
                Some(
                    "Bearer realm=\"oauth2\", error=\"insufficient_scope\", error_description=\"the access token lacks a scope\", scope=\"openid\"",
                ),
            ),
            (OAuthError::unavailable("x").into(), 503, None),
            (OAuthError::too_many_requests("x", TooSoon { retry_after: 1 }).into(), 429, None),
        ] {
            let response = refusal.into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap()), challenge);
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
}
