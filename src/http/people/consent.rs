//! `/consent`: may this app have this?

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::login::PageQuery;
use crate::domain::claims::{self, is_oidc_scope};
use crate::domain::client::Client;
use crate::domain::redirect_uri::{RedirectUri, Target};
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeSet;
use crate::domain::user::User;

use crate::http::pages::consent::{ConsentView, ReturnsTo};
use crate::http::pages::details::{Detail, ResourceShown};
use crate::http::pages::error::Trouble;
use crate::http::pages::problem::Problems;
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
pub async fn show(visitor: Visitor, Query(query): Query<PageQuery>) -> Response {
    page(visitor, query.token(), (Problems::default(), StatusCode::OK)).await
}

pub(super) async fn page(mut visitor: Visitor, token: &str, (problems, status): (Problems, StatusCode)) -> Response {
    let transaction = match Transaction::load(token, &mut visitor).await {
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
        may_use: may_use(&request.scope, &request.resources, &snapshot),
        offline: request.scope.contains("offline_access"),
        asks_more: earlier.is_some_and(|earlier| !earlier.covers(&request.as_consent(visitor.now))),
        problems,
    };
    let reply = PageReply::new(&view).with_status(status).with_form_action(transaction::form_action(client, uri));
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
    match parking::close(transaction.parked.id.clone(), visitor.doors.provider()).await {
        Ok(true) => {}
        Ok(false) => {
            let page = transaction::over_at(&visitor, Trouble::Answered, Some(&transaction.checked.client));
            return visitor.answer(page);
        }
        Err(error) => return visitor.fault(&error),
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

/// What the app will see, with the values it will see now; what is granted and not stored yet stands there, too.
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
        let value = claims::claim_of(user, claim).and_then(|value| text_of(&value));
        details.extend(Detail::from_claim(claim, value));
    }
    details
}

/// A value as people write it. A postal address has parts (OIDC Core §5.1.1): one line of them, unless it is there as one.
fn text_of(value: &Value) -> Option<String> {
    let parts = match value {
        Value::Object(parts) => parts,
        Value::String(text) => return Some(text.clone()),
        other => return Some(other.to_string()),
    };
    let part = |name: &str| parts.get(name).and_then(Value::as_str).map(str::trim).filter(|part| !part.is_empty());
    let lines = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
    if let Some(formatted) = part("formatted") {
        return Some(lines(formatted));
    }
    let town = [part("postal_code"), part("locality")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let all = [part("street_address").map(lines), Some(town), part("region").map(lines), part("country").map(lines)];
    let all: Vec<String> = all.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// What the app will be able to use: what its scopes belong to, and what it named.
#[must_use]
pub fn may_use(scope: &ScopeSet, resources: &[String], snapshot: &Snapshot) -> Vec<ResourceShown> {
    let name_of = |resource: &Resource| {
        if resource.name.is_empty() { resource.identifier.clone() } else { resource.name.clone() }
    };
    let mut shown: Vec<ResourceShown> = Vec::new();
    for name in resources.iter().filter_map(|named| snapshot.resource_named(named)).map(name_of) {
        shown.push(ResourceShown { name, scopes: Vec::new() });
    }
    for word in scope.iter().filter(|word| !is_oidc_scope(word)) {
        let name = snapshot.resource_of_scope(word).map_or_else(String::new, name_of);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_is_one_line() {
        for (address, line) in [
            (json!({ "formatted": "1 High St\nOxford\n", "country": "UK" }), Some("1 High St, Oxford")),
            (
                json!({ "country": "France", "locality": "Paris", "postal_code": "75001", "street_address": "1 rue A\n2e" }),
                Some("1 rue A, 2e, 75001 Paris, France"),
            ),
            (json!({ "region": "Texas", "locality": " " }), Some("Texas")),
            (json!({ "postal_code": "75001" }), Some("75001")),
            (json!({}), None),
            (json!({ "formatted": "" }), None),
        ] {
            assert_eq!(text_of(&address).as_deref(), line, "{address}");
        }
        assert_eq!(text_of(&json!("Alice")).as_deref(), Some("Alice"));
        assert_eq!(text_of(&json!(true)).as_deref(), Some("true"));
    }
}
