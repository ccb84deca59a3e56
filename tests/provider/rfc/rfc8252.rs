//! RFC 8252: native apps. Which addresses are theirs is row 6, and consent is row 30.

use crate::support::{ALICE, TestProvider, query_of};

const PRIVATE: &str = "com.example.notes:/callback";

/// §7.1: a private-use scheme is answered like any other address, and the person is told which it is.
#[tokio::test]
async fn a_private_use_scheme_is_answered() {
    let provider = TestProvider::https().await;
    let app = provider.client("native");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask().with("redirect_uri", PRIVATE);
    let page = app.visit(&browser, &asked).await.expect_at("/consent").expect_text("com.example.notes");
    let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
    assert!(page.left_for().starts_with("com.example.notes:/callback?code=fd_ac_"), "{page:#?}");
    app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();

    let denied = app.ask().with("redirect_uri", PRIVATE);
    let page = app.visit(&browser, &denied).await.expect_at("/consent");
    let page = browser.submit(&page, "/consent", &[("decision", "deny")]).await;
    assert_eq!(denied.error_in(page.left_for(), provider.issuer()), "access_denied");
    assert_eq!(provider.live_grants().await, 1);
}

/// §8.6 with RFC 9700 §4.11: any program may have taken the address, so nobody is sent there without a look at it first.
#[tokio::test]
async fn an_error_reaches_an_uncertain_address_only_by_a_link() {
    let provider = TestProvider::https().await;
    let app = provider.client("native");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for uri in [PRIVATE, "http://127.0.0.1/callback", "http://127.0.0.1:49152/callback"] {
        for (asked, error) in [
            (app.ask().with("scope", "nothing"), "invalid_scope"),
            (app.ask().with("response_type", "token"), "unsupported_response_type"),
            (app.ask().without("code_challenge"), "invalid_request"),
            (
                app.ask().with("claims", r#"{"id_token":{"acr":{"essential":true,"value":"x"}}}"#),
                "unmet_authentication_requirements",
            ),
        ] {
            let asked = asked.with("redirect_uri", uri);
            let page = app.visit(&browser, &asked).await.expect_error_page(error);
            assert!(!page.answer.body.contains("http-equiv") && page.answer.header("refresh").is_empty());
            let links = page.links();
            let back: Vec<_> = links.iter().filter(|link| !link.starts_with('/')).collect();
            assert_eq!(back.len(), 1, "{links:?}");
            assert!(back[0].starts_with(&format!("{uri}?error=")), "{back:?}");
            assert_eq!(asked.error_in(back[0], provider.issuer()), error);
            let posted = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;
            posted.expect_error_page(error);

            // Who asked that nothing be shown has nobody to look.
            let silent = asked.with("prompt", "none");
            let page = app.visit(&browser, &silent).await;
            assert_eq!(silent.error_in(page.left_for(), provider.issuer()), error);
            assert!(query_of(page.left_for(), "code").is_none());
        }
    }
    provider.expect_nothing_given().await;
}
