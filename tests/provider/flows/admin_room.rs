//! The admin's room: who comes in and how, and what an admin can do there.

use crate::support::{ADMIN, ALICE, BOB, PASSWORD, TestProvider};

#[tokio::test]
async fn who_is_not_signed_in_comes_back_to_what_was_wanted() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    let page = browser.go("/admin/people?find=ali").await.expect_at("/login");
    let page = browser.submit(&page, "/login", &[("username", ADMIN), ("password", "wrong")]).await.expect_at("/login");
    let page = browser.submit(&page, "/login", &[("username", ADMIN), ("password", PASSWORD)]).await;
    assert_eq!(page.path, "/admin/people?find=ali");
    assert!(page.answer.body.contains("alice@example.com") && !page.answer.body.contains("bob@example.com"));
    // Signed in already: straight on.
    assert_eq!(browser.go("/login?to=%2Fadmin%2Faudit").await.path, "/admin/audit");
    for elsewhere in
        ["https%3A%2F%2Fevil.test%2Fadmin", "%2F%2Fevil.test%2Fadmin", "%2Fadmin%2F..%2F%2Fevil.test", "%2Flogout"]
    {
        assert_eq!(browser.go(&format!("/login?to={elsewhere}")).await.path, "/account", "{elsewhere}");
        let fresh = provider.browser();
        let page = fresh.go(&format!("/login?to={elsewhere}")).await;
        let page = fresh.submit(&page, "/login", &[("username", ADMIN), ("password", PASSWORD)]).await;
        assert_eq!((page.path.as_str(), page.away), ("/account", None), "{elsewhere}");
    }
}

#[tokio::test]
async fn elevation_is_asked_once_leads_on_and_lasts_ten_minutes() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    browser.sign_in(ADMIN).await;
    let wanted = format!("/admin/people/{}/disable", provider.user(ALICE).await);
    let page = browser.go(&wanted).await.expect_at("/admin/elevate");
    for (typed, status) in [("", 400), ("not this one", 200)] {
        let again = browser.submit(&page, "/admin/elevate", &[("current_password", typed)]).await;
        again.expect_at("/admin/elevate").expect(status);
        assert_eq!(browser.cookie("elevated"), None);
    }
    let old = browser.cookie("sid").unwrap();
    let page = browser.submit(&page, "/admin/elevate", &[("current_password", PASSWORD)]).await;
    assert_eq!(page.path, wanted, "it goes on with what was wanted");
    assert_ne!(browser.cookie("sid").unwrap(), old, "the session's cookie turns with the proof");
    let value = browser.cookie("elevated").unwrap();
    assert_eq!((provider.audited("admin.elevate").await, provider.live_sessions().await), (1, 1));

    // Use does not prolong it.
    provider.advance(599).await;
    browser.go(&wanted).await.expect_at(&wanted).expect(200);
    assert_eq!(browser.cookie("elevated").unwrap(), value);
    provider.advance(1).await;
    browser.submit(&page, &wanted, &[]).await.expect_at("/admin/elevate");
    let cookies = format!("{}; __Host-Http-elevated={value}", browser.all_cookies());
    provider.advance(1).await;
    let answer = provider.get_with(&wanted, &[("cookie", &cookies)]).await;
    assert!(answer.header("location").starts_with("/admin/elevate"), "a kept cookie is too old as well: {answer:#?}");
    assert_eq!(provider.audited("user.disable").await, 0);
    // A new proof makes a new one.
    browser.elevate().await;
    assert_ne!(browser.cookie("elevated").unwrap(), value);
    browser.does(&wanted).await.expect(200);
    assert_eq!(provider.audited("user.disable").await, 1);
}

#[tokio::test]
async fn elevation_is_of_one_sign_in_in_one_session() {
    let provider = TestProvider::https().await;
    let (here, there) = (provider.browser(), provider.browser());
    here.elevated().await;
    there.sign_in(ADMIN).await;
    let wanted = format!("/admin/people/{}/disable", provider.user(ALICE).await);
    let value = here.cookie("elevated").unwrap();
    let with = |cookies: String| format!("{cookies}; __Host-Http-elevated={value}");
    let leads_to =
        async |cookies: String| provider.get_with(&wanted, &[("cookie", &cookies)]).await.header("location").to_owned();
    assert!(leads_to(with(there.all_cookies())).await.starts_with("/admin/elevate"));
    // Who signs in again at this browser without the page has not proven it there.
    provider.advance(5).await;
    let page = here.go("/login/again").await;
    here.submit(&page, "/login/again", &[("password", PASSWORD)]).await.expect_at("/account");
    here.go(&wanted).await.expect_at("/admin/elevate");
    // It ends with the session, and the cookie goes.
    here.elevate().await;
    let kept = here.all_cookies();
    let page = here.go("/admin").await;
    here.submit(&page, "/logout", &[]).await.expect(200);
    assert_eq!(here.cookie("elevated"), None);
    assert!(leads_to(kept).await.starts_with("/login"));
}

