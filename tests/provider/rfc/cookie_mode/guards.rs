//! The guards: each alone keeps a request out of every endpoint that reads the cookies, before anything is read or done.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{ALICE, Answer, Code, PASSWORD, RelyingParty, TestProvider, encode};

type Headers = Vec<(&'static str, &'static str)>;

/// A fetch of the page at this origin.
fn proper(json: bool) -> Headers {
    let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
    vec![
        ("content-type", kind),
        ("origin", if json { "https://direct.shop.test" } else { "https://spa.shop.test" }),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-dest", "empty"),
        ("x-oauth-browser", "1"),
    ]
}

/// Each guard, with the change that it alone must notice.
fn broken(json: bool) -> Vec<(&'static str, Headers)> {
    let without = |name: &str| proper(json).into_iter().filter(|(own, _)| *own != name).collect::<Headers>();
    let with = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
    let twice = |name: &'static str, value: &'static str| [proper(json), vec![(name, value)]].concat();
    let own = if json { "https://direct.shop.test" } else { "https://spa.shop.test" };
    vec![
        ("G1 no origin", without("origin")),
        ("G1 null", with("origin", "null")),
        ("G1 foreign", with("origin", "https://evil.example")),
        ("G1 sibling", with("origin", "https://other.shop.test")),
        ("G1 another client's", with("origin", "https://second.shop.test")),
        ("G1 the issuer's", with("origin", "https://id.shop.test")),
        ("G1 other scheme", with("origin", if json { "http://direct.shop.test" } else { "http://spa.shop.test" })),
        ("G1 other case", with("origin", if json { "https://DIRECT.shop.test" } else { "https://SPA.shop.test" })),
        ("G1 twice", twice("origin", own)),
        ("G2 cross-site", with("sec-fetch-site", "cross-site")),
        ("G2 from the address bar", with("sec-fetch-site", "none")),
        ("G2 navigation", with("sec-fetch-mode", "navigate")),
        ("G2 no-cors", with("sec-fetch-mode", "no-cors")),
        ("G2 websocket", with("sec-fetch-mode", "websocket")),
        ("G2 document", with("sec-fetch-dest", "document")),
        ("G2 iframe", with("sec-fetch-dest", "iframe")),
        ("G2 image", with("sec-fetch-dest", "image")),
        ("G3 none", without("x-oauth-browser")),
        ("G3 another value", with("x-oauth-browser", "true")),
        ("G3 twice", twice("x-oauth-browser", "1")),
        ("G4 authorization", with("authorization", "Bearer x")),
    ]
}

/// Fails unless it is a guard's refusal: without any cookie, and without a word that would let a page read it.
#[track_caller]
fn is_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status.as_u16(), 403, "{what}: {answer:#?}");
    assert_eq!(answer.json()["error"], "invalid_request", "{what}");
    assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{what}");
    let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(cors, None, "{what}");
}

fn code_form(app: &RelyingParty, code: &Code) -> String {
    encode(&[
        ("grant_type", "authorization_code"),
        ("client_id", &app.id),
        ("code", &code.code),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", &code.verifier),
    ])
}

#[tokio::test]
async fn each_guard_alone_keeps_a_code_from_being_redeemed_and_spoils_it_not() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let code = app.code_at(&browser, ALICE).await;
    for (guard, headers) in broken(false) {
        // An `Authorization` header is looked at as an attempt to prove oneself, before the guards.
        let answer = browser.fetch("/oauth2/token", &headers, code_form(&app, &code)).await;
        if guard.starts_with("G4") {
            assert!(matches!(answer.status.as_u16(), 400 | 401 | 403), "{answer:#?}");
            assert_eq!((answer.set_cookies(), answer.header("access-control-allow-origin")), (vec![], ""));
        } else {
            is_refused(&answer, guard);
        }
    }
    let with_token = format!("{}&refresh_token=fd_rt_x", code_form(&app, &code));
    is_refused(&browser.fetch("/oauth2/token", &proper(false), with_token).await, "G4 a token in the body");

    let spent = "SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL OR burnt_at IS NOT NULL";
    assert_eq!((provider.number(spent).await, provider.live_families().await), (0, 0));
    app.redeem_at(&browser, &code).await.expect_tokens();
}

