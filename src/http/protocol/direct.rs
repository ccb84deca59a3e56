//! `/auth/login`, `/auth/refresh`, `/auth/logout`: the first-party JSON flow. Off unless a client is registered for it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{browser_logout as logout, named, token};
use crate::accounts::browsers;
use crate::accounts::sign_in::SignIn;
use crate::domain::client::Client;
use crate::domain::id::BrowserId;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::http::address::ClientAddress;
use crate::http::browser_guard::{self, Body, BrowserRequest, Guarded};
use crate::http::cors::{self, AllowedOrigin};
use crate::http::doors::Doors;
use crate::http::extract::json as extract;
use crate::http::layers::Visit;
use crate::http::limits::Permit;
use crate::http::reply::json::{self, Refusal};
use crate::http::session_cookies;
use crate::oauth::browser_logout::{self, Extent};
use crate::oauth::client_auth::AuthenticatedClient;
use crate::oauth::direct_login::{self, DirectLogin};
use crate::oauth::error::OAuthError;
use crate::oauth::grants::{self, Caller, TokenRequest};
use crate::oauth::params::Params;
use crate::tokens::refresh::Context;

#[derive(Deserialize)]
struct Login {
    client_id: String,
    username: String,
    password: Secret,
    #[serde(default)]
    remember: bool,
}

#[derive(Deserialize)]
struct ClientOnly {
    client_id: String,
}

/// Name and password for an access token and two cookies.
pub async fn login(
    State(doors): State<Doors>,
    visit: Visit,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(login) = read::<Login>(&body) else { return malformed() };
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(&visit, now);
    let client = match find(&doors, &login.client_id, &permit, now).await {
        Ok(client) => client,
        Err(reply) => return *reply,
    };
    let guarded = match guard(&method, &headers, &body, &client) {
        Ok(guarded) => guarded,
        Err(reply) => return *reply,
    };
    let reply = match permit {
        Ok(_) => sign_in(&doors, &guarded, &client, login, visit.address, &headers, now).await,
        Err(error) => Err(error),
    };
    cors::answer(reply.unwrap_or_else(refuse), Some(AllowedOrigin::guarded(&guarded)))
}

