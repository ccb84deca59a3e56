//! How an answer is written down for each proxy.

use axum::http::header::{CACHE_CONTROL, COOKIE, LOCATION, REFERRER_POLICY, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::http::reply::Remark;
use crate::http::reply::bearer::BearerRefusal;
use crate::oauth::error::OAuthError;
use crate::oauth::gateway::ask::{Answer, Passport};

/// How a proxy takes its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// 200, 401 and 403 and nothing else; where to sign in stands in a header.
    StatusOnly,
    /// What is not 200 goes to the browser as it is.
    Verbatim,
}

const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
const GROUPS: HeaderName = HeaderName::from_static("x-auth-groups");
const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const REDIRECT: HeaderName = HeaderName::from_static("x-auth-redirect");

/// Whether an app may take a header for one of ours that is none: to many, `X_Auth-Subject` and `X.Auth.Subject` are the same, and
/// proxies replace only what is written as we write it.
pub(super) fn is_alias(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.contains(['_', '.'])
        && [SUBJECT, EMAIL, GROUPS, TOKEN, REDIRECT].iter().any(|own| name.replace(['_', '.'], "-") == own.as_str())
}

/// The answer. `navigation`: a person is going somewhere, who can be led to the sign-in. `cookies`: what the app may see of the
/// request's cookies; the proxy puts it in their place.
pub(super) fn write(
    answer: Result<Answer, OAuthError>,
    speech: Speech,
    navigation: bool,
    cookies: Option<HeaderValue>,
) -> Response {
    let mut response = match answer {
        Ok(Answer::Pass(passport)) => {
            let mut response = pass(&passport);
            if let Some(cookies) = cookies {
                response.headers_mut().insert(COOKIE, cookies);
            }
            response
        }
        Ok(Answer::SignIn { start }) => sign_in(&start, speech, navigation),
        Ok(Answer::BadToken) => BearerRefusal::from(OAuthError::invalid_token()).into_response(),
        Ok(Answer::NoApp) => forbidden("no app of gateway.apps is at this host"),
        Ok(Answer::SwitchedOff) => forbidden("the app is registered as an API, which was switched off"),
        Err(error) => BearerRefusal::from(error).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Cookie, Authorization"));
    response
}

/// 403, with a reason for the log only.
pub(super) fn forbidden(hint: &'static str) -> Response {
    let mut response = StatusCode::FORBIDDEN.into_response();
    response.extensions_mut().insert(Remark { error: "access_denied", hint });
    response
}

fn pass(passport: &Passport) -> Response {
    let mut headers = HeaderMap::new();
    let groups = passport.groups.join(",");
    for (name, value) in [
        (SUBJECT, Some(passport.subject.as_str())),
        (EMAIL, passport.email.as_deref()),
        (GROUPS, Some(groups.as_str()).filter(|groups| !groups.is_empty())),
        (TOKEN, Some(passport.token.as_str())),
    ] {
        // What cannot stand in a header as it is, such as an address in other letters, is left out.
        let printable = value.filter(|value| value.bytes().all(|byte| byte.is_ascii_graphic()));
        if let Some(mut value) = printable.and_then(|value| HeaderValue::from_str(value).ok()) {
            value.set_sensitive(name == TOKEN);
            headers.insert(name, value);
        }
    }
    (StatusCode::OK, headers).into_response()
}

fn sign_in(start: &str, speech: Speech, navigation: bool) -> Response {
    let start = HeaderValue::from_str(start).ok().filter(|_| navigation);
    match (start, speech) {
        (Some(start), Speech::Verbatim) => {
            let headers = [(LOCATION, start), (REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
            (StatusCode::FOUND, headers).into_response()
        }
        (start, _) => {
            let mut response = BearerRefusal::NoToken.into_response();
            if let Some(start) = start {
                response.headers_mut().insert(REDIRECT, start);
            }
            response
        }
    }
}
