// main.rs
use axum::http::{HeaderValue, header};
use axum::{Json, Router, routing::get};
use frontdesk_verifier::{BearerLayer, Principal, Verifier, require_scope};
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;

async fn notes(caller: Principal) -> Json<Value> {
    Json(json!({ "for": caller.subject(), "notes": ["Buy tea"] }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let verifier = Verifier::builder("http://localhost:8080").audience("http://localhost:4000").build()?;
    let app = Router::new()
        .route("/notes", get(notes).layer(require_scope("notes:read")))
        .layer(BearerLayer::new(verifier))
        // Only for callers that are browser apps. Outermost, so that refusals can be read too and preflights need no token.
        .layer(
            CorsLayer::new()
                .allow_origin(HeaderValue::from_static("http://localhost:5173"))
                .allow_headers([header::AUTHORIZATION])
                .expose_headers([header::WWW_AUTHENTICATE]),
        );
    let listener = tokio::net::TcpListener::bind("localhost:4000").await?;
    Ok(axum::serve(listener, app).await?)
}
