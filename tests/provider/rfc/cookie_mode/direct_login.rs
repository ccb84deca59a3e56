//! The first-party JSON flow beyond its story: what it takes, what it gives, and what its session is not good for.

use serde_json::{Value, json};

use crate::support::{ADMIN, ALICE, BOB, PASSWORD, TestProvider};

#[tokio::test]
async fn what_is_not_the_object_that_is_asked_for_is_refused_without_trying_a_password() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    let browser = provider.browser();
    let mut headers = app.page_headers();
    headers.push(("content-type", "application/json"));
    let good = json!({ "client_id": "direct", "username": ALICE, "password": PASSWORD }).to_string();
    let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    for body in [
        "",
        "null",
        "[]",
        "\"direct\"",
        "{}",
        "{",
        &good[..good.len() - 1],
        &format!("{good}{good}"),
        &format!("{good} x"),
        &format!("[{good}]"),
        &deep,
        r#"{"client_id":"direct","username":"alice"}"#,
        r#"{"client_id":"direct","password":"correct horse battery"}"#,
        r#"{"username":"alice","password":"correct horse battery"}"#,
        r#"{"client_id":"direct","username":null,"password":"correct horse battery"}"#,
        r#"{"client_id":"direct","username":["alice"],"password":"correct horse battery"}"#,
        r#"{"client_id":"direct","username":"alice","password":{"$ne":""}}"#,
        r#"{"client_id":"direct","username":"alice","password":1}"#,
        r#"{"client_id":["direct"],"username":"alice","password":"correct horse battery"}"#,
        r#"{"client_id":"direct","client_id":"direct","username":"alice","password":"correct horse battery"}"#,
        r#"{"client_id":"direct","username":"bob","username":"alice","password":"correct horse battery"}"#,
        r#"{"client_id":"direct","username":"alice","password":"x","password":"correct horse battery"}"#,
        r#"{"client_id":"direct","username":"alice\u0000","password":"correct horse battery"}"#,
        r#"{"client_id":"direct","username":"alice","password":"correct horse battery","remember":"yes"}"#,
        r#"{"client_id":"direct","username":"\ud800","password":"correct horse battery"}"#,
    ] {
        let answer = browser.fetch("/auth/login", &headers, body.to_owned()).await;
        assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{body}");
        assert_eq!((answer.status.as_u16(), answer.text("error")), (400, "invalid_request".to_owned()), "{body}");
        assert_eq!(answer.header("cache-control"), "no-store", "{body}");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (0, 0));
    browser.fetch("/auth/login", &headers, good).await.expect_tokens();
}

#[tokio::test]
async fn it_gives_the_default_scopes_and_no_more_whatever_is_asked() {
    let provider = TestProvider::https().await;
    let app = provider.client("direct");
    let browser = provider.browser();
    let wish = json!({
        "username": ALICE, "password": PASSWORD, "scope": "openid offline_access frontdesk:admin",
        "resource": "https://elsewhere.example/", "grant_type": "password",
    });

    let answer = app.fetch_json(&browser, "/auth/login", wish).await.expect(200);

    assert_eq!(answer.json()["expires_in"], 900);
    for absent in ["refresh_token", "id_token"] {
        assert_eq!(answer.json().get(absent), None, "{absent}");
    }
    let tokens = answer.expect_tokens();
    let (_, claims) = provider.verify(&tokens.access).await;
    assert_eq!(claims["client_id"], "direct");
    let scope = provider.texts("SELECT scope FROM grants").await.remove(0);
    assert_eq!(scope, "openid profile email notes:read notes:write");
    assert_eq!(provider.texts("SELECT delivery FROM refresh_families").await, ["cookie"]);
    assert_eq!(provider.number("SELECT COUNT(*) FROM grants WHERE session_linked").await, 1);
}

#[tokio::test]
async fn what_outlives_a_session_or_opens_the_admin_api_is_not_given_although_the_app_is_registered_for_it() {
    let provider = TestProvider::https().await;
    let app = provider
        .register(
            "operator",
            json!({
                "application_type": "browser", "first_party": true, "direct_login": true, "owner": "shop",
                "refresh_token_delivery": "cookie", "allowed_origins": ["https://operator.shop.test"],
                "redirect_uris": ["https://operator.shop.test/callback"], "admin_api": true,
                "scope": "openid offline_access frontdesk:admin notes:read",
            }),
        )
        .await;
    let wish = json!({ "username": ADMIN, "password": PASSWORD });

    app.fetch_json(&provider.browser(), "/auth/login", wish).await.expect_tokens();

    assert_eq!(provider.texts("SELECT scope FROM grants").await, ["openid notes:read"]);
}

