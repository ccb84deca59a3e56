//! Between the request and its answer: what waits, and what is written when the answer is given (RFC 6749 §4.1.1 to §4.1.3).

use serde_json::json;

use crate::support::{ALICE, BOB, PASSWORD, TestProvider};

/// §4.1.2, §10.5: the code is a secret of 256 bits, of which we keep a digest; the grant says what was allowed.
#[tokio::test]
async fn a_code_is_written_with_its_grant_and_stands_nowhere_itself() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("scope", "openid email notes:read").with("resource", "https://api.shop.test/");
    let page = app.visit(&browser, &asked).await;
    let page = browser.answer_all(page, ALICE).await;
    let code = asked.code_in(page.left_for(), provider.issuer());

    assert!(code.code.starts_with("fd_ac_") && code.code.len() == 6 + 64, "{}", code.code);
    let one = |sql: &str| {
        let (provider, sql) = (provider.clone(), sql.to_owned());
        async move { provider.texts(&sql).await }
    };
    assert_eq!(one("SELECT scope FROM grants").await, ["openid email notes:read"]);
    assert!(one("SELECT resources FROM grants").await[0].contains("https://api.shop.test/"));
    assert_eq!(one("SELECT client_id FROM grants").await, ["web"]);
    assert_eq!(one("SELECT session_id FROM grants").await, one("SELECT id FROM sessions").await);
    assert_eq!(one("SELECT grant_id FROM codes").await, one("SELECT id FROM grants").await);
    assert_eq!(one("SELECT redirect_uri FROM codes").await, [app.redirect_uri.as_str()]);
    assert_eq!(one("SELECT nonce FROM codes").await, [code.nonce.as_str()]);
    assert_eq!(provider.number("SELECT auth_time FROM grants").await, provider.now());
    assert_eq!(provider.number("SELECT expires_at FROM codes").await, provider.now() + 60);
    assert_eq!(provider.waiting_requests().await, 0);
    assert_eq!((one("SELECT scope FROM consents").await.len(), provider.audited("consent.give").await), (1, 1));
    let digest = one("SELECT digest FROM codes").await.remove(0);
    assert!(!digest.is_empty() && !code.code.contains(&digest), "{digest}");
    for text in one("SELECT id FROM codes").await.into_iter().chain([digest]) {
        assert!(!text.contains(&code.code[6..]), "{text}");
    }
    assert_ne!(app.code_at(&browser, ALICE).await.code, code.code);
}

/// Nothing of a query is read again once the request was checked: the pages carry an id and no more.
#[tokio::test]
async fn the_pages_of_a_request_take_nothing_from_their_query() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("scope", "openid");
    let page = app.visit(&browser, &asked).await.expect_at("/login");
    assert!(page.path.starts_with("/login?txn=fd_pr_") && !page.path.contains('&'), "{}", page.path);
    let more = "&client_id=own&redirect_uri=https://own.example/callback&scope=openid+email&state=other&prompt=none\
                &response_mode=form_post&nonce=other";

    let page = browser.go(&format!("{}{more}", page.path)).await.expect_at("/login").expect_text("The web app");
    let fields = [
        ("username", ALICE),
        ("password", PASSWORD),
        ("client_id", "own"),
        ("redirect_uri", "https://own.example/callback"),
        ("scope", "openid email"),
    ];
    let page = browser.submit(&page, "/login", &fields).await.expect_at("/consent");
    let page = browser.go(&format!("{}{more}", page.path)).await.expect_at("/consent");
    let accepted = [("decision", "accept"), ("scope", "openid email"), ("state", "other"), ("client_id", "own")];
    let page = browser.submit(&page, "/consent", &accepted).await;

    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(provider.texts("SELECT scope FROM grants").await, ["openid"]);
    assert_eq!(provider.texts("SELECT client_id FROM grants").await, ["web"]);
}

/// A page that is sent twice leads to the step that is due.
#[tokio::test]
async fn a_page_that_is_sent_twice_leads_on() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask();
    let page = app.visit(&browser, &asked).await.expect_at("/login");
    let fields = [("username", ALICE), ("password", PASSWORD)];
    browser.submit(&page, "/login", &fields).await.expect_at("/consent");
    let consent = browser.submit(&page, "/login", &fields).await.expect_at("/consent");
    // The address bar goes back to where the app had sent it, and on again.
    let txn = consent.hidden("/consent", "txn");
    browser.go(&format!("/oauth2/authorize/i/{txn}")).await.expect_at("/consent");
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (0, 1));

    let page = browser.submit(&consent, "/consent", &[("decision", "accept")]).await;
    asked.code_in(page.left_for(), provider.issuer());
    for again in [
        browser.submit(&consent, "/consent", &[("decision", "accept")]).await,
        browser.go(&format!("/oauth2/authorize/i/{txn}")).await,
        browser.go(&format!("/consent?txn={txn}")).await,
    ] {
        again.expect_error_page("answered");
    }
    assert_eq!(provider.live_grants().await, 1);
}

/// What was refused is over: the same link does not lead to a second answer.
#[tokio::test]
async fn a_request_is_answered_once_also_with_a_refusal() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let asked = app.ask().with("prompt", "none");
    let page = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "login_required");
    assert!(page.path.starts_with("/oauth2/authorize/i/"), "{}", page.path);
    assert_eq!(provider.waiting_requests().await, 0);

    browser.sign_in(ALICE).await;
    browser.go(&page.path).await.expect_error_page("answered");

    provider.expect_nothing_given().await;
}

/// Consent is given by who is signed in when the form arrives. Nobody is: nothing is given, and sign-in is due.
#[tokio::test]
async fn a_consent_without_a_session_leads_to_sign_in() {
    let provider = TestProvider::https().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask();
    let consent = app.visit(&browser, &asked).await.expect_at("/consent");
    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await.expect(200);

    let page = browser.submit(&consent, "/consent", &[("decision", "accept")]).await.expect_at("/login");

    assert_eq!((provider.live_grants().await, provider.number("SELECT COUNT(*) FROM consents").await), (0, 0));
    let page = browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
    browser.submit(&page.expect_at("/consent"), "/consent", &[("decision", "accept")]).await;
    assert_eq!(provider.live_grants().await, 1);
}

/// The account that was chosen is the one that was shown.
#[tokio::test]
async fn a_choice_of_account_is_for_the_person_on_the_page() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask().with("prompt", "select_account");
    let shown_to_alice = app.visit(&browser, &asked).await.expect_at("/login/choose").expect_text("alice");
    let page = browser.go("/login/other").await;
    browser.submit(&page, "/login/other", &[("username", BOB), ("password", PASSWORD)]).await.expect_at("/account");

    let page = browser.submit(&shown_to_alice, "/login/choose", &[("choice", "continue")]).await;

    let page = page.expect_at("/login/choose").expect_text("bob");
    assert_eq!(provider.live_grants().await, 0);
    let page = browser.submit(&page, "/login/choose", &[("choice", "continue")]).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(claims["sub"], json!(provider.sub(BOB).await));
}
