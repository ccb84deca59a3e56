//! The protected API of the demo. It knows the issuer's address and its own name, like any customer's, and nothing else of us.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue, VARY,
};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use frontdesk_verifier::{BearerLayer, Principal, Verifier, require_scope};

use super::Failed;

/// The API's site.
pub(super) fn router(issuer: &str, app: &str, api: &str) -> Result<Router, Failed> {
    let verifier = Verifier::builder(issuer).audience(api).build()?;
    let app = HeaderValue::try_from(app)?;
    Ok(Router::new()
        .route("/notes", get(notes).layer(require_scope("notes:read")))
        .layer(BearerLayer::new(verifier))
        .layer(middleware::from_fn(move |request, next| readable_by(app.clone(), request, next))))
}

async fn notes(caller: Principal) -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "for": caller.subject(),
        "notes": ["Buy tea", "Feed the cat that fades", "Be on time"],
    }))
}

/// Lets the app's pages read the answers, and answers their preflights.
async fn readable_by(app: HeaderValue, request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, app);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("www-authenticate"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
    response
}
