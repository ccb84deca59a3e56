//! Cookie mode: browser apps that never see their refresh token.

use serde_json::json;

use crate::support::{ALICE, BOB, PASSWORD, TestProvider, encode};

#[tokio::test]
async fn the_code_is_redeemed_for_a_cookie_with_every_attribute() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let code = app.code_at(&browser, ALICE).await;

    let answer = app.redeem_at(&browser, &code).await.expect(200);

    assert_eq!(answer.json().get("refresh_token"), None);
    let cookies = answer.set_cookies();
    let [cookie] = cookies.as_slice() else { panic!("{cookies:?}") };
    let mut parts: Vec<&str> = cookie.split("; ").collect();
    let (name, value) = parts.remove(0).split_once('=').unwrap();
    assert!(name.starts_with("__Host-Http-rt.") && value.starts_with("fd_rt_"), "{cookie}");
    parts.sort_unstable();
    assert_eq!(
        parts,
        ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"],
        "it lives as the session's: with the browser"
    );
    assert!(!answer.body.contains(value));
    assert_eq!(answer.header("access-control-allow-origin"), "https://spa.shop.test");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.expect_tokens();
    app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(provider.texts("SELECT delivery FROM refresh_families").await, ["cookie"]);
}

#[tokio::test]
async fn who_asked_to_stay_signed_in_keeps_the_cookie_too() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD), ("remember", "on")]).await;
    let code = app.code_at(&browser, ALICE).await;
    let answer = app.redeem_at(&browser, &code).await.expect(200);
    let cookie = answer.set_cookies().remove(0);
    assert!(cookie.contains("Max-Age=604800"), "{cookie}");
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn a_refresh_turns_the_cookie_and_tells_the_page_nothing() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let name = browser.refresh_cookie_name();
    let before = browser.cookie(&name).unwrap();
    provider.advance(60).await;

    let answer = app.refresh_at(&browser).await;

    assert_eq!(answer.json().get("refresh_token"), None);
    answer.expect_tokens();
    assert_ne!(browser.cookie(&name).unwrap(), before);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
}

#[tokio::test]
async fn both_cookies_are_needed() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let name = browser.refresh_cookie_name();

    let without_session = browser.copied_to("192.0.2.7");
    without_session.forget("sid");
    let answer = app.refresh_at(&without_session).await;
    assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{answer:#?}");
    answer.expect_error("invalid_grant");
    let without_refresh = browser.copied_to("192.0.2.7");
    without_refresh.forget(&name);
    app.refresh_at(&without_refresh).await.expect_error("invalid_grant");
    let of_another_person = browser.copied_to("192.0.2.7");
    let bobs = provider.browser();
    bobs.sign_in(BOB).await;
    of_another_person.plant("sid", &bobs.cookie("sid").unwrap());
    app.refresh_at(&of_another_person).await.expect_error("invalid_grant");

    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0, "none of them changed anything");
    app.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn a_lost_answer_is_given_again_however_late() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let name = browser.refresh_cookie_name();
    let before = browser.cookie(&name).unwrap();
    app.refresh_at(&browser).await.expect_tokens();
    let after = browser.cookie(&name).unwrap();
    browser.plant(&name, &before);
    provider.advance(3600).await;

    app.refresh_at(&browser).await.expect_tokens();

    assert_eq!(browser.cookie(&name).unwrap(), after);
    assert_eq!(
        (provider.live_families().await, provider.number("SELECT generation FROM refresh_families").await),
        (1, 1)
    );
}

#[tokio::test]
async fn an_old_cookie_that_comes_back_ends_the_family() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let thief = browser.copied_to("203.0.113.9");
    app.refresh_at(&browser).await.expect_tokens();
    app.refresh_at(&browser).await.expect_tokens();

    app.refresh_at(&thief).await.expect_error("invalid_grant");

    let refused = app.refresh_at(&browser).await;
    assert_eq!(refused.set_cookies(), Vec::<String>::new(), "no answer takes a cookie away but sign-out");
    refused.expect_error("invalid_grant");
    assert_eq!(provider.end_reasons().await, ["refresh_reuse"]);
    assert_eq!((provider.live_families().await, provider.live_sessions().await), (0, 1));
}

#[tokio::test]
async fn a_code_carried_to_another_browser_is_refused() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let (hers, his) = (provider.browser(), provider.browser());
    let code = app.code_at(&hers, ALICE).await;
    his.sign_in(BOB).await;

    app.redeem_at(&his, &code).await.expect_error("invalid_grant");
    app.redeem_at(&hers, &code).await.expect_error("invalid_grant");

    assert_eq!(provider.live_families().await, 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 1);
}

