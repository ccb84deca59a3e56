//! The status lists (draft-ietf-oauth-status-list §8): ready bytes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::documents::Asked;
use crate::domain::status;
use crate::http::doors::Doors;
use crate::http::prepared::Prepared;
use crate::http::reply::Remark;
use crate::http::reply::json::Refusal;
use crate::oauth::error::OAuthError;
use crate::tokens::status_list::CONTENT_TYPE;
use crate::tokens::status_lists::Published;

/// For how long caches on the way may keep a list. Most of the time from a revocation to the last API is spent here.
const MAX_AGE: &str = "public, max-age=5";
/// For how long they may keep the list of lists.
const LISTS_MAX_AGE: u64 = 60;

/// A list, for who asks by its route.
pub async fn list(State(doors): State<Doors>, uri: Uri, headers: HeaderMap) -> Response {
    let app = doors.app();
    if let Some(list) = status::list_at(uri.path()).filter(|list| app.status_lists.list(*list).is_none()) {
        let looked = app.status_lists.find(app.status_sources(), list, app.clock.now()).await;
        if let Err(error) = looked {
            let mut response = Refusal::from(OAuthError::from(error)).into_response();
            readable(&mut response);
            return response;
        }
    }
    answer(&doors, uri.path(), uri.query(), &headers)
}

/// A list, at once.
pub fn at_once(doors: &Doors, asked: &Asked<'_>) -> Response {
    answer(doors, asked.path, asked.query, asked.headers)
}

fn answer(doors: &Doors, path: &str, query: Option<&str>, headers: &HeaderMap) -> Response {
    // Section 8.4: a list of another time, which we do not keep.
    if query.is_some_and(|query| url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "time")) {
        return refuse(StatusCode::NOT_IMPLEMENTED, "not_implemented", "lists of the past are not kept");
    }
    let found = status::list_at(path).and_then(|list| doors.status_list(list));
    let Some(ready) = found else {
        return refuse(StatusCode::NOT_FOUND, "not_found", "there is no such list, or nobody needs it any more");
    };
    if !ready.list.is_good(doors.app().clock.now()) {
        let error = OAuthError::unavailable("the status list could not be brought up to date for too long");
        let mut response = Refusal::from(error).into_response();
        readable(&mut response);
        return response;
    }
    ready.document.answer(headers)
}

/// The aggregation: where all lists are (section 9).
pub async fn lists(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    let issuer = doors.provider().issuer_id();
    let uris: Vec<String> =
        doors.app().status_lists.numbers().into_iter().map(|list| status::list_uri(issuer, list)).collect();
    Prepared::json(json!({ "status_lists": uris }).to_string().into_bytes(), LISTS_MAX_AGE).answer(&headers)
}

fn refuse(status: StatusCode, error: &'static str, hint: &'static str) -> Response {
    let mut response = crate::http::reply::json::error_body(status, error, hint);
    response.extensions_mut().insert(Remark { error, hint });
    readable(&mut response);
    response
}

/// Pages of every origin may read why not.
fn readable(response: &mut Response) {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// A list with its headers.
#[derive(Debug, Clone)]
pub struct ReadyList {
    /// The list.
    pub list: Arc<Published>,
    /// The answer.
    pub document: Prepared,
}

impl ReadyList {
    /// Prepares it.
    #[must_use]
    pub fn of(list: Arc<Published>) -> Self {
        let document = Prepared::new(list.token.bytes.to_vec(), CONTENT_TYPE, HeaderValue::from_static(MAX_AGE));
        Self { list, document }
    }
}
