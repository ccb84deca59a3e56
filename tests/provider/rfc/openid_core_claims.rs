//! OpenID Connect Core 1.0 §5.5: the `claims` parameter.

use serde_json::json;

use crate::support::{ALICE, TestProvider};

/// §5.5.1: that a claim is essential never makes a request fail.
#[tokio::test]
async fn an_essential_claim_that_is_not_there_is_left_out() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let claims = r#"{"id_token":{"auth_time":{"essential":true},"phone_number":{"essential":true}},
        "userinfo":{"birthdate":{"essential":true},"name#de":null,"email":{"value":"bob@example.com"}}}"#;
    let asked = app.ask().with("scope", "openid").with("claims", claims);
    let page = app.visit(&browser, &asked).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    let id = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!((&id["auth_time"], id.get("phone_number")), (&json!(provider.now()), None));
    // A value is a wish: what is true is told, not what was wished.
    let told = app.userinfo(&tokens.access).await.json();
    assert_eq!(told, json!({ "sub": provider.sub(ALICE).await, "email": "alice@example.com" }));
    assert_eq!(provider.live_grants().await, 1);
}

/// §5.5.1.1: an essential `acr` is met, or the request fails; among several, one is enough.
#[tokio::test]
async fn an_essential_acr_that_we_reach_is_met() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for acr in [
        r#"{"essential":true,"value":"urn:frontdesk:acr:pwd"}"#,
        r#"{"essential":true,"values":["phrh","urn:frontdesk:acr:pwd"]}"#,
        r#"{"essential":true}"#,
        r#"{"values":["phrh"]}"#,
        "null",
    ] {
        let asked = app.ask().with("claims", &format!(r#"{{"id_token":{{"acr":{acr}}}}}"#));
        let page = app.visit(&browser, &asked).await;
        let code = asked.code_in(page.left_for(), provider.issuer());
        let tokens = app.redeem(&code).await.expect_tokens();
        let id = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
        assert_eq!((&id["acr"], &id["amr"]), (&json!("urn:frontdesk:acr:pwd"), &json!(["pwd"])), "{acr}");
    }
    let before = provider.live_grants().await;
    for acr in
        [r#"{"essential":true,"value":"phrh"}"#, r#"{"essential":true,"values":["phr","URN:frontdesk:acr:pwd"]}"#]
    {
        let asked = app.ask().with("claims", &format!(r#"{{"id_token":{{"acr":{acr}}}}}"#));
        let page = app.visit(&browser, &asked).await;
        let error = asked.error_in(page.left_for(), provider.issuer());
        assert_eq!(error, "unmet_authentication_requirements", "{acr}");
    }
    assert_eq!(provider.live_grants().await, before);
}

/// §5.5, §12.2: what was asked by name belongs to the grant: userinfo and every refresh give the same.
#[tokio::test]
async fn claims_asked_by_name_stay_with_the_grant() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let claims = r#"{"id_token":{"email":null},"userinfo":{"given_name":null}}"#;
    let asked = app.ask().with("scope", "openid offline_access").with("claims", claims);
    let page = app.visit(&browser, &asked).await;
    let page = browser.answer_all(page, ALICE).await;
    let mut tokens = app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
    let userinfo = json!({ "sub": provider.sub(ALICE).await, "given_name": "Alice" });
    for _ in 0..3 {
        assert_eq!(app.userinfo(&tokens.access).await.json(), userinfo);
        let (_, id) = provider.verify(&tokens.id).await;
        assert_eq!((&id["email"], id.get("given_name")), (&json!("alice@example.com"), None));
        provider.advance(60).await;
        tokens = app.refresh(&tokens.refresh).await.expect_tokens();
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 3);
}
