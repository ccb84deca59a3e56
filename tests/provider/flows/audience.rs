//! Whom an access token is for (RFC 8707), through the whole flow.

use serde_json::json;

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn the_scope_tells_the_audience() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for (scope, audience) in [
        ("openid email", json!("http://localhost:8080")),
        ("notes:read", json!("https://api.shop.test/")),
        ("openid notes:read", json!(["https://api.shop.test/", "http://localhost:8080"])),
    ] {
        let asked = app.ask().with("scope", scope);
        let page = app.visit(&browser, &asked).await;
        let code = asked.code_in(page.left_for(), provider.issuer());
        let tokens = app.redeem(&code).await.expect_tokens();
        let (_, claims) = provider.verify(&tokens.access).await;
        assert_eq!(claims["aud"], audience, "{scope}");
        assert_eq!(tokens.id.is_empty(), !scope.contains("openid"));
    }
    assert_eq!(provider.live_grants().await, 3);
}

#[tokio::test]
async fn a_resource_that_is_not_known_is_refused_before_anybody_is_asked() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("resource", "https://other.example/");
    let page = app.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_target");
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_and_never_for_more() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let asked = app.ask().with("scope", "openid offline_access notes:read");
    let page = app.visit(&browser, &asked).await;
    let page = browser.answer_all(page, ALICE).await;
    let tokens = app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();

    let refresh = |scope: &'static str, token: String| {
        let app = app.clone();
        async move { app.token(&[("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", scope)]).await }
    };
    refresh("openid notes:read notes:write", tokens.refresh.clone()).await.expect_error("invalid_scope");
    let less = refresh("notes:read", tokens.refresh.clone()).await.expect_tokens();
    let (_, claims) = provider.verify(&less.access).await;
    assert_eq!(claims["scope"], json!("notes:read"));
    let all = app.refresh(&less.refresh).await.expect_tokens();
    let (_, claims) = provider.verify(&all.access).await;
    assert!(claims["scope"].as_str().unwrap().contains("openid"), "the grant itself keeps everything");
    assert_eq!(provider.texts("SELECT scope FROM grants").await, ["openid offline_access notes:read"]);
}

#[tokio::test]
async fn a_grant_that_named_no_resource_covers_those_its_scopes_belong_to() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for (scope, resource, covered) in [
        ("openid email", "https://api.shop.test/", false),
        ("openid notes:read", "https://api.shop.test/", true),
        ("openid notes:read", "http://localhost:8080", true),
        ("openid", "http://localhost:8080", true),
    ] {
        let asked = app.ask().with("scope", scope);
        let page = app.visit(&browser, &asked).await;
        let code = asked.code_in(page.left_for(), provider.issuer());
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code.code),
            ("redirect_uri", &code.redirect_uri),
            ("code_verifier", &code.verifier),
            ("resource", resource),
        ];
        let answer = app.token(&form).await;
        if covered {
            let (_, claims) = provider.verify(&answer.expect_tokens().access).await;
            assert_eq!(claims["aud"], json!(resource), "{scope}");
        } else {
            answer.expect_error("invalid_target");
            // Asked wrongly is no misuse of the code.
            app.redeem(&code).await.expect_tokens();
        }
    }
}

#[tokio::test]
async fn a_resource_that_was_not_consented_to_is_asked_about() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let plain = app.ask().with("scope", "openid email");
    let page = app.visit(&browser, &plain).await.expect_at("/consent");
    browser.answer_all(page, ALICE).await.left_for();
    app.visit(&browser, &plain).await.left_for();

    let named = app.ask().with("scope", "openid email").with("resource", "https://api.shop.test/");
    let page = app.visit(&browser, &named).await.expect_at("/consent").expect_text("Notes");
    browser.answer_all(page, ALICE).await.left_for();
    app.visit(&browser, &named).await.left_for();
    assert_eq!(provider.texts("SELECT resources FROM consents").await, ["https://api.shop.test/"]);
}
