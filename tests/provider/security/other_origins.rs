//! Row 59: which pages of other origins may read what we answer.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{ALICE, Answer, TestProvider, encode};

const FORM: &str = "application/x-www-form-urlencoded";

/// Origins that no client has registered, or only another one has.
const FOREIGN: [&str; 12] = [
    "https://evil.example",
    "null",
    "https://spa.shop.test.evil.example",
    "https://evil-spa.shop.test",
    "https://shop.test",
    "https://id.shop.test",
    "https://spa.shop.test:8443",
    "http://spa.shop.test",
    "https://SPA.shop.test",
    "https://spa.shop.test/",
    "file://",
    "*",
];

fn cors_headers(answer: &Answer) -> Vec<String> {
    answer
        .headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

#[tokio::test]
async fn row_59_only_the_clients_own_pages_read_an_answer() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let body_mode = provider
        .register(
            "reader",
            serde_json::json!({
                "application_type": "browser", "refresh_token_delivery": "body", "first_party": true,
                "redirect_uris": ["https://reader.example/callback"], "allowed_origins": ["https://reader.example"],
                "scope": "openid", "grant_types": ["authorization_code", "refresh_token"],
            }),
        )
        .await;
    let tokens = body_mode.tokens_of(ALICE).await;
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    let mine = "https://reader.example";
    let id = ("client_id", "reader");
    for origin in FOREIGN.into_iter().chain([spa.origin.as_str(), second.origin.as_str(), mine]) {
        let headers = [("origin", origin)];
        let revoked = provider.post("/oauth2/revoke", &headers, &[("token", "x"), id]).await.expect(200);
        let form = [("grant_type", "refresh_token"), ("refresh_token", "fd_rt_x"), id];
        let refused = provider.post("/oauth2/token", &headers, &form).await.expect(400);
        for answer in [revoked, refused] {
            assert!(answer.headers.get_all("vary").iter().any(|vary| vary == "Origin"), "{answer:#?}");
            assert_eq!(answer.header("access-control-allow-origin"), if origin == mine { mine } else { "" });
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            assert_eq!(cors_headers(&answer).is_empty(), origin != mine, "{origin} {answer:#?}");
        }
        // In cookie mode a foreign page is refused before anything is read, and with it every CORS header.
        let mut headers = spa.page_headers();
        headers.retain(|(name, _)| *name != "origin");
        headers.extend([("origin", origin), ("content-type", FORM)]);
        let form = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
        let answer = browser.fetch("/oauth2/token", &headers, form).await;
        if origin == spa.origin {
            assert_eq!(answer.header("access-control-allow-origin"), origin);
            assert_eq!(answer.header("access-control-allow-credentials"), "true");
            answer.expect_tokens();
        } else {
            assert_eq!((cors_headers(&answer), answer.set_cookies()), (vec![], vec![]), "{origin}");
            answer.expect(403);
        }
    }
    assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families").await, 1, "its own page only");
    body_mode.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn row_59_no_page_of_another_origin_reads_authorize_or_introspection() {
    let provider = TestProvider::https().await;
    let (spa, api) = (provider.client("spa"), provider.client("api"));
    let proof = format!("Basic {}", STANDARD.encode(format!("api:{}", api.secret())));
    for origin in FOREIGN.into_iter().chain([spa.origin.as_str()]) {
        let authorize = provider.get_with(&spa.ask().path(), &[("origin", origin)]).await;
        let headers = [("origin", origin), ("authorization", proof.as_str())];
        let introspect = provider.post("/oauth2/introspect", &headers, &[("token", "x")]).await.expect(200);
        for answer in [authorize, introspect] {
            assert_eq!(cors_headers(&answer), Vec::<String>::new(), "{origin}");
        }
        for path in ["/oauth2/authorize", "/oauth2/introspect", "/oauth2/logout", "/login", "/consent", "/account"] {
            let asked = [("origin", origin), ("access-control-request-method", "POST")];
            let mut request = Request::options(path);
            for (name, value) in asked {
                request = request.header(name, value);
            }
            let answer = provider.send(request.body(Body::empty()).unwrap()).await.expect(403);
            assert_eq!(cors_headers(&answer), Vec::<String>::new(), "{origin} {path}");
        }
    }
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (0, 0));
}

#[tokio::test]
async fn row_59_a_preflight_is_answered_for_registered_origins() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    for (path, credentials) in [
        ("/oauth2/token", "true"),
        ("/oauth2/revoke", ""),
        ("/oauth2/userinfo", ""),
        ("/oauth2/browser/logout", "true"),
    ] {
        for origin in FOREIGN.into_iter().chain([spa.origin.as_str()]) {
            let request = Request::options(path)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "x-oauth-browser")
                .body(Body::empty())
                .unwrap();
            let answer = provider.send(request).await;
            if origin == spa.origin {
                let answer = answer.expect(204);
                assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
                assert_eq!(answer.header("access-control-allow-credentials"), credentials, "{path}");
                assert_eq!(answer.header("vary"), "Origin, Access-Control-Request-Headers");
            } else {
                assert_eq!(cors_headers(&answer.expect(403)), Vec::<String>::new(), "{path} {origin}");
            }
        }
    }
    assert_eq!(provider.live_sessions().await, 0);
}
