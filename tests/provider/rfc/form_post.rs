//! OAuth 2.0 Form Post Response Mode. What may stand in the fields is row 18.

use serde_json::json;

use crate::support::{ALICE, TestProvider};

/// §2: the answer is a form with method POST to the registered address, its own query untouched, and every parameter in it.
/// Without scripts there is a button.
#[tokio::test]
async fn the_form_leads_to_the_registered_address_and_has_a_button() {
    let provider = TestProvider::https().await;
    let uri = "https://app.example.com/cb?tenant=1&page=a%20b";
    let app = provider.register("app", json!({ "redirect_uris": [uri], "first_party": true })).await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for (asked, first) in [(app.ask(), "code"), (app.ask().with("scope", "nothing"), "error")] {
        let asked = asked.with("response_mode", "form_post");
        for page in [
            app.visit(&browser, &asked).await,
            browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await,
        ] {
            let page = page.expect(200).expect_text("<form method=\"post\"").expect_text("<noscript>");
            let fields = page.form(uri);
            assert_eq!(fields[0].0, first);
            assert_eq!(page.hidden(uri, "state"), asked.state());
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            let all: &[&str] = if first == "code" {
                &["code", "state", "iss"]
            } else {
                &["error", "error_description", "state", "iss"]
            };
            assert_eq!(names, all);
            let noscript = page.answer.body.split("<noscript>").nth(1).unwrap().split("</noscript>").next().unwrap();
            assert!(noscript.contains("type=\"submit\""), "{noscript}");
            assert_eq!((page.answer.header("location"), page.answer.set_cookies()), ("", vec![]));
        }
    }
    assert_eq!(provider.live_grants().await, 2);
}

/// §5: an app that listens on a loopback address gets its refusals in a form only when it asked that nothing be shown.
#[tokio::test]
async fn a_silent_refusal_is_posted_to_a_loopback_address_too() {
    let provider = TestProvider::https().await;
    let app = provider.client("native");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask().with("response_mode", "form_post").with("prompt", "none");
    let page = app.visit(&browser, &asked).await.expect(200);
    assert_eq!(page.hidden(&app.redirect_uri, "error"), "consent_required");
    let shown = app.ask().with("response_mode", "form_post").with("scope", "nothing");
    app.visit(&browser, &shown).await.expect_error_page("invalid_scope");
    provider.expect_nothing_given().await;
}