#[tokio::test]
async fn the_password_of_an_admin_is_throttled_like_any() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    browser.sign_in(ADMIN).await;
    let page = browser.go("/admin/elevate").await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let answer = browser.submit(&page, "/admin/elevate", &[("current_password", "wrong")]).await.answer;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!((statuses.first(), statuses.last()), (Some(&200), Some(&429)), "{statuses:?}");
    let answer = browser.submit(&page, "/admin/elevate", &[("current_password", PASSWORD)]).await;
    assert_eq!(answer.answer.status, 429);
    assert_eq!(browser.cookie("elevated"), None);
}

#[tokio::test]
async fn an_admin_signs_a_person_out_and_sees_it_in_the_audit() {
    let provider = TestProvider::https().await;
    let (spa, native) = (provider.client("spa"), provider.client("native"));
    let (hers, admins) = (provider.browser(), provider.browser());
    spa.signed_in_at(&hers, ALICE).await;
    let on_phone = native.tokens_of(ALICE).await;
    admins.elevated().await;
    let id = provider.user(ALICE).await;
    let page = admins.go(&format!("/admin/people/{id}")).await.expect(200);
    for shown in ["alice@example.com", "Alice Test", "The spa app", "Firefox", "192.0.2.7"] {
        assert!(page.answer.body.contains(shown), "{shown}");
    }
    let done = admins.does(&format!("/admin/people/{id}/sign-out")).await;
    assert_eq!(done.path, format!("/admin/people/{id}?done=people-sign-out"));
    assert!(done.answer.body.contains("id=\"notice\""));
    spa.refresh_at(&hers).await.expect_error("invalid_grant");
    hers.go("/account").await.expect_at("/login");
    // What does not live by a session lives on.
    native.refresh(&on_phone.refresh).await.expect_tokens();
    let admin = provider.user(ADMIN).await;
    let page = admins.go(&format!("/admin/audit?action=sessions.end&about={id}")).await;
    assert!(page.answer.body.contains("data-action=\"sessions.end\""));
    assert!(page.answer.body.contains(&format!("href=\"/admin/people/{admin}\"")), "by whom");
    let again = admins.does(&format!("/admin/people/{id}/sign-out")).await;
    assert!(again.path.ends_with("?already=1") || again.path.ends_with("sign-out"), "{}", again.path);
}

#[tokio::test]
async fn an_admin_disables_and_enables_people_and_apps() {
    let provider = TestProvider::https().await;
    let web = provider.client("web");
    let tokens = web.tokens_of(ALICE).await;
    let admins = provider.browser();
    admins.elevated().await;
    let id = provider.user(ALICE).await;
    admins.does(&format!("/admin/people/{id}/disable")).await.expect_at(&format!("/admin/people/{id}"));
    web.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    provider.browser().try_to_sign_in(ALICE, PASSWORD).await.expect_at("/login");
    let again = admins.does(&format!("/admin/people/{id}/disable")).await;
    assert!(again.path.ends_with("?already=1"), "{}", again.path);
    admins.does(&format!("/admin/people/{id}/enable")).await.expect(200);
    provider.browser().sign_in(ALICE).await;
    assert_eq!((provider.audited("user.disable").await, provider.audited("user.enable").await), (1, 1));

    let tokens = web.tokens_of(BOB).await;
    admins.does("/admin/apps/web/end").await.expect_at("/admin/apps/web").expect(200);
    web.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    // It stays in service.
    provider.advance(1).await;
    let tokens = web.tokens_of(BOB).await;
    admins.does("/admin/apps/web/disable").await.expect_at("/admin/apps/web").expect(200);
    provider.follow_changes().await;
    web.refresh(&tokens.refresh).await.expect_error("invalid_client");
    admins.does("/admin/apps/web/enable").await.expect(200);
    provider.follow_changes().await;
    web.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    let actor = format!("user:{}", provider.user(ADMIN).await);
    for action in ["client.end", "client.disable", "client.enable"] {
        let by = provider.texts(&format!("SELECT actor FROM audit WHERE action = '{action}'")).await;
        assert!(!by.is_empty() && by.iter().all(|own| *own == actor), "{action}: {by:?}");
    }
}

