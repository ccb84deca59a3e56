//! Userinfo.

use serde_json::json;

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn the_claims_follow_the_scope_in_all_three_ways() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let bearer = format!("Bearer {}", tokens.access);
    let told = app.userinfo(&tokens.access).await.expect(200);
    assert_eq!(told.header("cache-control"), "no-store");
    let claims = told.json();
    assert_eq!(claims["sub"], json!(provider.sub(ALICE).await));
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("alice@example.com"), &json!(true)));
    assert_eq!((&claims["name"], &claims["preferred_username"]), (&json!("Alice Test"), &json!("alice")));

    let by_post = provider.post("/oauth2/userinfo", &[("authorization", &bearer)], &[]).await.expect(200);
    let in_body = provider.post("/oauth2/userinfo", &[], &[("access_token", &tokens.access)]).await.expect(200);
    assert_eq!((by_post.json(), in_body.json()), (claims.clone(), claims));
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn a_token_in_the_query_or_in_two_places_is_not_taken() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let bearer = format!("Bearer {}", tokens.access);
    let in_query = provider.get(&format!("/oauth2/userinfo?access_token={}", tokens.access)).await.expect(401);
    assert_eq!((in_query.header("www-authenticate"), in_query.body.as_str()), ("Bearer realm=\"oauth2\"", ""));
    let form = [("access_token", tokens.access.as_str())];
    provider.post("/oauth2/userinfo", &[("authorization", &bearer)], &form).await.expect_error("invalid_request");
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn it_takes_living_access_tokens_of_people_with_openid_only() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let id = app.userinfo(&tokens.id).await.expect_error("invalid_token");
    assert!(id.header("www-authenticate").contains("error=\"invalid_token\""));
    app.userinfo(&tokens.refresh).await.expect_error("invalid_token");
    app.userinfo(&tokens.access[..tokens.access.len() - 6]).await.expect_error("invalid_token");
    let machine = provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    assert_ne!(app.userinfo(&machine.access).await.status.as_u16(), 200);
    app.userinfo(&tokens.access).await.expect(200);
    provider.advance(900).await;
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert_eq!(provider.live_grants().await, 1, "the grant itself lives on");
}

#[tokio::test]
async fn a_page_of_a_registered_app_may_read_the_answer() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let tokens = app.signed_in_at(&provider.browser(), ALICE).await;
    let bearer = format!("Bearer {}", tokens.access);
    for (origin, may) in [("https://spa.shop.test", true), ("https://evil.example", false), ("null", false)] {
        let headers = [("authorization", bearer.as_str()), ("origin", origin)];
        let answer = provider.get_with("/oauth2/userinfo", &headers).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), if may { origin } else { "" });
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    assert_eq!(provider.live_grants().await, 1);
}
