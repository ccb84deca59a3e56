//! Introspection: who may learn what about a token.

use serde_json::json;

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn an_api_learns_about_tokens_for_it() {
    let provider = TestProvider::start().await;
    let (app, api) = (provider.client("web"), provider.client("api"));
    let tokens = app.tokens_of(ALICE).await;

    let told = api.introspect(&tokens.access).await.expect(200).json();

    assert_eq!((&told["active"], &told["username"]), (&json!(true), &json!(ALICE)));
    assert_eq!((&told["client_id"], &told["iss"]), (&json!("web"), &json!(provider.issuer())));
    assert_eq!(told["sub"], json!(provider.sub(ALICE).await));
    assert!(told["scope"].as_str().unwrap().contains("notes:read"));
    assert_eq!(told["exp"], json!(provider.now() + 900));
    assert!(app.sees_alive(&tokens.access).await, "its own client may ask too");
    assert!(!provider.client("own").sees_alive(&tokens.access).await, "nobody else may");
    assert!(!provider.client("worker").sees_alive(&tokens.access).await);
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn an_api_learns_nothing_about_tokens_for_others() {
    let provider = TestProvider::start().await;
    let (app, api) = (provider.client("web"), provider.client("api"));
    let browser = provider.browser();
    let asked = app.ask().with("scope", "openid email offline_access");
    let page = app.visit(&browser, &asked).await;
    let page = browser.answer_all(page, ALICE).await;
    let tokens = app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
    assert!(!api.sees_alive(&tokens.access).await);
    assert!(!api.sees_alive(&tokens.refresh).await);
    assert!(!api.sees_alive(&tokens.id).await);
    assert!(!api.sees_alive("fd_rt_x").await && !api.sees_alive("x.y.z").await);
    assert!(app.sees_alive(&tokens.refresh).await);
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn a_refresh_token_that_was_turned_is_not_alive() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let first = app.tokens_of(ALICE).await;
    let second = app.refresh(&first.refresh).await.expect_tokens();
    assert!(!app.sees_alive(&first.refresh).await);
    assert!(app.sees_alive(&second.refresh).await);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1, "asking is not presenting");
}

#[tokio::test]
async fn nobody_asks_without_proof() {
    let provider = TestProvider::start().await;
    let tokens = provider.client("web").tokens_of(ALICE).await;
    for id in ["native", "spa"] {
        provider.client(id).introspect(&tokens.access).await.expect_error("invalid_client");
    }
    provider.post("/oauth2/introspect", &[], &[("token", &tokens.access)]).await.expect_error("invalid_client");
    let wrong = [("authorization", "Basic YXBpOndyb25n")];
    let refused = provider.post("/oauth2/introspect", &wrong, &[("token", &tokens.access)]).await;
    let refused = refused.expect_error("invalid_client");
    assert!(refused.header("www-authenticate").starts_with("Basic"));
    assert!(!refused.body.contains(ALICE));
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn a_token_of_a_client_itself_is_told_without_a_person() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    let tokens = worker.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let told = provider.client("api").introspect(&tokens.access).await.expect(200).json();
    assert_eq!((&told["active"], &told["sub"], told.get("username")), (&json!(true), &json!("worker"), None));
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn a_grant_changed_behind_our_back_is_worth_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    provider.run("UPDATE grants SET scope = scope || ' frontdesk:admin'").await;
    assert!(!app.sees_alive(&tokens.access).await);
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
}
