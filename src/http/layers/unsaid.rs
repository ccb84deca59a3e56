//! Answers that no handler wrote: unknown paths, wrong methods, requests that are too large, too slow or cannot be read, and
//! handlers that failed. Nobody is left with an empty page, and no program with something that it cannot parse.

use std::sync::Arc;

use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::manner::{AT_APP, Manner, Readers};
use super::request_id::RequestId;
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::error::{ErrorView, Trouble, WayBack};
use crate::http::reply::page::PageReply;
use crate::http::reply::{Remark, json};

/// What of the request decides how an error of its route is told.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) manner: Manner,
    /// A browser that wants a page, with the languages it prefers.
    page: Option<Option<HeaderValue>>,
    trouble: Trouble,
    /// Nothing of ours may be seen here: it is the host of an app.
    pub(super) hidden: bool,
}

impl Reader {
    /// At an app's host, where this path shows nothing.
    pub(super) fn of_hidden() -> Self {
        Self { manner: AT_APP, page: None, trouble: Trouble::NotFound, hidden: true }
    }

    pub(super) fn of(path: &str, headers: &HeaderMap) -> Self {
        let manner = Manner::of(path);
        let wants = |headers: &HeaderMap| {
            headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|text| text.contains("text/html")))
        };
        let page = (manner.readers == Readers::People && wants(headers)).then(|| headers.get(ACCEPT_LANGUAGE).cloned());
        let trouble = match path {
            _ if path.starts_with("/oauth2/authorize") => Trouble::AppRequest,
            _ if path.starts_with("/oauth2/logout") => Trouble::LogoutRequest,
            _ => Trouble::ForeignForm,
        };
        Self { manner, page, trouble, hidden: false }
    }

    /// Gives an answer the words it lacks. Headers that say what to do next stay.
    pub(super) fn complete(&self, response: &mut Response, id: RequestId, brand: &Arc<Brand>) {
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            if let Some(said) = self.words(response, id, brand) {
                let kept: Vec<(HeaderName, HeaderValue)> = [ALLOW, RETRY_AFTER, CONNECTION, VARY]
                    .into_iter()
                    .filter_map(|name| response.headers().get(&name).cloned().map(|value| (name, value)))
                    .collect();
                let remark: Option<Remark> = response.extensions_mut().remove();
                *response = said;
                *response.status_mut() = status;
                response.headers_mut().extend(kept);
                if let Some(remark) = remark {
                    response.extensions_mut().insert(remark);
                }
            }
            response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        }
        if self.manner.by_origin && !varies_by_origin(response.headers()) {
            response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
        }
    }

    fn words(&self, response: &Response, id: RequestId, brand: &Arc<Brand>) -> Option<Response> {
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match (self.manner.readers, &self.page) {
            // These two say in their headers what there is to say, or nothing on purpose.
            _ if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => None,
            (Readers::Programs, _) if kind != "application/json" => {
                let (error, hint) = told(status);
                Some(json::error_body(status, error, hint))
            }
            (Readers::People, Some(languages)) if !kind.starts_with("text/html") => {
                let languages = languages.as_ref().and_then(|languages| languages.to_str().ok());
                let view = ErrorView {
                    t: Language::negotiate(None, languages),
                    brand: brand.clone(),
                    trouble: self.trouble(status),
                    code: told(status).0.to_owned(),
                    hint: None,
                    request_id: id.to_string(),
                    back: WayBack::Account("/account".to_owned()),
                };
                Some(PageReply::new(&view).with_status(status).into_response())
            }
            _ => None,
        }
    }

    fn trouble(&self, status: StatusCode) -> Trouble {
        match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Trouble::NotFound,
            StatusCode::TOO_MANY_REQUESTS => Trouble::TooMany,
            StatusCode::SERVICE_UNAVAILABLE => Trouble::Unavailable,
            _ if status.is_server_error() => Trouble::Broken,
            _ => self.trouble,
        }
    }
}

/// Code and hint for a status that came without words.
fn told(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("invalid_request", "there is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => ("invalid_request", "the method is not one of this endpoint"),
        StatusCode::PAYLOAD_TOO_LARGE => ("invalid_request", "the body is too large"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ("invalid_request", "the head of the request is too large"),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("temporarily_unavailable", "the server took too long, try again in a moment")
        }
        _ if status.is_server_error() => ("server_error", "the server failed, its log tells why"),
        _ => ("invalid_request", "the request cannot be read"),
    }
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    let mut names = headers.get_all(VARY).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    names.any(|name| name.trim().eq_ignore_ascii_case("origin"))
}