#[tokio::test]
async fn each_guard_alone_keeps_a_sign_out_from_happening() {
    let provider = TestProvider::https().await;
    let (spa, direct) = (provider.client("spa"), provider.client("direct"));
    let (browser, other) = (provider.browser(), provider.browser());
    spa.signed_in_at(&browser, ALICE).await;
    let wish = json!({ "username": ALICE, "password": PASSWORD });
    direct.fetch_json(&other, "/auth/login", wish).await.expect_tokens();
    let form = encode(&[("client_id", "spa"), ("scope", "session")]);
    let body = json!({ "client_id": "direct" }).to_string();
    for (guard, headers) in broken(false) {
        is_refused(&browser.fetch("/oauth2/browser/logout", &headers, form.clone()).await, guard);
    }
    for (guard, headers) in broken(true) {
        is_refused(&other.fetch("/auth/logout", &headers, body.clone()).await, guard);
        is_refused(&other.fetch("/auth/refresh", &headers, body.clone()).await, guard);
    }
    let with_token = json!({ "client_id": "direct", "refresh_token": "fd_rt_x" }).to_string();
    for path in ["/auth/logout", "/auth/refresh"] {
        is_refused(&other.fetch(path, &proper(true), with_token.clone()).await, path);
    }
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (2, 2));
    assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families").await, 0);

    browser.fetch("/oauth2/browser/logout", &proper(false), form).await.expect(204);
    other.fetch("/auth/logout", &proper(true), body).await.expect(204);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (0, 0));
}

#[tokio::test]
async fn each_guard_alone_keeps_a_password_from_being_tried() {
    let provider = TestProvider::https().await;
    let direct = provider.client("direct");
    let browser = provider.browser();
    let body = json!({ "client_id": "direct", "username": ALICE, "password": PASSWORD });
    for (guard, headers) in broken(true) {
        is_refused(&browser.fetch("/auth/login", &headers, body.to_string()).await, guard);
    }
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""] {
        let headers: Headers = [
            proper(true).into_iter().filter(|(name, _)| *name != "content-type").collect(),
            vec![("content-type", kind)],
        ]
        .concat();
        is_refused(&browser.fetch("/auth/login", &headers, body.to_string()).await, kind);
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 0);
    for table in ["sessions", "browsers", "grants"] {
        assert_eq!(provider.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    let wish = json!({ "username": ALICE, "password": PASSWORD });
    direct.fetch_json(&browser, "/auth/login", wish).await.expect_tokens();
}

#[tokio::test]
async fn g4_another_method_or_content_type_is_refused_and_reads_no_cookie() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let cookies = browser.all_cookies();
    let form = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
    for path in ["/oauth2/token", "/oauth2/browser/logout", "/auth/refresh", "/auth/logout", "/auth/login"] {
        for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD"] {
            let mut request =
                Request::builder().method(method).uri(format!("{path}?{form}")).header("cookie", &cookies);
            for (name, value) in proper(false) {
                request = request.header(name, value);
            }
            let answer = provider.send(request.body(Body::from(form.clone())).unwrap()).await;
            assert_eq!(answer.status.as_u16(), 405, "{method} {path}");
            assert!(answer.header("allow").contains("POST"), "{method} {path}");
            assert_eq!(answer.set_cookies(), Vec::<String>::new());
        }
    }
    for path in ["/oauth2/token", "/oauth2/browser/logout"] {
        for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x", "application/xml", ""] {
            let headers: Headers = [
                proper(false).into_iter().filter(|(name, _)| *name != "content-type").collect(),
                vec![("content-type", kind)],
            ]
            .concat();
            let answer = browser.fetch(path, &headers, form.clone()).await.expect(400);
            assert_eq!(answer.set_cookies(), Vec::<String>::new());
            assert_eq!(answer.header("access-control-allow-origin"), "");
            answer.expect_error("invalid_request");
        }
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}
