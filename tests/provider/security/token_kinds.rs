//! Row 83: everything that we hand out, shown wherever something else belongs.

use crate::support::{ALICE, TestProvider, encode};

#[tokio::test]
async fn row_83_no_kind_of_token_passes_for_another() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let tokens = app.tokens_at(&browser, ALICE).await;
    let machine = provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let code = app.code_at(&browser, ALICE).await;
    let parked = provider.browser();
    let page = app.visit(&parked, &app.ask()).await.expect_at("/login");
    let txn = page.hidden("/login", "txn");
    let csrf = page.hidden("/login", "csrf");
    let (session, known) = (browser.cookie("sid").unwrap(), browser.cookie("browser").unwrap());
    let secret = app.secret();
    // What it is; below, the places where it does not belong.
    let kinds = [
        ("access", tokens.access.as_str()),
        ("access of a client", &machine.access),
        ("id", &tokens.id),
        ("refresh", &tokens.refresh),
        ("code", &code.code),
        ("session", &session),
        ("browser", &known),
        ("parked", &txn),
        ("csrf", &csrf),
        ("secret", &secret),
    ];
    let before = (provider.live_grants().await, provider.live_families().await, provider.live_sessions().await);
    for (kind, value) in kinds {
        if kind != "access" {
            app.userinfo(value).await.expect_error("invalid_token");
        }
        if !matches!(kind, "access" | "refresh") {
            assert!(!app.sees_alive(value).await, "{kind} at introspection");
        }
        if kind != "refresh" {
            app.refresh(value).await.expect_error("invalid_grant");
        }
        if kind != "code" {
            let mut presented = code.clone();
            value.clone_into(&mut presented.code);
            app.redeem(&presented).await.expect_error("invalid_grant");
        }
        if kind != "id" {
            let asked = app.ask().with("id_token_hint", value).with("prompt", "none");
            let page = app.visit(&browser, &asked).await;
            assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{kind} as hint");
            let query = encode(&[("id_token_hint", value)]);
            browser.copied_to("192.0.2.7").come(&format!("/oauth2/logout?{query}")).await.expect(400);
        }
        if kind != "session" {
            let thief = browser.copied_to("203.0.113.9");
            thief.plant("sid", value);
            thief.go("/account").await.expect_at("/login");
        }
        if kind != "parked" {
            let path = format!("/oauth2/authorize/i/{}", value.replace('/', "%2F"));
            let page = parked.go(&path).await;
            assert!(page.away.is_none() && page.answer.status.as_u16() >= 400, "{kind} as parked request: {page:#?}");
        }
        if kind != "secret" {
            let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
            let proof = [("client_id", "post"), ("client_secret", value)];
            provider.post("/oauth2/token", &[], &[form, proof].concat()).await.expect_error("invalid_client");
        }
        provider.get(&format!("/setup/{}", value.replace('/', "%2F"))).await.expect(404);
    }
    let after = (provider.live_grants().await, provider.live_families().await, provider.live_sessions().await);
    assert_eq!(after, before);
    app.userinfo(&tokens.access).await.expect(200);
    app.refresh(&tokens.refresh).await.expect_tokens();
    app.redeem(&code).await.expect_tokens();
}
