//! The authorization code flow, for each kind of app.

use frontdesk::domain::alg::Alg;
use serde_json::json;

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn a_web_app_gets_tokens_it_can_check() {
    let provider = TestProvider::start().await;
    for id in ["web", "post", "own"] {
        let app = provider.client(id);
        let code = app.code_of(ALICE).await;

        let answer = app.redeem(&code).await.expect(200);
        let tokens = answer.clone().expect_tokens();
        assert_eq!(answer.set_cookies(), Vec::<String>::new());
        assert_eq!(answer.json()["expires_in"], json!(900));
        let id_token = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
        assert_eq!(id_token["sub"], json!(provider.sub(ALICE).await));
        assert_eq!(id_token["auth_time"], json!(provider.now()));
        let (head, access) = provider.verify(&tokens.access).await;
        assert_eq!(head.typ.as_deref(), Some("at+jwt"));
        assert_eq!(access["sub"], id_token["sub"]);
        assert_eq!(access["client_id"], json!(id));
        assert_eq!(access["exp"], json!(provider.now() + 900));
        assert!(tokens.refresh.starts_with("fd_rt_"));
    }
    assert_eq!(provider.live_grants().await, 3);
    assert_eq!(provider.live_families().await, 3);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE used_at IS NULL").await, 0);
}

#[tokio::test]
async fn each_client_chooses_how_its_id_token_is_signed() {
    let provider = TestProvider::with(|config| config.keys.algorithms = vec![Alg::ES256, Alg::RS256]).await;
    let web = provider.client("web");
    let code = web.code_of(ALICE).await;
    let tokens = web.redeem(&code).await.expect_tokens();
    let (head, _) = provider.verify(&tokens.id).await;
    assert_eq!(head.alg, jsonwebtoken::Algorithm::RS256);
    let (head, _) = provider.verify(&tokens.access).await;
    assert_eq!(head.alg, jsonwebtoken::Algorithm::ES256, "the resource verifies the access token, so it chooses");
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn a_native_app_listens_on_whatever_port_is_free() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let browser = provider.browser();
    let asked = app.ask().with("redirect_uri", "http://127.0.0.1:49152/callback");
    let page = app.visit(&browser, &asked).await;
    let page = browser.answer_all(page, ALICE).await;
    let code = asked.code_in(page.left_for(), provider.issuer());

    app.redeem(&code).await.expect_tokens();

    assert_eq!(
        provider.texts("SELECT redirect_uri FROM codes").await,
        ["http://127.0.0.1:49152/callback"],
        "the code is bound to the port it was sent to"
    );
}

#[tokio::test]
async fn a_code_is_bound_to_the_redirect_uri_and_the_verifier() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let browser = provider.browser();
    let good = app.code_at(&browser, ALICE).await;
    let mut elsewhere = good.clone();
    elsewhere.redirect_uri = "http://127.0.0.1:1/callback".to_owned();
    app.redeem(&elsewhere).await.expect_error("invalid_grant");
    app.redeem(&good).await.expect_error("invalid_grant");

    let good = app.code_at(&browser, ALICE).await;
    let mut guessed = good.clone();
    guessed.verifier = "a".repeat(43);
    app.redeem(&guessed).await.expect_error("invalid_grant");
    app.redeem(&good).await.expect_error("invalid_grant");

    assert_eq!(provider.live_families().await, 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 2);
}

#[tokio::test]
async fn a_code_lives_a_minute() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    provider.advance(60).await;

    app.redeem(&code).await.expect_error("invalid_grant");

    assert_eq!(provider.live_families().await, 0);
}

#[tokio::test]
async fn a_code_used_twice_ends_what_it_gave() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let tokens = app.redeem(&code).await.expect_tokens();

    app.redeem(&code).await.expect_error("invalid_grant");

    app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert_eq!(provider.end_reasons().await, ["code_reuse"]);
    assert_eq!((provider.live_families().await, provider.audited("code.reuse").await), (0, 1));
}

