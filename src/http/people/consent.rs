//! `/consent`: may this app have this?

use axum::extract::Query;
use axum::response::Response;

use super::login::PageQuery;
use crate::domain::claims::{self, is_oidc_scope};
use crate::domain::client::Client;
use crate::domain::redirect_uri::{RedirectUri, Target};
use crate::domain::scope::ScopeSet;
use crate::domain::user::User;

use crate::http::pages::consent::{ConsentView, ReturnsTo};
use crate::http::pages::details::{Detail, ResourceShown};
use crate::http::pages::error::Trouble;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::submission::Submission;
use crate::http::transaction::{self, Transaction};
use crate::http::trouble;
use crate::http::visit::{Visitor, shown};
use crate::oauth::authorize::answer::ConsentGiven;
use crate::oauth::authorize::decide::{self, Decision};
use crate::oauth::authorize::parking;
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::store::directory::Snapshot;

/// Shows the page.
pub async fn show(mut visitor: Visitor, Query(query): Query<PageQuery>) -> Response {
    let transaction = match Transaction::load(query.token(), &mut visitor).await {
        Ok(transaction) => transaction,
        Err(reply) => return visitor.answer(*reply),
    };
    let Some((_, user)) = visitor.signed_in.clone() else {
        let location = format!("/login?txn={}", transaction.token);
        return visitor.answer(SeeOther::within(&location));
    };
    let csrf = match visitor.csrf().await {
        Ok(csrf) => csrf,
        Err(error) => return visitor.fault(&error),
    };
    let earlier = match transaction::signed_in(&transaction.checked.client, &visitor).await {
        Ok(at) => at.and_then(|at| at.consent),
        Err(error) => return visitor.fault(&error),
    };
    let (client, uri) = (&transaction.checked.client, transaction.checked.to.uri());
    let request = &transaction.checked.request;
    let snapshot = visitor.doors.provider().directory.snapshot();
    let view = ConsentView {
        t: visitor.language,
        brand: visitor.brand(),
        action: "/consent".to_owned(),
        csrf,
        txn: transaction.token.clone(),
        client: transaction::app_shown(client, None),
        person: shown(&user),
        switch: format!("/login/other?txn={}", transaction.token),
        returns_to: returns_to(uri),
        sees: sees(&user, &request.scope, &request.claims.names()),
        may_use: may_use(&request.scope, &snapshot),
        offline: request.scope.contains("offline_access"),
        asks_more: earlier.is_some_and(|earlier| !request.scope.is_subset_of(&earlier.scope)),
    };
    let reply = PageReply::new(&view).with_form_action(transaction::form_action(client, uri));
    visitor.answer(reply)
}

/// Takes the form. The decision is made anew: what changed since the page was shown counts.
pub async fn submit(Submission { mut visitor, params }: Submission) -> Response {
    let transaction = match Transaction::load(params.get("txn").unwrap_or_default(), &mut visitor).await {
        Ok(transaction) => transaction,
        Err(reply) => return visitor.answer(*reply),
    };
    match params.get("decision") {
        Some("accept") if visitor.is(params.get("person")) => accept(visitor, transaction).await,
        // Another person was asked: this one has not seen the page yet.
        Some("accept") => go_on(visitor, &transaction),
        Some("deny") => deny(visitor, transaction).await,
        _ => {
            let page = trouble::page(&visitor, Trouble::ForeignForm, "decision_missing", None);
            visitor.answer(page)
        }
    }
}

async fn accept(visitor: Visitor, transaction: Transaction) -> Response {
    let signed_in = match transaction::signed_in(&transaction.checked.client, &visitor).await {
        Ok(signed_in) => signed_in,
        Err(error) => return visitor.fault(&error),
    };
    match decide::decide(&transaction.checked, signed_in.as_ref(), &transaction.progress(), visitor.now) {
        Decision::AskConsent | Decision::Answer => {
            let row = transaction.parked.id;
            transaction::answer(transaction.checked, signed_in, ConsentGiven::Now, Some(row), visitor).await
        }
        // Something changed since the page was shown: back to the step that is due.
        _ => go_on(visitor, &transaction),
    }
}

fn go_on(visitor: Visitor, transaction: &Transaction) -> Response {
    let location = format!("/oauth2/authorize/i/{}", transaction.token);
    visitor.answer(SeeOther::within(&location))
}

async fn deny(visitor: Visitor, transaction: Transaction) -> Response {
    if let Err(error) = parking::forget(transaction.parked.id, visitor.doors.provider()).await {
        return visitor.fault(&error);
    }
    let error = OAuthError::new(ErrorCode::AccessDenied, "the person said no");
    let reply = transaction::redirect_refusal(&transaction.checked.to, &error, &visitor);
    visitor.answer(reply)
}

fn returns_to(uri: &RedirectUri) -> ReturnsTo {
    match uri.target() {
        Target::Https { host, .. } => ReturnsTo::Website(host.clone()),
        Target::Loopback { .. } => ReturnsTo::Loopback,
        Target::PrivateUse { scheme } => ReturnsTo::PrivateScheme(scheme.clone()),
    }
}

/// What the app will see, with the values it will see.
#[must_use]
pub fn sees(user: &User, scope: &ScopeSet, by_name: &[String]) -> Vec<Detail> {
    let mut details = Vec::new();
    if scope.contains("openid") {
        details.extend(Detail::from_claim("sub", Some(user.sub.as_str().to_owned())));
    }
    for (claim, opened_by) in claims::STANDARD {
        if !scope.contains(opened_by) && !by_name.iter().any(|name| name == claim) {
            continue;
        }
        if let Some(value) = claims::claim_of(user, claim) {
            let text = match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            details.extend(Detail::from_claim(claim, Some(text)));
        }
    }
    details
}

/// What the app will be able to use.
#[must_use]
pub fn may_use(scope: &ScopeSet, snapshot: &Snapshot) -> Vec<ResourceShown> {
    let mut shown: Vec<ResourceShown> = Vec::new();
    for word in scope.iter().filter(|word| !is_oidc_scope(word)) {
        let name = snapshot.resource_of_scope(word).map_or_else(String::new, |resource| {
            if resource.name.is_empty() { resource.identifier.clone() } else { resource.name.clone() }
        });
        match shown.iter_mut().find(|known| known.name == name) {
            Some(known) => known.scopes.push(word.to_owned()),
            None => shown.push(ResourceShown { name, scopes: vec![word.to_owned()] }),
        }
    }
    shown
}

/// The host a client is at, for lists of apps.
#[must_use]
pub fn host_of(client: &Client) -> Option<&RedirectUri> {
    client.settings.redirect_uris.first()
}
