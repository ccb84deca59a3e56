//! Rows 91 and 92: forms of ours that stand on pages of others.

use crate::support::{ALICE, BOB, Browser, PASSWORD, Page, TestProvider, encode};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const OWN: (&str, &str) = ("origin", "https://id.shop.test");

/// What comes along with a form that did not stand on a page of ours.
fn elsewhere() -> Vec<Vec<(&'static str, &'static str)>> {
    let mut sent = vec![vec![FORM]];
    for origin in [
        "null",
        "",
        "https://evil.test",
        // A sibling: its forms carry Lax and Strict cookies. It is an app that may even call us in cookie mode.
        "https://spa.shop.test",
        "https://other.shop.test",
        "https://shop.test",
        "http://id.shop.test",
        "https://id.shop.test:8443",
        "https://id.shop.test.",
        "https://id.shop.test/",
        "https://ID.shop.test",
        "https://id.shop.test.evil.test",
        "https://id.shop.test, https://evil.test",
    ] {
        sent.push(vec![FORM, ("origin", origin)]);
        sent.push(vec![FORM, ("origin", origin), ("sec-fetch-site", "same-origin")]);
    }
    sent.push(vec![FORM, OWN, ("origin", "https://evil.test")]);
    for site in ["same-site", "cross-site", "none", "", "Same-Origin"] {
        sent.push(vec![FORM, OWN, ("sec-fetch-site", site)]);
    }
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json", "application/x-www-form", ""] {
        sent.push(vec![("content-type", kind), OWN]);
        sent.push(vec![("content-type", kind), ("origin", "https://spa.shop.test")]);
    }
    sent.push(vec![OWN]);
    sent
}

/// Everything that a form of ours could have changed.
async fn all_that_stands(provider: &TestProvider) -> Vec<i64> {
    let mut counts = Vec::new();
    for sql in [
        "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL",
        "SELECT COUNT(*) FROM grants WHERE ended_at IS NULL",
        "SELECT COUNT(*) FROM refresh_families WHERE ended_at IS NULL",
        "SELECT COUNT(*) FROM consents",
        "SELECT COUNT(*) FROM codes",
        "SELECT COUNT(*) FROM authorize_requests",
        "SELECT COUNT(*) FROM authorize_requests WHERE chosen_user IS NOT NULL OR authenticated_user IS NOT NULL",
        "SELECT COUNT(*) FROM users",
        "SELECT COUNT(*) FROM audit",
    ] {
        counts.push(provider.number(sql).await);
    }
    counts
}

/// Sends the form that stands on this page, filled in, as from everywhere else: it is refused, and nothing has changed.
async fn is_refused_from_elsewhere(
    provider: &TestProvider,
    browser: &Browser,
    page: &Page,
    action: &str,
    filled: &[(&str, &str)],
) {
    let hidden = page.form(action);
    let mut fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.extend_from_slice(filled);
    let before = all_that_stands(provider).await;
    for headers in elsewhere() {
        let answer = browser.fetch(action, &headers, encode(&fields)).await;
        assert_eq!(answer.status.as_u16(), 403, "{action} {headers:?}: {answer:#?}");
        assert_eq!((answer.header("location"), answer.set_cookies()), ("", vec![]), "{action} {headers:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{action} {headers:?}");
    }
    assert_eq!(all_that_stands(provider).await, before, "{action}");
}

