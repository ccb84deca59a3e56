//! How often may be asked (RFC 6749 §10.10, RFC 9700 §2.5): who asks too much is stopped, and nobody else is.

use serde_json::json;

use crate::support::{ALICE, Answer, PASSWORD, TestProvider, encode, on_https};

/// Few enough to run into.
const MOST: u32 = 8;

async fn with_network_limit() -> TestProvider {
    TestProvider::with(|config| {
        on_https(config);
        config.limits.requests_per_network = MOST;
    })
    .await
}

/// Asks until the network may ask no more.
async fn exhaust(provider: &TestProvider) {
    for _ in 0..MOST {
        let answer = provider.get_with("/oauth2/userinfo", &[("authorization", "Bearer nonsense")]).await;
        answer.expect_error("invalid_token");
    }
}

#[track_caller]
fn expect_too_many(answer: Answer) -> Answer {
    let answer = answer.expect(429);
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(answer.set_cookies(), Vec::<String>::new());
    answer
}

#[tokio::test]
async fn strangers_of_one_network_are_told_to_wait_on_a_page_and_leave_nothing_behind() {
    let provider = with_network_limit().await;
    for _ in 0..MOST {
        provider.get("/login").await.expect(200);
    }
    let browsers = "SELECT COUNT(*) FROM browsers";
    let before = provider.number(browsers).await;

    let app = provider.client("web");
    for path in ["/login", "/", &app.ask().path()] {
        let page = provider.browser().at("192.0.2.200").come(path).await.expect(429).expect_text("Too many requests");
        assert_eq!(page.answer.header("retry-after"), "8", "{path}");
        assert_eq!(page.answer.set_cookies(), Vec::<String>::new());
    }
    assert_eq!(provider.number(browsers).await, before);
    assert_eq!(provider.number("SELECT COUNT(*) FROM authorize_requests").await, 0);

    provider.browser().at("192.0.3.1").go("/login").await.expect(200);
    provider.get("/.well-known/jwks.json").await.expect(200);
    provider.get("/.well-known/openid-configuration").await.expect(200);
    provider.advance(8).await;
    provider.browser().go("/login").await.expect(200);
    provider.browser().go("/login").await.expect(429);
}

#[tokio::test]
async fn who_is_signed_in_does_not_count() {
    let provider = with_network_limit().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for _ in 0..3 * MOST {
        browser.go("/account").await.expect(200);
    }
    provider.browser().go("/login").await.expect(200);
}

#[tokio::test]
async fn a_large_request_counts_more() {
    let provider = with_network_limit().await;
    let app = provider.client("web");
    let asked = app.ask().with("login_hint", &"x".repeat(24_600));
    provider.get(&asked.path()).await;
    provider.browser().go("/login").await.expect(200);
    provider.browser().go("/login").await.expect(429);
}

#[tokio::test]
async fn a_client_with_its_secret_gets_in_however_much_its_network_asks() {
    let provider = with_network_limit().await;
    let worker = provider.client("worker");
    let form = [("grant_type", "client_credentials")];
    for _ in 0..3 * MOST {
        worker.token(&form).await.expect(200);
    }
    let wrong = [("authorization", "Basic d29ya2VyOndyb25n")];
    for _ in 0..MOST {
        provider.post("/oauth2/token", &wrong, &form).await.expect_error("invalid_client");
    }

    for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
        expect_too_many(provider.post(path, &wrong, &form).await);
        expect_too_many(provider.post(path, &[], &[("client_id", "nobody"), ("token", "x")]).await);
        expect_too_many(provider.post(path, &[], &[("client_id", "native"), ("token", "x")]).await);
    }
    let token = worker.token(&form).await.expect(200).text("access_token");
    assert!(worker.sees_alive(&token).await);
    worker.revoke(&token).await.expect(200);
    assert!(!worker.sees_alive(&token).await);
}

#[tokio::test]
async fn a_client_counts_against_itself() {
    let provider = TestProvider::with(|config| config.limits.requests_per_client = 5).await;
    let (worker, api) = (provider.client("worker"), provider.client("api"));
    let token = worker.token(&[("grant_type", "client_credentials")]).await.expect(200).text("access_token");
    for _ in 0..2 {
        worker.introspect(&token).await.expect(200);
        worker.revoke("nothing").await.expect(200);
    }
    expect_too_many(worker.revoke(&token).await);
    expect_too_many(worker.introspect(&token).await);
    expect_too_many(worker.token(&[("grant_type", "client_credentials")]).await);
    assert!(!api.sees_alive("another client may ask").await);
    provider.advance(12).await;
    assert!(worker.sees_alive(&token).await, "the revocation that came too soon did not happen");
}

