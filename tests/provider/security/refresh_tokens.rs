//! Rows 41 to 48: refresh tokens in other hands, presented again, asked for more, or kept too long. The arms of row 42 for tokens
//! in the body are told in `flows::refresh`; row 43, one token 32 times at once, is `races::one_generation_makes_one_step` and
//! `races::parallel_tabs_get_the_same_cookie`.

use serde_json::json;

use crate::support::{ALICE, Browser, PASSWORD, RelyingParty, TestProvider};

#[tokio::test]
async fn row_41_no_client_uses_or_harms_the_refresh_token_of_another() {
    let provider = TestProvider::start().await;
    for owner in ["web", "post", "native"] {
        let app = provider.client(owner);
        let oldest = app.tokens_of(ALICE).await;
        let older = app.refresh(&oldest.refresh).await.expect_tokens();
        let current = app.refresh(&older.refresh).await.expect_tokens();
        let before = provider.live_families().await;
        for other in ["web", "post", "own", "native"] {
            if other == owner {
                continue;
            }
            for token in [&oldest, &older, &current] {
                provider.client(other).refresh(&token.refresh).await.expect_error("invalid_grant");
            }
        }
        let in_the_body = [("grant_type", "refresh_token"), ("refresh_token", current.refresh.as_str())];
        provider.client("spa").fetch(&provider.browser(), "/oauth2/token", &in_the_body).await.expect(403);
        // Even an old generation, which would end the family if its own client presented it, did nothing.
        assert_eq!(provider.live_families().await, before, "{owner}");
        app.refresh(&current.refresh).await.expect_tokens();
    }
    assert_eq!(provider.texts("SELECT CAST(generation AS TEXT) FROM refresh_families").await, ["3", "3", "3"]);
    assert_eq!(provider.end_reasons().await, Vec::<String>::new());
}

#[tokio::test]
async fn row_42_in_cookie_mode_the_predecessor_needs_the_session_cookie_as_ever() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let thief = browser.copied_to("203.0.113.9");
    thief.forget("sid");
    app.refresh_at(&browser).await.expect_tokens();
    for seconds in [0, 30, 31, 3600] {
        provider.advance(seconds).await;
        let refused = app.refresh_at(&thief).await;
        assert_eq!(refused.set_cookies(), Vec::<String>::new());
        refused.expect_error("invalid_grant");
        assert_eq!(provider.live_families().await, 1, "after {seconds} more seconds");
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
    app.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn row_42_two_holders_who_take_turns_within_the_grace_are_found_out() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let name = browser.refresh_cookie_name();
    for round in 0..3 {
        let thief = browser.copied_to("203.0.113.9");
        app.refresh_at(&browser).await.expect_tokens();
        provider.advance(5).await;
        let answer = app.refresh_at(&thief).await;
        if round < 2 {
            answer.expect_tokens();
            assert_eq!(thief.cookie(&name), browser.cookie(&name), "one leaf only");
        } else {
            answer.expect_error("invalid_grant");
        }
    }
    app.refresh_at(&browser).await.expect_error("invalid_grant");
    assert_eq!((provider.end_reasons().await, provider.live_families().await), (vec!["retries".to_owned()], 0));
    let told = provider.texts("SELECT data FROM audit WHERE action = 'grant.end'").await;
    assert!(told.len() == 1 && told[0].contains("\"alarm\":true"), "{told:?}");
}

#[tokio::test]
async fn row_42_one_place_may_retry_every_generation() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    for _ in 0..5 {
        let second_tab = browser.copied_to("192.0.2.7");
        app.refresh_at(&browser).await.expect_tokens();
        app.refresh_at(&second_tab).await.expect_tokens();
        app.refresh_at(&second_tab.copied_to("192.0.2.7")).await.expect_tokens();
        app.refresh_at(&browser).await.expect(200);
    }
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn row_46_a_refresh_never_widens_the_scope() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("scope", "openid offline_access notes:read");
    let mut tokens = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect_tokens();
    for (step, wider) in [
        "notes:write",
        "notes:read notes:write",
        "openid notes:read notes:write",
        "openid offline_access notes:read email",
        "email",
        "profile",
        "address",
        "phone",
        "openid profile email",
        "frontdesk:admin",
        "openid frontdesk:admin",
        "NOTES:READ",
        "Openid",
        "notes:",
        "notes:*",
        "*",
        "notes:read:all",
        "notes:rea",
        "unknown",
        "openid unknown",
        "openid,notes:write",
        "notes:read\u{e4}",
    ]
    .into_iter()
    .enumerate()
    {
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str()), ("scope", wider)];
        app.token(&form).await.expect_error("invalid_scope");
        let spent = provider.number("SELECT generation FROM refresh_families").await;
        assert_eq!(spent, i64::try_from(step).unwrap(), "no generation was spent on {wider:?}");
        // The same token is still good for what was granted.
        let answer = app.refresh(&tokens.refresh).await;
        assert_eq!(answer.text("scope"), "openid offline_access notes:read");
        tokens = answer.expect_tokens();
    }
    assert_eq!((provider.live_families().await, provider.live_grants().await), (1, 1));
}

/// What takes a person's tokens away.
const CAUSES: [&str; 7] =
    ["password", "disabled person", "consent", "disabled client", "sign-out", "session ended elsewhere", "not before"];

