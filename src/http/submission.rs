//! A form of our own pages that was sent: the only way to read one. It comes from our own page in the same browser, or it is
//! refused before anything is done.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::csrf;
use super::doors::Doors;
use super::extract::form;
use super::pages::error::Trouble;
use super::trouble;
use super::visit::Visitor;
use crate::oauth::params::Params;

/// A form that may be acted on.
#[derive(Debug)]
pub struct Submission {
    /// Who sent it.
    pub visitor: Visitor,
    /// What was filled in.
    pub params: Params,
}

impl FromRequest<Doors> for Submission {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        use axum::extract::FromRequestParts as _;
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, doors).await?;
        let headers: HeaderMap = parts.headers.clone();
        let body = Bytes::from_request(Request::from_parts(parts, body), doors)
            .await
            .map_err(IntoResponse::into_response)?;
        let params = Params::parse(&body);
        let from_us = csrf::comes_from(&headers, doors.app().config().server.issuer.as_str());
        let fits = visitor.browser.as_ref().is_some_and(|browser| {
            csrf::fits(&doors.app().csrf_key, &browser.id, params.get("csrf").unwrap_or_default())
        });
        let readable = form::is_form(&headers) && params.refuse_nul().is_ok() && params.refuse_duplicates().is_ok();
        if from_us && fits && readable {
            return Ok(Self { visitor, params });
        }
        tracing::info!(origin = from_us, value = fits, "a form that did not come from our own page was refused");
        let page = trouble::page(&visitor, Trouble::ForeignForm, "foreign_form", None);
        Err(visitor.answer(page))
    }
}
