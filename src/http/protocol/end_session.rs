//! `/oauth2/logout` (OIDC RP-Initiated Logout 1.0).

use axum::extract::RawQuery;
use axum::response::Response;

use crate::http::extract::form::{BodyRefusal, StrictForm, strict_params};
use crate::http::language::Language;
use crate::http::pages::error::Trouble;
use crate::http::people::sign_out;
use crate::http::reply::redirect::SeeOther;
use crate::http::trouble;
use crate::http::visit::Visitor;
use crate::oauth::end_session::{Decision, EndSessionRequest};
use crate::oauth::params::Params;

/// A request in the query.
pub async fn get(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    match strict_params(query.unwrap_or_default().as_bytes()) {
        Ok(params) => answer(visitor, params).await,
        Err(refusal) => unreadable(visitor, refusal),
    }
}

/// A request in a form. It may come from another site, and then our cookies do not come along: the browser is sent to ask again
/// with GET, when they do. Otherwise the person would be told of a sign-out that never was.
pub async fn post(visitor: Visitor, form: Result<StrictForm, BodyRefusal>) -> Response {
    let params = match form {
        Ok(StrictForm(params)) => params,
        Err(refusal) => return unreadable(visitor, refusal),
    };
    if visitor.held.is_none() {
        let location = format!("/oauth2/logout?{}", params.encoded());
        return visitor.answer(SeeOther::within(&location));
    }
    answer(visitor, params).await
}

fn unreadable(visitor: Visitor, refusal: BodyRefusal) -> Response {
    let page = trouble::unreadable(&visitor, Trouble::LogoutRequest, refusal);
    visitor.answer(page)
}

async fn answer(mut visitor: Visitor, params: Params) -> Response {
    if let Some(wanted) = params.get("ui_locales") {
        visitor.language = Language::negotiate(Some(wanted), None);
    }
    let request = match EndSessionRequest::check(&params, visitor.doors.provider(), visitor.now).await {
        Ok(request) => request,
        Err(error) => return sign_out::refused(visitor, &error),
    };
    let session = visitor.held.as_ref().map(|(session, _)| session.clone());
    match (request.decide(session.as_ref(), visitor.doors.provider()), session) {
        (Decision::EndNow, Some(session)) => sign_out::end(visitor, &session, &request).await,
        (Decision::Confirm, _) => sign_out::confirm(visitor, &request, &params, sign_out::AT_FIRST).await,
        (Decision::GoBack, _) if request.location().is_some() => {
            let location = request.location().unwrap_or_default();
            visitor.answer(SeeOther::to_client(location))
        }
        _ => sign_out::signed_out(visitor, &request),
    }
}
