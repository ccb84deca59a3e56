//! A form of our own pages that was sent: the only way to read one. It comes from our own page in the same browser, or it is
//! refused before anything is done.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::response::Response;

use super::csrf::{self, PostRefusal};
use super::doors::Doors;
use super::extract::form::{BodyRefusal, StrictForm};
use super::pages::error::Trouble;
use super::people::again;
use super::trouble;
use super::visit::{FORM, Visitor};
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
        let path = parts.uri.path().to_owned();
        // Where the form stood comes first: of a foreign one nothing is read.
        let refused = match csrf::check_origin(&headers, &doors.app().config().server.issuer) {
            Ok(()) => {
                let params = match StrictForm::from_request(Request::from_parts(parts, body), doors).await {
                    Ok(StrictForm(params)) => Some(params).filter(|own| own.refuse_duplicates().is_ok()),
                    Err(BodyRefusal::TooLarge) => {
                        let page = trouble::unreadable(&visitor, Trouble::ForeignForm, BodyRefusal::TooLarge);
                        return Err(visitor.answer(page));
                    }
                    Err(_) => None,
                };
                let value = params.as_ref().and_then(|params| params.get(csrf::FIELD));
                let browser = visitor.browser.as_ref().map(|browser| browser.id.as_str()).unwrap_or_default();
                match (doors.csrf().check(browser, FORM, value), params) {
                    (Ok(()), Some(params)) if !browser.is_empty() => return Ok(Self { visitor, params }),
                    // Our own page, and a browser that keeps cookies: another try will do.
                    (_, Some(params)) if !browser.is_empty() => {
                        tracing::info!(guard = PostRefusal::Value.as_str(), "a form is shown again");
                        return Err(again::show(visitor, &path, &params).await);
                    }
                    _ => PostRefusal::Value,
                }
            }
            Err(refused) => refused,
        };
        tracing::info!(guard = refused.as_str(), "a form that did not come from our own page was refused");
        let page = trouble::page(&visitor, Trouble::ForeignForm, "foreign_form", None);
        Err(visitor.answer(page))
    }
}
