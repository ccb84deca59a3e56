//! What an app may ask of the sign-in: prompt, max_age, hints, claims, languages.

use serde_json::json;

use crate::support::{ALICE, BOB, PASSWORD, TestProvider};

#[tokio::test]
async fn prompt_none_shows_nothing() {
    let provider = TestProvider::start().await;
    let (web, own) = (provider.client("web"), provider.client("own"));
    let browser = provider.browser();
    let silent = own.ask().with("prompt", "none");
    let page = own.visit(&browser, &silent).await;
    assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "login_required");

    browser.sign_in(ALICE).await;
    let asked = web.ask().with("prompt", "none");
    let page = web.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "consent_required");
    assert_eq!(provider.live_grants().await, 0);

    let page = own.visit(&browser, &silent).await;
    silent.code_in(page.left_for(), provider.issuer());
    let mixed = own.ask().with("prompt", "none login");
    let page = own.visit(&browser, &mixed).await;
    assert_eq!(mixed.error_in(page.left_for(), provider.issuer()), "invalid_request");
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn prompt_login_asks_the_same_person_again() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    provider.advance(20).await;
    let asked = app.ask().with("prompt", "login");

    let page = app.visit(&browser, &asked).await.expect_at("/login/again").expect_text("alice");
    // The page cannot be got round by going on without it.
    let txn = page.hidden("/login/again", "txn");
    browser.go(&format!("/oauth2/authorize/i/{txn}")).await.expect_at("/login/again");
    let wrong =
        browser.submit(&page, "/login/again", &[("password", "not her password")]).await.expect_at("/login/again");
    assert_eq!(provider.live_grants().await, 0);
    let page = browser.submit(&wrong, "/login/again", &[("password", PASSWORD)]).await;

    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(claims["auth_time"], json!(provider.now()));
    assert_eq!(provider.live_sessions().await, 1);
}

#[tokio::test]
async fn prompt_consent_asks_even_for_what_was_given() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask().with("prompt", "consent");
    let page = app.visit(&browser, &asked).await.expect_at("/consent");
    assert_eq!(provider.live_grants().await, 0);
    let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    asked.code_in(page.left_for(), provider.issuer());
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn prompt_select_account_lets_another_person_in() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask().with("prompt", "select_account");

    let page = app.visit(&browser, &asked).await.expect_at("/login/choose").expect_text("alice");
    let stay = browser.submit(&page, "/login/choose", &[("choice", "continue")]).await;
    asked.code_in(stay.left_for(), provider.issuer());

    let asked = app.ask().with("prompt", "select_account");
    let page = app.visit(&browser, &asked).await.expect_at("/login/choose");
    let page = browser.submit(&page, "/login/choose", &[("choice", "other")]).await.expect_at("/login/other");
    let page = browser.submit(&page, "/login/other", &[("username", BOB), ("password", PASSWORD)]).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();

    let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(claims["sub"], json!(provider.sub(BOB).await));
    assert_eq!(provider.texts("SELECT reason FROM sessions WHERE ended_at IS NOT NULL").await, ["other_person"]);
}

#[tokio::test]
async fn a_sign_in_that_is_too_old_is_renewed() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    provider.advance(100).await;

    let fine = app.ask().with("max_age", "100");
    let page = app.visit(&browser, &fine).await;
    let code = fine.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(claims["auth_time"], json!(provider.now() - 100));

    for most in ["99", "0"] {
        let old = app.ask().with("max_age", most);
        let page = app.visit(&browser, &old).await.expect_at("/login/again");
        let page = browser.answer_all(page, ALICE).await;
        old.code_in(page.left_for(), provider.issuer());
    }
    let silent = app.ask().with("max_age", "0").with("prompt", "none");
    let page = app.visit(&browser, &silent).await;
    assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "login_required");
    assert_eq!(provider.live_grants().await, 3);
}

#[tokio::test]
async fn an_id_token_hint_names_who_is_meant() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let alices = app.tokens_at(&browser, ALICE).await.id;
    let other = provider.browser();
    other.sign_in(BOB).await;
    let asked = app.ask().with("id_token_hint", &alices);

    let page = app.visit(&browser, &asked).await;
    asked.code_in(page.left_for(), provider.issuer());

    let silent = asked.clone().with("prompt", "none");
    let page = app.visit(&other, &silent).await;
    assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "login_required");
    app.visit(&other, &asked).await.expect_at("/login/other").expect_text("value=\"alice\"");
    app.visit(&provider.browser(), &asked).await.expect_at("/login").expect_text("value=\"alice\"");
    let both = asked.clone().with("login_hint", "somebody");
    app.visit(&provider.browser(), &both).await.expect_at("/login").expect_text("value=\"somebody\"");
    // Who only knows a `sub` learns no name by it.
    let sub = provider.sub(ALICE).await;
    let bare = app.ask().with("claims", &format!(r#"{{"id_token":{{"sub":{{"value":"{sub}"}}}}}}"#));
    let page = app.visit(&provider.browser(), &bare).await.expect_at("/login");
    assert!(!page.answer.body.contains("alice"));

    let forged = app.ask().with("id_token_hint", &alices[..alices.len() - 4]);
    let page = app.visit(&browser, &forged).await;
    assert_eq!(forged.error_in(page.left_for(), provider.issuer()), "invalid_request");
    assert_eq!(provider.live_grants().await, 2);
}

#[tokio::test]
async fn a_login_hint_is_filled_in_and_nothing_more() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let asked = app.ask().with("login_hint", "\"><b>alice");
    let page = app.visit(&browser, &asked).await.expect_at("/login").expect_text("alice");
    assert!(!page.answer.body.contains("<b>alice"), "it is text");
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (0, 0));
}

