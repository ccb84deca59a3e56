//! `/oauth2/token` (RFC 6749 §3.2), and cookie mode in it.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use zeroize::Zeroizing;

use super::{authorization, refuse, refuse_credentials_in};
use crate::domain::token::{Kind, OpaqueToken};
use crate::http::address::ClientAddress;
use crate::http::browser_guard::{self, Body, BrowserRequest, Guarded};
use crate::http::cors::{self, AllowedOrigin};
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::reply::json;
use crate::oauth::client_auth::{AuthenticatedClient, Presented};
use crate::oauth::error::OAuthError;
use crate::oauth::grants::{self, BrowserCookies, Caller, TokenRequest};
use crate::oauth::params::Params;
use crate::tokens::issuer::Issued;
use crate::tokens::refresh;

/// A token request.
pub async fn post(
    State(doors): State<Doors>,
    address: ClientAddress,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    StrictForm(params): StrictForm,
) -> Response {
    let authorization = authorization(&headers);
    let authenticated = match authenticate(&doors, authorization, query.as_deref(), &params).await {
        Ok(authenticated) => authenticated,
        Err(error) => return refuse(error, authorization.is_some()),
    };
    let client = authenticated.client.clone();
    let mut caller =
        Caller { authenticated, cookies: None, context: refresh::context(&address.network(), user_agent(&headers)) };
    if !client.settings.is_cookie_mode() {
        let reply = match exchange(&doors, &params, caller).await {
            Ok(issued) => json::with_status(StatusCode::OK, &issued.response),
            Err(error) => refuse(error, authorization.is_some()),
        };
        return cors::answer(reply, AllowedOrigin::of_client(&headers, &client));
    }
    // Before any cookie is read.
    let request = BrowserRequest { method: &method, headers: &headers, body: Body::Form(&params) };
    let guarded = match browser_guard::check(request, &client) {
        Ok(guarded) => guarded,
        Err(refusal) => return refusal.into_response(),
    };
    caller.cookies = Some(cookies(&doors, &guarded, &headers));
    let reply = match exchange(&doors, &params, caller).await {
        Ok(issued) => with_cookie(&doors, &guarded, issued),
        Err(error) => refuse(error, false),
    };
    cors::answer(reply, Some(AllowedOrigin::guarded(&guarded)))
}

async fn authenticate(
    doors: &Doors,
    authorization: Option<&str>,
    query: Option<&str>,
    params: &Params,
) -> Result<AuthenticatedClient, OAuthError> {
    refuse_credentials_in(query)?;
    params.refuse_duplicates()?;
    Presented::read(authorization, params)?.authenticate(doors.provider(), doors.app().clock.now()).await
}

async fn exchange(doors: &Doors, params: &Params, caller: Caller) -> Result<Issued, OAuthError> {
    let request = TokenRequest::parse(params, &caller)?;
    grants::exchange(request, caller, doors.provider(), doors.app().clock.now()).await
}

/// The cookies of a browser that passed the guards.
pub(super) fn cookies(doors: &Doors, guarded: &Guarded<'_>, headers: &HeaderMap) -> BrowserCookies {
    let read = doors.cookies().of_browser_app(guarded, headers);
    BrowserCookies {
        session: read.session.and_then(|value| OpaqueToken::parse(Kind::Session, value)),
        refresh: read.refresh.map(|value| Zeroizing::new(value.to_owned())),
    }
}

/// The answer of cookie mode: the refresh token stands in the cookie and nowhere else.
pub(super) fn with_cookie(doors: &Doors, guarded: &Guarded<'_>, issued: Issued) -> Response {
    let mut reply = json::with_status(StatusCode::OK, &issued.response);
    if let Some(cookie) = issued.cookie {
        let left = cookie.max_age.map(std::time::Duration::from_secs);
        let header =
            doors.cookies().refresh(&guarded.client().id, &cookie.value, left.is_some(), left.unwrap_or_default());
        reply.headers_mut().append(header::SET_COOKIE, header);
    }
    reply
}

pub(super) fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
