//! `/oauth2/browser/logout`: sign-out of a browser app in cookie mode.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{named, token};
use crate::http::browser_guard::{self, Body, BrowserRequest};
use crate::http::cors::{self, AllowedOrigin};
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::layers::Visit;
use crate::http::reply::json::Refusal;
use crate::http::session_cookies;
use crate::oauth::browser_logout::{self, Cleared, Extent};
use crate::oauth::error::OAuthError;

/// A sign-out request.
pub async fn post(
    State(doors): State<Doors>,
    visit: Visit,
    method: Method,
    headers: HeaderMap,
    StrictForm(params): StrictForm,
) -> Response {
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(&visit, now);
    if let Err(error) = params.refuse_duplicates() {
        return refuse(error);
    }
    let client = match named(&doors, params.get("client_id"), &permit, now).await {
        Ok(Some(client)) => client,
        Ok(None) => return refuse(OAuthError::invalid_client()),
        Err(error) => return refuse(error),
    };
    let request = BrowserRequest { method: &method, headers: &headers, body: Body::Form(&params) };
    let guarded = match browser_guard::check(request, &client) {
        Ok(guarded) => guarded,
        Err(refusal) => return refusal.into_response(),
    };
    if let Err(error) = permit {
        return cors::answer(refuse(error), Some(AllowedOrigin::guarded(&guarded)));
    }
    let extent = match params.get("scope") {
        Some("session") => Extent::Session,
        _ => Extent::App,
    };
    let cookies = token::cookies(&doors, &guarded, &headers);
    let reply = match browser_logout::sign_out(&client, &cookies, extent, doors.provider(), now).await {
        Ok(cleared) => clear(&doors, &cleared, StatusCode::NO_CONTENT.into_response()),
        Err(error) => refuse(error),
    };
    cors::answer(reply, Some(AllowedOrigin::guarded(&guarded)))
}

fn refuse(error: OAuthError) -> Response {
    Refusal::from(error).into_response()
}

/// Takes away the cookies of what ended.
pub(super) fn clear(doors: &Doors, cleared: &Cleared, mut reply: Response) -> Response {
    let headers = reply.headers_mut();
    for client in &cleared.refresh_of {
        headers.append(header::SET_COOKIE, doors.cookies().clear_refresh(client));
    }
    if cleared.session {
        for cookie in session_cookies::taken(doors) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