#[tokio::test]
async fn another_client_cannot_redeem_or_spoil_a_code() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;

    provider.client("own").redeem(&code).await.expect_error("invalid_grant");
    assert_eq!(provider.live_families().await, 0);

    app.redeem(&code).await.expect_tokens();
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn the_operators_own_app_asks_for_no_consent() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;

    let asked = app.ask();
    let page = app.visit(&browser, &asked).await;

    asked.code_in(page.left_for(), provider.issuer());
    assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 0);
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn consent_is_asked_once_and_again_for_more() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let little = app.ask().with("scope", "openid email");
    let page = app.visit(&browser, &little).await.expect_at("/consent").expect_text("alice@example.com");
    let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    little.code_in(page.left_for(), provider.issuer());
    assert_eq!(provider.texts("SELECT scope FROM consents").await, ["openid email"]);

    let page = app.visit(&browser, &little).await;
    little.code_in(page.left_for(), provider.issuer());

    let more = app.ask().with("scope", "openid notes:read");
    let page = app.visit(&browser, &more).await.expect_at("/consent").expect_text("notes:read");
    let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    more.code_in(page.left_for(), provider.issuer());
    assert_eq!(provider.texts("SELECT scope FROM consents").await, ["openid email notes:read"]);
    assert_eq!((provider.live_grants().await, provider.audited("consent.give").await), (3, 2));
}

#[tokio::test]
async fn a_no_reaches_the_app_and_nothing_is_given() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask();
    let page = app.visit(&browser, &asked).await.expect_at("/consent");
    let denied = browser.submit(&page, "/consent", &[("decision", "deny")]).await;

    assert_eq!(asked.error_in(denied.left_for(), provider.issuer()), "access_denied");

    assert_eq!(provider.live_grants().await, 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 0);
    // The page that is still open in another tab leads nowhere.
    let late = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    assert_eq!((late.away, provider.live_grants().await), (None, 0));
}

#[tokio::test]
async fn a_form_that_stood_on_a_foreign_page_is_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let page = app.visit(&browser, &app.ask()).await.expect_at("/consent");
    let (txn, csrf) = (page.hidden("/consent", "txn"), page.hidden("/consent", "csrf"));

    let fields = [("txn", txn.as_str()), ("csrf", &csrf), ("decision", "accept")];
    let refused = browser.posted_from_elsewhere("/consent", &fields).await;

    assert_eq!((refused.answer.status.as_u16(), refused.away), (403, None));
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn a_transaction_belongs_to_one_browser() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let (hers, his) = (provider.browser(), provider.browser());
    let asked = app.ask();
    let page = app.visit(&hers, &asked).await.expect_at("/login");

    let stolen = his.go(&page.path).await;

    assert!(stolen.away.is_none() && stolen.answer.status.as_u16() >= 400, "{stolen:#?}");
    let page = hers.answer_all(page, ALICE).await;
    asked.code_in(page.left_for(), provider.issuer());
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn an_app_that_is_not_known_or_comes_with_a_foreign_address_gets_a_page() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for asked in [
        app.ask().with("client_id", "nobody"),
        app.ask().with("redirect_uri", "https://web.example/callback/"),
        app.ask().with("redirect_uri", "https://web.example.evil.example/callback"),
        app.ask().without("redirect_uri").without("client_id"),
    ] {
        let page = app.visit(&browser, &asked).await;
        assert!(page.away.is_none(), "{page:#?}");
        assert_eq!(page.answer.status.as_u16(), 400);
    }
    assert_eq!(
        (provider.live_grants().await, provider.number("SELECT COUNT(*) FROM authorize_requests").await),
        (0, 0)
    );
}

#[tokio::test]
async fn client_credentials_give_a_token_for_the_client_itself() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    let tokens = worker.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let (_, claims) = provider.verify(&tokens.access).await;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("worker"), &json!("worker")));
    assert_eq!((&claims["scope"], &claims["aud"]), (&json!("notes:read"), &json!("https://api.shop.test/")));
    assert_eq!((tokens.refresh.as_str(), tokens.id.as_str()), ("", ""));
    worker.token(&[("grant_type", "client_credentials"), ("scope", "notes:write")]).await.expect_error("invalid_scope");
    let forged = [("grant_type", "client_credentials"), ("client_id", "worker"), ("client_secret", "guess")];
    provider.post("/oauth2/token", &[], &forged).await.expect_error("invalid_client");
    assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
}
