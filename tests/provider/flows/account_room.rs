//! The account room.

use crate::support::{ADMIN, ALICE, BOB, PASSWORD, TestProvider};

const NEW: &str = "another fine password";

#[tokio::test]
async fn a_changed_password_ends_all_else_and_turns_the_cookie() {
    let provider = TestProvider::https().await;
    let (spa, native) = (provider.client("spa"), provider.client("native"));
    let (here, there) = (provider.browser(), provider.browser());
    there.sign_in(ALICE).await;
    spa.signed_in_at(&there, ALICE).await;
    let on_phone = native.tokens_of(ALICE).await;
    here.sign_in(ALICE).await;
    let thief = here.copied_to("203.0.113.9");

    let page = here.go("/account/password").await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW), ("repeat_password", NEW)];
    here.submit(&page, "/account/password", &fields).await.expect_at("/account").expect(200);

    here.go("/account/sessions").await.expect_at("/account/sessions");
    thief.go("/account").await.expect_at("/login");
    there.go("/account").await.expect_at("/login");
    spa.refresh_at(&there).await.expect_error("invalid_grant");
    native.refresh(&on_phone.refresh).await.expect_error("invalid_grant");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 0));
    assert_eq!(provider.audited("user.change_password").await, 1);
    let fresh = provider.browser();
    let page = fresh.go("/login").await;
    fresh.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/login");
    fresh.submit(&page, "/login", &[("username", ALICE), ("password", NEW)]).await.expect_at("/account");
}

#[tokio::test]
async fn a_password_is_not_changed_without_the_old_one_or_into_a_weak_one() {
    let provider = TestProvider::start().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let other = provider.browser();
    other.sign_in(ALICE).await;
    let page = browser.go("/account/password").await;
    for (current, new, repeated) in [
        ("not the password", NEW, NEW),
        (PASSWORD, NEW, "another fine passwort"),
        (PASSWORD, "short", "short"),
        (PASSWORD, PASSWORD, PASSWORD),
    ] {
        let fields = [("current_password", current), ("new_password", new), ("repeat_password", repeated)];
        browser.submit(&page, "/account/password", &fields).await.expect_at("/account/password").expect(400);
    }
    assert_eq!((provider.live_sessions().await, provider.audited("user.change_password").await), (2, 0));
    provider.browser().sign_in(ALICE).await;
}

#[tokio::test]
async fn a_session_elsewhere_can_be_ended() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let (here, there) = (provider.browser(), provider.browser());
    spa.signed_in_at(&there, ALICE).await;
    here.sign_in(ALICE).await;
    let page = here.go("/account/sessions").await;
    let other = page.hidden("/account/sessions/end", "session");
    let ended = here.submit(&page, "/account/sessions/end", &[("session", &other)]).await;
    ended.expect_at("/account/sessions").expect(200);

    there.go("/account").await.expect_at("/login");
    spa.refresh_at(&there).await.expect_error("invalid_grant");
    here.go("/account").await.expect_at("/account");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 0));
}

#[tokio::test]
async fn a_session_that_lies_idle_is_listed_while_an_app_lives_by_it() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let (here, there, bare) = (provider.browser(), provider.browser(), provider.browser());
    bare.sign_in(ALICE).await;
    spa.signed_in_at(&there, ALICE).await;
    provider.advance(9 * 3600).await;
    spa.refresh_at(&there).await.expect_tokens();
    provider.advance(120).await;
    here.sign_in(ALICE).await;

    let page = here.go("/account/sessions").await.expect_text("The spa app").expect_text("minutes ago");
    assert_eq!(page.answer.body.matches("data-session").count(), 2, "what holds nothing and opens nothing is left out");
    here.go("/account").await.expect_text("signed in on \u{2068}2\u{2069} devices");
    here.submit(&page, "/account/sessions/end-others", &[]).await.expect_at("/account/sessions");

    spa.refresh_at(&there).await.expect_error("invalid_grant");
    let page = here.go("/account/sessions").await;
    assert_eq!(page.answer.body.matches("data-session").count(), 1);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 0));
}

#[tokio::test]
async fn the_operators_own_apps_are_listed_and_can_be_withdrawn() {
    let provider = TestProvider::https().await;
    let (spa, own) = (provider.client("spa"), provider.client("own"));
    let (here, there) = (provider.browser(), provider.browser());
    spa.signed_in_at(&here, ALICE).await;
    spa.signed_in_at(&there, ALICE).await;
    let offline = own.tokens_at(&here, ALICE).await;
    spa.signed_in_at(&provider.browser(), BOB).await;
    here.go("/account").await.expect_text("\u{2068}2\u{2069} apps have access");
    here.go("/account/apps").await.expect_text("The spa app").expect_text("The own app");

    for app in ["spa", "own"] {
        let page = here.go(&format!("/account/apps/{app}/withdraw")).await.expect(200);
        here.submit(&page, "/account/apps/withdraw", &[]).await.expect_at("/account/apps");
    }

    spa.refresh_at(&here).await.expect_error("invalid_grant");
    spa.refresh_at(&there).await.expect_error("invalid_grant");
    own.refresh(&offline.refresh).await.expect_error("invalid_grant");
    here.go("/account/apps").await.expect_text("No connected apps yet");
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1), "Bob's");
}

