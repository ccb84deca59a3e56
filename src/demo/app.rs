//! The browser app of the demo: three static files and one document that says where everything is.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::people::{CLIENT, SCOPE};

const PAGE: &str = include_str!("../../static/demo/index.html");
const SCRIPT: &str = include_str!("../../static/demo/app.js");
const STYLE: &str = include_str!("../../static/demo/style.css");

/// The app's site.
pub(super) fn router(issuer: &str, app: &str, api: &str) -> Router {
    let policy = HeaderValue::try_from(format!(
        "default-src 'none'; script-src 'self' {issuer}; style-src 'self'; connect-src 'self' {issuer} {api}; \
         img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ))
    .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let config = serde_json::json!({
        "issuer": issuer,
        "client_id": CLIENT,
        "api": api,
        "redirect_uri": format!("{app}/callback"),
        "scope": SCOPE,
    })
    .to_string();
    let page = move || async move { file("text/html; charset=utf-8", PAGE.to_owned(), Some(policy)) };
    Router::new()
        .route("/", get(page.clone()))
        .route("/callback", get(page))
        .route("/app.js", get(async || file("text/javascript; charset=utf-8", SCRIPT.to_owned(), None)))
        .route("/style.css", get(async || file("text/css; charset=utf-8", STYLE.to_owned(), None)))
        .route("/config.json", get(move || async move { file("application/json", config, None) }))
}

fn file(content_type: &'static str, body: String, policy: Option<HeaderValue>) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(policy) = policy {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
