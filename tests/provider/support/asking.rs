//! What is asked of a provider and of its database, wherever the provider runs.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;

use super::database::Held;
use super::{Answer, Browser, RelyingParty, TestProvider};

impl TestProvider {
    /// A GET by a program.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    /// A GET by a program with headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(build_request(Method::GET, path, headers, String::new())).await
    }

    /// A form sent by a program.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(build_request(Method::POST, path, &all, super::encode(form))).await
    }

    /// A body of any kind, sent by a program. An empty kind is not said.
    pub(crate) async fn post_body(&self, path: &str, kind: &str, body: &str) -> Answer {
        let headers = if kind.is_empty() { vec![] } else { vec![("content-type", kind)] };
        self.send(build_request(Method::POST, path, &headers, body.to_owned())).await
    }

    /// A registered client.
    pub(crate) fn client(&self, id: &str) -> RelyingParty {
        RelyingParty::of(self, id)
    }

    /// A fresh browser.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self)
    }

    /// The `sub` of the user of that name.
    pub(crate) async fn sub(&self, name: &str) -> String {
        self.texts(&format!("SELECT sub FROM users WHERE username = '{name}'")).await.remove(0)
    }

    /// Checks the signature of a token of ours against the published keys and returns header and claims.
    pub(crate) async fn verify(&self, token: &str) -> (jsonwebtoken::Header, Value) {
        self.verify_with(token, &["iss", "aud", "exp", "sub"]).await
    }

    /// The same of a document that is no token: only these claims must be there.
    pub(crate) async fn verify_with(&self, token: &str, required: &[&str]) -> (jsonwebtoken::Header, Value) {
        let jwks: jsonwebtoken::jwk::JwkSet =
            serde_json::from_value(self.get("/.well-known/jwks.json").await.json()).unwrap();
        let head = jsonwebtoken::decode_header(token).unwrap();
        let jwk = jwks.find(head.kid.as_deref().unwrap()).expect("the key is published");
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        let mut checks = jsonwebtoken::Validation::new(head.alg);
        checks.validate_exp = false;
        checks.validate_aud = false;
        checks.set_required_spec_claims(required);
        checks.set_issuer(&[self.issuer()]);
        let claims = jsonwebtoken::decode::<Value>(token, &key, &checks).expect("the signature holds").claims;
        assert!(claims["iat"].as_i64().unwrap() <= self.now());
        (head, claims)
    }

    /// The one number a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.database().number(sql).await
    }

    /// The first column of each row.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        self.database().texts(sql).await
    }

    /// Changes rows behind the provider.
    pub(crate) async fn run(&self, sql: &str) {
        self.database().run(sql).await;
    }

    /// Changes something in a transaction that goes on until what comes back is dropped; then it never was.
    pub(crate) async fn hold(&self, sql: &str) -> Held {
        self.database().hold(sql).await
    }

    /// How many refresh families could be used.
    pub(crate) async fn live_families(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM refresh_families WHERE ended_at IS NULL").await
    }

    /// How many grants stand.
    pub(crate) async fn live_grants(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM grants WHERE ended_at IS NULL").await
    }

    /// How many authorization requests wait for a person. Those that were answered leave an empty row for a while.
    pub(crate) async fn waiting_requests(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM authorize_requests WHERE parameters <> ''").await
    }

    /// How many sessions stand.
    pub(crate) async fn live_sessions(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await
    }

    /// Fails if authorization requests left anything behind.
    #[track_caller]
    pub(crate) fn expect_nothing_given(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            for table in ["grants", "codes", "consents"] {
                let rows = self.number(&format!("SELECT COUNT(*) FROM {table}")).await;
                assert_eq!(rows, 0, "{table}, asked at {caller}");
            }
            assert_eq!(self.waiting_requests().await, 0, "requests that wait, asked at {caller}");
        }
    }

    /// Why the grants that are over ended.
    pub(crate) async fn end_reasons(&self) -> Vec<String> {
        self.texts("SELECT reason FROM grants WHERE ended_at IS NOT NULL ORDER BY id").await
    }

    /// How often something was audited.
    pub(crate) async fn audited(&self, action: &str) -> i64 {
        self.number(&format!("SELECT COUNT(*) FROM audit WHERE action = '{action}'")).await
    }
}

pub(super) fn build_request(method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).unwrap()
}
