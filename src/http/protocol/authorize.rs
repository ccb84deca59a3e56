//! `/oauth2/authorize` (RFC 6749 §4.1.1, OIDC Core §3.1.2).

use axum::extract::{Path, RawQuery};
use axum::response::Response;

use crate::http::extract::form::{BodyRefusal, StrictForm, strict_params};
use crate::http::pages::error::Trouble;
use crate::http::reply::redirect::SeeOther;
use crate::http::transaction::{self, Transaction};
use crate::http::trouble;
use crate::http::visit::Visitor;
use crate::oauth::authorize::{check, parking};
use crate::oauth::params::Params;

/// A request in the query.
pub async fn get(mut visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let params = match strict_params(query.unwrap_or_default().as_bytes()) {
        Ok(params) => params,
        Err(refusal) => return unreadable(visitor, refusal),
    };
    transaction::speak(&params, &mut visitor);
    match check(&params, visitor.doors.provider(), visitor.now).await {
        Ok(checked) => transaction::advance(checked, None, &params, visitor).await,
        Err(refusal) => {
            let reply = transaction::refuse(*refusal, &visitor);
            visitor.answer(reply)
        }
    }
}

/// A request in a form (OIDC Core §3.1.2.1). It may come from another site, and then our cookies do not come along: the request
/// is kept, and the browser sent to fetch it, when they do.
pub async fn post(mut visitor: Visitor, form: Result<StrictForm, BodyRefusal>) -> Response {
    let params = match form {
        Ok(StrictForm(params)) => params,
        Err(refusal) => return unreadable(visitor, refusal),
    };
    transaction::speak(&params, &mut visitor);
    let checked = match check(&params, visitor.doors.provider(), visitor.now).await {
        Ok(checked) => checked,
        Err(refusal) => {
            let reply = transaction::refuse(*refusal, &visitor);
            return visitor.answer(reply);
        }
    };
    let parked = parking::park(&params, &checked.client.id, None, visitor.doors.provider(), visitor.now).await;
    match parked {
        Ok(token) => {
            let location = format!("/oauth2/authorize/i/{}", token.expose());
            visitor.answer(SeeOther::within(&location))
        }
        Err(error) => visitor.fault(&error),
    }
}

/// A kept request goes on.
pub async fn resume(mut visitor: Visitor, Path(token): Path<String>) -> Response {
    match Transaction::load(&token, &mut visitor).await {
        Ok(Transaction { checked, parked, token }) => {
            let params = Params::parse(parked.parameters.as_bytes());
            transaction::advance(checked, Some((parked, token)), &params, visitor).await
        }
        Err(reply) => visitor.answer(*reply),
    }
}

fn unreadable(visitor: Visitor, refusal: BodyRefusal) -> Response {
    let page = trouble::unreadable(&visitor, Trouble::AppRequest, refusal);
    visitor.answer(page)
}
