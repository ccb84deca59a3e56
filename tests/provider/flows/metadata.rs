//! Discovery and the key set.

use frontdesk::domain::alg::Alg;
use serde_json::{Value, json};

use crate::support::TestProvider;

async fn house() -> TestProvider {
    TestProvider::with(|config| {
        crate::support::on_https(config);
        config.keys.algorithms = vec![Alg::ES256, Alg::RS256];
    })
    .await
}

#[tokio::test]
async fn discovery_names_what_there_is() {
    let provider = house().await;
    let answer = provider.get("/.well-known/openid-configuration").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    insta::assert_json_snapshot!("discovery", answer.json());
    let other = provider.get("/.well-known/oauth-authorization-server").await.expect(200);
    assert_eq!((other.body, other.headers.get("etag")), (answer.body.clone(), answer.headers.get("etag")));
    let etag = answer.header("etag");
    let known = provider.get_with("/.well-known/openid-configuration", &[("if-none-match", etag)]).await.expect(304);
    assert_eq!((known.body.as_str(), known.header("etag")), ("", etag));
}

#[tokio::test]
async fn the_key_set_shows_public_halves_only() {
    let provider = house().await;
    let answer = provider.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let mut jwks = answer.json();
    let keys = jwks["keys"].as_array_mut().unwrap();
    assert_eq!(keys.len(), 4, "one active and one pending for each algorithm");
    for key in keys.iter_mut() {
        let members = key.as_object_mut().unwrap();
        for secret in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!members.contains_key(secret), "{secret}");
        }
        for name in ["kid", "x", "y", "n"] {
            if let Some(value) = members.get_mut(name) {
                *value = json!(format!("[{}]", value.as_str().unwrap().len()));
            }
        }
    }
    keys.sort_by_key(Value::to_string);
    insta::assert_json_snapshot!("jwks", jwks);
    let etag = answer.header("etag");
    provider.get_with("/.well-known/jwks.json", &[("if-none-match", etag)]).await.expect(304);
}

#[tokio::test]
async fn every_endpoint_that_is_named_answers() {
    let provider = house().await;
    let document = provider.get("/.well-known/openid-configuration").await.json();
    let mut seen = 0;
    for (name, url) in document.as_object().unwrap() {
        if !name.ends_with("_endpoint") && name != "jwks_uri" {
            continue;
        }
        let path = url.as_str().unwrap().strip_prefix(provider.issuer()).expect("ours").to_owned();
        let got = [
            "jwks_uri",
            "authorization_endpoint",
            "end_session_endpoint",
            "federation_historical_keys_endpoint",
            "status_list_aggregation_endpoint",
            "frontdesk_revocation_stream_endpoint",
        ];
        let by_get = got.contains(&name.as_str());
        let answer = if by_get { provider.get(&path).await } else { provider.post(&path, &[], &[]).await };
        assert!(!matches!(answer.status.as_u16(), 404 | 405 | 500..), "{name}: {answer:#?}");
        seen += 1;
    }
    assert_eq!(seen, 11);
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (0, 0));
}
