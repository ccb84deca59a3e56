//! CSP Level 3 §6.4.1 as browsers have it: `form-action` counts for every redirect after a form, the app's own included. So the
//! pages of a request name where its answer may lead, and no others.

use serde_json::{Value, json};

use crate::support::{ALICE, Page, TestProvider, encode};

fn form_action(page: &Page) -> String {
    let policy = page.answer.header("content-security-policy").to_owned();
    let directive = policy.split("; ").find_map(|directive| directive.strip_prefix("form-action "));
    directive.unwrap_or_else(|| panic!("{policy}")).to_owned()
}

#[tokio::test]
async fn the_pages_of_a_request_let_forms_lead_to_its_answer() {
    let provider = TestProvider::https().await;
    let web = "https://app.shop.example:8443/cb";
    let cases: [(&str, &str, Value, &str); 7] = [
        ("web", web, json!({}), "https://app.shop.example:8443 https://shop.example:* https://*.shop.example:*"),
        ("web", web, json!({ "callback_redirects": "anywhere" }), "https:"),
        ("browser", "https://app.shop.example/cb", json!({}), "https://app.shop.example"),
        ("native", "http://127.0.0.1/cb", json!({}), "http://127.0.0.1:*"),
        ("native", "http://[::1]/cb", json!({}), "http:"),
        ("native", "com.example.app:/cb", json!({}), "com.example.app:"),
        ("native", "https://app.shop.example/cb", json!({}), "https://app.shop.example"),
    ];
    for (kind, uri, more, reach) in cases {
        let mut metadata = json!({
            "application_type": kind, "redirect_uris": [uri], "post_logout_redirect_uris": [uri],
        });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let app = provider.register("app", metadata).await;
        let browser = provider.browser();
        let expected = format!("'self' {reach}");
        let page = app.visit(&browser, &app.ask()).await.expect_at("/login");
        assert_eq!(form_action(&page), expected, "{kind} {uri}");
        let wrong = browser.submit(&page, "/login", &[("username", ALICE), ("password", "wrong")]).await;
        assert_eq!(form_action(&wrong), expected, "{kind} {uri}");
        browser.sign_in(ALICE).await;
        for (prompt, path) in [("login", "/login/again"), ("select_account", "/login/choose"), ("consent", "/consent")]
        {
            let page = app.visit(&browser, &app.ask().with("prompt", prompt)).await.expect_at(path);
            assert_eq!(form_action(&page), expected, "{path} {kind} {uri}");
        }
        let query = encode(&[("client_id", "app"), ("post_logout_redirect_uri", uri)]);
        let page = browser.come(&format!("/oauth2/logout?{query}")).await.expect(200);
        assert_eq!(form_action(&page), expected, "logout {kind} {uri}");
        let page = browser.come("/oauth2/logout?client_id=app").await.expect(200);
        assert_eq!(form_action(&page), "'self'", "it leads nowhere");
    }
    let browser = provider.browser();
    assert_eq!(form_action(&browser.go("/login").await), "'self'");
    browser.sign_in(ALICE).await;
    for path in ["/account", "/account/password", "/account/sessions", "/logout", "/login/other"] {
        assert_eq!(form_action(&browser.go(path).await), "'self'", "{path}");
    }
    assert_eq!(provider.live_grants().await, 0);
}
