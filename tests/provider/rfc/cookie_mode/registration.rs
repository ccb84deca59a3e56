//! Who may register for cookie mode, and that a refusal leaves nothing behind.

use frontdesk::store::changes;
use serde_json::{Value, json};

use crate::support::TestProvider;

/// A client that may be registered.
fn good() -> Value {
    json!({
        "client_name": "Notes", "application_type": "browser", "refresh_token_delivery": "cookie",
        "redirect_uris": ["https://notes.shop.test/callback"], "allowed_origins": ["https://notes.shop.test"],
    })
}

fn with(changes: &Value) -> Value {
    let mut client = good();
    for (name, value) in changes.as_object().unwrap() {
        client[name] = value.clone();
    }
    client
}

#[tokio::test]
async fn every_precondition_is_checked_and_a_refusal_registers_nothing() {
    let provider = TestProvider::https().await;
    let before = changes::read(&mut provider.app().store.read().await.unwrap()).await.unwrap();
    let at = |origin: &str| json!({ "allowed_origins": [origin], "redirect_uris": [format!("{origin}/callback")] });
    for (why, changed, member) in [
        ("only a browser keeps cookies", json!({ "application_type": "web" }), "refresh_token_delivery"),
        (
            "a browser app has no secret",
            json!({ "token_endpoint_auth_method": "client_secret_basic" }),
            "token_endpoint_auth_method",
        ),
        ("PKCE is its only proof", json!({ "require_pkce": false }), "require_pkce"),
        ("the cookie is a refresh token", json!({ "grant_types": ["authorization_code"] }), "grant_types"),
        ("a redirect by http", json!({ "redirect_uris": ["http://notes.shop.test/callback"] }), "redirect_uris"),
        ("no origin", json!({ "allowed_origins": [] }), "allowed_origins"),
        (
            "a wildcard",
            json!({ "allowed_origins": ["https://*.shop.test", "https://notes.shop.test"] }),
            "allowed_origins",
        ),
        ("the null origin", json!({ "allowed_origins": ["null", "https://notes.shop.test"] }), "allowed_origins"),
        ("an origin with a path", json!({ "allowed_origins": ["https://notes.shop.test/"] }), "allowed_origins"),
        (
            "an origin by http",
            json!({ "allowed_origins": ["http://notes.shop.test", "https://notes.shop.test"] }),
            "allowed_origins",
        ),
        (
            "a redirect origin that is not among them",
            json!({ "allowed_origins": ["https://more.shop.test"] }),
            "allowed_origins",
        ),
        ("another site", at("https://notes.example"), "allowed_origins"),
        ("a name that only ends alike", at("https://notesshop.test"), "allowed_origins"),
        ("the public suffix itself", at("https://test"), "allowed_origins"),
        ("two names under one public suffix", at("https://shop.vercel.app"), "allowed_origins"),
        ("an address", at("https://192.0.2.1"), "allowed_origins"),
        ("this machine", at("http://localhost:5173"), "allowed_origins"),
        (
            "a retry that a thief could use for ever",
            json!({ "refresh_retry": "until_successor_used" }),
            "refresh_retry",
        ),
        ("no rotation", json!({ "refresh_retry": "no_rotation" }), "refresh_retry"),
        ("passwords typed into the app of somebody else", json!({ "direct_login": true }), "direct_login"),
    ] {
        let refused = provider.try_to_register("notes", with(&changed)).await.expect_err(why);
        assert!(refused.contains(&member), "{why}: {refused:?}");
    }
    let after = changes::read(&mut provider.app().store.read().await.unwrap()).await.unwrap();
    // A refusal is told to nobody.
    assert_eq!(after, before);
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE client_id = 'notes'").await, 0);

    provider.try_to_register("notes", good()).await.unwrap();
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE client_id = 'notes'").await, 1);
}

#[tokio::test]
async fn no_other_client_may_be_driven_from_an_origin_of_cookie_mode() {
    let provider = TestProvider::https().await;
    let spa = "https://spa.shop.test/elsewhere";
    let public = |kind: &str| json!({ "application_type": kind, "redirect_uris": [spa], "owner": "shop" });
    let server = |owner: Value| json!({ "application_type": "web", "redirect_uris": [spa], "owner": owner });
    let mut same_origin = with(&json!({
        "redirect_uris": ["https://spa.shop.test/callback"], "allowed_origins": ["https://spa.shop.test"],
    }));
    // A public client that is given readable tokens, by whomever it is owned.
    for kind in ["browser", "native"] {
        let refused = provider.try_to_register("other", public(kind)).await.unwrap_err();
        assert_eq!(refused, ["redirect_uris"], "{kind}");
    }
    // A client of another owner, or of nobody, in whatever mode.
    for owner in [Value::Null, json!("somebody else")] {
        let refused = provider.try_to_register("other", server(owner.clone())).await.unwrap_err();
        assert_eq!(refused, ["allowed_origins"], "{owner}");
        same_origin["owner"] = owner.clone();
        // Each of the two is named as what is in the other's way.
        let refused = provider.try_to_register("other", same_origin.clone()).await.unwrap_err();
        assert!(refused.iter().all(|member| *member == "allowed_origins"), "{owner} {refused:?}");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE client_id = 'other'").await, 0);

    provider.try_to_register("other", server(json!("shop"))).await.unwrap();
    // And the other way round: a registered redirect keeps the origin from cookie mode.
    let body = json!({ "application_type": "browser", "redirect_uris": ["https://body.shop.test/callback"] });
    provider.try_to_register("body", body).await.unwrap();
    let there = with(&json!({
        "redirect_uris": ["https://body.shop.test/cookie"], "allowed_origins": ["https://body.shop.test"],
    }));
    provider.try_to_register("notes", there.clone()).await.unwrap_err();
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE client_id = 'notes'").await, 0);
    // Out of service it is in nobody's way.
    provider.disable_client("body").await;
    provider.try_to_register("notes", there).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_cookie_mode_takes_no_cookie_any_more() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, crate::support::ALICE).await;
    let token = browser.cookie(&browser.refresh_cookie_name()).unwrap();
    let code = app.code_at(&browser, crate::support::ALICE).await;
    let app = provider
        .register(
            "spa",
            json!({
                "application_type": "browser", "first_party": true, "scope": "openid notes:read", "owner": "shop",
                "redirect_uris": ["https://spa.shop.test/callback"], "allowed_origins": ["https://spa.shop.test"],
                "grant_types": ["authorization_code", "refresh_token"],
            }),
        )
        .await;

    // The family was given as a cookie: its token is not taken from a body, and the cookie is not read.
    app.refresh(&token).await.expect_error("invalid_grant");
    app.refresh_at(&browser).await.expect_error("invalid_request");
    // A code of before must not become a readable token.
    app.redeem(&code).await.expect_error("invalid_grant");

    assert_eq!(provider.texts("SELECT DISTINCT delivery FROM refresh_families").await, ["cookie"]);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
}
