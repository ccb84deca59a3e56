//! Browsers at which nobody has signed in: they leave little behind, and not for long.

use frontdesk::jobs::purge;
use tokio_util::sync::CancellationToken;

use crate::support::{ALICE, Browser, PASSWORD, TestProvider};

const BROWSERS: &str = "SELECT COUNT(*) FROM browsers";
const HOUR: u64 = 3600;

async fn purge(provider: &TestProvider) {
    purge::once(provider.app(), provider.app().clock.now(), &CancellationToken::new()).await.unwrap();
}

async fn sign_in_form(browser: &Browser) {
    browser.go("/login").await.expect(200);
}

#[tokio::test]
async fn a_made_up_transaction_leaves_nothing_behind() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let hers = provider.browser();
    let page = app.visit(&hers, &app.ask()).await.expect_at("/login");
    let parked = page.path.split_once("txn=").unwrap().1.to_owned();
    let before = provider.number(BROWSERS).await;

    let mut forged = parked.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    for txn in ["x", "", &forged, &parked] {
        for path in ["/login", "/login/again", "/login/other", "/login/choose", "/consent"] {
            let page = provider.browser().go(&format!("{path}?txn={txn}")).await.expect(400);
            assert_eq!(page.answer.set_cookies(), Vec::<String>::new(), "{path} {txn:?}");
        }
        let page = provider.browser().go(&format!("/oauth2/authorize/i/{txn}")).await;
        assert!(matches!(page.answer.status.as_u16(), 400 | 404), "{page:#?}");
    }
    assert_eq!(provider.number(BROWSERS).await, before);
    assert_eq!(hers.answer_all(page, ALICE).await.left_for().split('?').next(), Some(app.redirect_uri.as_str()));
}

#[tokio::test]
async fn a_request_that_came_without_cookies_gives_its_browser_one() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let page = browser.posted_from_elsewhere("/oauth2/authorize", &app.ask().pairs()).await.expect_at("/login");
    assert!(browser.cookie("browser").is_some());
    assert!(browser.answer_all(page, ALICE).await.away.is_some());
}

#[tokio::test]
async fn a_stranger_is_forgotten_after_a_day_and_an_acquaintance_is_not() {
    let provider = TestProvider::start().await;
    let (stranger, hers, slow) = (provider.browser(), provider.browser(), provider.browser());
    sign_in_form(&stranger).await;
    sign_in_form(&slow).await;
    hers.sign_in(ALICE).await;
    provider.advance(23 * HOUR).await;
    // Who comes back within the day stays, and can finish what was begun just before it ended.
    let form = slow.go("/login").await;
    assert_eq!(provider.number(BROWSERS).await, 3);

    provider.advance(2 * HOUR).await;
    purge(&provider).await;

    assert_eq!(provider.number(BROWSERS).await, 2);
    slow.submit(&form, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/account");
    assert_eq!(provider.number("SELECT COUNT(*) FROM browsers WHERE known = TRUE").await, 2);
    provider.advance(300 * 24 * HOUR).await;
    purge(&provider).await;
    assert_eq!(provider.number(BROWSERS).await, 2);
    provider.advance(100 * 24 * HOUR).await;
    purge(&provider).await;
    assert_eq!(provider.number(BROWSERS).await, 0);
}