#[tokio::test]
async fn its_cookies_live_alike_with_or_without_an_end() {
    for (remember, expected) in [(Value::Null, None), (json!(false), None), (json!(true), Some("Max-Age=604800"))] {
        let provider = TestProvider::https().await;
        let app = provider.client("direct");
        let browser = provider.browser();
        let mut wish = json!({ "username": ALICE, "password": PASSWORD });
        if !remember.is_null() {
            wish["remember"] = remember;
        }
        let answer = app.fetch_json(&browser, "/auth/login", wish).await.expect(200);
        for line in answer.set_cookies().iter().filter(|line| !line.starts_with("__Host-Http-browser=")) {
            let strict = line.contains("-rt.");
            let site = if strict { "SameSite=Strict" } else { "SameSite=Lax" };
            let mut attributes: Vec<&str> = line.split("; ").skip(1).collect();
            attributes.sort_unstable();
            let mut wanted = vec!["HttpOnly", "Path=/", site, "Secure"];
            wanted.extend(expected);
            wanted.sort_unstable();
            assert_eq!(attributes, wanted, "{line}");
        }
        assert_eq!(answer.set_cookies().len(), 3);
        assert_eq!(
            provider.number("SELECT COUNT(*) FROM sessions WHERE persistent").await,
            i64::from(expected.is_some())
        );
    }
}

#[tokio::test]
async fn its_session_opens_neither_other_apps_nor_any_page_until_the_person_signs_in_there() {
    let provider = TestProvider::https().await;
    let direct = provider.client("direct");
    let browser = provider.browser();
    let wish = json!({ "username": ADMIN, "password": PASSWORD });
    direct.fetch_json(&browser, "/auth/login", wish).await.expect_tokens();
    assert_eq!(provider.number("SELECT COUNT(*) FROM sessions WHERE direct").await, 1);
    for path in ["/account", "/account/password", "/account/sessions", "/account/apps", "/account/apps/web/withdraw"] {
        browser.go(path).await.expect_at("/login");
    }
    for id in ["spa", "second", "own", "web", "native"] {
        let app = provider.client(id);
        let asked = app.ask().with("prompt", "none");
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "login_required", "{id}");
        app.visit(&browser, &app.ask()).await.expect_at("/login");
    }
    assert_eq!(provider.live_grants().await, 1);
    // At the real page it becomes a whole session, and what the app holds goes on.
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ADMIN), ("password", PASSWORD)]).await.expect_at("/account");
    assert_eq!(provider.number("SELECT COUNT(*) FROM sessions WHERE direct").await, 0);
    direct.fetch_json(&browser, "/auth/refresh", json!({})).await.expect_tokens();
    provider.client("spa").signed_in_at(&browser, ADMIN).await;
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 2));
}

#[tokio::test]
async fn another_person_at_the_same_browser_ends_the_session_before() {
    let provider = TestProvider::https().await;
    let direct = provider.client("direct");
    let browser = provider.browser();
    let wish = |name: &str| json!({ "username": name, "password": PASSWORD });
    let first = direct.fetch_json(&browser, "/auth/login", wish(ALICE)).await.expect_tokens();
    let before = browser.copied_to("203.0.113.9");
    let second = direct.fetch_json(&browser, "/auth/login", wish(BOB)).await.expect_tokens();

    direct.userinfo(&first.access).await.expect_error("invalid_token");
    direct.fetch_json(&before, "/auth/refresh", json!({})).await.expect_error("invalid_grant");
    direct.userinfo(&second.access).await.expect(200);
    direct.fetch_json(&browser, "/auth/refresh", json!({})).await.expect_tokens();
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
    assert_eq!(provider.end_reasons().await, ["other_person"]);
}

#[tokio::test]
async fn a_refused_sign_in_changes_no_session_that_is_there() {
    let provider = TestProvider::https().await;
    let direct = provider.client("direct");
    let browser = provider.browser();
    direct
        .fetch_json(&browser, "/auth/login", json!({ "username": ALICE, "password": PASSWORD }))
        .await
        .expect_tokens();
    let cookie = browser.cookie("sid");
    for name in [ALICE, BOB, "nobody"] {
        let wish = json!({ "username": name, "password": "not the password" });
        let answer = direct.fetch_json(&browser, "/auth/login", wish).await;
        assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{name}");
        answer.expect_error("invalid_credentials");
    }
    assert_eq!(browser.cookie("sid"), cookie);
    direct.fetch_json(&browser, "/auth/refresh", json!({})).await.expect_tokens();
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}