#[tokio::test]
async fn an_admin_ends_one_session_and_withdraws_one_app() {
    let provider = TestProvider::https().await;
    let (web, spa) = (provider.client("web"), provider.client("spa"));
    let (here, there) = (provider.browser(), provider.browser());
    let tokens = web.tokens_at(&here, ALICE).await;
    spa.signed_in_at(&there, ALICE).await;
    let admins = provider.browser();
    admins.elevated().await;
    let id = provider.user(ALICE).await;
    let session = provider
        .texts(&format!("SELECT session_id FROM grants WHERE client_id = 'spa' AND user_id = '{id}'"))
        .await
        .remove(0);
    admins.does(&format!("/admin/sessions/{session}/end")).await.expect_at(&format!("/admin/people/{id}"));
    there.go("/account").await.expect_at("/login");
    here.go("/account").await.expect_at("/account");
    let tokens = web.refresh(&tokens.refresh).await.expect_tokens();
    let page = admins.go(&format!("/admin/people/{id}")).await;
    assert!(page.answer.body.contains("data-app=\"web\""));
    let done = admins.does(&format!("/admin/people/{id}/apps/web/withdraw")).await;
    assert!(!done.answer.body.contains("data-app=\"web\""));
    web.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 0);
    let actor = format!("user:{}", provider.user(ADMIN).await);
    let by = provider.texts("SELECT actor FROM audit WHERE action = 'consent.end'").await;
    assert_eq!(by, [actor]);
}

#[tokio::test]
async fn the_last_admin_stays_one_and_the_refusal_is_told() {
    let provider = TestProvider::https().await;
    let admins = provider.browser();
    admins.elevated().await;
    let (admin, alice) = (provider.user(ADMIN).await, provider.user(ALICE).await);
    for deed in ["disable", "unmake-admin"] {
        let path = format!("/admin/people/{admin}/{deed}");
        let page = admins.does(&path).await.expect_at(&path).expect(409);
        assert!(
            page.answer.body.contains("id=\"form-error\"") && page.answer.body.contains("last person"),
            "{page:#?}"
        );
    }
    assert_eq!(provider.audited("admin.refused").await, 2);
    admins.go("/admin").await.expect(200);
    // With another one it goes, and the room closes at once.
    admins.does(&format!("/admin/people/{alice}/make-admin")).await.expect(200);
    admins.does(&format!("/admin/people/{admin}/unmake-admin")).await.expect(403);
    admins.go("/admin").await.expect(403);
    let hers = provider.browser();
    hers.sign_in(ALICE).await;
    hers.go("/admin").await.expect_at("/admin").expect(200);
}

#[tokio::test]
async fn lists_are_searched_and_go_on() {
    let provider = TestProvider::https().await;
    for number in 0..55 {
        let sql = format!(
            "INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, updated_at, not_before) \
             VALUES ('u{number:02}', 's{number:02}', 'Person {number:02} <b>', 'person {number:02} <b>', FALSE, '{{}}', '', 0, 0, 0)"
        );
        provider.run(&sql).await;
    }
    let admins = provider.browser();
    admins.sign_in(ADMIN).await;
    let count = |body: &str| body.matches("data-person=").count();
    let first = admins.go("/admin/people").await.answer.body;
    assert_eq!(count(&first), 50);
    assert!(!first.contains("<b>") && first.contains("&#60;b&#62;"));
    let next = admins.go("/admin/people").await.links().into_iter().find(|link| link.contains("after=")).unwrap();
    let second = admins.go(&next).await.answer.body;
    assert_eq!(count(&first) + count(&second), 58);
    // The way to the next page keeps what is looked for.
    let found = admins.go("/admin/people?find=per").await;
    let next = found.links().into_iter().find(|link| link.contains("after=")).unwrap();
    let rest = admins.go(&next).await.answer.body;
    assert_eq!((count(&found.answer.body), count(&rest)), (50, 5));
    assert!(!rest.contains("after=") && rest.contains("value=\"per\""));
    for (find, found) in [
        ("person%2007", 1),
        ("PERSON+0", 10),
        ("bob%40exa", 1),
        ("ob%40exa", 0),
        ("u07", 1),
        ("100%25", 0),
        ("%00", 50),
    ] {
        let page = admins.go(&format!("/admin/people?find={find}")).await.expect(200);
        assert_eq!(count(&page.answer.body), found, "{find}");
    }
    let apps = admins.go("/admin/apps?find=SPA").await.expect(200).answer.body;
    assert_eq!(apps.matches("data-app=").count(), 1);
    admins.go("/admin/apps?after=spa").await.expect(200);
    let sessions = admins.go("/admin/sessions").await.expect(200).answer.body;
    assert_eq!(sessions.matches("data-session=").count(), 1);
    let app = admins.go("/admin/apps/web").await.expect(200).answer.body;
    for shown in ["https://web.example/callback", "notes:write", "authorization_code"] {
        assert!(app.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let provider = TestProvider::https().await;
    let admins = provider.browser();
    admins.elevated().await;
    for path in [
        "/admin/people/nobody",
        "/admin/people/a%00b",
        "/admin/people/%ff",
        "/admin/apps/none",
        "/admin/people/nobody/disable",
        "/admin/sessions/none/end",
        "/admin/apps/none/disable",
        "/admin/people/nobody/apps/web/withdraw",
    ] {
        let page = admins.go(path).await.expect(404);
        assert!(page.answer.body.contains("href=\"/admin\""), "{path}");
    }
}
