//! Every route of the house on one screen. What `protocol/documents.rs` says is fetched all the time goes by them for HEAD and
//! OPTIONS only.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};

use super::doors::Doors;
use super::entrance::Entrance;
use super::forward_auth::{ask, at_app};
use super::layers::{Front, not_found};
use super::people::{account, choose_account, consent, home, login, setup, sign_out};
use super::protocol::{
    authorize, browser_logout, check_session, direct, documents, end_session, introspect, preflight, revocation_stream,
    revoke, token, userinfo,
};
use super::{admin, assets, health, protocol};

/// The house, ready to be served.
pub fn entrance(doors: Doors) -> Entrance {
    let front = Front::new(doors.app().config(), doors.brand());
    Entrance::new(routes(doors.clone(), front.clone()), front, doors)
}

/// All of it by its routes, for who asks without a network.
pub fn router(doors: Doors) -> Router {
    let front = Front::new(doors.app().config(), doors.brand());
    routes(doors, front)
}

fn routes(doors: Doors, front: Front) -> Router {
    Router::new()
        // relying apps: metadata
        .route("/.well-known/openid-configuration", get(documents::discovery).options(preflight::public))
        .route("/.well-known/oauth-authorization-server", get(documents::discovery).options(preflight::public))
        .route("/.well-known/historical-keys.jwt", get(documents::historical_keys).options(preflight::public))
        .route("/.well-known/jwks.json", get(documents::jwks).options(preflight::public))
        // APIs: what was revoked
        .route("/status", get(protocol::status::lists).options(preflight::public))
        .route("/status/{list}", get(protocol::status::list).options(preflight::public))
        .route("/revocations/stream", get(revocation_stream::get))
        // relying apps: protocol
        .route("/oauth2/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth2/authorize/i/{txn}", get(authorize::resume))
        .route("/oauth2/token", post(token::post).options(preflight::token))
        .route("/oauth2/revoke", post(revoke::post).options(preflight::revoke))
        .route("/oauth2/introspect", post(introspect::post))
        .route("/oauth2/userinfo", get(userinfo::any).post(userinfo::any).options(preflight::userinfo))
        .route("/oauth2/check_session", get(check_session::get))
        .route("/oauth2/logout", get(end_session::get).post(end_session::post))
        .route("/oauth2/browser/logout", post(browser_logout::post).options(preflight::cookie_mode))
        // first-party JSON flow
        .route("/auth/login", post(direct::login).options(preflight::cookie_mode))
        .route("/auth/refresh", post(direct::refresh).options(preflight::cookie_mode))
        .route("/auth/logout", post(direct::sign_out).options(preflight::cookie_mode))
        // apps behind a proxy: the proxy asks; people come to sign in and out, on the apps' hosts
        .route("/forward-auth/nginx", any(ask::nginx))
        .route("/forward-auth/traefik", any(ask::traefik))
        .route("/forward-auth/envoy", any(ask::envoy))
        .route("/forward-auth/envoy/", any(ask::envoy))
        .route("/forward-auth/envoy/{*path}", any(ask::envoy))
        .route("/.frontdesk/start", get(at_app::start))
        .route("/.frontdesk/callback", get(at_app::callback))
        .route("/.frontdesk/logout", get(at_app::logout))
        // people
        .route("/", get(home::show))
        .route("/login", get(login::show).post(login::submit))
        .route("/login/again", get(login::show_again).post(login::submit_again))
        .route("/login/other", get(login::show_other).post(login::submit_other))
        .route("/login/choose", get(choose_account::show).post(choose_account::submit))
        .route("/consent", get(consent::show).post(consent::submit))
        .route("/logout", get(sign_out::show).post(sign_out::submit))
        .route("/setup/{token}", get(setup::show).post(setup::submit))
        .route("/account", get(account::overview))
        .route("/account/password", get(account::password).post(account::change_password))
        .route("/account/sessions", get(account::sessions::show))
        .route("/account/sessions/end", post(account::sessions::end))
        .route("/account/sessions/end-others", post(account::sessions::end_others))
        .route("/account/apps", get(account::apps::show))
        .route("/account/apps/{client}/withdraw", get(account::apps::confirm_withdraw))
        .route("/account/apps/withdraw", post(account::apps::withdraw))
        // the admin's room, by its own table
        .merge(admin::table::routes())
        // files and health
        .route("/static/brand.css", get(brand))
        .route("/static/logo", get(logo))
        .route("/static/{*path}", get(assets::serve).options(preflight::public))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(preflight::other_method)
        .fallback(not_found)
        .layer(front)
        .with_state(doors)
}

async fn brand(State(doors): State<Doors>) -> Response {
    assets::brand_stylesheet(&doors.brand())
}

async fn logo(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    doors.logo().map_or_else(|| StatusCode::NOT_FOUND.into_response(), |logo| logo.answer(&headers))
}

async fn ready(State(doors): State<Doors>) -> Response {
    health::readiness(&doors.app().unready())
}