#[expect(clippy::too_many_arguments, reason = "one call, cut off from its handler only so that errors can be returned")]
async fn sign_in(
    doors: &Doors,
    guarded: &Guarded<'_>,
    client: &Arc<Client>,
    login: Login,
    address: ClientAddress,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Response, OAuthError> {
    let app = doors.app();
    let (browser, new_browser) = browser(doors, guarded, headers, now).await?;
    let wish = SignIn {
        username: login.username,
        password: login.password,
        browser,
        address: address.ip(),
        device: token::user_agent(headers).to_owned(),
        keep: login.remember,
        direct: true,
        cookie: token::cookies(doors, guarded, headers).session,
        expected_user: None,
    };
    let caller = Caller {
        authenticated: AuthenticatedClient { client: client.clone(), bound: None },
        cookies: None,
        context: Context::new(address.network(), token::user_agent(headers)),
    };
    let outcome = direct_login::sign_in(wish, caller, &app.accounts, doors.provider(), now).await?;
    let mut reply = match outcome {
        DirectLogin::SignedIn { session, issued } => {
            let mut issued = *issued;
            issued.response = issued.response.without_id_token();
            let mut reply = token::with_cookie(doors, guarded, issued);
            for cookie in session_cookies::given(doors, &session.session, &session.cookie, now) {
                reply.headers_mut().append(header::SET_COOKIE, cookie);
            }
            reply
        }
        DirectLogin::WrongCredentials => told(StatusCode::UNAUTHORIZED, "invalid_credentials", None),
        DirectLogin::Throttled(seconds) => {
            told(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", Some(seconds))
        }
        DirectLogin::Busy => told(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", Some(1)),
    };
    if let Some(cookie) = new_browser {
        reply.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(reply)
}

/// A new access token for the cookies.
pub async fn refresh(
    State(doors): State<Doors>,
    visit: Visit,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(request) = read::<ClientOnly>(&body) else { return malformed() };
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(&visit, now);
    let client = match find(&doors, &request.client_id, &permit, now).await {
        Ok(client) => client,
        Err(reply) => return *reply,
    };
    let guarded = match guard(&method, &headers, &body, &client) {
        Ok(guarded) => guarded,
        Err(reply) => return *reply,
    };
    let permit = match permit {
        Ok(permit) => permit,
        Err(error) => return cors::answer(refuse(error), Some(AllowedOrigin::guarded(&guarded))),
    };
    let caller = Caller {
        authenticated: AuthenticatedClient { client: client.clone(), bound: None },
        cookies: Some(token::cookies(&doors, &guarded, &headers)),
        context: Context::new(visit.address.network(), token::user_agent(&headers)),
    };
    let params = Params::of(vec![("grant_type".to_owned(), "refresh_token".to_owned())]);
    let issued = match TokenRequest::parse(&params, &caller) {
        Ok(request) => grants::exchange(request, caller, doors.provider(), now).await,
        Err(error) => Err(error),
    };
    let reply = match issued {
        Ok(mut issued) => {
            doors.limits().give_back(permit, now);
            issued.response = issued.response.without_id_token();
            token::with_cookie(&doors, &guarded, issued)
        }
        Err(error) => refuse(error),
    };
    cors::answer(reply, Some(AllowedOrigin::guarded(&guarded)))
}

/// The end of the session with everything in it.
pub async fn sign_out(
    State(doors): State<Doors>,
    visit: Visit,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(request) = read::<ClientOnly>(&body) else { return malformed() };
    let now = doors.app().clock.now();
    let permit = doors.limits().enter(&visit, now);
    let client = match find(&doors, &request.client_id, &permit, now).await {
        Ok(client) => client,
        Err(reply) => return *reply,
    };
    let guarded = match guard(&method, &headers, &body, &client) {
        Ok(guarded) => guarded,
        Err(reply) => return *reply,
    };
    if let Err(error) = permit {
        return cors::answer(refuse(error), Some(AllowedOrigin::guarded(&guarded)));
    }
    let cookies = token::cookies(&doors, &guarded, &headers);
    let reply = match browser_logout::sign_out(&client, &cookies, Extent::Session, doors.provider(), now).await {
        Ok(cleared) => logout::clear(&doors, &cleared, StatusCode::NO_CONTENT.into_response()),
        Err(error) => refuse(error),
    };
    cors::answer(reply, Some(AllowedOrigin::guarded(&guarded)))
}

/// A client that is registered for this flow. All others get the same answer.
async fn find(
    doors: &Doors,
    id: &str,
    permit: &Result<Permit, OAuthError>,
    now: Timestamp,
) -> Result<Arc<Client>, Box<Response>> {
    match named(doors, Some(id), permit, now).await {
        Ok(Some(client)) if client.settings.direct_login => Ok(client),
        Ok(_) => Err(Box::new(refuse(OAuthError::invalid_client()))),
        Err(error) => Err(Box::new(refuse(error))),
    }
}

fn guard<'c>(
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
    client: &'c Client,
) -> Result<Guarded<'c>, Box<Response>> {
    let refresh_token = extract::object(body).is_none_or(|members| members.contains_key("refresh_token"));
    let request = BrowserRequest { method, headers, body: Body::Json { refresh_token } };
    browser_guard::check(request, client).map_err(|refusal| Box::new(refusal.into_response()))
}

/// The browser that asks; a new one is given a cookie.
async fn browser(
    doors: &Doors,
    guarded: &Guarded<'_>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(BrowserId, Option<HeaderValue>), OAuthError> {
    let store = &doors.app().store;
    if let Some(value) = doors.cookies().of_browser_app(guarded, headers).browser
        && let Some(browser) = browsers::recognise(&mut store.read().await?, value).await?
    {
        return Ok((browser.id, None));
    }
    let fresh = store.write(async move |tx| browsers::open(tx, now).await).await?;
    Ok((BrowserId::new(fresh.id()), Some(doors.cookies().browser(fresh.expose()))))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    extract::read(&extract::object(body)?)
}

/// A browser app proves nothing, so it is never challenged to.
fn refuse(error: OAuthError) -> Response {
    Refusal::from(error).into_response()
}

fn malformed() -> Response {
    refuse(OAuthError::invalid_request("the body is not the JSON object this address takes"))
}

fn told(status: StatusCode, error: &str, retry_after: Option<u64>) -> Response {
    let mut reply = json::with_status(status, &json!({ "error": error }));
    if let Some(seconds) = retry_after {
        reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}
