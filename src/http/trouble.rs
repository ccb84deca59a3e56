//! Error pages for what went wrong outside any form.

use std::sync::Arc;

use super::extract::form::BodyRefusal;
use super::language::Language;
use super::pages::brand::Brand;
use super::pages::error::{ErrorView, Trouble, WayBack};
use super::reply::Remark;
use super::reply::page::PageReply;
use super::visit::Visitor;
use crate::oauth::error::{ErrorCode, OAuthError};

/// The page for a fault of ours: it is logged here, with its cause.
pub fn fault(error: &OAuthError, t: Language, brand: Arc<Brand>, request_id: String) -> PageReply {
    let trouble = match error.code() {
        _ if error.is_too_many_requests() => Trouble::TooMany,
        ErrorCode::TemporarilyUnavailable => Trouble::Unavailable,
        _ => Trouble::Broken,
    };
    if let Some(cause) = error.cause() {
        tracing::error!(%cause, code = error.code().as_str(), "a page could not be answered");
    }
    let back = WayBack::Account("/account".to_owned());
    let view = ErrorView {
        t,
        brand,
        trouble,
        code: error.code().as_str().to_owned(),
        hint: Some(error.hint()),
        request_id,
        back,
    };
    let remark = Remark { error: error.code().as_str(), hint: error.hint() };
    let page = PageReply::new(&view).with_status(trouble.status()).with_remark(remark);
    match error.retry_after() {
        Some(seconds) => page.with_retry_after(seconds),
        None => page,
    }
}

/// A page that says what went wrong and where to go.
pub fn page(visitor: &Visitor, trouble: Trouble, code: &str, hint: Option<&'static str>) -> PageReply {
    page_back_to(visitor, trouble, code, hint, WayBack::Account("/account".to_owned()))
}

/// The same with another way back.
pub fn page_back_to(
    visitor: &Visitor,
    trouble: Trouble,
    code: &str,
    hint: Option<&'static str>,
    back: WayBack,
) -> PageReply {
    let view = ErrorView {
        t: visitor.language,
        brand: visitor.brand(),
        trouble,
        code: code.to_owned(),
        hint,
        request_id: visitor.request_id.clone(),
        back,
    };
    PageReply::new(&view).with_status(trouble.status())
}

/// The page for a request whose parameters cannot be read.
pub fn unreadable(visitor: &Visitor, trouble: Trouble, refusal: BodyRefusal) -> PageReply {
    let remark = Remark { error: "invalid_request", hint: refusal.hint() };
    page(visitor, trouble, remark.error, Some(remark.hint)).with_status(refusal.status()).with_remark(remark)
}