async fn happen(cause: &str, provider: &TestProvider, app: &RelyingParty, browser: &Browser) {
    match cause {
        "password" => {
            let page = browser.go("/account/password").await;
            let new = "another fine password";
            let fields = [("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
            browser.submit(&page, "/account/password", &fields).await.expect(200);
        }
        "disabled person" => provider.disable(ALICE).await,
        "consent" => {
            let page = browser.go(&format!("/account/apps/{}/withdraw", app.id)).await.expect(200);
            browser.submit(&page, "/account/apps/withdraw", &[]).await.expect(200);
        }
        "disabled client" => {
            provider.disable_client(&app.id).await;
            provider.follow_changes().await;
        }
        "sign-out" => {
            let page = browser.go("/account").await;
            browser.submit(&page, "/logout", &[]).await.expect(200);
        }
        "session ended elsewhere" => {
            let other = provider.browser();
            other.sign_in(ALICE).await;
            let page = other.go("/account/sessions").await;
            other.submit(&page, "/account/sessions/end-others", &[]).await.expect(200);
        }
        "not before" => {
            // What an operator's "everything given before now" writes.
            provider
                .run(&format!("UPDATE users SET not_before = {} WHERE username = 'alice'", provider.now() + 1))
                .await;
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn row_47_a_refresh_fails_after_whatever_ends_the_trust() {
    for cause in CAUSES {
        for app_id in ["web", "post", "linked"] {
            let provider = TestProvider::https().await;
            provider
                .register(
                    "linked",
                    json!({
                        "application_type": "web", "redirect_uris": ["https://linked.example/callback"],
                        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid",
                        "refresh_token_issuance": "always",
                    }),
                )
                .await;
            let app = provider.client(app_id);
            let browser = provider.browser();
            let tokens = app.tokens_at(&browser, ALICE).await;
            assert_ne!(tokens.refresh, "");

            happen(cause, &provider, &app, &browser).await;

            // What was given for use without the person, by consent, outlives the session and nothing else.
            let outlives = app_id != "linked" && matches!(cause, "sign-out" | "session ended elsewhere");
            let answer = app.refresh(&tokens.refresh).await;
            let case = format!("{cause}, {app_id}");
            match cause {
                _ if outlives => drop(answer.expect_tokens()),
                "disabled client" => drop(answer.expect_error("invalid_client")),
                _ => drop(answer.expect_error("invalid_grant")),
            }
            assert_eq!(provider.live_families().await, i64::from(outlives), "{case}");
            assert_eq!(provider.live_grants().await, i64::from(outlives), "{case}");
            assert_eq!(app.userinfo(&tokens.access).await.status == 200, outlives, "{case}");
        }
    }
}

#[tokio::test]
async fn row_47_a_browser_family_ends_with_each_of_them_too() {
    for cause in CAUSES {
        let provider = TestProvider::https().await;
        let app = provider
            .register(
                "page",
                json!({
                    "application_type": "browser", "refresh_token_delivery": "cookie", "owner": "shop",
                    "allowed_origins": ["https://page.shop.test"], "redirect_uris": ["https://page.shop.test/callback"],
                    "scope": "openid",
                }),
            )
            .await;
        let browser = provider.browser();
        let tokens = app.signed_in_at(&browser, ALICE).await;
        let kept = browser.copied_to("192.0.2.7");

        happen(cause, &provider, &app, &browser).await;

        let answer = app.refresh_at(&kept).await;
        assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{cause}");
        answer.expect_error(if cause == "disabled client" { "invalid_client" } else { "invalid_grant" });
        app.userinfo(&tokens.access).await.expect_error("invalid_token");
        assert_eq!((provider.live_families().await, provider.live_grants().await), (0, 0), "{cause}");
    }
}

#[tokio::test]
async fn row_47_a_session_that_lies_idle_is_not_signed_out() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    provider.advance(9 * 3600).await;

    app.refresh_at(&browser).await.expect_tokens();

    let silent = app.ask().with("prompt", "none");
    let page = app.visit(&browser, &silent).await;
    assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "login_required", "it opens nothing new");
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn row_48_however_often_it_is_used_a_refresh_token_ends_in_time() {
    const DAY: u64 = 86_400;
    // (client, days it may live, days between two uses)
    for (id, days, step) in [("native", 90, 15), ("web", 365, 73)] {
        let provider = TestProvider::start().await;
        let app = provider.client(id);
        let mut token = app.tokens_of(ALICE).await.refresh;
        let end = provider.number("SELECT expires_at FROM refresh_families").await;
        assert_eq!(end - provider.now(), i64::try_from(days * DAY).unwrap(), "{id}");
        for used in 1..=days / step {
            let last = used * step == days;
            provider.advance(step * DAY - u64::from(last)).await;
            token = app.refresh(&token).await.expect_tokens().refresh;
            assert_eq!(provider.number("SELECT expires_at FROM refresh_families").await, end, "{id}: never later");
        }
        provider.advance(1).await;
        app.refresh(&token).await.expect_error("invalid_grant");
        assert_eq!(
            provider.number("SELECT generation FROM refresh_families").await,
            i64::try_from(days / step).unwrap()
        );
    }
}

#[tokio::test]
async fn row_48_the_cookie_of_a_browser_app_tells_only_what_is_left() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD), ("remember", "on")]).await;
    let answer = app.redeem_at(&browser, &app.code_at(&browser, ALICE).await).await.expect(200);
    assert_eq!(answer.json()["refresh_token_expires_in"], json!(604_800));
    for day in 1..7 {
        provider.advance(86_400).await;
        let left = 604_800 - day * 86_400;
        let answer = app.refresh_at(&browser).await.expect(200);
        assert_eq!(answer.json()["refresh_token_expires_in"], json!(left));
        let cookie = answer.set_cookies().remove(0);
        assert!(
            cookie.contains(&format!("Max-Age={left};")) || cookie.ends_with(&format!("Max-Age={left}")),
            "{cookie}"
        );
    }
    let jar = browser.copied_to("192.0.2.7");
    provider.advance(86_400).await;
    app.refresh_at(&jar).await.expect_error("invalid_grant");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 6);
}
