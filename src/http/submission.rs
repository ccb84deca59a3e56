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

/// What came of reading a form.
#[derive(Debug)]
pub(super) enum Reading {
    /// It may be acted on.
    Good(Box<Submission>),
    /// It did not come from our own page, or carries another browser's value.
    Refused(Box<Visitor>, PostRefusal, Option<Params>),
    /// It is too large.
    TooLarge(Box<Visitor>),
}

/// Reads a form and judges where it comes from, and leaves to the caller how a refusal is answered.
///
/// # Errors
/// The answer, where nobody can be let in now.
pub(super) async fn read(request: Request, doors: &Doors) -> Result<Reading, Response> {
    use axum::extract::FromRequestParts as _;
    let (mut parts, body) = request.into_parts();
    let visitor = Visitor::from_request_parts(&mut parts, doors).await?;
    let headers: HeaderMap = parts.headers.clone();
    // Where the form stood comes first: of a foreign one nothing is read.
    if let Err(refused) = csrf::check_origin(&headers, &doors.app().config().server.issuer) {
        return Ok(Reading::Refused(Box::new(visitor), refused, None));
    }
    let params = match StrictForm::from_request(Request::from_parts(parts, body), doors).await {
        Ok(StrictForm(params)) => Some(params).filter(|own| own.refuse_duplicates().is_ok()),
        Err(BodyRefusal::TooLarge) => return Ok(Reading::TooLarge(Box::new(visitor))),
        Err(_) => None,
    };
    let value = params.as_ref().and_then(|params| params.get(csrf::FIELD));
    let browser = visitor.browser.as_ref().map(|browser| browser.id.as_str()).unwrap_or_default();
    Ok(match (doors.csrf().check(browser, FORM, value), params) {
        (Ok(()), Some(params)) if !browser.is_empty() => Reading::Good(Box::new(Submission { visitor, params })),
        (_, params) => Reading::Refused(Box::new(visitor), PostRefusal::Value, params),
    })
}

impl FromRequest<Doors> for Submission {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let path = request.uri().path().to_owned();
        match read(request, doors).await? {
            Reading::Good(submission) => Ok(*submission),
            // Our own page, and a browser that keeps cookies: another try will do.
            Reading::Refused(visitor, PostRefusal::Value, Some(params)) if visitor.browser.is_some() => {
                tracing::info!(guard = PostRefusal::Value.as_str(), "a form is shown again");
                Err(again::show(*visitor, &path, &params).await)
            }
            Reading::Refused(visitor, refused, _) => Err(foreign(*visitor, refused)),
            Reading::TooLarge(visitor) => Err(too_large(*visitor)),
        }
    }
}

/// The page that says that a form could not be checked.
pub(super) fn foreign(visitor: Visitor, refused: PostRefusal) -> Response {
    tracing::info!(guard = refused.as_str(), "a form that did not come from our own page was refused");
    let page = trouble::page(&visitor, Trouble::ForeignForm, "foreign_form", None);
    visitor.answer(page)
}

/// The page that says that a form is too large.
pub(super) fn too_large(visitor: Visitor) -> Response {
    let page = trouble::unreadable(&visitor, Trouble::ForeignForm, BodyRefusal::TooLarge);
    visitor.answer(page)
}
