//! The first-party JSON flow.

use serde_json::json;

use crate::support::{ALICE, PASSWORD, TestProvider};

#[tokio::test]
async fn name_and_password_give_an_access_token_and_two_cookies() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    let browser = provider.browser();

    let answer = app.fetch_json(&browser, "/auth/login", json!({ "username": ALICE, "password": PASSWORD })).await;

    assert_eq!((answer.json().get("refresh_token"), answer.json().get("id_token")), (None, None));
    let tokens = answer.expect_tokens();
    assert_eq!(browser.cookie_names().len(), 3, "{:?}", browser.cookie_names());
    app.userinfo(&tokens.access).await.expect(200);
    let next = app.fetch_json(&browser, "/auth/refresh", json!({})).await.expect_tokens();
    app.userinfo(&next.access).await.expect(200);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));

    app.fetch_json(&browser, "/auth/logout", json!({})).await.expect(204);
    app.fetch_json(&browser, "/auth/logout", json!({})).await.expect(204);
    app.userinfo(&next.access).await.expect_error("invalid_token");
    app.fetch_json(&browser, "/auth/refresh", json!({})).await.expect_error("invalid_grant");
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (0, 0));
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_a_wrong_name() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    let mut answers = Vec::new();
    for name in [ALICE, "nobody"] {
        let browser = provider.browser();
        let wish = json!({ "username": name, "password": "not the password" });
        let answer = app.fetch_json(&browser, "/auth/login", wish).await.expect_error("invalid_credentials");
        answers.push((answer.body, browser.cookie("sid")));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (0, 0));
}

#[tokio::test]
async fn the_flow_is_off_for_every_other_client() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    for id in ["spa", "second"] {
        let app = provider.client(id);
        let answer = app.fetch_json(&browser, "/auth/login", json!({ "username": ALICE, "password": PASSWORD })).await;
        assert!((400..404).contains(&answer.status.as_u16()), "{answer:#?}");
        assert_eq!(answer.set_cookies(), Vec::<String>::new());
    }
    assert_eq!((provider.live_sessions().await, provider.audited("sign_in.ok").await), (0, 0));
}

#[tokio::test]
async fn a_session_of_the_json_flow_opens_no_other_door() {
    let provider = TestProvider::https().await;
    let (direct, own) = (provider.client("direct"), provider.client("own"));
    let browser = provider.browser();
    direct
        .fetch_json(&browser, "/auth/login", json!({ "username": ALICE, "password": PASSWORD }))
        .await
        .expect_tokens();

    let asked = own.ask().with("prompt", "none");
    let page = own.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "login_required");
    browser.go("/account").await.expect_at("/login");
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn who_signed_in_at_the_page_keeps_all_doors_open_after_the_json_flow() {
    let provider = TestProvider::https().await;
    let (direct, own) = (provider.client("direct"), provider.client("own"));
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let right = json!({ "username": ALICE, "password": PASSWORD });
    direct.fetch_json(&browser, "/auth/login", right).await.expect_tokens();

    browser.go("/account").await.expect_at("/account");
    let asked = own.ask().with("prompt", "none");
    let page = own.visit(&browser, &asked).await;
    asked.code_in(page.left_for(), provider.issuer());
    assert_eq!(
        (provider.live_sessions().await, provider.number("SELECT COUNT(*) FROM sessions WHERE direct").await),
        (1, 0)
    );
}

#[tokio::test]
async fn too_many_tries_are_told_when_to_come_back() {
    let provider = TestProvider::with(|config| {
        crate::support::on_https(config);
        config.passwords.attempts_per_account_and_network = 2;
    })
    .await;
    let app = provider.client("direct");
    let browser = provider.browser();
    let wrong = json!({ "username": ALICE, "password": "not the password" });
    for _ in 0..2 {
        app.fetch_json(&browser, "/auth/login", wrong.clone()).await.expect_error("invalid_credentials");
    }
    let right = json!({ "username": ALICE, "password": PASSWORD });
    let answer = app.fetch_json(&browser, "/auth/login", right.clone()).await.expect(429);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert_eq!(provider.live_sessions().await, 0);
    provider.advance(wait).await;
    app.fetch_json(&browser, "/auth/login", right).await.expect_tokens();
    assert_eq!(provider.live_sessions().await, 1);
}

#[tokio::test]
async fn nobody_is_signed_in_without_the_grant_that_goes_with_it() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    let browser = provider.browser();
    let right = json!({ "username": ALICE, "password": PASSWORD });
    provider.run("ALTER TABLE refresh_families RENAME TO out_of_reach").await;

    let answer = app.fetch_json(&browser, "/auth/login", right.clone()).await;

    assert!(answer.status.is_server_error(), "{answer:#?}");
    assert_eq!(browser.cookie("sid"), None);
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (0, 0));
    assert_eq!(
        (provider.audited("sign_in.ok").await, provider.number("SELECT COUNT(*) FROM known_browsers").await),
        (0, 0)
    );
    provider.run("ALTER TABLE out_of_reach RENAME TO refresh_families").await;
    app.fetch_json(&browser, "/auth/login", right).await.expect_tokens();
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn an_audience_that_cannot_be_decided_is_told_before_any_password_is_looked_at() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    // Since it was registered one of its scopes went to another resource.
    provider
        .run(
            "INSERT INTO resources (identifier, name, introspected_by, access_token_alg, created_at, updated_at) \
             VALUES ('https://mail.shop.test', 'Mail', '[]', 'ES256', 0, 0)",
        )
        .await;
    provider.run("UPDATE resource_scopes SET resource = 'https://mail.shop.test' WHERE scope = 'notes:write'").await;
    provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'resources'").await;
    provider.follow_changes().await;
    let browser = provider.browser();
    for password in [PASSWORD, "not the password"] {
        let wish = json!({ "username": ALICE, "password": password });
        app.fetch_json(&browser, "/auth/login", wish).await.expect_error("invalid_target");
    }
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (0, 0));
    assert_eq!((provider.audited("sign_in.ok").await, provider.audited("sign_in.refused").await), (0, 0));
}

#[tokio::test]
async fn a_password_over_the_limit_is_a_bad_request_and_costs_nothing() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    let browser = provider.browser();
    let wish = json!({ "username": ALICE, "password": "\u{e9}".repeat(1025) });
    app.fetch_json(&browser, "/auth/login", wish).await.expect_error("invalid_request");
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 0);
    let wish = json!({ "username": ALICE, "password": "\u{e9}".repeat(1024) });
    app.fetch_json(&browser, "/auth/login", wish).await.expect_error("invalid_credentials");
}
