//! Sign-out of browser apps: what ends, which cookies go, and what happens when some are missing.

use crate::support::{ALICE, BOB, PASSWORD, TestProvider, encode};

#[tokio::test]
async fn a_sign_out_that_another_site_starts_takes_every_refresh_cookie_away_although_none_is_sent() {
    let provider = TestProvider::https().await;
    let (spa, second, own) = (provider.client("spa"), provider.client("second"), provider.client("own"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    second.signed_in_at(&browser, ALICE).await;
    // One family ended by itself: its cookie may still lie in the browser.
    let copy = browser.copied_to("192.0.2.7");
    second.fetch(&copy, "/oauth2/browser/logout", &[]).await.expect(204);
    let tokens = own.tokens_at(&browser, ALICE).await;
    assert_eq!(browser.cookie_names().iter().filter(|name| name.contains("rt.")).count(), 2);
    let query = encode(&[("id_token_hint", &tokens.id), ("post_logout_redirect_uri", "https://own.example/bye")]);

    // By a link on another site: Strict cookies stay at home.
    let page = browser.come(&format!("/oauth2/logout?{query}")).await;

    assert_eq!(page.left_for(), "https://own.example/bye");
    assert_eq!(page.answer.header("clear-site-data"), "");
    assert_eq!(browser.cookie_names(), ["__Host-Http-browser"]);
    assert_eq!(
        (provider.live_sessions().await, provider.live_families().await),
        (0, 0),
        "nobody allowed own to outlive it"
    );
}

#[tokio::test]
async fn signing_out_at_the_page_takes_the_cookies_of_every_app_away() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    for id in ["spa", "second"] {
        provider.client(id).signed_in_at(&browser, ALICE).await;
    }
    let other = provider.browser();
    provider.client("spa").signed_in_at(&other, ALICE).await;
    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await.expect(200);
    assert_eq!(browser.cookie_names(), ["__Host-Http-browser"]);
    provider.client("spa").refresh_at(&other).await.expect_tokens();
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn without_the_refresh_cookie_nothing_ends_and_it_is_no_error() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    for scope in ["session", "app", ""] {
        let copy = browser.copied_to("192.0.2.7");
        copy.forget(&browser.refresh_cookie_name());
        let answer = spa.fetch(&copy, "/oauth2/browser/logout", &[("scope", scope)]).await.expect(204);
        assert_eq!(answer.set_cookies(), Vec::<String>::new());
        // Of an app that was never signed in to here.
        second.fetch(&browser, "/oauth2/browser/logout", &[("scope", scope)]).await.expect(204);
    }
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
    spa.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn with_another_sessions_cookie_only_the_apps_own_family_ends() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let (hers, bobs) = (provider.browser(), provider.browser());
    spa.signed_in_at(&hers, ALICE).await;
    second.signed_in_at(&hers, ALICE).await;
    bobs.sign_in(BOB).await;
    let mixed = hers.copied_to("192.0.2.7");
    mixed.plant("sid", &bobs.cookie("sid").unwrap());
    let answer = spa.fetch(&mixed, "/oauth2/browser/logout", &[("scope", "session")]).await.expect(204);
    assert_eq!(answer.set_cookies().len(), 1, "{answer:#?}");
    second.refresh_at(&hers).await.expect_tokens();
    bobs.go("/account").await.expect_at("/account");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (2, 1));
    assert_eq!(provider.end_reasons().await, ["signed_out"]);
}

#[tokio::test]
async fn with_an_older_cookie_of_the_session_only_the_apps_own_family_ends() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    second.signed_in_at(&browser, ALICE).await;
    let old = browser.copied_to("192.0.2.7");
    // The same person comes back after a while and signs in again: the session stays, and its cookie is another one.
    provider.advance(8 * 3600).await;
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/account");
    assert_eq!(provider.live_sessions().await, 1);

    let answer = spa.fetch(&old, "/oauth2/browser/logout", &[("scope", "session")]).await.expect(204);

    assert_eq!(answer.set_cookies().len(), 1, "{answer:#?}");
    second.refresh_at(&browser).await.expect_tokens();
    browser.go("/account").await.expect_at("/account");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn whatever_ends_the_session_ends_its_families_and_what_they_gave() {
    for way in ["sign-out", "password", "disabled", "ended elsewhere", "another person"] {
        let provider = TestProvider::https().await;
        let spa = provider.client("spa");
        let (browser, elsewhere) = (provider.browser(), provider.browser());
        let tokens = spa.signed_in_at(&browser, ALICE).await;
        elsewhere.sign_in(ALICE).await;
        match way {
            "sign-out" => {
                let page = browser.go("/account").await;
                let kept = browser.copied_to("192.0.2.7");
                browser.submit(&page, "/logout", &[]).await.expect(200);
                spa.refresh_at(&kept).await.expect_error("invalid_grant");
            }
            "password" => {
                let page = elsewhere.go("/account/password").await;
                let new = "another fine password";
                let fields = [("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
                elsewhere.submit(&page, "/account/password", &fields).await.expect_at("/account");
            }
            "disabled" => provider.disable(ALICE).await,
            "ended elsewhere" => {
                let page = elsewhere.go("/account/sessions").await;
                elsewhere.submit(&page, "/account/sessions/end-others", &[]).await.expect(200);
            }
            _ => {
                let page = browser.go("/login/other").await;
                let fields = [("username", BOB), ("password", PASSWORD)];
                browser.submit(&page, "/login/other", &fields).await.expect_at("/account");
            }
        }
        let refused = spa.refresh_at(&browser).await;
        assert_eq!(refused.set_cookies(), Vec::<String>::new(), "{way}");
        refused.expect_error("invalid_grant");
        spa.userinfo(&tokens.access).await.expect_error("invalid_token");
        assert!(!provider.client("api").sees_alive(&tokens.access).await, "{way}");
        assert_eq!((provider.live_families().await, provider.live_grants().await), (0, 0), "{way}");
    }
}
