//! RFC 6749 §2.3: how clients prove who they are. Two proofs, and proofs by another method, are in `security::client_proofs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::TestProvider;

#[tokio::test]
async fn s2_3_1_name_and_secret_may_be_encoded_before_base64_and_the_scheme_in_any_case() {
    let provider = TestProvider::start().await;
    // A colon in the name can only be told from the one before the secret if it is encoded.
    let app = provider.register("my:app@1", json!({ "application_type": "service", "scope": "notes:read" })).await;
    let secret = app.secret();
    let machine = [("grant_type", "client_credentials")];
    for (text, good) in [
        (format!("my%3Aapp%401:{secret}"), true),
        (format!("my%3aapp@1:{secret}"), true),
        (format!("%6Dy%3Aapp@1:{}", secret.replace('-', "%2D")), true),
        (format!("my:app@1:{secret}"), false),
        (format!("my%3Aapp@1:{secret}+"), false),
        (format!("my%3Aapp@1:{secret}%20"), false),
        (format!("my%3Aapp@1:{secret}%"), false),
        (format!("my%253Aapp@1:{secret}"), false),
    ] {
        for scheme in ["Basic", "basic", "BASIC"] {
            let header = format!("{scheme} {}", STANDARD.encode(&text));
            let answer = provider.post("/oauth2/token", &[("authorization", &header)], &machine).await;
            if good {
                answer.expect_tokens();
            } else {
                answer.expect_error("invalid_client");
            }
        }
    }
    let by_library = app.token(&machine).await.expect_tokens();
    assert!(provider.client("api").sees_alive(&by_library.access).await);
}

#[tokio::test]
async fn s2_3_1_the_name_may_stand_in_the_form_too_if_it_is_the_same() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    let form = [("grant_type", "client_credentials"), ("client_id", "worker")];
    worker.token(&form).await.expect_tokens();
    let form = [("grant_type", "client_credentials"), ("client_id", "api")];
    worker.token(&form).await.expect_error("invalid_request");
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn s2_3_1_while_a_secret_is_turned_both_are_good() {
    let provider = TestProvider::start().await;
    let (worker, api) = (provider.client("worker"), provider.client("api"));
    let by = |secret: &str| {
        let header = format!("Basic {}", STANDARD.encode(format!("worker:{secret}")));
        let provider = provider.clone();
        async move {
            provider.post("/oauth2/token", &[("authorization", &header)], &[("grant_type", "client_credentials")]).await
        }
    };
    by(&api.secret()).await.expect_error("invalid_client");
    // What turning a secret writes: the new one beside the old.
    let renewed = "UPDATE clients SET next_secret_mac = (SELECT secret_mac FROM clients WHERE client_id = 'api') \
                   WHERE client_id = 'worker'";
    provider.run(renewed).await;
    provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'clients'").await;
    provider.follow_changes().await;
    by(&worker.secret()).await.expect_tokens();
    by(&api.secret()).await.expect_tokens();
    by(&provider.client("web").secret()).await.expect_error("invalid_client");
    assert_eq!(provider.live_grants().await, 0);
}

#[tokio::test]
async fn s2_3_1_a_secret_is_nowhere_in_the_database() {
    let provider = TestProvider::start().await;
    for id in ["web", "post", "worker"] {
        let secret = provider.client(id).secret();
        let row = format!("SELECT settings || secret_mac FROM clients WHERE client_id = '{id}'");
        let row = provider.texts(&row).await.remove(0);
        assert!(!row.contains(&secret) && !row.contains(&secret[6..20]), "{row}");
        let digest = frontdesk::crypto::digest::sha256_b64u(secret.as_bytes());
        assert!(!row.contains(&digest), "a MAC under our own key, not a digest that anybody can guess at");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE secret_mac IS NOT NULL").await, 5);
}

#[tokio::test]
async fn s2_3_a_client_that_is_disabled_is_no_client() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    let tokens = worker.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    provider.disable_client("worker").await;
    provider.follow_changes().await;
    worker.token(&[("grant_type", "client_credentials")]).await.expect_error("invalid_client");
    worker.introspect(&tokens.access).await.expect_error("invalid_client");
    worker.revoke(&tokens.access).await.expect_error("invalid_client");
    assert!(!provider.client("api").sees_alive(&tokens.access).await);
    assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 1, "its place in the lists is retired");
}
