//! Signing in at the page.

use crate::support::{ALICE, BOB, PASSWORD, TestProvider};

#[tokio::test]
async fn a_wrong_password_says_no_more_than_a_wrong_name() {
    let provider = TestProvider::start().await;
    let mut pages = Vec::new();
    for name in [ALICE, "somebody"] {
        let browser = provider.browser();
        let page = browser.go("/login").await;
        let page = browser.submit(&page, "/login", &[("username", name), ("password", "not the password")]).await;
        assert_eq!(browser.cookie("sid"), None);
        let csrf = page.hidden("/login", "csrf");
        let id = page.answer.header("request-id").to_owned();
        let body = page.answer.body.replace(&csrf, "").replace(name, "").replace(&id, "");
        pages.push((page.answer.status, body));
    }
    assert_eq!(pages[0], pages[1]);
    assert_eq!((provider.live_sessions().await, provider.audited("sign_in.refused").await), (0, 2));
}

#[tokio::test]
async fn every_sign_in_gives_another_session_cookie() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let before = browser.cookie("sid").unwrap();
    let asked = app.ask().with("prompt", "login");
    let page = app.visit(&browser, &asked).await;
    browser.answer_all(page, ALICE).await;
    assert_ne!(browser.cookie("sid").unwrap(), before);
    browser.plant("sid", &before);
    browser.go("/account").await.expect_at("/login");
    assert_eq!(provider.live_sessions().await, 1);
}

#[tokio::test]
async fn a_guesser_is_slowed_down_and_the_victim_is_not_locked_out() {
    let provider = TestProvider::with(|config| {
        config.passwords.attempts_per_account_and_network = 3;
        config.passwords.attempts_per_account = 5;
    })
    .await;
    let hers = provider.browser().at("198.51.100.1");
    hers.sign_in(ALICE).await;
    for round in 0..3 {
        let guesser = provider.browser().at(&format!("203.0.113.{round}"));
        for _ in 0..3 {
            let page = guesser.go("/login").await;
            guesser.submit(&page, "/login", &[("username", ALICE), ("password", "a guess")]).await;
        }
    }
    let guesser = provider.browser().at("203.0.113.77");
    let page = guesser.go("/login").await;
    let refused = guesser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect(429);
    assert!(refused.answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(provider.live_sessions().await, 1);

    let page = hers.go("/login/other").await;
    hers.submit(&page, "/login/other", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/account");
    let elsewhere = provider.browser().at("198.51.100.200");
    elsewhere.sign_in(BOB).await;
}

#[tokio::test]
async fn a_sign_in_form_from_elsewhere_signs_nobody_in() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    let page = browser.go("/login").await;
    let csrf = page.hidden("/login", "csrf");
    let fields = [("csrf", csrf.as_str()), ("username", BOB), ("password", PASSWORD)];
    browser.posted_from_elsewhere("/login", &fields).await.expect(403);
    let mine = provider.browser();
    let page = mine.go("/login").await;
    // A value that was made for another browser.
    let foreign = [("csrf", csrf.as_str()), ("username", BOB), ("password", PASSWORD)];
    mine.submit(&page, "/login", &foreign).await.expect(403);
    assert_eq!((provider.live_sessions().await, mine.cookie("sid")), (0, None));
}

#[tokio::test]
async fn a_disabled_person_cannot_sign_in() {
    let provider = TestProvider::start().await;
    provider.run("UPDATE users SET disabled_at = 1 WHERE username = 'alice'").await;
    let browser = provider.browser();
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/login");
    assert_eq!((provider.live_sessions().await, browser.cookie("sid")), (0, None));
}
