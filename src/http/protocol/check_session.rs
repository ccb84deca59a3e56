//! `GET /oauth2/check_session`: the frame that apps ask whether the person is still signed in (OpenID Connect Session Management 1.0 §3.2).
//! It shows nothing, so it is the one page that stands in pages of others.

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};

use crate::http::assets::asset;
use crate::http::doors::Doors;
use crate::http::layers::not_found;

const POLICY: &str = "default-src 'none'; script-src 'self'; frame-ancestors *; base-uri 'none'; form-action 'none'";

/// The frame; with session management off there is none.
pub async fn get(State(doors): State<Doors>) -> Response {
    if !doors.app().config().features.session_management {
        return not_found().await.into_response();
    }
    let (cookie, script) = (doors.cookies().session_state_name(), asset("check_session.js"));
    let page = format!(
        "<!doctype html><html lang=\"en\" data-cookie=\"{cookie}\"><title>Session</title><script src=\"{script}\"></script></html>\n"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "public, max-age=300"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, [("cross-origin-resource-policy", "cross-origin")], page).into_response()
}
