//! Forms that come twice, too late, or from a tab that lost its identity: the step is shown again, or a page says what became of it.

use crate::support::{ALICE, BOB, PASSWORD, TestProvider};

const APP: &str = "href=\"https://web.example/\"";

#[tokio::test]
async fn two_tabs_that_came_first_at_the_same_moment_both_reach_their_end() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let (first, second) = (app.ask(), app.ask());
    let one = app.visit(&browser, &first).await.expect_at("/login");
    browser.forget("browser");
    let two = app.visit(&browser, &second).await.expect_at("/login");

    let again = browser.submit(&one, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
    let again = again.expect(403).expect_at("/login").expect_text("open for too long").expect_text("value=\"alice\"");
    assert_eq!((provider.live_sessions().await, provider.audited("sign_in.refused").await), (0, 0));
    let page = browser.submit(&again, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
    first.code_in(page.left_for(), provider.issuer());

    let page = browser.submit(&two, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
    second.code_in(page.left_for(), provider.issuer());
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (1, 2));
}

#[tokio::test]
async fn the_consent_step_is_shown_again_too() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask();
    let page = app.visit(&browser, &asked).await.expect_at("/consent");
    browser.forget("browser");
    app.visit(&browser, &app.ask()).await;
    let again = browser.submit(&page, "/consent", &[("decision", "accept")]).await.expect(403).expect_at("/consent");
    assert_eq!(provider.live_grants().await, 0);
    let page = browser.submit(&again, "/consent", &[("decision", "accept")]).await;
    asked.code_in(page.left_for(), provider.issuer());
}

#[tokio::test]
async fn a_form_that_does_not_show_where_it_stood_takes_no_transaction_over() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let (hers, his) = (provider.browser(), provider.browser());
    let page = app.visit(&hers, &app.ask()).await.expect_at("/login");
    let his_own = his.go("/login").await.hidden("/login", "csrf");
    for csrf in [his_own.as_str(), "AAAA", ""] {
        let fields = [("csrf", csrf), ("username", BOB), ("password", PASSWORD)];
        let taken = his.submit(&page, "/login", &fields).await;
        assert!(taken.away.is_none() && taken.answer.status.as_u16() >= 400, "{taken:#?}");
    }
    assert_eq!(provider.number("SELECT COUNT(DISTINCT browser_id) FROM authorize_requests").await, 1);
    assert_eq!(provider.live_sessions().await, 0);
    hers.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/consent");
}

#[tokio::test]
async fn a_consent_sent_twice_counts_once_and_is_told_as_done() {
    let provider = TestProvider::https().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask();
    let page = app.visit(&browser, &asked).await.expect_at("/consent");

    let yes = [("decision", "accept")];
    let (one, two) = tokio::join!(browser.submit(&page, "/consent", &yes), browser.submit(&page, "/consent", &yes));

    let (left, stayed) = if one.away.is_some() { (one, two) } else { (two, one) };
    asked.code_in(left.left_for(), provider.issuer());
    stayed.expect(400).expect_text("You have answered already").expect_text(APP);
    let late = browser.submit(&page, "/consent", &[("decision", "deny")]).await;
    assert!(late.away.is_none());
    late.expect(400).expect_text("You have answered already").expect_text(APP);
    let late = browser.go(&page.path).await;
    late.expect(400).expect_text("You have answered already");
    assert_eq!((provider.live_grants().await, provider.number("SELECT COUNT(*) FROM codes").await), (1, 1));
}

#[tokio::test]
async fn a_sign_in_that_took_too_long_leads_back_to_its_app() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let page = app.visit(&browser, &app.ask()).await.expect_at("/login");
    provider.advance(16 * 60).await;
    let late = browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
    late.expect(400).expect_text("took too long").expect_text(APP);
    assert_eq!(provider.live_sessions().await, 0);
}
