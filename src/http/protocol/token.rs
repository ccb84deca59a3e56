//! `/oauth2/token` (RFC 6749 §3.2), and cookie mode in it.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use zeroize::Zeroizing;

use super::{admit, authorization, named, refuse, refuse_credentials_in};
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::http::browser_guard::{self, Body, BrowserRequest, Guarded};
use crate::http::cors::{self, AllowedOrigin};
use crate::http::doors::Doors;
use crate::http::extract::form::StrictForm;
use crate::http::layers::Visit;
use crate::http::limits::Permit;
use crate::http::reply::json;
use crate::oauth::client_auth::Presented;
use crate::oauth::error::OAuthError;
use crate::oauth::grants::{self, BrowserCookies, Caller, TokenRequest};
use crate::oauth::params::Params;
use crate::tokens::issuer::Issued;
use crate::tokens::refresh::Context;

/// A token request.
pub async fn post(
    State(doors): State<Doors>,
    visit: Visit,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    StrictForm(params): StrictForm,
) -> Response {
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(&visit, now);
    let refuse = |error| refuse(error, &headers);
    if let Err(error) = refuse_credentials_in(query.as_deref()).and_then(|()| params.refuse_duplicates()) {
        return refuse(error);
    }
    let presented = authorization(&headers).and_then(|header| Presented::read(header, &params));
    let id = params.get("client_id").or(presented.as_ref().ok().map(Presented::client_id));
    let client = match named(&doors, id, &permit, now).await {
        Ok(client) => client,
        Err(error) => return refuse(error),
    };
    let context = Context::new(visit.address.network(), user_agent(&headers));
    if let Some(client) = client.as_ref().filter(|client| client.settings.is_cookie_mode()) {
        // Before any cookie is read, and before any other refusal: the app's developer would not learn which guard it was.
        let request = BrowserRequest { method: &method, headers: &headers, body: Body::Form(&params) };
        let guarded = match browser_guard::check(request, client) {
            Ok(guarded) => guarded,
            Err(refusal) => return refusal.into_response(),
        };
        let reply = match admit(&doors, presented, Some(client.clone()), permit, now).await {
            Ok((authenticated, permit)) => {
                let caller = Caller { authenticated, cookies: Some(cookies(&doors, &guarded, &headers)), context };
                match exchange(&doors, &params, caller, permit, now).await {
                    Ok(issued) => with_cookie(&doors, &guarded, issued),
                    Err(error) => refuse(error),
                }
            }
            Err(error) => refuse(error),
        };
        return cors::answer(reply, Some(AllowedOrigin::guarded(&guarded)));
    }
    let readable_by = client.as_ref().and_then(|client| AllowedOrigin::of_client(&headers, client));
    let reply = match admit(&doors, presented, client, permit, now).await {
        Ok((authenticated, permit)) => {
            let caller = Caller { authenticated, cookies: None, context };
            match exchange(&doors, &params, caller, permit, now).await {
                Ok(issued) => json::with_status(StatusCode::OK, &issued.response),
                Err(error) => refuse(error),
            }
        }
        Err(error) => refuse(error),
    };
    cors::answer(reply, readable_by)
}

async fn exchange(
    doors: &Doors,
    params: &Params,
    caller: Caller,
    permit: Option<Permit>,
    now: Timestamp,
) -> Result<Issued, OAuthError> {
    let request = TokenRequest::parse(params, &caller)?;
    let issued = grants::exchange(request, caller, doors.provider(), now).await?;
    // A public client proves nothing, but what it brought was good.
    if let Some(permit) = permit {
        doors.limits().give_back(permit, now);
    }
    Ok(issued)
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
