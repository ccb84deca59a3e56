//! Row 95: pages of ours inside pages of others.

use crate::support::{ALICE, Page, TestProvider};

#[tokio::test]
async fn row_95_no_page_can_be_framed() {
    let provider = TestProvider::https().await;
    let (own, web, native) = (provider.client("own"), provider.client("web"), provider.client("native"));
    let browser = provider.browser();
    let mut shown: Vec<(&str, Page)> = Vec::new();
    shown.push(("sign-in", own.visit(&browser, &own.ask()).await.expect_at("/login")));
    let wrong = [("username", ALICE), ("password", "not the password")];
    shown.push(("refused sign-in", browser.submit(&shown[0].1, "/login", &wrong).await));
    browser.sign_in(ALICE).await;
    for (name, asked, path) in [
        ("sign-in again", own.ask().with("prompt", "login"), "/login/again"),
        ("sign-in of another", own.ask().with("claims", r#"{"userinfo":{"sub":{"value":"x"}}}"#), "/login/other"),
        ("choice of account", own.ask().with("prompt", "select_account"), "/login/choose"),
        ("consent", web.ask(), "/consent"),
        ("consent for a native app", native.ask(), "/consent"),
        ("form_post", own.ask().with("response_mode", "form_post"), "/oauth2/authorize"),
        ("unknown app", own.ask().with("client_id", "nobody"), "/oauth2/authorize"),
        ("foreign address", own.ask().with("redirect_uri", "https://evil.example/"), "/oauth2/authorize"),
        ("error of a native app", native.ask().with("scope", "nothing"), "/oauth2/authorize"),
    ] {
        shown.push((name, browser.come(&asked.path()).await.expect_at(path)));
    }
    for path in [
        "/login/other",
        "/login?txn=gone",
        "/account",
        "/account/password",
        "/account/sessions",
        "/account/apps",
        "/account/apps/web/withdraw",
        "/oauth2/logout",
        "/oauth2/logout?client_id=own",
        "/oauth2/logout?client_id=nobody",
        "/setup/fd_ln_gone",
        "/logout",
    ] {
        let page = browser.go(path).await;
        assert_eq!(page.path.split('?').next(), path.split('?').next(), "{page:#?}");
        shown.push((path, page));
    }
    let form = browser.go("/logout").await;
    shown.push(("foreign form", browser.posted_from_elsewhere("/logout", &[("csrf", "x")]).await.expect(403)));
    shown.push(("signed out", browser.submit(&form, "/logout", &[]).await.expect_text("You are signed out")));
    for (name, Page { answer, .. }) in &shown {
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{name}: {answer:#?}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{name}");
        let policy = answer.header("content-security-policy");
        assert!(policy.split("; ").any(|directive| directive == "frame-ancestors 'none'"), "{name}: {policy}");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{name}: {policy}");
        assert!(policy.contains("base-uri 'none'"), "{name}: {policy}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
        let referrer = if *name == "form_post" { "strict-origin" } else { "same-origin" };
        assert_eq!(answer.header("referrer-policy"), referrer, "{name}");
    }
    // Whatever else was answered on the way as a page was no exception.
    let pages = provider.answers().into_iter().filter(|answer| answer.header("content-type").starts_with("text/html"));
    assert!(pages.into_iter().all(|answer| answer.header("x-frame-options") == "DENY"));
    assert_eq!(provider.live_sessions().await, 0);
}
