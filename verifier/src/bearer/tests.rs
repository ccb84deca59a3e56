//! The layers in a router, with every answer they give.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Uri;
use axum::routing::get;
use serde_json::json;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{AUDIENCE, ISSUER, START, TestClock, TestIssuer, TestKey, claims, list_claims, status};

const REALM: &str = r#"Bearer realm="https://api.example.com""#;

struct Api {
    router: Router,
    issuer: TestIssuer,
    key: TestKey,
}

impl Api {
    fn new() -> Self {
        let key = TestKey::ec("e");
        let issuer = TestIssuer::new(&[&key]);
        let verifier = Verifier::builder(ISSUER)
            .audience(AUDIENCE)
            .fetch(issuer.clone())
            .clock(TestClock::default())
            .build()
            .unwrap();
        let router = Router::new()
            .route("/me", get(|caller: Principal| async move { caller.subject().to_owned() }))
            .route("/read", get(|| async { "read" }).layer(require_scope("notes:read")))
            .route("/write", get(|| async { "write" }).layer(require_scope("notes:write")))
            .route("/both", get(|| async { "both" }).layer(require_scope("notes:read notes:write")))
            .route("/by-hand", get(by_hand))
            .route("/step-up", get(step_up))
            .route("/strong", get(|| async { "strong" }).layer(require_acr(["urn:frontdesk:acr:mfa", "phr"])))
            .route("/recent", get(|| async { "recent" }).layer(require_recent_sign_in(Duration::from_secs(60))))
            .route("/headers", get(|headers: HeaderMap| async move { format!("{headers:?}") }))
            .layer(BearerLayer::new(verifier));
        Self { router, issuer, key }
    }

    fn token(&self) -> String {
        self.key.token(&claims())
    }

    async fn get(&self, uri: &str, authorization: &[&str]) -> Answer {
        answer(&self.router, uri, authorization).await
    }
}

async fn by_hand(caller: Principal) -> Result<&'static str, Refusal> {
    caller.require("notes:delete")?;
    Ok("deleted")
}

async fn step_up(caller: Principal) -> Result<&'static str, Refusal> {
    caller.require_acr(&["urn:frontdesk:acr:mfa"])?;
    Ok("secret")
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    challenge: Option<String>,
    retry_after: Option<String>,
    body: String,
}

