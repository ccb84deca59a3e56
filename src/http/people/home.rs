//! `/`: leads on.

use axum::response::Response;

use crate::http::reply::redirect::SeeOther;
use crate::http::visit::Visitor;

/// To the account, or to sign-in.
pub async fn show(visitor: Visitor) -> Response {
    let location = if visitor.signed_in.is_some() { "/account" } else { "/login" };
    visitor.answer(SeeOther::within(location))
}