#[tokio::test]
async fn the_guards_refuse_without_cookies_and_without_cors() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let form = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
    let good = [
        ("origin", "https://spa.shop.test"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-site"),
        ("x-oauth-browser", "1"),
    ];
    let without = |name: &str| good.into_iter().filter(|(own, _)| *own != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
    for headers in [
        without("origin"),
        with("origin", "null"),
        with("origin", "https://second.shop.test"),
        with("origin", "https://spa.shop.test.evil.example"),
        with("sec-fetch-site", "cross-site"),
        with("sec-fetch-mode", "navigate"),
        with("sec-fetch-dest", "document"),
        without("x-oauth-browser"),
        with("x-oauth-browser", "0"),
        with("authorization", "Basic c3BhOg=="),
    ] {
        for path in ["/oauth2/token", "/oauth2/browser/logout"] {
            let answer = browser.fetch(path, &headers, form.clone()).await;
            assert!(matches!(answer.status.as_u16(), 400 | 401 | 403), "{headers:?} {answer:#?}");
            assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{headers:?}");
            if answer.status == 403 {
                assert_eq!(answer.header("access-control-allow-origin"), "", "{headers:?}");
            }
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{headers:?}");
        }
    }
    let posted = encode(&[("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", "fd_rt_x")]);
    let answer = browser.fetch("/oauth2/token", &good, posted).await.expect(403);
    assert_eq!((answer.set_cookies(), answer.header("access-control-allow-origin")), (vec![], ""));
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    assert_eq!((provider.live_families().await, provider.live_sessions().await), (1, 1));
    app.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn a_newer_sign_in_of_the_app_takes_the_place_of_the_older() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let first = app.signed_in_at(&browser, ALICE).await;
    let old = browser.copied_to("192.0.2.7");
    app.signed_in_at(&browser, ALICE).await;

    app.refresh_at(&old).await.expect_error("invalid_grant");
    app.userinfo(&first.access).await.expect_error("invalid_token");
    app.refresh_at(&browser).await.expect_tokens();
    assert_eq!((provider.end_reasons().await, provider.live_families().await), (vec!["replaced".to_owned()], 1));
}

#[tokio::test]
async fn two_apps_of_one_session_have_a_cookie_each() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    second.signed_in_at(&browser, ALICE).await;
    assert_eq!(browser.cookie_names().iter().filter(|name| name.contains("rt.")).count(), 2);
    spa.refresh_at(&browser).await.expect_tokens();
    second.refresh_at(&browser).await.expect_tokens();
    assert_eq!(provider.live_families().await, 2);
}

#[tokio::test]
async fn an_app_signs_out_by_itself_and_twice_is_no_error() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    let tokens = spa.signed_in_at(&browser, ALICE).await;
    second.signed_in_at(&browser, ALICE).await;

    let answer = spa.fetch(&browser, "/oauth2/browser/logout", &[]).await.expect(204);
    assert_eq!(answer.set_cookies().len(), 1, "{answer:#?}");
    let again = spa.fetch(&browser, "/oauth2/browser/logout", &[]).await.expect(204);
    assert_eq!(again.set_cookies(), Vec::<String>::new());

    spa.refresh_at(&browser).await.expect_error("invalid_grant");
    spa.userinfo(&tokens.access).await.expect_error("invalid_token");
    second.refresh_at(&browser).await.expect_tokens();
    assert_eq!((provider.live_families().await, provider.live_sessions().await), (1, 1));
    assert_eq!(provider.end_reasons().await, ["signed_out"]);
}

#[tokio::test]
async fn a_sign_out_of_the_session_ends_every_app_of_it() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    second.signed_in_at(&browser, ALICE).await;

    spa.fetch(&browser, "/oauth2/browser/logout", &[("scope", "session")]).await.expect(204);

    assert_eq!(browser.cookie_names(), ["__Host-Http-browser"]);
    assert_eq!((provider.live_families().await, provider.live_sessions().await), (0, 0));
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn without_the_session_cookie_a_sign_out_still_ends_its_own_family() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    browser.forget("sid");

    spa.fetch(&browser, "/oauth2/browser/logout", &[("scope", "session")]).await.expect(204);

    assert_eq!((provider.live_families().await, provider.live_sessions().await), (0, 1));
}

#[tokio::test]
async fn development_works_on_loopback_with_plain_names() {
    let provider = TestProvider::start().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    assert!(browser.refresh_cookie_name().starts_with("dev-rt."));
    app.refresh_at(&browser).await.expect_tokens();
    let claims = app.introspect("anything").await;
    assert_eq!(claims.expect(401).json()["error"], json!("invalid_client"), "a public client cannot ask about tokens");
    assert_eq!(provider.live_families().await, 1);
}
