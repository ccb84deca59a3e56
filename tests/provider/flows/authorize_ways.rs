//! Other ways into and out of the authorization endpoint.

use crate::support::{ALICE, PASSWORD, TestProvider};

#[tokio::test]
async fn form_post_delivers_the_answer_in_a_form() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask().with("response_mode", "form_post");

    let page = app.visit(&browser, &asked).await.expect(200);

    let action = app.redirect_uri.as_str();
    assert_eq!(page.hidden(action, "state"), asked.state());
    assert_eq!(page.hidden(action, "iss"), provider.issuer());
    assert_eq!(page.answer.header("cache-control"), "no-store");
    let policy = page.answer.header("content-security-policy");
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe-inline"), "{policy}");
    let code = asked.code(page.hidden(action, "code"));
    app.redeem(&code).await.expect_tokens();
    assert_eq!(provider.live_families().await, 1);

    let denied = app.ask().with("response_mode", "form_post").with("prompt", "none").with("max_age", "0");
    let page = app.visit(&browser, &denied).await.expect(200);
    assert_eq!(page.hidden(action, "error"), "login_required");
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn a_post_from_another_site_finds_the_session_again() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask();

    let page = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;

    let code = asked.code_in(page.left_for(), provider.issuer());
    app.redeem(&code).await.expect_tokens();
    assert_eq!(provider.number("SELECT COUNT(*) FROM authorize_requests WHERE parameters <> ''").await, 0, "answered");
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn a_parameter_twice_is_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask();
    let page = browser.come(&format!("{}&scope=openid", asked.path())).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request");
    let page = browser.come(&format!("{}&redirect_uri=https://own.example/callback", asked.path())).await;
    assert!(page.away.is_none());
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn without_pkce_nothing_is_given() {
    let provider = TestProvider::start().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for id in ["own", "spa"] {
        let app = provider.client(id);
        for asked in [app.ask().without("code_challenge"), app.ask().with("code_challenge_method", "plain")] {
            let page = app.visit(&browser, &asked).await;
            if id == "own" {
                assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request");
            } else {
                // On loopback anybody may listen: the refusal is told on a page.
                assert_eq!((page.away, page.answer.status.as_u16()), (None, 400));
            }
        }
    }
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn a_transaction_waits_a_quarter_of_an_hour() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let asked = app.ask();
    let page = app.visit(&browser, &asked).await.expect_at("/login");
    provider.advance(900).await;

    let late = browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;

    assert_eq!((late.away, late.answer.status.as_u16()), (None, 400));
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (0, 0));
}
