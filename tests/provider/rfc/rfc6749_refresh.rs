//! RFC 6749 §6, RFC 9700 §4.14: refresh tokens, beyond what `flows::refresh`, `flows::cookie_mode` and
//! `security::refresh_tokens` tell.

use frontdesk::crypto::encoding::{b64u, from_b64u};
use serde_json::{Value, json};

use crate::support::{ALICE, TestProvider};

/// The metadata of an app with these members besides.
fn app_with(more: &Value) -> Value {
    let mut metadata = json!({
        "application_type": "web", "redirect_uris": ["https://turning.example/callback"], "first_party": true,
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid offline_access",
    });
    for (name, value) in more.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    metadata
}

#[tokio::test]
async fn s6_a_forged_token_is_unknown_and_ends_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let first = app.tokens_of(ALICE).await;
    let second = app.refresh(&first.refresh).await.expect_tokens();
    let third = app.refresh(&second.refresh).await.expect_tokens();
    let bytes = from_b64u(&third.refresh["fd_rt_".len()..]).unwrap();
    let other_family = from_b64u(&app.tokens_of(ALICE).await.refresh["fd_rt_".len()..]).unwrap();
    let token = |bytes: &[u8]| format!("fd_rt_{}", b64u(bytes));
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        token(&bytes)
    };
    let generation = |number: u32| token(&[&bytes[..16], &number.to_be_bytes(), &bytes[20..]].concat());
    for forged in [
        // Generations that would end the family if they were genuine.
        generation(0),
        generation(1),
        generation(3),
        generation(u32::MAX),
        changed(0),
        changed(15),
        changed(20),
        changed(51),
        token(&[&other_family[..16], &bytes[16..]].concat()),
        token(&[&bytes[..20], &other_family[20..]].concat()),
        token(&[&bytes[..20], &[0; 32]].concat()),
        token(&bytes[..51]),
        token(&[bytes.as_slice(), &[0]].concat()),
        token(&bytes[..20]),
        format!("{}=", third.refresh),
        format!("{}A", third.refresh),
        format!(" {}", third.refresh),
        third.refresh.to_uppercase(),
        third.refresh["fd_rt_".len()..].to_owned(),
        third.refresh.replace("fd_rt_", "fd_ac_"),
        "fd_rt_".to_owned(),
        third.access.clone(),
        third.id.clone(),
    ] {
        app.refresh(&forged).await.expect_error("invalid_grant");
        app.revoke(&forged).await.expect(200);
    }
    assert_eq!(provider.live_families().await, 2);
    assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families").await, 2);
    assert_eq!(provider.end_reasons().await, Vec::<String>::new());
    app.refresh(&third.refresh).await.expect_tokens();
}

#[tokio::test]
async fn s6_the_stricter_rule_counts_of_the_family_and_of_its_client_now() {
    let provider = TestProvider::start().await;
    for (born, now, repeatable) in [
        (
            json!({ "refresh_retry": "until_successor_used" }),
            json!({ "refresh_retry": "grace", "refresh_grace": 10 }),
            false,
        ),
        (
            json!({ "refresh_retry": "grace", "refresh_grace": 10 }),
            json!({ "refresh_retry": "until_successor_used" }),
            false,
        ),
        (
            json!({ "refresh_retry": "grace", "refresh_grace": 60 }),
            json!({ "refresh_retry": "grace", "refresh_grace": 5 }),
            false,
        ),
        (
            json!({ "refresh_retry": "grace", "refresh_grace": 5 }),
            json!({ "refresh_retry": "grace", "refresh_grace": 60 }),
            false,
        ),
        (
            json!({ "refresh_retry": "grace", "refresh_grace": 60 }),
            json!({ "refresh_retry": "until_successor_used", "refresh_grace": 60 }),
            true,
        ),
        (json!({ "refresh_retry": "until_successor_used" }), json!({ "refresh_retry": "no_rotation" }), true),
        (
            json!({ "refresh_retry": "grace", "refresh_grace": 0 }),
            json!({ "refresh_retry": "grace", "refresh_grace": 0 }),
            false,
        ),
    ] {
        let case = format!("{born} {now}");
        let app = provider.register("turning", app_with(&born)).await;
        let first = app.tokens_of(ALICE).await;
        let app = provider.register("turning", app_with(&now)).await;
        let second = app.refresh(&first.refresh).await.expect_tokens();
        provider.advance(30).await;
        let before = provider.live_families().await;
        let again = app.refresh(&first.refresh).await;
        if repeatable {
            assert_eq!(again.expect_tokens().refresh, second.refresh, "{case}");
            assert_eq!(provider.live_families().await, before, "{case}");
        } else {
            again.expect_error("invalid_grant");
            assert_eq!(provider.live_families().await, before - 1, "{case}");
        }
    }
}

