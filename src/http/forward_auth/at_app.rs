//! `/.frontdesk/…` on the hosts of the apps: the proxy leads these paths here.

use axum::extract::{FromRequestParts, RawQuery};
use axum::http::header::{ACCEPT_LANGUAGE, HeaderName, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::config::GatewayApp;
use crate::domain::time::Timestamp;
use crate::http::doors::Doors;
use crate::http::language::Language;
use crate::http::layers::Visit;
use crate::http::pages::at_app::NotSignedInView;
use crate::http::reply::Remark;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::oauth::error::OAuthError;
use crate::oauth::gateway::sign_in::{self, Arrived, Returning, Shown};
use crate::oauth::gateway::{app_at, origin_of, sign_out};
use crate::oauth::params::Params;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// Somebody at an app's host.
#[derive(Debug)]
pub struct Guest {
    doors: Doors,
    app: GatewayApp,
    visit: Visit,
    headers: HeaderMap,
    now: Timestamp,
}

/// 404 at every other host.
impl FromRequestParts<Doors> for Guest {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, StatusCode> {
        let visit = Visit::from_request_parts(parts, doors).await?;
        let host = doors.app_hosts().asked(&parts.uri, &parts.headers, visit.by_proxy);
        let app = host.and_then(|host| app_at(&host, doors.provider()).cloned()).ok_or(StatusCode::NOT_FOUND)?;
        let now = doors.app().clock.now();
        Ok(Self { doors: doors.clone(), app, visit, headers: parts.headers.clone(), now })
    }
}

/// Begins a sign-in.
pub async fn start(guest: Guest, RawQuery(query): RawQuery) -> Response {
    let params = params_of(query.as_deref());
    match guest.begin(&params).await {
        Ok(response) => response,
        Err(error) => guest.refuse(&error, None),
    }
}

/// Ends a sign-in with the answer of the authorization endpoint.
pub async fn callback(guest: Guest, RawQuery(query): RawQuery) -> Response {
    let params = params_of(query.as_deref());
    match guest.arrive(&params).await {
        Ok(response) => response,
        Err(error) => guest.refuse(&error, None),
    }
}

/// Ends the visit, and goes on to the sign-out of the house.
pub async fn logout(guest: Guest) -> Response {
    if !is_a_person_going(&guest.headers) {
        let mut response = StatusCode::BAD_REQUEST.into_response();
        let hint = "people sign out by going there, not a page by loading it";
        response.extensions_mut().insert(Remark { error: "invalid_request", hint });
        return response;
    }
    let cookies = guest.doors.cookies();
    let cookie = cookies.of_app_host(&guest.headers).session;
    // A link or a picture on a foreign page signs nobody out; there the house asks first.
    let own = guest.headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "same-origin" || site == "none");
    let signed_out = match guest.doors.limits().enter(&guest.visit, guest.now) {
        Ok(_) => sign_out::sign_out(&guest.app, cookie, own, guest.doors.provider(), guest.now).await,
        Err(error) => Err(error),
    };
    match signed_out {
        Ok(location) if own => SeeOther::to_client(location).with_cookie(cookies.clear_app()).into_response(),
        Ok(location) => SeeOther::to_client(location).into_response(),
        Err(error) => guest.refuse(&error, None),
    }
}

impl Guest {
    async fn begin(&self, params: &Params) -> Result<Response, OAuthError> {
        let cookies = self.doors.cookies();
        let _permit = self.doors.limits().enter(&self.visit, self.now)?;
        let (to, shown) = (params.get("to"), self.shown());
        let begun = sign_in::start(&self.app, to, shown, self.doors.provider(), self.now).await?;
        let cookie = cookies.app_state(begun.cookie.expose(), begun.lifetime);
        let response = SeeOther::to_client(begun.location).with_cookie(cookie);
        let response = if begun.stale { response.with_cookie(cookies.clear_app()) } else { response };
        Ok(response.into_response())
    }

    fn shown(&self) -> Shown<'_> {
        let sent = self.doors.cookies().of_app_host(&self.headers);
        Shown { state: sent.state, session: sent.session }
    }

    async fn arrive(&self, params: &Params) -> Result<Response, OAuthError> {
        let cookies = self.doors.cookies();
        let permit = self.doors.limits().enter(&self.visit, self.now)?;
        let returning = Returning {
            params,
            shown: self.shown(),
            address: self.visit.address.ip(),
            device: self.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default(),
        };
        Ok(match sign_in::arrive(returning, &self.app, self.doors.provider(), self.now).await? {
            Arrived::SignedIn { cookie, lifetime, location } => {
                self.doors.limits().give_back(permit, self.now);
                let cookie = cookies.app(cookie.expose(), lifetime);
                SeeOther::to_client(location).with_cookie(cookie).into_response()
            }
            Arrived::Already { location } => SeeOther::to_client(location).into_response(),
            Arrived::Refused { error, location } => self.refuse(&error, Some(location)),
        })
    }

    /// A page that says that nobody was signed in, and where it begins anew.
    fn refuse(&self, error: &OAuthError, again: Option<String>) -> Response {
        if let Some(cause) = error.cause() {
            tracing::error!(%cause, code = error.code().as_str(), "a sign-in at an app's host could not be answered");
        }
        let wanted = self.headers.get(ACCEPT_LANGUAGE).and_then(|languages| languages.to_str().ok());
        let view = NotSignedInView {
            t: Language::negotiate(None, wanted),
            code: error.code().as_str(),
            request_id: self.visit.id.to_string(),
            again: again.unwrap_or_else(|| format!("{}/", origin_of(&self.app, self.doors.provider()))),
        };
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let remark = Remark { error: error.code().as_str(), hint: error.hint() };
        let page = PageReply::new(&view).with_status(status).with_remark(remark);
        match error.retry_after() {
            Some(seconds) => page.with_retry_after(seconds).into_response(),
            None => page.into_response(),
        }
    }
}

/// Not a picture that somebody put into a page of the app's, nor what a browser fetches before anybody wants it (Fetch Metadata).
fn is_a_person_going(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_DEST).is_none_or(|dest| dest == "document") && !headers.contains_key(SEC_PURPOSE)
}

fn params_of(query: Option<&str>) -> Params {
    Params::parse(query.unwrap_or_default().as_bytes())
}
