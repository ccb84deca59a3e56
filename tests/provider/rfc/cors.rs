//! Which origin may read which answer: every endpoint, from an origin of the client, of another client, of nobody, and from a
//! page without an origin; asked before, and then really.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::support::{ALICE, Answer, TestProvider};

const COOKIE: &str = "https://spa.shop.test";
const BODY: &str = "https://body.shop.test";
/// Known to us, but not this client's.
const OTHER: &str = "https://second.shop.test";
const FOREIGN: [&str; 6] = [
    "https://evil.example",
    "null",
    "https://spa.shop.test.evil.example",
    "https://spa.shop.test:444",
    "http://spa.shop.test",
    "https://web.example",
];

/// A house with a browser app that is given its tokens in the body.
async fn house() -> TestProvider {
    let provider = TestProvider::https().await;
    let body = json!({
        "application_type": "browser", "first_party": true, "scope": "openid notes:read", "allowed_origins": [BODY],
        "redirect_uris": [format!("{BODY}/callback")], "grant_types": ["authorization_code", "refresh_token"],
    });
    provider.register("body", body).await;
    provider
}

async fn preflight(provider: &TestProvider, path: &str, origin: &str, method: &str) -> Answer {
    let request = Request::builder().method(Method::OPTIONS).uri(path).header("origin", origin);
    let request = request.header("access-control-request-method", method);
    let request = request.header("access-control-request-headers", "x-oauth-browser, content-type");
    provider.send(request.body(Body::empty()).unwrap()).await
}

/// What CORS says of an answer: whose it is, and whether credentials may be sent.
fn says(answer: &Answer) -> (&str, &str) {
    (answer.header("access-control-allow-origin"), answer.header("access-control-allow-credentials"))
}

fn varies(answer: &Answer) -> bool {
    let mut lines = answer.headers.get_all("vary").iter();
    lines.any(|line| line.to_str().unwrap().split(',').any(|name| name.trim().eq_ignore_ascii_case("origin")))
}

#[tokio::test]
async fn preflights_follow_the_matrix_at_every_endpoint() {
    let provider = house().await;
    let open = [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
        "/static/frontdesk.js",
    ];
    for path in open {
        for origin in [COOKIE, BODY].into_iter().chain(FOREIGN) {
            let answer = preflight(&provider, path, origin, "GET").await.expect(204);
            assert_eq!(says(&answer), ("*", ""), "{path} {origin}");
            assert_eq!(answer.header("access-control-max-age"), "86400");
        }
    }
    // Endpoint, method, whether apps that take tokens in the body use it, whether credentials are for cookie mode.
    let guarded = [
        ("/oauth2/token", "POST", true, true),
        ("/oauth2/revoke", "POST", true, false),
        ("/oauth2/userinfo", "GET", true, false),
        ("/oauth2/userinfo", "POST", true, false),
        ("/oauth2/browser/logout", "POST", false, true),
        ("/auth/login", "POST", false, true),
        ("/auth/refresh", "POST", false, true),
        ("/auth/logout", "POST", false, true),
    ];
    for (path, method, body_mode, credentials) in guarded {
        for origin in [COOKIE, OTHER] {
            let answer = preflight(&provider, path, origin, method).await.expect(204);
            assert_eq!(says(&answer), (origin, if credentials { "true" } else { "" }), "{path}");
            assert_eq!(answer.header("access-control-max-age"), "600");
            assert!(answer.header("access-control-allow-headers").contains("x-oauth-browser"));
            assert!(answer.header("access-control-allow-methods").contains(method));
            assert!(varies(&answer), "{path}");
        }
        let answer = preflight(&provider, path, BODY, method).await;
        assert_eq!(answer.status.as_u16(), if body_mode { 204 } else { 403 }, "{path}");
        assert_eq!(says(&answer), (if body_mode { BODY } else { "" }, ""), "{path}");
        for origin in FOREIGN {
            let answer = preflight(&provider, path, origin, method).await.expect(403);
            assert_eq!(says(&answer), ("", ""), "{path} {origin}");
            assert!(varies(&answer), "{path}");
        }
    }
    let closed = [
        "/oauth2/authorize",
        "/oauth2/introspect",
        "/oauth2/logout",
        "/login",
        "/login/again",
        "/login/other",
        "/login/choose",
        "/consent",
        "/logout",
        "/account",
        "/account/password",
        "/account/sessions",
        "/account/sessions/end",
        "/account/apps/withdraw",
        "/setup/x",
        "/",
    ];
    for path in closed {
        for origin in [COOKIE, BODY, "https://id.shop.test"].into_iter().chain(FOREIGN) {
            for method in ["GET", "POST"] {
                let answer = preflight(&provider, path, origin, method).await;
                assert_eq!(answer.status.as_u16(), 403, "{path} {origin}");
                let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(cors, None, "{path} {origin}");
            }
        }
    }
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (0, 0));
}