#[tokio::test]
async fn s6_a_token_leaves_and_comes_by_the_way_of_its_birth_only() {
    let provider = TestProvider::https().await;
    let page = |delivery: &str| {
        json!({
            "application_type": "browser", "refresh_token_delivery": delivery, "owner": "shop", "first_party": true,
            "allowed_origins": ["https://page.shop.test"], "redirect_uris": ["https://page.shop.test/callback"],
            "scope": "openid", "grant_types": ["authorization_code", "refresh_token"],
        })
    };
    let app = provider.register("page", page("cookie")).await;
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let in_cookie = browser.cookie(&browser.refresh_cookie_name()).unwrap();

    let app = provider.register("page", page("body")).await;
    app.refresh(&in_cookie).await.expect_error("invalid_grant");
    // And no cookie is looked at any more.
    app.refresh_at(&browser).await.expect_error("invalid_request");
    let in_body = app.tokens_at(&browser, ALICE).await.refresh;
    assert!(!in_body.is_empty());
    let code = app.code_at(&browser, ALICE).await;

    let app = provider.register("page", page("cookie")).await;
    app.redeem_at(&browser, &code).await.expect_error("invalid_grant");
    app.refresh(&in_body).await.expect(403);
    assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families").await, 0);
    app.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn core_12_2_a_refreshed_id_token_says_the_same_but_for_its_time() {
    let provider = TestProvider::start().await;
    for id in ["web", "post", "native"] {
        let app = provider.client(id);
        let code = app.code_of(ALICE).await;
        let tokens = app.redeem(&code).await.expect_tokens();
        let first = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
        provider.advance(60).await;
        let next = app.refresh(&tokens.refresh).await.expect_tokens();
        let second = app.check_id_token(&next.id, None).await;
        for name in ["iss", "sub", "aud", "auth_time", "acr", "amr", "sid"] {
            assert!(!first[name].is_null(), "{name}");
            assert_eq!(first[name], second[name], "{id}: {name}");
        }
        assert_eq!(second["iat"], json!(provider.now()));
        assert_eq!(second["exp"], json!(provider.now() + 900));
        assert_eq!(second.get("azp"), None);
    }
    assert_eq!(provider.live_families().await, 3);
}

#[tokio::test]
async fn s6_claims_about_the_person_are_read_anew() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let claims = r#"{"id_token":{"email":null,"given_name":null}}"#;
    let asked = app.ask().with("claims", claims);
    let tokens = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect_tokens();
    let before = provider.verify(&tokens.id).await.1;
    assert_eq!((&before["email"], &before["given_name"]), (&json!("alice@example.com"), &json!("Alice")));
    provider.run("UPDATE users SET email = 'new@example.com', claims = '{}' WHERE username = 'alice'").await;

    let next = app.refresh(&tokens.refresh).await.expect_tokens();

    let after = provider.verify(&next.id).await.1;
    assert_eq!((&after["email"], after.get("given_name")), (&json!("new@example.com"), None));
    assert_eq!(app.userinfo(&next.access).await.json()["email"], json!("new@example.com"));
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
}
