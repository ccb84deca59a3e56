//! Is the process alive, is it ready.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::reply::json;

/// `/healthz`: the process answers. Says nothing of the database, so that a supervisor does not restart what a restart
/// cannot mend.
pub async fn alive() -> Response {
    ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], "ok").into_response()
}

/// `/readyz`: 200, or 503 with the reasons why requests should go elsewhere. Reasons are fixed text without details.
#[must_use]
pub fn readiness(reasons: &[&'static str]) -> Response {
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json::with_status(status, &serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    #[tokio::test]
    async fn alive_is_ok_and_readiness_names_its_reasons() {
        let response = alive().await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "ok");
        assert_eq!(readiness(&[]).status(), StatusCode::OK);
        let response = readiness(&["the database does not answer"]);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            to_bytes(response.into_body(), 100).await.unwrap(),
            r#"{"ready":false,"reasons":["the database does not answer"]}"#
        );
    }
}