#[tokio::test]
async fn claims_asked_by_name_reach_the_id_token_after_consent() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let claims = r#"{"id_token":{"email":null},"userinfo":{"given_name":{"essential":true}}}"#;
    let asked = app.ask().with("scope", "openid").with("claims", claims);
    let page = app.visit(&browser, &asked).await.expect_at("/consent").expect_text("alice@example.com");
    let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();

    let id = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!((&id["email"], id.get("given_name")), (&json!("alice@example.com"), None));
    let told = app.userinfo(&tokens.access).await.expect(200).json();
    assert_eq!(told, json!({ "sub": provider.sub(ALICE).await, "given_name": "Alice" }));
    assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 1);
}

#[tokio::test]
async fn an_acr_that_cannot_be_met_is_refused_only_where_it_is_essential() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let essential = r#"{"id_token":{"acr":{"essential":true,"values":["urn:moon"]}}}"#;
    let asked = app.ask().with("claims", essential);
    let page = app.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "unmet_authentication_requirements");
    assert_eq!(provider.live_grants().await, 0);
    let wished = app.ask().with("acr_values", "urn:moon").with("display", "popup").with("claims_locales", "de");
    let page = app.visit(&browser, &wished).await;
    wished.code_in(page.left_for(), provider.issuer());
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn a_language_we_do_not_speak_is_no_error() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let asked = app.ask().with("ui_locales", "tlh eo en");
    app.visit(&browser, &asked).await.expect_at("/login").expect(200).expect_text("lang=\"en\"");
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn request_objects_are_refused_by_name() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
        let asked = app.ask().with(name, "https://own.example/request.jwt");
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), error);
    }
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn claims_asked_by_name_open_no_more_than_the_scopes_of_the_app() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let wishes = r#"{"userinfo":{"email":null,"address":null},"id_token":{"phone_number":null}}"#;
    let asked = app.ask().with("scope", "openid").with("claims", wishes);
    let page = app.visit(&browser, &asked).await;
    let page = browser.answer_all(page, ALICE).await;
    let tokens = app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();

    // `own` is registered for email, but neither for address nor for phone.
    assert_eq!(app.userinfo(&tokens.access).await.expect(200).json()["email"], json!("alice@example.com"));
    assert_eq!(provider.texts("SELECT claims FROM grants").await, [r#"{"userinfo":{"email":{}}}"#]);
}

#[tokio::test]
async fn a_hint_and_claims_that_mean_different_people_are_a_mistake() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let code = app.code_at(&browser, ALICE).await;
    let hint = app.redeem(&code).await.expect_tokens().id;
    let grants = provider.live_grants().await;
    let asked = app.ask().with("id_token_hint", &hint).with("claims", r#"{"id_token":{"sub":{"value":"somebody"}}}"#);
    let page = app.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request");
    assert_eq!(provider.live_grants().await, grants);
}

#[tokio::test]
async fn consent_shows_all_that_is_granted_also_what_is_not_stored_yet() {
    let provider = TestProvider::start().await;
    let address = r#"{"street_address":"1 High St","postal_code":"OX1","locality":"Oxford","country":"UK"}"#;
    provider
        .run(&format!(
            "UPDATE users SET claims = '{{\"name\":\"Alice Test\",\"address\":{address}}}' WHERE username = 'alice'"
        ))
        .await;
    let metadata = json!({
        "application_type": "web", "redirect_uris": ["https://mail.example/cb"], "scope": "openid profile email phone address",
    });
    let app = provider.register("mail", metadata).await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let page = app.visit(&browser, &app.ask()).await.expect_at("/consent");
    let later = page.answer.body.split("id=\"not-stored\"").nth(1).unwrap().split("</li>").next().unwrap();
    for label in ["Your given name", "Your phone number", "Your nickname", "Nothing stored yet"] {
        assert!(later.contains(label), "{label}: {later}");
    }
    assert!(!later.contains("Your name") && !later.contains("Your postal address"), "{later}");
    page.expect_text("alice@example.com").expect_text("1 High St, OX1 Oxford, UK");
    let overview = browser.go("/account").await.expect_text("1 High St, OX1 Oxford, UK");
    assert!(!overview.answer.body.contains("Your nickname"));
}
