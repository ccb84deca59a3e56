//! Who calls the API. Every endpoint takes [`Looks`] or [`Changes`]; there is no other way in.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;

use crate::domain::time::Timestamp;
use crate::http::doors::Doors;
use crate::http::layers::Visit;
use crate::http::protocol::bearer_of;
use crate::http::reply::Remark;
use crate::http::reply::bearer::BearerRefusal;
use crate::http::reply::json::{self, Refusal};
use crate::oauth::admin::authority::{self, Caller, Denied, Lack, Wish};
use crate::oauth::admin::{self, FRESH, RefusedTry};
use crate::oauth::audience::ADMIN_SCOPE;
use crate::oauth::error::OAuthError;

/// Who may look.
#[derive(Debug)]
pub(in crate::http::admin) struct Looks {
    pub(super) doors: Doors,
    pub(super) now: Timestamp,
}

/// Who may change something.
#[derive(Debug)]
pub(in crate::http::admin) struct Changes {
    pub(super) doors: Doors,
    pub(super) now: Timestamp,
    pub(super) caller: Caller,
}

/// The query, read only once the caller is known.
#[derive(Debug)]
pub(in crate::http::admin) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Doors> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Doors) -> Result<Self, Response> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(asked)| Self(asked)).map_err(|_| {
            Refusal::from(OAuthError::invalid_request("a parameter of the query cannot be read")).into_response()
        })
    }
}

impl FromRequestParts<Doors> for Looks {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Response> {
        let now = doors.app().clock.now();
        enter(parts, doors, Wish::Look, now).await.map(|_| Self { doors: doors.clone(), now })
    }
}

impl FromRequestParts<Doors> for Changes {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Response> {
        let now = doors.app().clock.now();
        let caller = enter(parts, doors, Wish::Change, now).await?;
        Ok(Self { doors: doors.clone(), now, caller })
    }
}

async fn enter(parts: &Parts, doors: &Doors, wish: Wish, now: Timestamp) -> Result<Caller, Response> {
    let Some(visit) = parts.extensions.get::<Visit>() else {
        return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    };
    let refuse = |error: OAuthError| BearerRefusal::from(error).into_response();
    let permit = doors.limits().enter(visit, now).map_err(refuse)?;
    let token = bearer_of(&parts.headers).map_err(refuse)?.ok_or_else(|| BearerRefusal::NoToken.into_response())?;
    match authority::enter(&token, wish, doors.provider(), now).await {
        Ok(caller) => {
            doors.limits().give_back(permit, now);
            Ok(caller)
        }
        Err(Denied::NoToken) => Err(refuse(OAuthError::invalid_token())),
        Err(Denied::Fault(error)) => Err(refuse(error)),
        Err(Denied::NotAllowed(Caller(actor), lack)) => {
            // A row for ever: the permit that this took is not given back.
            if wish == Wish::Change {
                let refused = RefusedTry { actor: &actor, address: parts.uri.path(), guard: lack.as_str() };
                let recorded = admin::record_refused(&doors.app().store, refused, now).await;
                recorded.map_err(|error| refuse(error.into()))?;
            }
            Err(lacking(lack))
        }
    }
}

/// The answer to a caller who is known and lacks something (RFC 6750 §3.1, RFC 9470 §3).
fn lacking(lack: Lack) -> Response {
    let (status, error, hint) = match lack {
        Lack::Audience => (401, "invalid_token", "the access token is not for this service alone"),
        Lack::Scope => (403, "insufficient_scope", "the access token lacks the scope frontdesk:admin"),
        Lack::Flag => (403, "insufficient_scope", "the client may not use the admin API"),
        Lack::Role => (403, "insufficient_scope", "the person is no admin"),
        Lack::FreshSignIn => {
            (401, "insufficient_user_authentication", "the person signed in more than ten minutes ago")
        }
        Lack::FreshToken => (401, "invalid_token", "the access token is more than ten minutes old, get another one"),
    };
    let more = match lack {
        Lack::Scope => format!(", scope=\"{ADMIN_SCOPE}\""),
        Lack::FreshSignIn => format!(", max_age=\"{}\"", FRESH.as_secs()),
        _ => String::new(),
    };
    let challenge = format!("Bearer realm=\"oauth2\", error=\"{error}\", error_description=\"{hint}\"{more}");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = json::error_body(status, error, hint);
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response.extensions_mut().insert(Remark { error, hint });
    response
}
