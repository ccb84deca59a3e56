//! The CORS protocol of the Fetch Standard: what pages of other origins may read. The token endpoints have tests of their own.

use axum::body::Body;
use axum::http::{Method, Request};

use crate::support::{ALICE, Answer, TestProvider};

const DOCUMENTS: [&str; 4] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/static/frontdesk.js",
];

async fn preflight(provider: &TestProvider, path: &str, origin: &str, method: &str) -> Answer {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization, x-anything");
    provider.send(request.body(Body::empty()).unwrap()).await
}

fn cors_headers(answer: &Answer) -> Vec<String> {
    answer.headers.keys().map(ToString::to_string).filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn everybody_reads_the_public_documents_and_nobody_with_credentials() {
    let provider = TestProvider::https().await;
    for path in DOCUMENTS {
        for origin in ["https://anywhere.example", "https://spa.shop.test", "null"] {
            let answer = provider.get_with(path, &[("origin", origin)]).await.expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{path} {origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{path} {origin}");
            let asked = preflight(&provider, path, origin, "GET").await.expect(204);
            assert_eq!(asked.header("access-control-allow-origin"), "*", "{path} {origin}");
            assert_eq!(asked.header("access-control-allow-credentials"), "", "{path} {origin}");
            assert_eq!(asked.header("access-control-max-age"), "86400", "{path} {origin}");
        }
    }
}

#[tokio::test]
async fn nobody_reads_pages_authorize_or_introspection() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let cookie = format!("__Host-Http-sid={}", browser.cookie("sid").unwrap());
    let authorize = provider.client("own").ask().with("prompt", "none").path();
    for path in [
        authorize.as_str(),
        "/oauth2/authorize",
        "/oauth2/authorize/i/x",
        "/oauth2/logout",
        "/login",
        "/login/again",
        "/consent",
        "/logout",
        "/account",
        "/account/sessions",
        "/oauth2/introspect",
        "/",
    ] {
        // Neither strangers nor those who may read answers elsewhere, nor ourselves.
        for origin in ["https://evil.test", "https://spa.shop.test", "https://id.shop.test", "null"] {
            let answer = provider.get_with(path, &[("origin", origin), ("cookie", &cookie)]).await;
            assert_eq!(cors_headers(&answer), Vec::<String>::new(), "{path} {origin}");
            for method in ["GET", "POST", "DELETE"] {
                let answer = preflight(&provider, path, origin, method).await.expect(403);
                assert_eq!(cors_headers(&answer), Vec::<String>::new(), "{path} {origin}");
                assert_eq!((answer.body.as_str(), answer.set_cookies()), ("", vec![]), "{path} {origin}");
            }
        }
    }
    let asked = provider.post("/oauth2/introspect", &[("origin", "https://spa.shop.test")], &[("token", "x")]).await;
    assert_eq!(cors_headers(&asked.expect(401)), Vec::<String>::new());
    assert_eq!(provider.live_sessions().await, 1);
}
