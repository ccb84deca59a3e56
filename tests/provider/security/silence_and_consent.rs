//! Rows 28 and 30: what is never shown, and what is never skipped.

use serde_json::json;

use crate::support::{ALICE, BOB, TestProvider};

#[tokio::test]
async fn row_28_prompt_none_shows_nothing_whatever_would_be_needed() {
    let provider = TestProvider::https().await;
    let (own, web, native) = (provider.client("own"), provider.client("web"), provider.client("native"));
    let nobody = provider.browser();
    let browser = provider.browser();
    let bobs = own.tokens_of(BOB).await.id;
    let bobs_sub = provider.sub(BOB).await;
    browser.sign_in(ALICE).await;
    let little = web.ask().with("scope", "openid");
    let page = web.visit(&browser, &little).await.expect_at("/consent");
    browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    provider.advance(100).await;
    let before = provider.live_grants().await;

    let not_bob = format!(r#"{{"userinfo":{{"sub":{{"value":"{bobs_sub}"}}}}}}"#);
    let by_name = r#"{"userinfo":{"email":null}}"#;
    for (at, asked, error) in [
        (&nobody, own.ask(), "login_required"),
        (&nobody, web.ask(), "login_required"),
        (&nobody, native.ask(), "login_required"),
        (&nobody, own.ask().with("login_hint", ALICE), "login_required"),
        (&browser, own.ask().with("max_age", "0"), "login_required"),
        (&browser, own.ask().with("max_age", "99"), "login_required"),
        (&browser, own.ask().with("id_token_hint", &bobs), "login_required"),
        (&browser, own.ask().with("claims", &not_bob), "login_required"),
        (&browser, web.ask().with("scope", "openid email"), "consent_required"),
        (&browser, web.ask().with("scope", "openid notes:read"), "consent_required"),
        (&browser, web.ask().with("scope", "openid").with("claims", by_name), "consent_required"),
        (&browser, native.ask().with("scope", "openid"), "consent_required"),
    ] {
        let asked = asked.with("prompt", "none");
        let page = at.come(&asked.path()).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), error, "{asked:?}");
        assert_eq!((page.answer.status.as_u16(), page.answer.body.as_str()), (303, ""), "{asked:?}");
        assert_eq!(page.answer.set_cookies(), Vec::<String>::new(), "{asked:?}");
    }
    for prompt in ["none login", "login none", "none consent", "none select_account", "none create", "none other"] {
        let asked = own.ask().with("prompt", prompt);
        let page = own.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{prompt}");
    }
    assert_eq!(provider.live_grants().await, before);
    assert_eq!(provider.waiting_requests().await, 0, "nobody is waited for");

    let fine = web.ask().with("scope", "openid").with("prompt", "none");
    fine.code_in(web.visit(&browser, &fine).await.left_for(), provider.issuer());
    assert_eq!(provider.live_grants().await, before + 1);
}

#[tokio::test]
async fn row_30_who_cannot_be_known_is_consented_to_each_time() {
    let provider = TestProvider::https().await;
    let app = provider.client("native");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for uri in ["http://127.0.0.1/callback", "http://127.0.0.1:50000/callback", "com.example.notes:/callback"] {
        let before = provider.live_grants().await;
        for _ in 0..2 {
            let asked = app.ask().with("redirect_uri", uri);
            let page = app.visit(&browser, &asked).await.expect_at("/consent");
            let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
            asked.code_in(page.left_for(), provider.issuer());
        }
        let silent = app.ask().with("redirect_uri", uri).with("prompt", "none");
        let page = app.visit(&browser, &silent).await;
        assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "consent_required", "{uri}");
        assert_eq!(provider.live_grants().await, before + 2);
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 1, "it is remembered, for the account room");
}

#[tokio::test]
async fn row_30_a_consent_is_one_persons_for_one_app() {
    let provider = TestProvider::https().await;
    let (web, post) = (provider.client("web"), provider.client("post"));
    let (alices, bobs) = (provider.browser(), provider.browser());
    web.tokens_at(&alices, ALICE).await;
    bobs.sign_in(BOB).await;
    for (app, browser) in [(&web, &bobs), (&post, &alices)] {
        let asked = app.ask();
        app.visit(browser, &asked).await.expect_at("/consent");
        let silent = asked.with("prompt", "none");
        let page = app.visit(browser, &silent).await;
        assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "consent_required");
    }
    assert_eq!((provider.live_grants().await, provider.number("SELECT COUNT(*) FROM consents").await), (1, 1));
}

#[tokio::test]
async fn row_30_what_one_person_was_asked_is_not_answered_by_another() {
    let provider = TestProvider::https().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask();
    let shown_to_alice = app.visit(&browser, &asked).await.expect_at("/consent").expect_text("alice@example.com");
    // In another tab Bob takes over.
    let page = browser.go("/login/other").await;
    browser.submit(&page, "/login/other", &[("username", BOB), ("password", crate::support::PASSWORD)]).await;

    let page = browser.submit(&shown_to_alice, "/consent", &[("decision", "accept")]).await;

    let page = page.expect_at("/consent").expect_text("bob@example.com");
    provider_has_nothing_but_the_request(&provider).await;
    let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(claims["sub"], json!(provider.sub(BOB).await));
}

async fn provider_has_nothing_but_the_request(provider: &TestProvider) {
    assert_eq!((provider.live_grants().await, provider.number("SELECT COUNT(*) FROM consents").await), (0, 0));
    assert_eq!(provider.waiting_requests().await, 1);
}
