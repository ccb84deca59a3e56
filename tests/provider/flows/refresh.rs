//! Refresh tokens in the body: steps, retries, copies.

use frontdesk::domain::refresh_token::RefreshToken;
use serde_json::json;

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn a_refresh_takes_a_step() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let first = app.tokens_of(ALICE).await;
    provider.advance(300).await;

    let second = app.refresh(&first.refresh).await.expect_tokens();

    assert_ne!(first.refresh, second.refresh);
    let (_, claims) = provider.verify(&second.access).await;
    assert_eq!(claims["iat"], json!(provider.now()));
    let id = app.check_id_token(&second.id, None).await;
    assert_eq!(id["auth_time"], json!(provider.now() - 300), "a refresh is no sign-in");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
}

#[tokio::test]
async fn within_the_grace_the_same_answer_comes_again() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let first = app.tokens_of(ALICE).await;
    let second = app.refresh(&first.refresh).await.expect_tokens();
    provider.advance(10).await;

    let again = app.refresh(&first.refresh).await.expect_tokens();

    assert_eq!(again.refresh, second.refresh);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
    app.refresh(&second.refresh).await.expect_tokens();
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 2);
}

#[tokio::test]
async fn a_lost_answer_costs_a_public_app_its_family_and_raises_no_alarm() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let first = app.tokens_of(ALICE).await;
    let second = app.refresh(&first.refresh).await.expect_tokens();
    provider.advance(11).await;

    let refused = app.refresh(&first.refresh).await.expect_error("invalid_grant");
    assert!(refused.text("error_description").contains("its successor never used"), "{refused:#?}");

    app.refresh(&second.refresh).await.expect_error("invalid_grant");
    assert_eq!(provider.end_reasons().await, ["lost_answer"]);
    assert_eq!(provider.live_families().await, 0);
    let told = provider.texts("SELECT data FROM audit WHERE action = 'grant.end'").await;
    assert!(told.len() == 1 && !told[0].contains("alarm"), "{told:?}");
}

#[tokio::test]
async fn an_old_generation_ends_the_family_with_an_alarm() {
    let provider = TestProvider::start().await;
    for (id, reasons) in [("native", 1), ("web", 2)] {
        let app = provider.client(id);
        let first = app.tokens_of(ALICE).await;
        let second = app.refresh(&first.refresh).await.expect_tokens();
        let third = app.refresh(&second.refresh).await.expect_tokens();

        app.refresh(&first.refresh).await.expect_error("invalid_grant");

        app.refresh(&third.refresh).await.expect_error("invalid_grant");
        app.userinfo(&third.access).await.expect_error("invalid_token");
        assert_eq!(provider.end_reasons().await, vec!["refresh_reuse"; reasons]);
        assert_eq!(provider.live_families().await, 0);
        let alarms = provider.texts("SELECT data FROM audit WHERE action = 'grant.end'").await;
        assert!(alarms.len() == reasons && alarms.iter().all(|data| data.contains("\"alarm\":true")), "{alarms:?}");
    }
}

#[tokio::test]
async fn a_confidential_app_may_repeat_until_the_successor_was_used() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let first = app.tokens_of(ALICE).await;
    let second = app.refresh(&first.refresh).await.expect_tokens();
    provider.advance(3600).await;

    let again = app.refresh(&first.refresh).await.expect_tokens();
    assert_eq!(again.refresh, second.refresh);

    app.refresh(&second.refresh).await.expect_tokens();
    app.refresh(&first.refresh).await.expect_error("invalid_grant");
    assert_eq!((provider.live_families().await, provider.end_reasons().await), (0, vec!["refresh_reuse".to_owned()]));
}

#[tokio::test]
async fn a_confidential_app_may_do_without_rotation() {
    let provider = TestProvider::start().await;
    let app = provider
        .register(
            "still",
            json!({
                "application_type": "web", "redirect_uris": ["https://still.example/callback"], "first_party": true,
                "grant_types": ["authorization_code", "refresh_token"], "scope": "openid offline_access",
                "refresh_retry": "no_rotation",
            }),
        )
        .await;
    let first = app.tokens_of(ALICE).await;
    let idle_until = "SELECT idle_expires_at FROM refresh_families";
    let at_first = provider.number(idle_until).await;
    for _ in 0..3 {
        provider.advance(3600).await;
        assert_eq!(app.refresh(&first.refresh).await.expect_tokens().refresh, first.refresh);
    }
    assert_eq!(
        (provider.number("SELECT generation FROM refresh_families").await, provider.live_families().await),
        (0, 1)
    );
    assert_eq!(provider.number(idle_until).await - at_first, 3 * 3600, "it is in use and does not lie idle");
    // To use what does not rotate is no retry, of which too many would end the family.
    assert_eq!(provider.number("SELECT retry_streak FROM refresh_families").await, 0);
}

#[tokio::test]
async fn a_web_app_without_a_secret_gets_the_short_life_of_a_browser_app() {
    let provider = TestProvider::start().await;
    let app = provider
        .register(
            "bare",
            json!({
                "application_type": "web", "redirect_uris": ["https://bare.example/callback"], "first_party": true,
                "grant_types": ["authorization_code", "refresh_token"], "scope": "openid offline_access",
                "token_endpoint_auth_method": "none",
            }),
        )
        .await;
    app.tokens_of(ALICE).await;
    for column in ["expires_at", "idle_expires_at"] {
        let until = provider.number(&format!("SELECT {column} FROM refresh_families")).await;
        assert_eq!(until - provider.now(), 7 * 86_400, "{column}");
    }
}

#[tokio::test]
async fn a_refresh_token_serves_its_own_client_only() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    for other in ["own", "post", "native"] {
        provider.client(other).refresh(&tokens.refresh).await.expect_error("invalid_grant");
    }
    let mut flipped = tokens.refresh.clone();
    let last = if flipped.pop() == Some('A') { 'Q' } else { 'A' };
    flipped.push(last);
    app.refresh(&flipped).await.expect_error("invalid_grant");
    assert_eq!(provider.live_families().await, 1);
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn a_database_that_went_back_in_time_gives_no_alarm() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let mut tokens = app.tokens_of(ALICE).await;
    for _ in 0..3 {
        tokens = app.refresh(&tokens.refresh).await.expect_tokens();
    }
    provider.run("UPDATE refresh_families SET generation = 1").await;

    let next = app.refresh(&tokens.refresh).await.expect_tokens();

    assert_eq!(RefreshToken::parse(&next.refresh).unwrap().generation(), 4);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 4);
    assert_eq!((provider.audited("refresh.store_went_back").await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn a_family_ends_when_it_lies_idle_or_grows_too_old() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let idle = app.tokens_of(ALICE).await;
    provider.advance(30 * 86_400).await;
    app.refresh(&idle.refresh).await.expect_error("invalid_grant");

    let mut used = app.tokens_of(ALICE).await;
    for _ in 0..4 {
        provider.advance(20 * 86_400).await;
        used = app.refresh(&used.refresh).await.expect_tokens();
    }
    provider.advance(10 * 86_400).await;
    app.refresh(&used.refresh).await.expect_error("invalid_grant");
    assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families").await, 4);
}

#[tokio::test]
async fn without_offline_access_a_web_app_gets_no_refresh_token() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("scope", "openid");
    let page = app.visit(&browser, &asked).await;
    let page = browser.answer_all(page, ALICE).await;
    let tokens = app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
    assert_eq!(tokens.refresh, "");
    assert_eq!(provider.live_families().await, 0);
}
