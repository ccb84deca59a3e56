//! OpenID Connect Session Management 1.0, behind its switch: what an app is told, and what the frame of ours reads.

use frontdesk::crypto::digest::sha256_b64u;
use serde_json::Value;

use crate::support::{ADMIN, ALICE, BOB, Browser, PASSWORD, RelyingParty, TestProvider, on_https, query_of};

const FRAME: &str = "/oauth2/check_session";
const COOKIE: &str = "session-state";

async fn house() -> TestProvider {
    TestProvider::with(|config| {
        on_https(config);
        config.features.session_management = true;
    })
    .await
}

/// What the app is told at its callback.
async fn told(app: &RelyingParty, browser: &Browser, name: &str) -> Option<String> {
    let asked = app.ask();
    let page = app.visit(browser, &asked).await;
    let page = browser.answer_all(page, name).await;
    query_of(page.left_for(), "session_state")
}

/// As the frame's script does it (§3.2).
fn is_unchanged(state: &str, client: &str, origin: &str, browser: &Browser) -> bool {
    let (hash, salt) = state.split_once('.').expect("a salt");
    let known = browser.cookie(COOKIE).unwrap_or_default();
    hash == sha256_b64u(format!("{client} {origin} {known} {salt}").as_bytes())
}

#[tokio::test]
async fn an_app_can_ask_whether_the_session_is_still_the_same() {
    let provider = house().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    let state = told(&spa, &browser, ALICE).await.expect("§3: session_state");
    let other = told(&second, &browser, ALICE).await.expect("§3: session_state");
    let unchanged = || is_unchanged(&state, "spa", "https://spa.shop.test", &browser);
    assert!(unchanged());
    assert!(is_unchanged(&other, "second", "https://second.shop.test", &browser));
    assert!(!is_unchanged(&state, "spa", "https://second.shop.test", &browser), "another origin");
    assert!(!is_unchanged(&state, "second", "https://spa.shop.test", &browser), "another client");

    let page = browser.go("/account/password").await;
    let new = "another fine password";
    let fields = [("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
    browser.submit(&page, "/account/password", &fields).await.expect_at("/account");
    assert!(unchanged(), "a new password leaves this session what it was");

    let page = browser.go("/logout").await;
    browser.submit(&page, "/logout", &[]).await;
    assert_eq!(browser.cookie(COOKIE), None);
    assert!(!unchanged());
    browser.sign_in(BOB).await;
    assert!(browser.cookie(COOKIE).is_some());
    assert!(!unchanged(), "another person");
}

#[tokio::test]
async fn the_sign_out_of_a_browser_app_and_its_direct_flow_are_seen_too() {
    let provider = house().await;
    let spa = provider.client("spa");
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    let known = browser.cookie(COOKIE).expect("the cookie");
    spa.fetch(&browser, "/oauth2/browser/logout", &[("scope", "session")]).await.expect(204);
    assert_eq!(browser.cookie(COOKIE), None);

    let direct = provider.client("direct");
    let body = serde_json::json!({ "username": ALICE, "password": PASSWORD });
    direct.fetch_json(&browser, "/auth/login", body).await.expect(200);
    assert_ne!(browser.cookie(COOKIE).expect("the cookie"), known);
}

#[tokio::test]
async fn a_session_from_before_the_switch_gets_its_cookie_with_the_first_answer() {
    let provider = house().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    browser.forget(COOKIE);
    let state = told(&provider.client("spa"), &browser, ALICE).await.unwrap();
    assert!(is_unchanged(&state, "spa", "https://spa.shop.test", &browser));
}

#[tokio::test]
async fn who_has_no_origin_is_told_nothing() {
    let provider = house().await;
    let native = provider.client("native");
    let asked = native.ask().with("redirect_uri", "com.example.notes:/callback");
    let browser = provider.browser();
    let page = browser.answer_all(native.visit(&browser, &asked).await, ALICE).await;
    assert!(query_of(page.left_for(), "code").is_some(), "{}", page.left_for());
    assert_eq!(query_of(page.left_for(), "session_state"), None);
}

#[tokio::test]
async fn the_frame_may_stand_in_pages_of_others_and_no_other_page_may() {
    let provider = house().await;
    let metadata: Value = provider.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(metadata["check_session_iframe"], format!("{}{FRAME}", provider.issuer()));
    let frame = provider.get(FRAME).await.expect(200);
    let policy = frame.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; frame-ancestors *;"), "{policy}");
    assert!(!frame.headers.contains_key("x-frame-options"));
    assert_eq!(frame.set_cookies(), Vec::<String>::new());
    assert!(frame.body.contains("__Host-session-state"), "{}", frame.body);
    let script = frame.body.split('"').find(|part| part.starts_with("/static/check_session.")).expect("its script");
    provider.get(script).await.expect(200);
    let page = provider.get("/login").await;
    assert_eq!(page.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn without_the_switch_nothing_of_it_is_there() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    assert_eq!(told(&provider.client("spa"), &browser, ADMIN).await, None);
    assert_eq!(browser.cookie(COOKIE), None);
    provider.get(FRAME).await.expect(404);
    let metadata = provider.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(metadata.get("check_session_iframe"), None);
}