#[tokio::test]
async fn row_91_nobody_is_signed_in_by_a_form_on_another_site() {
    let provider = TestProvider::https().await;
    let own = provider.client("own");
    let credentials = [("username", BOB), ("password", PASSWORD)];

    let victim = provider.browser();
    let page = own.visit(&victim, &own.ask()).await.expect_at("/login");
    is_refused_from_elsewhere(&provider, &victim, &page, "/login", &credentials).await;
    assert_eq!(victim.cookie("sid"), None);
    // The attacker has a value of his own; it is another browser's.
    let attacker = provider.browser();
    let his = attacker.go("/login").await.hidden("/login", "csrf");
    for csrf in [his.as_str(), "", "x", &page.hidden("/login", "csrf")[1..]] {
        let fields = [("csrf", csrf), ("username", BOB), ("password", PASSWORD)];
        let answer = victim.fetch("/login", &[FORM, OWN], encode(&fields)).await.expect(403);
        assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{csrf:?}");
    }
    let without = victim.fetch("/login", &[FORM, OWN], encode(&credentials)).await;
    assert_eq!((without.status.as_u16(), victim.cookie("sid")), (403, None));
    // Nor does his value come with him into a browser that has never been here.
    let fresh = provider.browser();
    let fields = [("csrf", his.as_str()), ("username", BOB), ("password", PASSWORD)];
    fresh.fetch("/login", &[FORM, OWN], encode(&fields)).await.expect(403);
    assert_eq!((provider.live_sessions().await, provider.audited("sign_in.ok").await), (0, 0));

    victim.sign_in(ALICE).await;
    let signed_in = victim.cookie("sid");
    for (path, asked) in
        [("/login/again", own.ask().with("prompt", "login")), ("/login/other", own.ask().with("claims", NOBODY))]
    {
        let page = own.visit(&victim, &asked).await.expect_at(path);
        is_refused_from_elsewhere(&provider, &victim, &page, path, &credentials).await;
    }
    assert_eq!(victim.cookie("sid"), signed_in);
    victim.go("/account").await.expect_at("/account").expect_text("alice");
}

const NOBODY: &str = r#"{"userinfo":{"sub":{"value":"nobody"}}}"#;

#[tokio::test]
async fn row_92_no_form_of_ours_works_on_a_page_of_others() {
    let provider = TestProvider::https().await;
    let (web, own, spa) = (provider.client("web"), provider.client("own"), provider.client("spa"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    provider.browser().sign_in(ALICE).await;
    provider.browser().sign_in(ALICE).await;
    web.tokens_at(&browser, ALICE).await;

    let choose = own.visit(&browser, &own.ask().with("prompt", "select_account")).await.expect_at("/login/choose");
    is_refused_from_elsewhere(&provider, &browser, &choose, "/login/choose", &[("choice", "continue")]).await;

    let asked = web.ask().with("prompt", "consent");
    let consent = web.visit(&browser, &asked).await.expect_at("/consent");
    for decision in ["accept", "deny"] {
        is_refused_from_elsewhere(&provider, &browser, &consent, "/consent", &[("decision", decision)]).await;
    }

    let new = [
        ("current_password", PASSWORD),
        ("new_password", "another fine password"),
        ("repeat_password", "another fine password"),
    ];
    let password = browser.go("/account/password").await;
    is_refused_from_elsewhere(&provider, &browser, &password, "/account/password", &new).await;

    let sessions = browser.go("/account/sessions").await;
    for action in ["/account/sessions/end", "/account/sessions/end-others"] {
        is_refused_from_elsewhere(&provider, &browser, &sessions, action, &[]).await;
    }

    let withdraw = browser.go("/account/apps/web/withdraw").await;
    is_refused_from_elsewhere(&provider, &browser, &withdraw, "/account/apps/withdraw", &[]).await;

    let logout = browser.go("/logout").await;
    is_refused_from_elsewhere(&provider, &browser, &logout, "/logout", &[]).await;

    // Each of them works from where it stands.
    let page = browser.submit(&consent, "/consent", &[("decision", "accept")]).await;
    asked.code_in(page.left_for(), provider.issuer());
    browser.submit(&sessions, "/account/sessions/end-others", &[]).await.expect(200);
    assert_eq!(provider.live_sessions().await, 1);
    browser.submit(&withdraw, "/account/apps/withdraw", &[]).await.expect(200);
    assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 0);
    browser.submit(&logout, "/logout", &[]).await.expect(200);
    assert_eq!(provider.live_sessions().await, 0);
}