#[tokio::test]
async fn public_documents_are_read_by_everybody_and_never_with_credentials() {
    let provider = house().await;
    for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json", "/static/frontdesk.js"] {
        for origin in [COOKIE, "https://evil.example", "null"] {
            let answer = provider.get_with(path, &[("origin", origin)]).await.expect(200);
            assert_eq!(says(&answer), ("*", ""), "{path} {origin}");
            assert_eq!(answer.set_cookies(), Vec::<String>::new());
        }
    }
    let script = provider.get("/static/frontdesk.js").await;
    assert_eq!(script.header("cross-origin-resource-policy"), "cross-origin");
}

#[tokio::test]
async fn a_body_mode_app_reads_its_own_answers_and_no_other_origin_does() {
    let provider = house().await;
    let app = provider.client("body");
    let tokens = app.tokens_of(ALICE).await;
    for origin in [BODY, COOKIE, OTHER].into_iter().chain(FOREIGN) {
        let own = if origin == BODY { BODY } else { "" };
        let header = [("origin", origin)];
        let form = [("grant_type", "refresh_token"), ("client_id", "body"), ("refresh_token", tokens.refresh.as_str())];
        // Taken or refused: who may read it does not depend on that.
        let taken = provider.post("/oauth2/token", &header, &form).await.expect(200);
        let refused =
            provider.post("/oauth2/token", &header, &[form[0], form[1], ("refresh_token", "x")]).await.expect(400);
        let revoked = provider.post("/oauth2/revoke", &header, &[form[1], ("token", "x")]).await.expect(200);
        for answer in [taken, refused, revoked] {
            assert_eq!(says(&answer), (own, ""), "{origin}: {answer:#?}");
            assert!(varies(&answer), "{origin}: {answer:#?}");
        }
        // Who may read userinfo follows from the client of the token, and where that is not known, from all of them.
        let bearer = format!("Bearer {}", tokens.access);
        let headers = [("origin", origin), ("authorization", bearer.as_str())];
        let info = provider.get_with("/oauth2/userinfo", &headers).await.expect(200);
        assert_eq!(says(&info), (own, ""), "{origin}");
        let dead = provider.get_with("/oauth2/userinfo", &[("origin", origin), ("authorization", "Bearer x")]).await;
        let known = if FOREIGN.contains(&origin) { "" } else { origin };
        assert_eq!((dead.status.as_u16(), says(&dead)), (401, (known, "")), "{origin}");
        assert!(varies(&info) && varies(&dead), "{origin}");
    }
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn an_answer_with_credentials_goes_to_this_clients_own_origin_only() {
    let provider = house().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let form = crate::support::encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
    for origin in [OTHER, BODY].into_iter().chain(FOREIGN) {
        for path in ["/oauth2/token", "/oauth2/browser/logout"] {
            let headers =
                [("origin", origin), ("content-type", "application/x-www-form-urlencoded"), ("x-oauth-browser", "1")];
            let answer = browser.fetch(path, &headers, form.clone()).await.expect(403);
            let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(cors, None, "{path} {origin}");
            assert_eq!(answer.set_cookies(), Vec::<String>::new());
        }
    }
    let answer = app.refresh_at(&browser).await.expect(200);
    assert_eq!(says(&answer), (COOKIE, "true"));
    assert!(varies(&answer));
    assert_eq!(answer.header("access-control-expose-headers"), "dpop-nonce, www-authenticate, retry-after");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
}

#[tokio::test]
async fn no_page_and_no_introspection_is_read_by_another_origin() {
    let provider = house().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let cookie = format!("__Host-Http-sid={}", browser.cookie("sid").unwrap());
    let authorize = provider.client("spa").ask().path();
    for origin in [COOKIE, BODY, "https://evil.example", "null"] {
        for path in ["/account", "/account/sessions", "/login", "/logout", "/oauth2/logout", "/", &authorize] {
            let answer = provider.get_with(path, &[("origin", origin), ("cookie", &cookie)]).await;
            assert_eq!(says(&answer), ("", ""), "{path} {origin}");
        }
        let api = provider.client("api");
        let basic = api.introspect("x").await;
        assert_eq!(says(&basic), ("", ""));
        let answer = provider.post("/oauth2/introspect", &[("origin", origin)], &[("token", "x")]).await;
        assert_eq!(says(&answer), ("", ""), "{origin}");
    }
    assert_eq!(provider.live_sessions().await, 1);
}
