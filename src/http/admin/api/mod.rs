//! `/admin/api`: the admin's room for programs, with a bearer token. No cookie is looked at, and no other origin may call it.

pub(super) mod apps;
pub(super) mod audit;
pub(super) mod deeds;
pub(super) mod keys;
pub(super) mod people;
pub(super) mod sessions;

mod document;
mod guard;

pub(super) use document::document;
pub(super) use guard::Changes;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::audit::plain;
use crate::domain::time::Timestamp;
use crate::http::reply::json::{self, Refusal};
use crate::oauth::error::OAuthError;

/// How many rows come at once, unless it is said, and at most.
const USUAL: u32 = 50;
const MOST: u32 = 200;

/// A page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::admin) struct PageQuery {
    /// How many rows to send, 200 at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// Where to go on: the `next` of the page before.
    #[serde(default)]
    after: String,
}

impl PageQuery {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }

    fn after(&self) -> String {
        plain(&self.after)
    }
}

/// A refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refused {
    /// A word for programs.
    error: &'static str,
    /// A sentence for people.
    error_description: &'static str,
}

/// One more than a page shows tells whether there is another.
fn cut<T>(mut rows: Vec<T>, limit: u32, name: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(name);
    (rows, next)
}

/// A moment as RFC 3339 in UTC.
fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.as_seconds()).unwrap_or_default().to_string()
}

fn answer<T: Serialize>(told: Result<Option<T>, OAuthError>) -> Response {
    match told {
        Ok(Some(told)) => json::Json(told).into_response(),
        Ok(None) => not_found(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

fn not_found() -> Response {
    json::error_body(StatusCode::NOT_FOUND, "not_found", "there is nothing of this identity")
}
