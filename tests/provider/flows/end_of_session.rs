//! Sign-out ends session, families, refresh, userinfo and introspection.

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn sign_out_ends_everything_that_hangs_on_the_session() {
    let provider = TestProvider::https().await;
    let (spa, own, api) = (provider.client("spa"), provider.client("own"), provider.client("api"));
    let browser = provider.browser();
    let at_spa = spa.signed_in_at(&browser, ALICE).await;
    let linked = own.ask().with("scope", "openid notes:read");
    let page = own.visit(&browser, &linked).await;
    let at_own = own.redeem(&linked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
    let code = spa.code_at(&browser, ALICE).await;
    assert!(api.sees_alive(&at_spa.access).await && api.sees_alive(&at_own.access).await);

    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await.expect(200).expect_text("You are signed out");

    assert_eq!(browser.cookie_names(), ["__Host-Http-browser"]);
    spa.refresh_at(&browser).await.expect_error("invalid_grant");
    spa.redeem_at(&browser, &code).await.expect_error("invalid_grant");
    for token in [&at_spa.access, &at_own.access] {
        spa.userinfo(token).await.expect_error("invalid_token");
        assert!(!api.sees_alive(token).await);
    }
    browser.go("/account").await.expect_at("/login");
    assert_eq!(
        (provider.live_sessions().await, provider.live_families().await, provider.live_grants().await),
        (0, 0, 0)
    );
    assert_eq!(provider.audited("session.end").await, 1);
}

#[tokio::test]
async fn a_copied_session_cookie_ends_with_the_session() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    let thief = browser.copied_to("203.0.113.9");
    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await;

    thief.go("/account").await.expect_at("/login");
    spa.refresh_at(&thief).await.expect_error("invalid_grant");
    assert_eq!(provider.live_families().await, 0);
}

#[tokio::test]
async fn a_session_ends_when_it_lies_idle_or_grows_too_old() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for _ in 0..4 {
        provider.advance(7 * 3600).await;
        browser.go("/account").await.expect_at("/account");
    }
    provider.advance(8 * 3600).await;
    browser.go("/account").await.expect_at("/login");
    assert_eq!(provider.number("SELECT COUNT(*) FROM sessions").await, 1);
}

#[tokio::test]
async fn signing_out_ends_a_session_that_lies_idle_with_its_families() {
    let provider = TestProvider::https().await;
    let (spa, own) = (provider.client("spa"), provider.client("own"));
    for way in ["ours", "the app's"] {
        let browser = provider.browser();
        let linked = own.ask().with("scope", "openid notes:read");
        let page = own.visit(&browser, &linked).await;
        let page = browser.answer_all(page, ALICE).await;
        let hint = own.redeem(&linked.code_in(page.left_for(), provider.issuer())).await.expect_tokens().id;
        spa.signed_in_at(&browser, ALICE).await;
        provider.advance(9 * 3600).await;
        browser.go("/account").await.expect_at("/login");
        spa.refresh_at(&browser).await.expect_tokens();

        if way == "ours" {
            let page = browser.go("/logout").await.expect(200).expect_text("Alice Test");
            browser.submit(&page, "/logout", &[]).await.expect_text("You are signed out");
        } else {
            let bye = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", "https://own.example/bye")];
            let page = browser.posted_from_elsewhere("/oauth2/logout", &bye).await;
            assert_eq!(page.left_for(), "https://own.example/bye");
        }

        assert_eq!(browser.cookie_names(), ["__Host-Http-browser"], "{way}");
        spa.refresh_at(&browser).await.expect_error("invalid_grant");
        assert_eq!((provider.live_sessions().await, provider.live_families().await), (0, 0), "{way}");
    }
}

#[tokio::test]
async fn a_disabled_person_is_out_everywhere() {
    let provider = TestProvider::https().await;
    let (spa, native) = (provider.client("spa"), provider.client("native"));
    let browser = provider.browser();
    let at_spa = spa.signed_in_at(&browser, ALICE).await;
    let on_phone = native.tokens_of(ALICE).await;
    provider.disable(ALICE).await;
    spa.refresh_at(&browser).await.expect_error("invalid_grant");
    native.refresh(&on_phone.refresh).await.expect_error("invalid_grant");
    spa.userinfo(&at_spa.access).await.expect_error("invalid_token");
    native.userinfo(&on_phone.access).await.expect_error("invalid_token");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (0, 0));
    provider.enable(ALICE).await;
    browser.go("/account").await.expect_at("/login");
    native.refresh(&on_phone.refresh).await.expect_error("invalid_grant");
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn what_was_given_for_use_without_the_person_outlives_the_sign_out() {
    let provider = TestProvider::https().await;
    let native = provider.client("native");
    let browser = provider.browser();
    let tokens = native.tokens_at(&browser, ALICE).await;
    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await.expect(200);
    native.refresh(&tokens.refresh).await.expect_tokens();
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (0, 1));
}

#[tokio::test]
async fn a_grant_ended_by_an_admin_leaves_the_others() {
    let provider = TestProvider::https().await;
    let native = provider.client("native");
    let first = native.tokens_of(ALICE).await;
    let grant = provider.texts("SELECT id FROM grants").await.remove(0);
    let second = native.tokens_of(ALICE).await;
    provider.end_grant(&grant).await;
    native.refresh(&first.refresh).await.expect_error("invalid_grant");
    native.refresh(&second.refresh).await.expect_tokens();
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn the_operators_own_app_outlives_a_sign_out_only_where_the_person_allowed_it() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    for (prompt, outlives) in [("login", false), ("consent", true)] {
        let browser = provider.browser();
        browser.sign_in(ALICE).await;
        let asked = app.ask().with("prompt", prompt);
        let page = app.visit(&browser, &asked).await;
        let page = browser.answer_all(page, ALICE).await;
        let tokens = app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
        let room = browser.go("/account").await;
        browser.submit(&room, "/logout", &[]).await.expect(200);
        let answer = app.refresh(&tokens.refresh).await;
        if outlives {
            answer.expect_tokens();
        } else {
            answer.expect_error("invalid_grant");
        }
        assert_eq!(provider.live_families().await, i64::from(outlives));
    }
}
