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
async fn large_bodies_are_for_tokens_and_authorization_only() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    let large = "x".repeat(60_000);
    worker.token(&[("grant_type", "client_credentials"), ("unknown", &large)]).await.expect(200);
    let app = provider.client("web");
    let asked = app.ask().with("unknown", &large);
    provider.browser().posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await.expect_at("/login");
    let too_large = "x".repeat(66_000);
    expect_refusal(
        &worker.token(&[("grant_type", "client_credentials"), ("u", &too_large)]).await,
        413,
        "invalid_request",
    );

    let medium = "x".repeat(9_000);
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        expect_refusal(&worker.post(path, &[("token", "x"), ("unknown", &medium)]).await, 413, "invalid_request");
    }
    let browser = provider.browser();
    let form = browser.go("/login").await;
    let fields = [("username", ALICE), ("password", PASSWORD), ("unknown", medium.as_str())];
    // This browser does not tell the length, so it shows only when it is read.
    browser.submit(&form, "/login", &fields).await.expect(413);
    assert_eq!(provider.live_sessions().await, 0);
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
    assert_eq!(provider.waiting_requests().await, 0);
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
async fn nobody_may_call_across_origins_what_is_not_meant_for_it() {
    let provider = TestProvider::https().await;
    let preflight = [("origin", "https://spa.shop.test"), ("access-control-request-method", "POST")];
    for path in [
        "/oauth2/authorize",
        "/oauth2/authorize/i/x",
        "/oauth2/introspect",
        "/oauth2/logout",
        "/",
        "/login",
        "/login/again",
        "/login/other",
        "/login/choose",
        "/consent",
        "/logout",
        "/setup/x",
        "/account",
        "/account/password",
        "/account/sessions",
        "/account/sessions/end",
        "/account/sessions/end-others",
        "/account/apps",
        "/account/apps/web/withdraw",
        "/account/apps/withdraw",
    ] {
        let answer = ask(&provider, "OPTIONS", path, &preflight, String::new()).await.expect(403);
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{path}: {answer:#?}");
    }
    for path in ["/oauth2/token", "/oauth2/browser/logout", "/auth/login"] {
        ask(&provider, "OPTIONS", path, &preflight, String::new()).await.expect(204);
    }
    assert_eq!(provider.number(BROWSERS).await, 0);
}

#[tokio::test]
async fn programs_get_an_error_object_whatever_went_wrong() {
    let provider = TestProvider::start().await;
    for (path, wrong, allowed) in [
        ("/oauth2/token", "GET", "POST"),
        ("/oauth2/introspect", "PUT", "POST"),
        ("/oauth2/revoke", "GET", "POST"),
        ("/oauth2/userinfo", "DELETE", "GET"),
        ("/oauth2/browser/logout", "GET", "POST"),
        ("/auth/login", "GET", "POST"),
        ("/auth/refresh", "GET", "POST"),
        ("/auth/logout", "PATCH", "POST"),
    ] {
        let answer = ask(&provider, wrong, path, &[HTML], String::new()).await;
        expect_refusal(&answer, 405, "invalid_request");
        assert!(answer.header("allow").contains(allowed), "{answer:#?}");
        let long = [("x", "y".repeat(33_000))];
        let long: Vec<(&str, &str)> = long.iter().map(|(name, value)| (*name, value.as_str())).collect();
        expect_refusal(&ask(&provider, allowed, path, &long, String::new()).await, 431, "invalid_request");
        let body = "x".repeat(66_000);
        expect_refusal(&ask(&provider, "POST", path, &[FORM], body).await, 413, "invalid_request");
    }
    expect_refusal(&provider.get("/oauth2/nothing").await, 404, "invalid_request");
}

#[tokio::test]
async fn people_get_a_page_whatever_went_wrong() {
    let provider = TestProvider::start().await;
    expect_page(&provider.get_with("/nowhere", &[HTML]).await, 404, "There is nothing here");
    let answer = provider.get_with("/consent", &[HTML]).await;
    assert!(answer.status.as_u16() == 400 && answer.body.contains("<h1>"), "{answer:#?}");
    for path in ["/login?txn=a&txn=b", "/login/again?txn=a&txn=b", "/consent?txn=a&txn=b", "/login/choose?txn=a&txn=b"]
    {
        expect_page(&provider.get_with(path, &[HTML]).await, 400, "<h1>");
    }
    let answer = ask(&provider, "DELETE", "/account", &[HTML], String::new()).await;
    expect_page(&answer, 405, "There is nothing here");
    assert!(answer.header("allow").contains("GET"));
    let long = "y".repeat(33_000);
    expect_page(&provider.get_with("/account", &[HTML, ("x", &long)]).await, 431, "<h1>");
    let body = "x".repeat(9_000);
    expect_page(&ask(&provider, "POST", "/login", &[HTML, FORM], body).await, 413, "We could not check this form");
    // In the language that was asked for as far as we speak it, and nothing for programs.
    let plain = provider.get("/nowhere").await.expect(404);
    assert_eq!((plain.body.as_str(), plain.header("cache-control")), ("", "no-store"));
    assert_eq!(provider.number(BROWSERS).await, 0);
}

#[tokio::test]
async fn plain_http_is_for_the_proxies_that_are_named() {
    let provider = TestProvider::with(|config| {
        config.server.issuer = Issuer::parse("https://id.shop.test").unwrap();
        config.server.trusted_proxies = vec!["10.0.0.0/24".parse().unwrap()];
    })
    .await;
    let from = async |peer: &str, path: &str| {
        let peer: SocketAddr = format!("{peer}:40000").parse().unwrap();
        let request = Request::builder().method(Method::GET).uri(path).header("x-forwarded-for", "203.0.113.5");
        provider.send(request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()).await
    };
    for peer in ["10.0.0.7", "127.0.0.1", "[::ffff:10.0.0.7]"] {
        from(peer, "/login").await.expect(200);
    }
    let before = provider.number(BROWSERS).await;
    for peer in ["10.0.1.7", "203.0.113.5", "[2001:db8::1]"] {
        for path in ["/login", "/.well-known/jwks.json", "/oauth2/userinfo", "/nowhere"] {
            let answer = from(peer, path).await.expect(421);
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        from(peer, "/healthz").await.expect(200);
        from(peer, "/readyz").await.expect(200);
    }
    assert_eq!(provider.number(BROWSERS).await, before);
}

#[tokio::test]
async fn a_browser_app_that_sends_authorization_learns_which_guard_refused_it() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    for authorization in ["Basic c3BhOg==", "Basic c3BhOnNlY3JldA==", "Bearer x", "nonsense"] {
        let mut headers = app.page_headers();
        headers.extend([FORM, ("authorization", authorization)]);
        let form = "grant_type=refresh_token&client_id=spa".to_owned();
        let answer = browser.fetch("/oauth2/token", &headers, form).await;
        expect_refusal(&answer, 403, "invalid_request");
        assert!(answer.text("error_description").contains("Authorization"), "{answer:#?}");
        assert_eq!((answer.set_cookies(), answer.header("access-control-allow-origin")), (vec![], ""));
        assert_eq!(answer.header("vary"), "Origin");
    }
    // Named only by the header.
    let mut headers = app.page_headers();
    headers.extend([FORM, ("authorization", "Basic c3BhOnNlY3JldA==")]);
    browser.fetch("/oauth2/token", &headers, "grant_type=refresh_token".to_owned()).await.expect(403);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    app.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn every_answer_that_differs_by_origin_says_so() {
    let provider = TestProvider::https().await;
    let origin = ("origin", "https://spa.shop.test");
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/userinfo", "/oauth2/browser/logout", "/auth/login"] {
        for (headers, body) in [
            (vec![origin], ""),
            (vec![origin, FORM], ""),
            (vec![origin, FORM], "client_id=nobody"),
            (vec![origin, FORM], "a=%FF"),
            (vec![origin, FORM], "a=1&a=2"),
            (vec![origin, ("content-type", "application/json")], "{"),
        ] {
            let answer = ask(&provider, "POST", path, &headers, body.to_owned()).await;
            let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|vary| vary.to_str().unwrap()).collect();
            assert_eq!(vary, ["Origin"], "{path} {body:?}: {answer:#?}");
        }
    }
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
    assert_eq!(provider.waiting_requests().await, 0);
}