#[tokio::test]
async fn what_is_good_does_not_count_and_what_is_guessed_does() {
    let provider = with_network_limit().await;
    let native = provider.client("native");
    let tokens = native.tokens_of(ALICE).await;
    provider.advance(60).await;
    let mut refresh = tokens.refresh;
    for _ in 0..2 * MOST {
        refresh = native.refresh(&refresh).await.expect_tokens().refresh;
        native.userinfo(&tokens.access).await.expect(200);
    }
    for _ in 0..MOST {
        native.refresh("fd_rt_guessed").await.expect_error("invalid_grant");
    }
    expect_too_many(native.refresh("fd_rt_guessed").await);
    let refused = expect_too_many(native.userinfo("guessed").await);
    assert_eq!(refused.header("www-authenticate"), "", "another token would not help");
    expect_too_many(native.refresh(&refresh).await);
    provider.advance(60).await;
    native.refresh(&refresh).await.expect_tokens();
}

#[tokio::test]
async fn a_browser_app_can_read_that_it_came_too_soon_and_keeps_its_cookies() {
    let provider = with_network_limit().await;
    let (spa, direct) = (provider.client("spa"), provider.client("direct"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    provider.advance(60).await;
    exhaust(&provider).await;
    let grant = [("grant_type", "refresh_token")];
    for answer in [
        spa.fetch(&browser, "/oauth2/token", &grant).await,
        spa.fetch(&browser, "/oauth2/browser/logout", &[("scope", "session")]).await,
        direct.fetch_json(&browser, "/auth/login", json!({ "username": ALICE, "password": PASSWORD })).await,
        direct.fetch_json(&browser, "/auth/refresh", json!({})).await,
        direct.fetch_json(&browser, "/auth/logout", json!({})).await,
    ] {
        let answer = expect_too_many(answer);
        assert_eq!(answer.header("access-control-allow-credentials"), "true", "{answer:#?}");
        assert!(answer.header("access-control-expose-headers").contains("retry-after"));
    }
    // The guards come first, and tell no foreign page anything.
    let mut foreign = spa.page_headers();
    foreign[0] = ("origin", "https://evil.example");
    foreign.push(("content-type", "application/x-www-form-urlencoded"));
    let form = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
    let answer = browser.fetch("/oauth2/token", &foreign, form).await.expect(403);
    assert_eq!(answer.header("access-control-allow-origin"), "");

    assert_eq!((provider.live_families().await, provider.live_sessions().await), (1, 1));
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    provider.advance(60).await;
    spa.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn a_family_that_steps_too_often_waits_and_loses_nothing() {
    let provider = TestProvider::with(|config| {
        on_https(config);
        config.limits.refreshes_per_family = 3;
    })
    .await;
    let spa = provider.client("spa");
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    for _ in 0..3 {
        // Fifty tabs at once make one step.
        let tabs: Vec<_> = (0..50).map(|_| browser.copied_to("192.0.2.7")).collect();
        spa.refresh_at(&browser).await.expect_tokens();
        for tab in tabs {
            spa.refresh_at(&tab).await.expect_tokens();
        }
    }

    let refused = expect_too_many(spa.refresh_at(&browser).await);
    assert_eq!(refused.header("retry-after"), "1200");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 3);
    assert_eq!((provider.live_families().await, provider.end_reasons().await), (1, vec![]));
    // Another sign-in of the same app has its own.
    spa.signed_in_at(&provider.browser(), ALICE).await;

    provider.advance(1200).await;
    spa.refresh_at(&browser).await.expect_tokens();
    expect_too_many(spa.refresh_at(&browser).await);
}

#[tokio::test]
async fn the_defaults_let_hundreds_pass() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    for _ in 0..100 {
        spa.refresh_at(&browser).await.expect_tokens();
    }
    for _ in 0..500 {
        provider.get("/login").await.expect(200);
    }
}
