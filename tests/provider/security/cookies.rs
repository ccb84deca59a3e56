//! Rows 89 and 90: the attributes of every cookie, and values that somebody else chose.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{ALICE, BOB, PASSWORD, TestProvider, encode};

const NEW_PASSWORD: &str = "another fine password";

#[tokio::test]
async fn row_89_every_cookie_that_was_set_has_every_attribute() {
    let provider = TestProvider::https().await;
    let (spa, direct) = (provider.client("spa"), provider.client("direct"));
    for keep in [false, true] {
        let browser = provider.browser();
        let page = browser.go("/login").await;
        let mut fields = vec![("username", ALICE), ("password", PASSWORD)];
        if keep {
            fields.push(("remember", "on"));
        }
        browser.submit(&page, "/login", &fields).await.expect_at("/account");
        spa.signed_in_at(&browser, ALICE).await;
        spa.refresh_at(&browser).await.expect_tokens();
        let page = browser.go("/account").await;
        browser.submit(&page, "/logout", &[]).await.expect(200);
    }
    let browser = provider.browser();
    let wish = serde_json::json!({ "username": BOB, "password": PASSWORD });
    direct.fetch_json(&browser, "/auth/login", wish).await.expect_tokens();
    direct.fetch_json(&browser, "/auth/logout", serde_json::json!({})).await.expect(204);

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut values = BTreeSet::new();
    let lines: Vec<String> = provider.answers().iter().flat_map(crate::support::Answer::set_cookies).collect();
    for line in &lines {
        let (pair, attributes) = line.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        let mut attributes: Vec<&str> = attributes.split("; ").collect();
        let (kind, same_site) = match name {
            "__Host-Http-sid" => ("session", "SameSite=Lax"),
            "__Host-Http-browser" => ("browser", "SameSite=Lax"),
            other => {
                assert!(other.starts_with("__Host-Http-rt."), "{line}");
                ("refresh", "SameSite=Strict")
            }
        };
        attributes.retain(|attribute| !attribute.starts_with("Max-Age="));
        attributes.sort_unstable();
        assert_eq!(attributes, ["HttpOnly", "Path=/", same_site, "Secure"], "{line}");
        if value.is_empty() {
            assert!(line.contains("Max-Age=0"), "{line}");
            continue;
        }
        // 22 characters of base64url are 128 bits; ours follow the id of a row.
        assert!(value.len() >= 64, "{line}");
        assert!(values.insert(value.to_owned()), "nobody gets what was given before: {line}");
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [("browser", 3), ("refresh", 5), ("session", 3)]);
}

#[tokio::test]
async fn row_89_a_guard_that_refuses_sets_no_cookie() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    let kept = browser.cookie_names();
    let form = encode(&[("client_id", "spa"), ("grant_type", "refresh_token"), ("csrf", "x")]);
    let foreign = [("origin", "https://evil.test"), ("content-type", "application/x-www-form-urlencoded")];
    for path in ["/oauth2/token", "/oauth2/browser/logout", "/login", "/login/again", "/logout", "/consent"] {
        let strangers = provider.browser();
        for at in [&browser, &strangers] {
            let refused = at.fetch(path, &foreign, form.clone()).await.expect(403);
            assert_eq!(refused.set_cookies(), Vec::<String>::new(), "{path}");
            assert_eq!(refused.header("location"), "", "{path}");
        }
    }
    assert_eq!(browser.cookie_names(), kept);
    spa.refresh_at(&browser).await.expect_tokens();
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn row_90_a_session_cookie_that_was_there_before_is_worth_nothing_after_the_sign_in() {
    let provider = TestProvider::https().await;
    let attacker = provider.browser();
    attacker.sign_in(BOB).await;
    let planted = attacker.cookie("sid").unwrap();
    let victim = attacker.copied_to("198.51.100.7");
    let page = victim.go("/login/other").await;

    victim.submit(&page, "/login/other", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/account");

    assert_ne!(victim.cookie("sid").unwrap(), planted);
    victim.go("/account").await.expect_at("/account").expect_text("alice");
    attacker.go("/account").await.expect_at("/login");
    let reasons = provider.texts("SELECT reason FROM sessions WHERE ended_at IS NOT NULL").await;
    assert_eq!((reasons, provider.live_sessions().await), (vec!["other_person".to_owned()], 1));

    // A value of no session at all, in the right form.
    for invented in [format!("fd_ss_{}", "A".repeat(64)), "x".to_owned()] {
        victim.plant("sid", &invented);
        let page = victim.go("/login").await.expect_at("/login");
        victim.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await.expect_at("/account");
        assert_ne!(victim.cookie("sid").unwrap(), invented);
        let other = victim.copied_to("203.0.113.9");
        other.plant("sid", &invented);
        other.go("/account").await.expect_at("/login");
    }
}

#[tokio::test]
async fn row_90_each_proof_of_who_one_is_turns_the_cookie_and_keeps_the_session() {
    let provider = TestProvider::https().await;
    let (own, spa) = (provider.client("own"), provider.client("spa"));
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let rows = provider.texts("SELECT id FROM sessions").await;

    let thief = browser.copied_to("203.0.113.9");
    let page = own.visit(&browser, &own.ask().with("prompt", "login")).await.expect_at("/login/again");
    browser.submit(&page, "/login/again", &[("password", PASSWORD)]).await;
    thief.go("/account").await.expect_at("/login");

    let thief = browser.copied_to("203.0.113.9");
    let page = own.visit(&browser, &own.ask().with("max_age", "0")).await.expect_at("/login/again");
    browser.submit(&page, "/login/again", &[("password", PASSWORD)]).await;
    thief.go("/account").await.expect_at("/login");

    let thief = browser.copied_to("203.0.113.9");
    let page = browser.go("/login/other").await;
    browser.submit(&page, "/login/other", &[("username", ALICE), ("password", PASSWORD)]).await;
    thief.go("/account").await.expect_at("/login");
    assert_eq!(provider.texts("SELECT id FROM sessions WHERE ended_at IS NULL").await, rows, "one row all along");

    let thief = browser.copied_to("203.0.113.9");
    let page = browser.go("/account/password").await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD), ("repeat_password", NEW_PASSWORD)];
    browser.submit(&page, "/account/password", &fields).await.expect_at("/account").expect(200);
    thief.go("/account").await.expect_at("/login");
    // What the thief holds redeems no code either.
    let code = spa.code_at(&browser, ALICE).await;
    spa.redeem_at(&thief, &code).await.expect_error("invalid_grant");
    browser.go("/account").await.expect_at("/account");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 0));
}
