//! RFC 9068: access tokens as JWTs, and row 86. At our own endpoints they are only pointers to rows.

use std::collections::BTreeSet;

use frontdesk::domain::alg::Alg;
use serde_json::{Value, json};

use crate::support::{ADMIN, ALICE, BOB, Forger, TestProvider, claims_of};

fn names(claims: &Value) -> String {
    let mut names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

#[tokio::test]
async fn row_86_an_access_token_says_what_the_profile_asks_for_and_no_more() {
    for (alg, longest) in [(Alg::ES256, 1_000), (Alg::RS256, 1_250)] {
        let provider = TestProvider::with(|config| config.keys.algorithms = vec![alg]).await;
        let mut ids = BTreeSet::new();
        for id in ["web", "post", "native", "own"] {
            let app = provider.client(id);
            let tokens = app.tokens_of(ALICE).await;
            let next = app.refresh(&tokens.refresh).await.expect_tokens();
            for token in [&tokens.access, &next.access] {
                let (head, claims) = provider.verify(token).await;
                assert_eq!((head.typ.as_deref(), head.alg), (Some("at+jwt"), alg.as_str().parse().unwrap()));
                assert_eq!(
                    names(&claims),
                    "acr amr aud auth_time client_id exp gid iat iss jti scope sid status sub",
                    "nothing about the person but who it is"
                );
                assert_eq!(claims["iss"], json!(provider.issuer()));
                assert_eq!(claims["sub"], json!(provider.sub(ALICE).await));
                assert_eq!(claims["client_id"], json!(id));
                assert!(!claims["aud"].as_array().unwrap().contains(&json!(id)), "the client is not whom it is for");
                assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
                let jti = claims["jti"].as_str().unwrap().to_owned();
                assert_eq!(jti.len(), 22, "128 bits");
                assert!(ids.insert(jti), "each has a name of its own");
                assert!(token.len() < longest, "{alg}: {} bytes", token.len());
            }
        }
        assert_eq!(ids.len(), 8);
        assert_eq!(provider.live_families().await, 4);
    }
}

#[tokio::test]
async fn s2_2_the_token_of_a_client_itself_names_the_client_as_subject() {
    let provider = TestProvider::start().await;
    let tokens = provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let (head, claims) = provider.verify(&tokens.access).await;
    assert_eq!(head.typ.as_deref(), Some("at+jwt"));
    assert_eq!(names(&claims), "aud client_id exp iat iss jti scope status sub");
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("worker"), &json!("worker")));
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn s2_2_each_client_may_have_a_lifetime_of_its_own() {
    let provider = TestProvider::start().await;
    for seconds in [60, 3600] {
        let app = provider
            .register(
                "brief",
                json!({
                    "application_type": "web", "redirect_uris": ["https://brief.example/callback"], "scope": "openid",
                    "access_token_ttl": seconds,
                }),
            )
            .await;
        let answer = app.redeem(&app.code_of(ALICE).await).await.expect(200);
        assert_eq!(answer.json()["expires_in"], json!(seconds));
        let token = answer.expect_tokens().access;
        let claims = claims_of(&token);
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), seconds);
        provider.advance(seconds - 1).await;
        app.userinfo(&token).await.expect(200);
        provider.advance(1).await;
        app.userinfo(&token).await.expect_error("invalid_token");
    }
    assert_eq!(provider.live_grants().await, 2);
}

#[tokio::test]
async fn s4_a_stolen_signing_key_makes_nobody_another() {
    let provider = TestProvider::start().await;
    let (app, api) = (provider.client("web"), provider.client("api"));
    let browser = provider.browser();
    let little = app.ask().with("scope", "openid notes:read");
    let mine = app.redeem(&app.code_for(&browser, &little, BOB).await).await.expect_tokens();
    let hers = app.tokens_of(ALICE).await;
    let machine = provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let forger = Forger::with_stolen_key(&provider, Alg::ES256).await;
    let header = forger.header("at+jwt").to_string();
    let (her_grant, her_place) = (claims_of(&hers.access)["gid"].clone(), claims_of(&hers.access)["status"].clone());
    let gone = Value::Null;
    let (alice, admin) = (provider.sub(ALICE).await, provider.sub(ADMIN).await);
    for (what, changes) in [
        ("the admin", vec![("sub", json!(admin))]),
        ("alice", vec![("sub", json!(alice))]),
        ("her grant", vec![("gid", her_grant.clone())]),
        ("her grant and place", vec![("gid", her_grant.clone()), ("status", her_place.clone())]),
        ("she at his grant", vec![("sub", json!(alice)), ("status", her_place)]),
        ("another client", vec![("client_id", json!("own"))]),
        ("the client itself", vec![("sub", json!("web")), ("gid", gone.clone())]),
        ("no grant", vec![("gid", gone.clone())]),
        ("an unknown grant", vec![("gid", json!("unknown"))]),
        ("more scope", vec![("scope", json!("openid notes:read notes:write"))]),
        ("the admin scope", vec![("scope", json!("openid frontdesk:admin"))]),
        ("scope of another shape", vec![("scope", json!("openid  notes:read"))]),
        (
            "another place",
            vec![(
                "status",
                json!({ "status_list": { "idx": 4711, "uri": format!("{}/status/1", provider.issuer()) } }),
            )],
        ),
        ("no place", vec![("status", gone.clone())]),
        ("another issuer", vec![("iss", json!("https://other.example"))]),
        ("no issuer", vec![("iss", gone.clone())]),
        ("no audience", vec![("aud", gone.clone())]),
        ("an empty audience", vec![("aud", json!([]))]),
        ("a wrong audience", vec![("aud", json!({ "a": 1 }))]),
        ("no client", vec![("client_id", gone.clone())]),
        ("no name", vec![("jti", gone.clone())]),
        ("no subject", vec![("sub", gone)]),
    ] {
        for whose in [&mine.access, &machine.access] {
            let mut claims = claims_of(whose);
            for (name, value) in &changes {
                if value.is_null() {
                    claims.as_object_mut().unwrap().remove(*name);
                } else {
                    claims[*name] = value.clone();
                }
            }
            if claims == claims_of(whose) {
                continue;
            }
            let forged = forger.sign(&header, &claims.to_string());
            let answer = app.userinfo(&forged).await;
            assert_ne!(answer.status, 200, "{what}: {answer:#?}");
            assert!(!app.sees_alive(&forged).await, "{what}");
            assert!(!api.sees_alive(&forged).await, "{what}");
            app.revoke(&forged).await.expect(200);
        }
    }
    // His own, signed anew, is his own.
    let same = forger.sign(&header, &claims_of(&mine.access).to_string());
    assert_eq!(app.userinfo(&same).await.json()["sub"], json!(provider.sub(BOB).await));
    assert_eq!((provider.live_grants().await, provider.live_families().await), (2, 1));
    app.userinfo(&hers.access).await.expect(200);
    assert!(api.sees_alive(&machine.access).await);
}