async fn answer(router: &Router, uri: &str, authorization: &[&str]) -> Answer {
    let mut request = Request::get(uri.parse::<Uri>().unwrap()).body(Body::empty()).unwrap();
    for value in authorization {
        request.headers_mut().append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    let response = router.clone().oneshot(request).await.unwrap();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (challenge, retry_after) = (header(WWW_AUTHENTICATE), header(RETRY_AFTER));
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    Answer { status, challenge, retry_after, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn good(body: &str) -> Answer {
    Answer { status: 200, challenge: None, retry_after: None, body: body.into() }
}

fn refused(status: u16, parameters: &str) -> Answer {
    let challenge = Some(format!("{REALM}{parameters}"));
    Answer { status, challenge, retry_after: None, body: String::new() }
}

#[tokio::test]
async fn a_good_token_gets_in_and_the_handler_knows_the_caller() {
    let api = Api::new();
    let token = api.token();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(api.get("/me", &[&format!("{scheme} {token}")]).await, good("user-1"));
    }
    assert_eq!(api.get("/read", &[&format!("Bearer {token}")]).await, good("read"));
}

#[tokio::test]
async fn no_token_is_401_without_an_error() {
    let api = Api::new();
    let proof = format!("DPoP {}", api.token());
    assert_eq!(api.get("/me", &[]).await, refused(401, ""));
    for header in ["Basic YTpi", "Negotiate", "", proof.as_str()] {
        assert_eq!(api.get("/me", &[header]).await, refused(401, ""), "{header}");
    }
    assert_eq!(api.issuer.requests(), 0);
}

#[tokio::test]
async fn a_bad_token_is_401_invalid_token_whatever_is_wrong() {
    let api = Api::new();
    let mut expired = claims();
    expired["exp"] = json!(START - 100);
    let mut bound = claims();
    bound["cnf"] = json!({"jkt": "x"});
    let mut foreign = claims();
    foreign["aud"] = json!("https://other.example.com");
    let long = "a".repeat(9 * 1024);
    for token in [
        "x".to_owned(),
        "a.b.c".to_owned(),
        long,
        api.key.token(&expired),
        api.key.token(&bound),
        api.key.token(&foreign),
        TestKey::ec("e").token(&claims()),
        TestKey::ec("unknown").token(&claims()),
        format!("{}=", api.token()),
    ] {
        let answer = api.get("/me", &[&format!("Bearer {token}")]).await;
        assert_eq!(answer, refused(401, r#", error="invalid_token""#), "{token}");
    }
}

#[tokio::test]
async fn two_tokens_or_one_in_the_address_are_400() {
    let api = Api::new();
    let token = api.token();
    let header = format!("Bearer {token}");
    let invalid = refused(400, r#", error="invalid_request""#);
    let query = format!("/me?access_token={token}");
    assert_eq!(api.get("/me", &[&header, &header]).await, invalid);
    assert_eq!(api.get("/me", &[&header, "Basic YTpi"]).await, invalid);
    assert_eq!(api.get(&query, &[&header]).await, invalid);
    assert_eq!(api.get(&query, &[]).await, invalid);
    assert_eq!(api.get("/me?x=1&access%5ftoken=a", &[&header]).await, invalid);
    for broken in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer \"a\""] {
        assert_eq!(api.get("/me", &[broken]).await, invalid, "{broken}");
    }
    assert_eq!(api.issuer.requests(), 0);
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() {
    let api = Api::new();
    let header = format!("Bearer {}", api.token());
    for (path, scope) in [("/write", "notes:write"), ("/both", "notes:read notes:write"), ("/by-hand", "notes:delete")]
    {
        let expected = refused(403, &format!(r#", error="insufficient_scope", scope="{scope}""#));
        assert_eq!(api.get(path, &[&header]).await, expected);
        assert_eq!(api.get(path, &[]).await, refused(401, ""), "the token comes first");
    }
}

#[tokio::test]
async fn a_weak_sign_in_is_401_with_what_is_needed() {
    let api = Api::new();
    let expected = refused(401, r#", error="insufficient_user_authentication", acr_values="urn:frontdesk:acr:mfa""#);
    assert_eq!(api.get("/step-up", &[&format!("Bearer {}", api.token())]).await, expected);
    for (path, parameter) in [("/strong", r#"acr_values="urn:frontdesk:acr:mfa phr""#), ("/recent", r#"max_age="60""#)]
    {
        let expected = refused(401, &format!(r#", error="insufficient_user_authentication", {parameter}"#));
        assert_eq!(api.get(path, &[&format!("Bearer {}", api.token())]).await, expected);
        assert_eq!(api.get(path, &[]).await, refused(401, ""), "the token comes first");
    }
    let mut strong = claims();
    strong["acr"] = json!("urn:frontdesk:acr:mfa");
    let header = format!("Bearer {}", api.key.token(&strong));
    assert_eq!(api.get("/step-up", &[&header]).await, good("secret"));
    assert_eq!(api.get("/strong", &[&header]).await, good("strong"));
    let mut recent = claims();
    recent["auth_time"] = json!(START - 60);
    assert_eq!(api.get("/recent", &[&format!("Bearer {}", api.key.token(&recent))]).await, good("recent"));
}

#[tokio::test]
async fn a_revoked_token_is_401_and_without_its_list_503() {
    let api = Api::new();
    let mut ended = claims();
    ended["status"] = status(7, 5);
    let header = format!("Bearer {}", api.key.token(&ended));
    let answer = api.get("/me", &[&header]).await;
    let retry_after = Some("1".to_owned());
    assert_eq!(answer, Answer { status: 503, challenge: None, retry_after, body: String::new() });
    let other = Api::new();
    other.issuer.list(7, &other.key.list(&list_claims(7, START, 1, &[5])));
    let header = format!("Bearer {}", other.key.token(&ended));
    assert_eq!(other.get("/me", &[&header]).await, refused(401, r#", error="invalid_token""#));
}

#[tokio::test]
async fn without_keys_it_is_503_with_retry_after() {
    let api = Api::new();
    api.issuer.break_down();
    let answer = api.get("/me", &[&format!("Bearer {}", api.token())]).await;
    let retry_after = Some("1".to_owned());
    let expected = Answer { status: 503, challenge: None, retry_after, body: String::new() };
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_handler_that_prints_the_headers_does_not_print_the_token() {
    let api = Api::new();
    let token = api.token();
    let answer = api.get("/headers", &[&format!("Bearer {token}")]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("authorization") && !answer.body.contains(&token));
}

#[tokio::test]
async fn a_route_outside_of_the_layer_lets_nobody_in() {
    let forgotten = Router::new()
        .route("/me", get(|caller: Principal| async move { caller.subject().to_owned() }))
        .route("/read", get(|| async { "read" }).layer(require_scope("notes:read")));
    let token = Api::new().token();
    for path in ["/me", "/read"] {
        let answer = answer(&forgotten, path, &[&format!("Bearer {token}")]).await;
        assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    }
}

#[tokio::test]
async fn the_realm_and_the_metadata_can_be_set() {
    let verifier = Verifier::builder(ISSUER)
        .audience(AUDIENCE)
        .realm("Notes \"beta\"")
        .resource_metadata("https://api.example.com/.well-known/oauth-protected-resource")
        .fetch(TestIssuer::new(&[]))
        .build()
        .unwrap();
    let router = Router::new().route("/", get(|| async { "in" })).layer(BearerLayer::new(verifier));
    let expected = concat!(
        r#"Bearer realm="Notes \"beta\"", resource_metadata="#,
        r#""https://api.example.com/.well-known/oauth-protected-resource""#
    );
    assert_eq!(answer(&router, "/", &[]).await.challenge.as_deref(), Some(expected));
}
