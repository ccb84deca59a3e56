//! A form of ours that came from our own page, but not with this browser's value: two tabs that came first at the same moment
//! were given two identities, or the browser has lost its cookie since and was given another. Nothing is done, and the step is
//! shown again with a form that will do.

use axum::http::StatusCode;
use axum::response::Response;

use super::{choose_account, consent, login, setup, sign_out};
use crate::http::csrf;
use crate::http::pages::error::Trouble;
use crate::http::pages::problem::{Problem, Problems};
use crate::http::trouble;
use crate::http::visit::{FORM, Visitor};
use crate::oauth::authorize::parking;
use crate::oauth::params::Params;

/// The step that a form belongs to, by where it was sent. A page without one says that the form could not be checked.
pub async fn show(visitor: Visitor, path: &str, params: &Params) -> Response {
    if let Some(browser) = &visitor.browser
        && let Some(token) = params.get("txn")
    {
        let stood_at = |owner: &crate::domain::id::BrowserId| {
            visitor.doors.csrf().check(owner.as_str(), FORM, params.get(csrf::FIELD)).is_ok()
        };
        if let Err(error) = parking::adopt(token, &browser.id, stood_at, visitor.doors.provider()).await {
            return visitor.fault(&error);
        }
    }
    let what = (Problems::from(Problem::FormExpired), StatusCode::FORBIDDEN);
    match path.strip_prefix("/setup/") {
        Some(token) => setup::again(visitor, token, params, what).await,
        None => match path {
            "/login" | "/login/again" | "/login/other" => login::again(visitor, path, params, what).await,
            "/login/choose" => choose_account::page(visitor, params.get("txn").unwrap_or_default(), what).await,
            "/consent" => consent::page(visitor, params.get("txn").unwrap_or_default(), what).await,
            "/logout" => sign_out::again(visitor, params, what).await,
            _ => {
                let page = trouble::page(&visitor, Trouble::ForeignForm, "foreign_form", None);
                visitor.answer(page)
            }
        },
    }
}
