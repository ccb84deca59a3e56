//! OpenID Connect Core §2, §3.1.3: ID tokens from the token endpoint.

use frontdesk::crypto::digest;
use frontdesk::crypto::encoding::{b64u, from_b64u};
use frontdesk::domain::alg::Alg;
use serde_json::json;

use crate::support::{ALICE, BOB, TestProvider, claims_of};

#[tokio::test]
async fn s2_it_says_who_for_whom_and_how_long_and_nothing_that_was_not_asked_for() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    provider.advance(30).await;
    let tokens = app.redeem(&code).await.expect_tokens();
    let (head, claims) = provider.verify(&tokens.id).await;
    assert_eq!(head.typ.as_deref(), Some("JWT"));
    let access = claims_of(&tokens.access);
    let now = provider.now();
    let half = &from_b64u(&digest::sha256_b64u(tokens.access.as_bytes())).unwrap()[..16];
    assert_eq!(
        claims,
        json!({
            "iss": provider.issuer(), "sub": provider.sub(ALICE).await, "aud": "web", "iat": now, "exp": now + 900,
            "auth_time": now - 30, "nonce": code.nonce, "acr": access["acr"], "amr": ["pwd"], "sid": access["sid"],
            "at_hash": b64u(half),
        }),
        "the scopes profile and email open userinfo, not the ID token"
    );
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn s2_the_nonce_comes_back_as_it_was_sent() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let long = "n".repeat(512);
    for nonce in ["n", " n ", "a+b c%20d", "\"\\</script>", "ü€𝄞", "{\"a\":1}", "null", long.as_str()] {
        let asked = app.ask().with("nonce", nonce);
        let tokens = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect_tokens();
        assert_eq!(claims_of(&tokens.id)["nonce"], json!(nonce));
    }
    let asked = app.ask().without("nonce");
    let tokens = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect_tokens();
    assert_eq!(claims_of(&tokens.id).get("nonce"), None);
    assert_eq!(provider.live_grants().await, 9);
}

#[tokio::test]
async fn s3_1_3_3_without_openid_there_is_none() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("scope", "notes:read offline_access");
    let answer = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect(200);
    assert_eq!(answer.json().get("id_token"), None);
    let next = app.refresh(&answer.text("refresh_token")).await.expect(200);
    assert_eq!(next.json().get("id_token"), None);
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn s2_the_session_has_another_name_for_every_client_and_is_never_the_cookie() {
    let provider = TestProvider::start().await;
    let browser = provider.browser();
    let mut names = Vec::new();
    for (id, browser) in [("web", &browser), ("own", &browser), ("web", &provider.browser())] {
        let app = provider.client(id);
        let first = app.tokens_at(browser, ALICE).await;
        let second = app.tokens_at(browser, ALICE).await;
        let sid = claims_of(&first.id)["sid"].as_str().unwrap().to_owned();
        assert_eq!(claims_of(&second.id)["sid"], json!(sid), "the same session for the same client");
        assert_eq!(claims_of(&first.access)["sid"], json!(sid));
        assert_eq!(sid.len(), 22, "128 bits");
        assert!(!browser.cookie("sid").unwrap().contains(&sid));
        let id = "SELECT id FROM sessions";
        assert!(!provider.texts(id).await.contains(&sid), "nor the row");
        names.push(sid);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[tokio::test]
async fn s2_the_subject_is_one_name_for_one_person_and_tells_nothing() {
    let provider = TestProvider::start().await;
    let mut subjects = Vec::new();
    for name in [ALICE, BOB] {
        for id in ["web", "own", "native"] {
            let tokens = provider.client(id).tokens_of(name).await;
            let sub = claims_of(&tokens.id)["sub"].as_str().unwrap().to_owned();
            assert!(sub.len() <= 255 && sub.is_ascii() && !sub.contains(name), "{sub}");
            assert_ne!(sub, provider.user(name).await.as_str(), "not the row's id, which tells when it was made");
            subjects.push(sub);
        }
    }
    subjects.dedup();
    assert_eq!(subjects.len(), 2, "the same for every client");
    assert_eq!(provider.live_grants().await, 6);
}

#[tokio::test]
async fn s3_1_3_7_the_signature_is_of_the_algorithm_that_the_client_registered() {
    let provider = TestProvider::with(|config| config.keys.algorithms = vec![Alg::ES256, Alg::RS256]).await;
    for (registered, expected) in [(None, "RS256"), (Some("RS256"), "RS256"), (Some("ES256"), "ES256")] {
        let mut metadata = json!({
            "application_type": "web", "redirect_uris": ["https://chosen.example/callback"], "first_party": true,
            "grant_types": ["authorization_code", "refresh_token"], "scope": "openid offline_access notes:read",
        });
        if let Some(alg) = registered {
            metadata["id_token_signed_response_alg"] = json!(alg);
        }
        let app = provider.register("chosen", metadata).await;
        let tokens = app.tokens_of(ALICE).await;
        let next = app.refresh(&tokens.refresh).await.expect_tokens();
        for token in [&tokens.id, &next.id] {
            let (head, _) = provider.verify(token).await;
            assert_eq!(format!("{:?}", head.alg), expected);
        }
        let (head, _) = provider.verify(&tokens.access).await;
        assert_eq!(format!("{:?}", head.alg), "ES256", "that is for the resource to choose");
    }
    assert_eq!(provider.live_families().await, 3);
}
