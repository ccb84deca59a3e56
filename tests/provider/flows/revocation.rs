//! Revocation by the client itself (RFC 7009).

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn a_refresh_token_given_back_ends_everything_it_gave() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let first = app.tokens_of(ALICE).await;
    let second = app.refresh(&first.refresh).await.expect_tokens();

    app.revoke(&first.refresh).await.expect(200);
    app.revoke(&first.refresh).await.expect(200);

    app.refresh(&second.refresh).await.expect_error("invalid_grant");
    app.userinfo(&second.access).await.expect_error("invalid_token");
    assert_eq!((provider.end_reasons().await, provider.live_families().await), (vec!["revoked".to_owned()], 0));
}

#[tokio::test]
async fn an_access_token_given_back_leaves_newer_ones_alive() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let first = app.tokens_of(ALICE).await;

    app.revoke(&first.access).await.expect(200);

    app.userinfo(&first.access).await.expect_error("invalid_token");
    assert!(!provider.client("api").sees_alive(&first.access).await);
    let second = app.refresh(&first.refresh).await.expect_tokens();
    app.userinfo(&second.access).await.expect(200);
    app.userinfo(&first.access).await.expect_error("invalid_token");
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
    // The bit stays set for an hour, the longest life of a token, a quarter of an hour, and as long as a process may be behind.
    let kept = provider.number("SELECT invalid_until FROM retired_indices").await - provider.now();
    assert_eq!(kept, 3600 + 900 + 30);
}

#[tokio::test]
async fn a_client_gives_its_own_token_back() {
    let provider = TestProvider::start().await;
    let (worker, api) = (provider.client("worker"), provider.client("api"));
    let first = worker.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    worker.revoke(&first.access).await.expect(200);
    let second = worker.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    assert!(!api.sees_alive(&first.access).await);
    assert!(api.sees_alive(&second.access).await);
    assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 1);
}

#[tokio::test]
async fn nobody_gives_back_what_is_anothers() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    for token in [&tokens.refresh, &tokens.access] {
        provider.client("own").revoke(token).await.expect_error("unauthorized_client");
        provider.client("native").revoke(token).await.expect_error("unauthorized_client");
        provider.post("/oauth2/revoke", &[], &[("token", token)]).await.expect_error("invalid_client");
    }
    app.revoke("fd_rt_unknown").await.expect(200);
    app.revoke("unknown").await.expect(200);
    app.userinfo(&tokens.access).await.expect(200);
    app.refresh(&tokens.refresh).await.expect_tokens();
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn credentials_in_the_query_are_refused_everywhere() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    for path in ["/oauth2/revoke", "/oauth2/introspect", "/oauth2/token"] {
        let path = format!("{path}?token={}", tokens.refresh);
        app.post(&path, &[("token", &tokens.refresh)]).await.expect_error("invalid_request");
    }
    assert_eq!(provider.live_families().await, 1);
}
