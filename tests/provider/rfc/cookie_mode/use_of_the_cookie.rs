//! When the refresh cookie is looked at, and what it is good for.

use crate::support::{ALICE, PASSWORD, TestProvider, encode};

#[tokio::test]
async fn for_every_other_client_cookies_do_not_exist() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    let (name, session) = (browser.refresh_cookie_name(), browser.cookie("sid").unwrap());
    let value = browser.cookie(&name).unwrap();
    for id in ["web", "post", "own", "native", "worker"] {
        let app = provider.client(id);
        // Under the cookie's name for the spa, and under the one that this client would have.
        let tag = &frontdesk::crypto::digest::sha256_b64u(id.as_bytes())[..12];
        let cookies = format!("{name}={value}; __Host-Http-rt.{tag}={value}; __Host-Http-sid={session}");
        let form = [("grant_type", "refresh_token"), ("client_id", id), ("client_secret", &app.secret())];
        let mut headers = spa.page_headers();
        headers.push(("cookie", &cookies));
        let answer = provider.post("/oauth2/token", &headers, &form).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{id}: {answer:#?}");
        assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{id}");
        let error = answer.text("error");
        assert!(
            matches!(error.as_str(), "invalid_request" | "invalid_client" | "unauthorized_client"),
            "{id}: {error}"
        );
    }
    // Nor does userinfo, introspection or revocation know who is signed in.
    let cookies = format!("{name}={value}; __Host-Http-sid={session}");
    provider.get_with("/oauth2/userinfo", &[("cookie", &cookies)]).await.expect(401);
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        provider.post(path, &[("cookie", &cookies)], &[("token", &value)]).await.expect_error("invalid_client");
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn an_idle_session_asks_for_a_new_sign_in_but_its_families_live_on() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    provider.advance(8 * 3600).await;

    app.refresh_at(&browser).await.expect_tokens();
    app.visit(&browser, &app.ask()).await.expect_at("/login");
    let silent = app.ask().with("prompt", "none");
    let page = app.visit(&browser, &silent).await;
    assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "login_required");
    // A refresh is no sign of the person and wakes no session.
    app.refresh_at(&browser).await.expect_tokens();
    browser.go("/account").await.expect_at("/login");

    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 2);
    // The same person signs in again: the session's row stays, and so does what hangs on it; the cookie is another.
    let old = browser.copied_to("203.0.113.9");
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/account");
    app.refresh_at(&old).await.expect_error("invalid_grant");
    app.refresh_at(&browser).await.expect_tokens();
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn late_predecessors_need_the_session_cookie_like_all_others() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let late = browser.copied_to("192.0.2.7");
    let thief = browser.copied_to("203.0.113.9");
    thief.forget("sid");
    app.refresh_at(&browser).await.expect_tokens();
    provider.advance(31).await;

    app.refresh_at(&thief).await.expect_error("invalid_grant");
    assert_eq!(provider.live_families().await, 1, "without the session it is not even looked at");
    app.refresh_at(&late).await.expect_tokens();
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
    assert_eq!(provider.number("SELECT retry_streak FROM refresh_families").await, 1, "counted as a retry");
}

#[tokio::test]
async fn three_generations_in_a_row_that_two_contexts_needed_twice_are_a_copy() {
    for (elsewhere, lives) in [("203.0.113.9", false), ("192.0.2.200", true)] {
        let provider = TestProvider::https().await;
        let app = provider.client("spa");
        let browser = provider.browser();
        app.signed_in_at(&browser, ALICE).await;
        let mut refused = false;
        for _ in 0..3 {
            // Both hold the same generation, from one network and from another, or from one only.
            let copy = browser.copied_to(elsewhere);
            app.refresh_at(&browser).await.expect_tokens();
            provider.advance(60).await;
            let answer = app.refresh_at(&copy).await;
            refused = answer.status == 400;
        }
        assert_eq!(refused, !lives, "{elsewhere}");
        assert_eq!(provider.live_families().await, i64::from(lives), "{elsewhere}");
        let reasons = provider.end_reasons().await;
        assert_eq!(reasons, if lives { vec![] } else { vec!["retries".to_owned()] });
    }
}

#[tokio::test]
async fn a_narrower_scope_or_a_wrong_wish_spends_no_generation() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let ask = async |more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "refresh_token")];
        form.extend_from_slice(more);
        app.fetch(&browser, "/oauth2/token", &form).await
    };
    for (wish, error) in [
        (("scope", "openid admin"), "invalid_scope"),
        (("scope", "offline_access"), "invalid_scope"),
        (("resource", "https://elsewhere.example/"), "invalid_target"),
    ] {
        let refused = ask(&[wish]).await;
        assert_eq!(refused.set_cookies(), Vec::<String>::new(), "{wish:?}");
        // The page that asked may read why.
        assert_eq!(refused.header("access-control-allow-origin"), "https://spa.shop.test");
        refused.expect_error(error);
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    let narrowed = ask(&[("scope", "notes:read")]).await.expect(200);
    assert_eq!(narrowed.json()["scope"], "notes:read");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
    let whole = ask(&[]).await.expect(200);
    assert!(whole.text("scope").contains("notes:write"), "the family kept all it had");
}

#[tokio::test]
async fn a_parameter_sent_twice_changes_nothing() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let mut headers = app.page_headers();
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    for twice in [("client_id", "spa"), ("grant_type", "refresh_token"), ("scope", "openid"), ("client_id", "second")] {
        let mut form = vec![("grant_type", "refresh_token"), ("client_id", "spa"), ("scope", "openid")];
        form.push(twice);
        for path in ["/oauth2/token", "/oauth2/browser/logout"] {
            let answer = browser.fetch(path, &headers, encode(&form)).await;
            assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{twice:?} {path}");
            answer.expect_error("invalid_request");
        }
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}
