//! RFC 7636: the verifier at the token endpoint. What the authorization endpoint takes as challenge is rows 11 to 13.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use frontdesk::crypto::digest;
use serde_json::json;

use crate::support::{ALICE, Answer, Browser, RelyingParty, TestProvider};

fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::sha256(verifier.as_bytes()))
}

/// Asks with this challenge, and redeems with this verifier.
async fn redeemed(
    provider: &TestProvider,
    app: &RelyingParty,
    browser: &Browser,
    challenge: &str,
    verifier: &str,
) -> Answer {
    let asked = app.ask().with("code_challenge", challenge);
    let page = app.visit(browser, &asked).await;
    let mut code = asked.code_in(page.left_for(), provider.issuer());
    code.verifier = verifier.to_owned();
    app.redeem(&code).await
}

/// §4.1, §4.6 and appendix B.
#[tokio::test]
async fn a_verifier_has_43_to_128_unreserved_characters_and_meets_the_challenge() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let appendix_b = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    redeemed(&provider, &app, &browser, challenge, appendix_b).await.expect_tokens();
    for good in ["a".repeat(43), "-._~".repeat(32), "Z9".repeat(40)] {
        redeemed(&provider, &app, &browser, &s256(&good), &good).await.expect_tokens();
    }
    let before = provider.live_families().await;
    // Each of these meets its challenge; it is no verifier.
    for wrong in [
        "a".repeat(42),
        "a".repeat(129),
        "a".to_owned(),
        format!("{} ", "a".repeat(43)),
        format!("{}=", "a".repeat(43)),
        format!("{}+", "a".repeat(43)),
        format!("{}/", "a".repeat(43)),
        format!("{}\n", "a".repeat(43)),
        format!("{}\u{e9}", "a".repeat(43)),
    ] {
        redeemed(&provider, &app, &browser, &s256(&wrong), &wrong).await.expect_error("invalid_grant");
    }
    // And each of these is a verifier, of another challenge.
    for other in [challenge, &appendix_b.replace('k', "l"), &appendix_b.to_lowercase(), &format!("{appendix_b}a")] {
        redeemed(&provider, &app, &browser, challenge, other).await.expect_error("invalid_grant");
    }
    assert_eq!(provider.live_families().await, before);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 13);
}

/// RFC 9700 §2.1.1: an app with a secret sends a challenge too, unless it is registered to do without.
#[tokio::test]
async fn a_secret_does_not_stand_for_a_challenge() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let asked = app.ask().without("code_challenge").without("code_challenge_method");
    let page = app.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request");
    provider.expect_nothing_given().await;
}

/// RFC 9700 §2.1.1 and §4.8.2: a verifier without a challenge tells that somebody took the challenge away.
#[tokio::test]
async fn a_verifier_for_a_code_without_challenge_is_refused() {
    let provider = TestProvider::start().await;
    let lax = json!({
        "redirect_uris": ["https://lax.example/callback"], "require_pkce": false, "first_party": true,
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid offline_access",
    });
    let app = provider.register("lax", lax).await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let without = || app.ask().without("code_challenge").without("code_challenge_method");

    let asked = without();
    let code = asked.code_in(app.visit(&browser, &asked).await.left_for(), provider.issuer());
    app.redeem(&code).await.expect_error("invalid_grant");
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 1);
    assert_eq!(provider.live_families().await, 0);

    let asked = without();
    let code = asked.code_in(app.visit(&browser, &asked).await.left_for(), provider.issuer());
    let form =
        [("grant_type", "authorization_code"), ("code", code.code.as_str()), ("redirect_uri", &code.redirect_uri)];
    app.token(&form).await.expect_tokens();
    // Who sends a challenge without having to is held to it.
    let asked = app.ask();
    let code = asked.code_in(app.visit(&browser, &asked).await.left_for(), provider.issuer());
    let form =
        [("grant_type", "authorization_code"), ("code", code.code.as_str()), ("redirect_uri", &code.redirect_uri)];
    app.token(&form).await.expect_error("invalid_grant");
    assert_eq!(provider.live_families().await, 1);
}
