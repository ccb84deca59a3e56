//! What stands before every door: how large a request may be, who may ask from where, and what is said when no door answers.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use frontdesk::config::Issuer;

use crate::support::{ALICE, Answer, PASSWORD, TestProvider};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const BROWSERS: &str = "SELECT COUNT(*) FROM browsers";

async fn ask(provider: &TestProvider, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_empty() {
        request = request.header("content-length", body.len());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    provider.send(request.body(Body::from(body)).unwrap()).await
}

#[track_caller]
fn expect_refusal(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:#?}");
    assert_eq!(answer.header("content-type"), "application/json", "{answer:#?}");
    assert_eq!(answer.json()["error"], error, "{answer:#?}");
    assert!(!answer.text("error_description").is_empty());
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[track_caller]
fn expect_page(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:#?}");
    assert!(answer.body.contains(text), "{text:?} is not on the page: {answer:#?}");
    assert!(answer.body.contains(answer.header("request-id")), "an id to quote");
    assert!(answer.body.contains("href=\"/account\""), "a way back");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
}

#[tokio::test]
async fn json_is_neither_deep_nor_ambiguous() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    let browser = provider.browser();
    let headers = {
        let mut headers = app.page_headers();
        headers.push(("content-type", "application/json"));
        headers
    };
    let good = format!(r#""client_id":"direct","username":"{ALICE}","password":"{PASSWORD}""#);
    let nested = |levels: usize| format!(r#"{{{good},"more":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    for body in [nested(16), format!(r#"{{{good},"username":"{ALICE}"}}"#), format!(r#"{{{good},"more":"\u0000"}}"#)] {
        let answer = browser.fetch("/auth/login", &headers, body).await;
        expect_refusal(&answer, 400, "invalid_request");
    }
    assert_eq!(provider.live_sessions().await, 0);
    browser.fetch("/auth/login", &headers, nested(15)).await.expect(200);

    let app = provider.client("web");
    let deep = format!(r#"{{"userinfo":{{"email":{{"value":{}{}}}}}}}"#, "[".repeat(14), "]".repeat(14));
    for claims in [deep.as_str(), r#"{"userinfo":{"email":null},"userinfo":{}}"#] {
        let asked = app.ask().with("claims", claims);
        let page = app.visit(&provider.browser(), &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM authorize_requests").await, 0);
}

#[tokio::test]
async fn the_key_set_outlives_the_database_by_a_quarter_of_an_hour() {
    let provider = TestProvider::start().await;
    let clock = &provider.app().clock;
    clock.advance(Duration::from_secs(899));
    let answer = provider.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(answer.json()["keys"].as_array().unwrap().len(), 2);
    clock.advance(Duration::from_secs(1));
    let answer = provider.get("/.well-known/jwks.json").await;
    expect_refusal(&answer, 503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    provider.get("/.well-known/openid-configuration").await.expect(200);
    provider.follow_changes().await;
    provider.get("/.well-known/jwks.json").await.expect(200);
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let bearer = format!("Bearer {}", tokens.access);
    let answer = provider.get_with("/oauth2/userinfo", &[("authorization", &bearer), ("authorization", &bearer)]).await;
    expect_refusal(&answer, 400, "invalid_request");
    assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"oauth2\", error=\"invalid_request\""));

    // Both are right, and still nobody can say which of them counts.
    let answers = provider.answers().len();
    app.introspect(&tokens.access).await.expect(200);
    assert_eq!(provider.answers().len(), answers + 1);
    let basic = app.basic();
    let twice = [("authorization", basic.as_str()), ("authorization", basic.as_str())];
    for (path, form) in [
        ("/oauth2/token", [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())]),
        ("/oauth2/introspect", [("token", tokens.access.as_str()), ("a", "b")]),
        ("/oauth2/revoke", [("token", tokens.access.as_str()), ("a", "b")]),
    ] {
        expect_refusal(&provider.post(path, &twice, &form).await, 400, "invalid_request");
    }
    assert!(app.sees_alive(&tokens.access).await);
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn without_a_token_the_challenge_names_the_realm_and_no_error() {
    let provider = TestProvider::start().await;
    let answer = provider.get("/oauth2/userinfo").await.expect(401);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"oauth2\"");
    let answer = provider.get_with("/oauth2/userinfo", &[("authorization", "Bearer x")]).await.expect(401);
    assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"oauth2\", error=\"invalid_token\""));
}

#[tokio::test]
async fn what_cannot_be_read_is_not_read_otherwise() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    for odd in ["state=%FF", "state=%00", "login_hint=%C3", "nonce=%ED%A0%80"] {
        let asked = app.ask().without(odd.split_once('=').unwrap().0);
        let path = format!("{}&{odd}", asked.path());
        let page = provider.browser().come(&path).await;
        assert!(page.away.is_none(), "{odd}: {page:#?}");
        expect_page(&page.answer, 400, "The app’s request was not understood");
        let page = provider.browser().come(&format!("/oauth2/logout?{odd}")).await;
        expect_page(&page.answer, 400, "sign-out request was not understood");
    }
    let state = app.ask().with("state", "ü \u{1F600} +%");
    let browser = provider.browser();
    let page = app.visit(&browser, &state).await;
    let left = browser.answer_all(page, ALICE).await;
    assert_eq!(crate::support::query_of(left.left_for(), "state").as_deref(), Some("ü \u{1F600} +%"));

    let before = provider.number(BROWSERS).await;
    for path in ["/oauth2/authorize", "/oauth2/logout"] {
        for (kind, body) in [("text/plain", "a=b"), (FORM.1, "a=%FF"), ("application/json", "{}")] {
            let answer = ask(&provider, "POST", path, &[HTML, ("content-type", kind)], body.to_owned()).await;
            expect_page(&answer, 400, "was not understood");
        }
    }
    assert_eq!(provider.number(BROWSERS).await, before);
    assert_eq!(provider.number("SELECT COUNT(*) FROM authorize_requests").await, 0);
}
