//! JSON answers that nobody may keep (RFC 6749 §5.1), and refusals (RFC 6749 §5.2).

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::oauth::error::{ErrorCode, OAuthError};

use super::Remark;

/// A JSON answer with status 200, `no-store`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        with_status(StatusCode::OK, &self.0)
    }
}

/// A JSON answer with a status, `no-store`.
#[must_use]
pub fn with_status<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => no_store(status, body),
        Err(error) => Refusal::from(OAuthError::fault(error)).into_response(),
    }
}

/// A refusal as JSON.
#[derive(Debug)]
pub struct Refusal {
    error: OAuthError,
    status: StatusCode,
    basic: bool,
}

impl Refusal {
    /// Whether the client used the `Authorization` header: then a failed authentication names the scheme (RFC 6749 §5.2).
    #[must_use]
    pub fn with_basic(mut self, used: bool) -> Self {
        self.basic = used;
        self
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { error, status, basic: false }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        log_cause(&self.error);
        let mut response = error_body(self.status, self.error.code().as_str(), self.error.hint());
        let headers = response.headers_mut();
        if self.basic && self.error.code() == ErrorCode::InvalidClient {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"oauth2\""));
        }
        retry_after(headers, &self.error);
        response.extensions_mut().insert(Remark { error: self.error.code().as_str(), hint: self.error.hint() });
        response
    }
}

/// The error object of RFC 6749 §5.2.
#[must_use]
pub(in crate::http) fn error_body(status: StatusCode, error: &'static str, hint: &'static str) -> Response {
    #[derive(Serialize)]
    struct ErrorBody {
        error: &'static str,
        error_description: &'static str,
    }
    // Two strings always serialize; an empty body would still carry the status.
    no_store(status, serde_json::to_vec(&ErrorBody { error, error_description: hint }).unwrap_or_default())
}

/// Tells the cause of a fault, once, where it leaves the house.
pub(super) fn log_cause(error: &OAuthError) {
    let Some(cause) = error.cause() else { return };
    if error.code() == ErrorCode::TemporarilyUnavailable {
        tracing::warn!(%cause, "the server cannot answer now");
    } else {
        tracing::error!(%cause, "the server failed");
    }
}

pub(super) fn retry_after(headers: &mut HeaderMap, error: &OAuthError) {
    if let Some(seconds) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn no_store(status: StatusCode, body: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rate_limit::TooSoon;
    use axum::body::to_bytes;

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 16).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_kept_by_nobody() {
        let response = Json(serde_json::json!({"a": 1})).into_response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["pragma"], "no-cache");
        assert_eq!(text(response).await, r#"{"a":1}"#);
    }

    #[tokio::test]
    async fn basic_is_challenged_only_where_it_was_used() {
        for (error, basic, status, challenge) in [
            (OAuthError::invalid_client(), true, 401, true),
            (OAuthError::invalid_client(), false, 401, false),
            (OAuthError::invalid_grant("the code has expired"), true, 400, false),
        ] {
            let response = Refusal::from(error).with_basic(basic).into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), challenge);
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
        let response = Refusal::from(OAuthError::invalid_grant("the code has expired")).into_response();
        assert_eq!(response.extensions().get(), Some(&Remark { error: "invalid_grant", hint: "the code has expired" }));
        assert_eq!(text(response).await, r#"{"error":"invalid_grant","error_description":"the code has expired"}"#);
    }

    #[tokio::test]
    async fn a_fault_says_when_to_come_back_and_nothing_of_its_cause() {
        let response = Refusal::from(OAuthError::unavailable("disk secret")).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        assert!(!text(response).await.contains("secret"));
        let too_soon = OAuthError::too_many_requests("too many requests", TooSoon { retry_after: 7 });
        let response = Refusal::from(too_soon).into_response();
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &HeaderValue::from(7)));
        assert_eq!(
            text(response).await,
            r#"{"error":"temporarily_unavailable","error_description":"too many requests"}"#
        );
        let response = Refusal::from(OAuthError::fault("x")).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
