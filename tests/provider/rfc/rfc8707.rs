//! RFC 8707: for which API a token is.

use serde_json::json;

use crate::support::{ALICE, Answer, Browser, Code, RelyingParty, TestProvider, encode, query_of};

const NOTES: &str = "https://api.shop.test/";
const OTHER: &str = "https://other.shop.test/v1";

/// Two APIs, an app that may use both, and a browser where Alice is signed in.
async fn house() -> (TestProvider, RelyingParty, Browser) {
    let provider = TestProvider::start().await;
    provider.register_resource(OTHER, &["other:read"]).await;
    let metadata = json!({
        "redirect_uris": ["https://both.example/callback"], "first_party": true,
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid offline_access notes:read other:read",
    });
    let app = provider.register("both", metadata).await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    (provider, app, browser)
}

async fn code_for(provider: &TestProvider, app: &RelyingParty, browser: &Browser, resources: &[&str]) -> Code {
    let asked = app.ask();
    let named: Vec<(&str, &str)> = resources.iter().map(|resource| ("resource", *resource)).collect();
    let page = browser.come(&format!("{}&{}", asked.path(), encode(&named))).await;
    asked.code_in(page.left_for(), provider.issuer())
}

async fn redeem(app: &RelyingParty, code: &Code, resources: &[&str]) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.code.as_str()),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", &code.verifier),
    ];
    form.extend(resources.iter().map(|resource| ("resource", *resource)));
    app.token(&form).await
}

/// §2: an absolute URI without fragment, which is known and for this app.
#[tokio::test]
async fn a_resource_is_the_absolute_uri_of_an_api_for_this_app() {
    let (provider, app, browser) = house().await;
    for wrong in [
        "api",
        "/api",
        "//api.shop.test/",
        "api.shop.test",
        "https://",
        "https://api.shop.test/#",
        "https://api.shop.test/#fragment",
        "https://api.shop.test/v1",
        "https://api.shop.test/?a=1",
        "https://api.shop.test:8443/",
        "http://api.shop.test/",
        "https://API.other.test/",
        "https://other.shop.test/v1/",
        "https://other.shop.test/V1",
        "https://user@api.shop.test/",
        "https://api.shop.test.evil.example/",
        "https://api.shop.test/ ",
        "https://api.shop.test/\n",
        "urn:unknown",
        "https://id.shop.test",
    ] {
        for asked in [app.ask().with("resource", wrong), app.ask().with("resource", wrong).with("prompt", "none")] {
            let page = app.visit(&browser, &asked).await;
            assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_target", "{wrong:?}");
        }
        // One good one beside it does not help.
        let path = format!("{}&{}", app.ask().path(), encode(&[("resource", NOTES), ("resource", wrong)]));
        let page = browser.come(&path).await;
        assert_eq!(query_of(page.left_for(), "error").as_deref(), Some("invalid_target"), "{wrong:?}");
    }
    // An app that may have none of its scopes has no business there.
    let own = provider.client("own");
    let asked = own.ask().with("resource", OTHER);
    let page = own.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_target");
    provider.expect_nothing_given().await;
}

/// §2.2: one token, one API. Several in the request: the token request names one, and the code waits until it does.
#[tokio::test]
async fn a_token_is_for_one_of_the_resources_that_were_named() {
    let (provider, app, browser) = house().await;
    for named in [vec![NOTES, OTHER], vec![]] {
        let code = code_for(&provider, &app, &browser, &named).await;
        redeem(&app, &code, &[]).await.expect_error("invalid_target");
        redeem(&app, &code, &[NOTES, OTHER]).await.expect_error("invalid_target");
        redeem(&app, &code, &["https://nobody.example/"]).await.expect_error("invalid_target");

        let tokens = redeem(&app, &code, &[NOTES]).await.expect_tokens();
        let (_, claims) = provider.verify(&tokens.access).await;
        assert_eq!(claims["aud"], json!(NOTES), "an explicit resource is the whole audience");
        assert_eq!(claims["scope"], json!("openid offline_access notes:read"));
        // The family covers them all, and each refresh names its own.
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str()), ("resource", OTHER)];
        let next = app.token(&form).await.expect_tokens();
        let (_, claims) = provider.verify(&next.access).await;
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!(OTHER), &json!("openid offline_access other:read")));
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), (2, 2));
}

/// §2.2: the token request stays within what the authorization covers.
#[tokio::test]
async fn a_token_request_does_not_leave_the_resources_of_the_authorization() {
    let (provider, app, browser) = house().await;
    let code = code_for(&provider, &app, &browser, &[NOTES]).await;
    assert!(provider.texts("SELECT resources FROM grants").await[0].contains(NOTES));
    for outside in [OTHER, provider.issuer()] {
        redeem(&app, &code, &[outside]).await.expect_error("invalid_target");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NULL AND used_at IS NULL").await, 1);

    let tokens = redeem(&app, &code, &[]).await.expect_tokens();
    let (_, claims) = provider.verify(&tokens.access).await;
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!(NOTES), &json!("openid offline_access notes:read")));
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str()), ("resource", OTHER)];
    app.token(&form).await.expect_error("invalid_target");
    app.refresh(&tokens.refresh).await.expect_tokens();
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
}

/// §2: a spelling that means the same is taken, and `aud` has the registered one. We ourselves are a resource, too.
#[tokio::test]
async fn a_token_has_the_registered_spelling() {
    let (provider, app, browser) = house().await;
    for (spelling, registered) in [
        ("https://api.shop.test", NOTES),
        ("https://API.shop.test/", NOTES),
        ("HTTPS://api.shop.test", NOTES),
        ("https://api.shop.test:443/", NOTES),
        ("https://OTHER.shop.test/v1", OTHER),
        (provider.issuer(), provider.issuer()),
    ] {
        let code = code_for(&provider, &app, &browser, &[spelling]).await;
        let tokens = app.redeem(&code).await.expect_tokens();
        let (_, claims) = provider.verify(&tokens.access).await;
        assert_eq!(claims["aud"], json!(registered), "{spelling}");
    }
    // The same API twice is one.
    let code = code_for(&provider, &app, &browser, &[NOTES, "https://api.shop.test", NOTES]).await;
    let tokens = app.redeem(&code).await.expect_tokens();
    let (_, claims) = provider.verify(&tokens.access).await;
    assert_eq!(claims["aud"], json!(NOTES));
    assert_eq!(provider.live_grants().await, 7);
}
