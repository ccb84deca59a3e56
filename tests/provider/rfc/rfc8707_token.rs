//! RFC 8707 §2.2: the `resource` of a token request.

use serde_json::json;

use crate::support::{ALICE, Answer, RelyingParty, TestProvider, claims_of};

const API: &str = "https://api.shop.test/";

async fn redeem(app: &RelyingParty, code: &crate::support::Code, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.code.as_str()),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", &code.verifier),
    ];
    form.extend_from_slice(more);
    app.token(&form).await
}

/// What is no resource of this client, or not exactly one.
const WRONG: [&[(&str, &str)]; 9] = [
    &[("resource", "https://other.example/")],
    &[("resource", "http://api.shop.test/")],
    &[("resource", "https://api.shop.test/?x")],
    &[("resource", "https://api.shop.test/notes")],
    &[("resource", "https://api.shop.test/#part")],
    &[("resource", "api")],
    &[("resource", "/")],
    &[("resource", API), ("resource", "https://other.example/")],
    &[("resource", "https://api.shop.test.evil.example/")],
];

#[tokio::test]
async fn s2_2_a_wrong_resource_is_invalid_target_and_costs_nothing() {
    let provider = TestProvider::start().await;
    let (app, worker) = (provider.client("web"), provider.client("worker"));
    let code = app.code_of(ALICE).await;
    for wrong in WRONG {
        redeem(&app, &code, wrong).await.expect_error("invalid_target");
        let form = [&[("grant_type", "client_credentials")][..], wrong].concat();
        worker.token(&form).await.expect_error("invalid_target");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 0);
    let tokens = redeem(&app, &code, &[("resource", API)]).await.expect_tokens();
    for wrong in WRONG {
        let form = [&[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())][..], wrong].concat();
        app.token(&form).await.expect_error("invalid_target");
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn s2_2_the_audience_is_the_one_resource_that_is_named() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let issuer = provider.issuer();
    let code = app.code_of(ALICE).await;
    let mut tokens = redeem(&app, &code, &[("resource", API)]).await.expect_tokens();
    let both = "openid profile email offline_access notes:read notes:write";
    let person = "openid profile email offline_access";
    assert_eq!((&claims_of(&tokens.access)["aud"], &claims_of(&tokens.access)["scope"]), (&json!(API), &json!(both)));
    for (resource, scope) in [(issuer, person), (API, both), (issuer, person)] {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str()), ("resource", resource)];
        tokens = app.token(&form).await.expect_tokens();
        let claims = claims_of(&tokens.access);
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!(resource), &json!(scope)));
        assert_eq!(app.userinfo(&tokens.access).await.status == 200, resource == issuer, "{resource}");
    }
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn s2_2_a_token_request_stays_within_the_resources_of_the_authorization() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("resource", API);
    let code = app.code_for(&browser, &asked, ALICE).await;
    redeem(&app, &code, &[("resource", provider.issuer())]).await.expect_error("invalid_target");
    let tokens = redeem(&app, &code, &[]).await.expect_tokens();
    assert_eq!(claims_of(&tokens.access)["aud"], json!(API), "exactly it, also with openid");
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh), ("resource", provider.issuer())];
    app.token(&form).await.expect_error("invalid_target");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
}

#[tokio::test]
async fn s2_2_a_machine_names_its_resource_or_gets_the_one_of_its_scope() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    // However it spells it, the audience is spelled as it is registered.
    for form in [
        vec![],
        vec![("resource", API)],
        vec![("resource", "https://api.shop.test")],
        vec![("resource", "HTTPS://API.shop.test:443/")],
        vec![("scope", "notes:read")],
    ] {
        let form = [vec![("grant_type", "client_credentials")], form].concat();
        let tokens = worker.token(&form).await.expect_tokens();
        let claims = claims_of(&tokens.access);
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!(API), &json!("notes:read")));
        assert!(provider.client("api").sees_alive(&tokens.access).await);
    }
    // Who has none of its scopes has no business there.
    let form = [("grant_type", "client_credentials"), ("resource", API)];
    provider.client("api").token(&form).await.expect_error("invalid_target");
    assert_eq!(provider.live_grants().await, 0);
}