#[tokio::test]
async fn nobody_ends_the_session_of_another() {
    let provider = TestProvider::https().await;
    let (alices, bobs) = (provider.browser(), provider.browser());
    alices.sign_in(ALICE).await;
    let id = provider.texts("SELECT id FROM sessions").await.remove(0);
    bobs.sign_in(BOB).await;
    bobs.copied_to("192.0.2.7").go("/account/sessions").await.expect(200);
    // Two sessions of his own, so that the page has the form.
    provider.browser().sign_in(BOB).await;
    let page = bobs.go("/account/sessions").await;
    bobs.submit(&page, "/account/sessions/end", &[("session", &id)]).await;
    alices.go("/account").await.expect_at("/account");
    assert_eq!(provider.live_sessions().await, 3);
}

#[tokio::test]
async fn all_other_sessions_end_at_once() {
    let provider = TestProvider::https().await;
    let here = provider.browser();
    here.sign_in(ALICE).await;
    for _ in 0..3 {
        provider.browser().sign_in(ALICE).await;
    }
    provider.browser().sign_in(BOB).await;
    let page = here.go("/account/sessions").await;
    here.submit(&page, "/account/sessions/end-others", &[]).await.expect_at("/account/sessions");
    here.go("/account").await.expect_at("/account");
    assert_eq!(provider.live_sessions().await, 2);
}

#[tokio::test]
async fn a_withdrawn_app_has_nothing_and_asks_again() {
    let provider = TestProvider::start().await;
    let (web, post) = (provider.client("web"), provider.client("post"));
    let browser = provider.browser();
    let tokens = web.tokens_at(&browser, ALICE).await;
    let others = post.tokens_at(&browser, ALICE).await;
    browser.go("/account/apps").await.expect_text("The web app").expect_text("The post app");
    let page = browser.go("/account/apps/web/withdraw").await.expect(200);
    assert_eq!(provider.live_grants().await, 2);
    let page = browser.submit(&page, "/account/apps/withdraw", &[]).await.expect_at("/account/apps");
    page.expect_text("The post app");

    web.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    web.userinfo(&tokens.access).await.expect_error("invalid_token");
    post.refresh(&others.refresh).await.expect_tokens();
    web.visit(&browser, &web.ask()).await.expect_at("/consent");
    assert_eq!((provider.live_grants().await, provider.end_reasons().await), (1, vec!["consent_withdrawn".to_owned()]));
    assert_eq!(provider.texts("SELECT client_id FROM consents").await, ["post"]);
}

#[tokio::test]
async fn the_room_is_closed_to_who_is_not_signed_in() {
    let provider = TestProvider::start().await;
    for path in ["/account", "/account/password", "/account/sessions", "/account/apps", "/account/apps/web/withdraw"] {
        provider.browser().go(path).await.expect_at("/login");
    }
    let browser = provider.browser();
    let page = browser.go("/login").await;
    let csrf = page.hidden("/login", "csrf");
    let session = provider.browser();
    session.sign_in(ADMIN).await;
    let own = provider.issuer().to_owned();
    let refused = provider
        .post(
            "/account/sessions/end-others",
            &[("origin", &own), ("sec-fetch-site", "same-origin")],
            &[("csrf", &csrf)],
        )
        .await;
    assert_eq!(refused.status.as_u16(), 403);
    assert_eq!(provider.live_sessions().await, 1);
}

#[tokio::test]
async fn an_admin_finds_the_way_to_the_other_room_and_nobody_else_is_shown_it() {
    let provider = TestProvider::https().await;
    let (admin, alice) = (provider.browser(), provider.browser());
    admin.sign_in(ADMIN).await;
    alice.sign_in(ALICE).await;
    for page in ["/account", "/account/password", "/account/sessions", "/account/apps"] {
        let theirs = admin.go(page).await.expect(200).expect_text("id=\"to-admin\"");
        assert!(theirs.links().contains(&"/admin".to_owned()), "{page}");
        let hers = alice.go(page).await.expect(200);
        assert!(!hers.answer.body.contains("/admin") && !hers.answer.body.contains("to-admin"), "{page}");
    }
    // Whoever loses the role loses the link.
    provider.run("UPDATE users SET roles = '' WHERE username = 'admin'").await;
    assert!(!admin.go("/account").await.answer.body.contains("to-admin"));
}

#[tokio::test]
async fn the_town_of_a_session_is_shown_if_the_operator_gave_a_database_of_places() {
    for (given, shown) in
        [(None, false), (Some("tests/fixtures/places.mmdb"), true), (Some("tests/fixtures/none.mmdb"), false)]
    {
        let provider = TestProvider::with(|config| config.pages.places_file = given.map(Into::into)).await;
        let (in_vienna, nowhere) = (provider.browser().at("203.0.113.7"), provider.browser().at("192.0.2.1"));
        provider.client("native").signed_in_at(&in_vienna, ALICE).await;
        nowhere.sign_in(ADMIN).await;
        for (browser, path) in
            [(&in_vienna, "/account/sessions"), (&in_vienna, "/account/apps"), (&nowhere, "/admin/sessions")]
        {
            let page = browser.go(path).await.expect_at(path).expect_text("203.0.113.7");
            assert_eq!(page.answer.body.contains("Vienna, Austria"), shown, "{given:?} {path}");
        }
        nowhere.go("/account/sessions").await.expect_text("192.0.2.1");
    }
}
