//! `/login/choose`: go on as the person who is signed in, or as another.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;

use super::login::PageQuery;
use crate::http::pages::choose_account::ChooseAccountView;
use crate::http::pages::error::Trouble;
use crate::http::pages::problem::Problems;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::submission::Submission;
use crate::http::transaction::{self, Transaction};
use crate::http::trouble;
use crate::http::visit::Visitor;
use crate::store::authorize_requests;

/// Shows the page.
pub async fn show(visitor: Visitor, Query(query): Query<PageQuery>) -> Response {
    page(visitor, query.token(), (Problems::default(), StatusCode::OK)).await
}

pub(super) async fn page(mut visitor: Visitor, token: &str, (problems, status): (Problems, StatusCode)) -> Response {
    let transaction = match Transaction::load(token, &mut visitor).await {
        Ok(transaction) => transaction,
        Err(reply) => return visitor.answer(*reply),
    };
    let Some(person) = visitor.person() else {
        let location = format!("/login?txn={}", transaction.token);
        return visitor.answer(SeeOther::within(&location));
    };
    let csrf = match visitor.csrf().await {
        Ok(csrf) => csrf,
        Err(error) => return visitor.fault(&error),
    };
    let (client, uri) = (&transaction.checked.client, transaction.checked.to.uri());
    let view = ChooseAccountView {
        t: visitor.language,
        brand: visitor.brand(),
        action: "/login/choose".to_owned(),
        csrf,
        txn: transaction.token.clone(),
        app: transaction::app_shown(client, Some(uri)),
        person,
        problems,
    };
    let reply = PageReply::new(&view).with_status(status).with_form_action(transaction::form_action(client, uri));
    visitor.answer(reply)
}

/// Takes the form.
pub async fn submit(Submission { mut visitor, params }: Submission) -> Response {
    let transaction = match Transaction::load(params.get("txn").unwrap_or_default(), &mut visitor).await {
        Ok(transaction) => transaction,
        Err(reply) => return visitor.answer(*reply),
    };
    match (params.get("choice"), visitor.signed_in.clone()) {
        (Some("continue"), Some((_, user))) if visitor.is(params.get("person")) => {
            let id = transaction.parked.id.clone();
            let store = visitor.doors.app().store.clone();
            if let Err(error) =
                store.write(async move |tx| authorize_requests::note_choice(tx, &id, &user.id).await).await
            {
                return visitor.fault(&error.into());
            }
            let location = format!("/oauth2/authorize/i/{}", transaction.token);
            visitor.answer(SeeOther::within(&location))
        }
        // Another person was shown: this one has not been asked yet.
        (Some("continue"), Some(_)) => {
            let location = format!("/oauth2/authorize/i/{}", transaction.token);
            visitor.answer(SeeOther::within(&location))
        }
        (Some("other"), _) | (Some("continue"), None) => {
            let location = format!("/login/other?txn={}", transaction.token);
            visitor.answer(SeeOther::within(&location))
        }
        _ => {
            let page = trouble::page(&visitor, Trouble::ForeignForm, "choice_missing", None);
            visitor.answer(page)
        }
    }
}
