//! Sessions: listed, ended, and over in time whatever the browser does.

use crate::support::{ALICE, BOB, PASSWORD, Page, TestProvider};

/// What the list of sessions shows.
fn listed(page: &Page) -> usize {
    page.answer.body.matches("data-session=").count()
}

#[tokio::test]
async fn row_102_the_list_shows_every_session_of_mine_and_ends_all_others_at_once() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let here = provider.browser();
    here.sign_in(ALICE).await;
    let others = [provider.browser(), provider.browser(), provider.browser()];
    for other in &others {
        spa.signed_in_at(other, ALICE).await;
    }
    let copied = others[0].copied_to("203.0.113.9");
    let bobs = provider.browser();
    bobs.sign_in(BOB).await;

    let page = here.go("/account/sessions").await.expect(200);
    assert_eq!(listed(&page), 4, "{page:#?}");
    let page = here.submit(&page, "/account/sessions/end-others", &[]).await.expect_at("/account/sessions");

    assert_eq!(listed(&page), 1);
    for other in others.iter().chain([&copied]) {
        other.go("/account").await.expect_at("/login");
        spa.refresh_at(other).await.expect_error("invalid_grant");
    }
    bobs.go("/account").await.expect_at("/account");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (2, 0));
    assert_eq!(provider.audited("sessions.end").await, 1);
}

#[tokio::test]
async fn row_102_a_session_in_constant_use_is_over_at_its_absolute_age() {
    for remember in [false, true] {
        let provider = TestProvider::https().await;
        let browser = provider.browser();
        let page = browser.go("/login").await;
        let mut fields = vec![("username", ALICE), ("password", PASSWORD)];
        fields.extend(remember.then_some(("remember", "on")));
        browser.submit(&page, "/login", &fields).await.expect_at("/account");
        let cookie = format!("__Host-Http-sid={}", browser.cookie("sid").unwrap());
        let week = 7 * 86_400;
        let end = provider.now() + week;
        // The cookie is sent whatever its own lifetime said: the server must know.
        while provider.now() + 7 * 3600 < end {
            provider.advance(7 * 3600).await;
            provider.get_with("/account", &[("cookie", &cookie)]).await.expect(200);
        }
        provider.advance(u64::try_from(end - provider.now()).unwrap() - 1).await;
        provider.get_with("/account", &[("cookie", &cookie)]).await.expect(200);
        provider.advance(1).await;

        let refused = provider.get_with("/account", &[("cookie", &cookie)]).await.expect(303);

        assert_eq!(refused.header("location"), "/login", "remembered: {remember}");
        assert_eq!(provider.number("SELECT COUNT(*) FROM sessions").await, 1, "no new one was opened");
    }
}

#[tokio::test]
async fn row_102_a_session_left_idle_is_over_whether_or_not_its_cookie_is_still_sent() {
    // Seconds of idleness, whether the person asked to stay signed in, and whether the session lives.
    for (idle, remember, lives) in
        [(8 * 3600 - 1, false, true), (8 * 3600, false, false), (8 * 3600, true, true), (7 * 86_400, true, false)]
    {
        let provider = TestProvider::https().await;
        let browser = provider.browser();
        let page = browser.go("/login").await;
        let mut fields = vec![("username", ALICE), ("password", PASSWORD)];
        fields.extend(remember.then_some(("remember", "on")));
        browser.submit(&page, "/login", &fields).await.expect_at("/account");
        let cookie = format!("__Host-Http-sid={}", browser.cookie("sid").unwrap());
        provider.advance(idle).await;
        let first = provider.get_with("/account", &[("cookie", &cookie)]).await;
        let again = provider.get_with("/account", &[("cookie", &cookie)]).await;
        let expected = if lives { 200 } else { 303 };
        let told = (first.status.as_u16(), again.status.as_u16());
        assert_eq!(told, (expected, expected), "idle for {idle}, remembered: {remember}");
    }
}
