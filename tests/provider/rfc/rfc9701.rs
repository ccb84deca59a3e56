//! RFC 9701: signed answers to an introspection.

use serde_json::{Value, json};

use crate::support::{ALICE, Answer, RelyingParty, TestProvider, claims_of};

const SIGNED: &str = "application/token-introspection+jwt";

async fn asked(provider: &TestProvider, app: &RelyingParty, token: &str, accept: &str) -> Answer {
    let headers = [("authorization", app.basic()), ("accept", accept.to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    provider.post("/oauth2/introspect", &headers, &[("token", token)]).await
}

#[tokio::test]
async fn s5_the_answer_is_signed_for_the_caller_and_what_it_says_stands_inside() {
    let provider = TestProvider::start().await;
    let api = provider.client("api");
    let token = provider.client("web").tokens_of(ALICE).await.access;
    let plain = api.introspect(&token).await.expect(200).json();
    let answer = asked(&provider, &api, &token, SIGNED).await.expect(200);
    assert_eq!(answer.header("content-type"), SIGNED);
    assert_eq!(answer.header("cache-control"), "no-store");
    let (header, claims) = provider.verify_with(&answer.body, &["iss", "aud"]).await;
    assert_eq!(header.typ.as_deref(), Some("token-introspection+jwt"));
    assert_eq!(
        claims,
        json!({ "iss": provider.issuer(), "aud": "api", "iat": provider.now(), "token_introspection": plain })
    );
    // No `sub` and `exp` outside: it must not be taken for an access token.
    api.userinfo(&answer.body).await.expect_error("invalid_token");
    assert_eq!(api.introspect(&answer.body).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn s5_a_dead_token_is_told_in_the_same_form() {
    let provider = TestProvider::start().await;
    let api = provider.client("api");
    let answer = asked(&provider, &api, "x.y.z", SIGNED).await.expect(200);
    assert_eq!(claims_of(&answer.body)["token_introspection"], json!({ "active": false }));
    let refused = asked(&provider, &provider.client("spa"), "x.y.z", SIGNED).await;
    refused.expect_error("invalid_client");
}

#[tokio::test]
async fn s4_only_who_names_the_form_gets_it() {
    let provider = TestProvider::start().await;
    let api = provider.client("api");
    for (accept, signed) in [
        (SIGNED, true),
        ("Application/Token-Introspection+JWT", true),
        ("application/json;q=0.5, application/token-introspection+jwt", true),
        ("application/token-introspection+jwt;q=0", false),
        ("application/json", false),
        ("application/jwt", false),
        ("*/*", false),
        ("", false),
    ] {
        let answer = asked(&provider, &api, "x", accept).await.expect(200);
        assert_eq!(answer.header("content-type") == SIGNED, signed, "{accept}");
    }
}

#[tokio::test]
async fn s6_a_client_chooses_the_algorithm() {
    let provider = TestProvider::with(|config| {
        config.keys.algorithms = vec![frontdesk::domain::alg::Alg::ES256, frontdesk::domain::alg::Alg::RS256];
    })
    .await;
    let document = provider.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["introspection_signing_alg_values_supported"], json!(["ES256", "RS256"]));
    let chosen = provider
        .register("chooser", json!({ "application_type": "service", "introspection_signed_response_alg": "ES256" }))
        .await;
    for (app, alg) in [(provider.client("api"), "RS256"), (chosen, "ES256")] {
        let answer = asked(&provider, &app, "x", SIGNED).await.expect(200);
        let (header, _) = provider.verify_with(&answer.body, &["iss"]).await;
        assert_eq!(serde_json::to_value(header.alg).unwrap(), Value::from(alg));
    }
    let refused = json!({ "application_type": "service", "introspection_signed_response_alg": "PS256" });
    assert!(serde_json::from_value::<frontdesk::oauth::registration::ClientMetadata>(refused).is_err());
}
