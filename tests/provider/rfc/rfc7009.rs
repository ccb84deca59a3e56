//! RFC 7009: revocation, beyond what `flows::revocation` and `security::revocation` tell.

use frontdesk::domain::alg::Alg;

use crate::support::{ALICE, Forger, TestProvider, claims_of};

#[tokio::test]
async fn s2_1_a_token_is_asked_for() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    app.tokens_of(ALICE).await;
    for form in [vec![], vec![("token", "")], vec![("token_type_hint", "refresh_token")], vec![("refresh_token", "x")]]
    {
        app.post("/oauth2/revoke", &form).await.expect_error("invalid_request");
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn s2_1_the_hint_is_only_a_hint() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    for hint in ["access_token", "refresh_token", "id_token", "unknown", ""] {
        let tokens = app.tokens_of(ALICE).await;
        let access = [("token", tokens.access.as_str()), ("token_type_hint", hint)];
        app.post("/oauth2/revoke", &access).await.expect(200);
        app.userinfo(&tokens.access).await.expect_error("invalid_token");
        let next = app.refresh(&tokens.refresh).await.expect_tokens();
        let refresh = [("token", next.refresh.as_str()), ("token_type_hint", hint)];
        app.post("/oauth2/revoke", &refresh).await.expect(200);
        app.refresh(&next.refresh).await.expect_error("invalid_grant");
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
}

#[tokio::test]
async fn s2_2_the_answer_is_200_and_empty_also_the_second_time() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    for token in [&tokens.access, &tokens.refresh] {
        for _ in 0..3 {
            let answer = app.revoke(token).await.expect(200);
            assert_eq!((answer.body.as_str(), answer.header("cache-control")), ("", "no-store"));
        }
        assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 1, "one place, once");
    }
    assert_eq!(provider.end_reasons().await, ["revoked"]);
}

#[tokio::test]
async fn s2_2_an_expired_token_is_an_unknown_one() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    // And a minute more, in which clocks that differ may still take it.
    provider.advance(961).await;
    app.revoke(&tokens.access).await.expect(200);
    assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 0);
    // Neither is it foreign any more: there is nothing left to protect.
    provider.client("own").revoke(&tokens.access).await.expect(200);
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn s2_1_a_public_client_gives_back_its_own_by_its_name_alone() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let tokens = app.tokens_of(ALICE).await;
    provider.post("/oauth2/revoke", &[], &[("token", &tokens.refresh)]).await.expect_error("invalid_client");
    assert_eq!(provider.live_families().await, 1);
    app.revoke(&tokens.access).await.expect(200);
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert_eq!(provider.live_families().await, 1);
    app.revoke(&tokens.refresh).await.expect(200);
    assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
}

#[tokio::test]
async fn s2_1_older_access_tokens_of_a_place_go_with_it_and_newer_ones_stay() {
    let provider = TestProvider::start().await;
    let (app, api) = (provider.client("web"), provider.client("api"));
    let first = app.tokens_of(ALICE).await;
    let second = app.refresh(&first.refresh).await.expect_tokens();
    app.revoke(&second.access).await.expect(200);
    assert!(!api.sees_alive(&second.access).await);
    let third = app.refresh(&second.refresh).await.expect_tokens();
    app.revoke(&first.access).await.expect(200);
    assert!(api.sees_alive(&third.access).await, "a token from before ends no newer one");
    assert!(!api.sees_alive(&first.access).await);
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn s2_1_the_tokens_of_a_client_itself_go_and_its_people_stay() {
    let provider = TestProvider::start().await;
    let both = provider
        .register(
            "both",
            serde_json::json!({
                "application_type": "web", "redirect_uris": ["https://both.example/callback"],
                "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                "scope": "openid offline_access notes:read",
            }),
        )
        .await;
    let machine = both.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let person = both.tokens_of(ALICE).await;
    both.revoke(&machine.access).await.expect(200);
    let api = provider.client("api");
    assert!(!api.sees_alive(&machine.access).await && api.sees_alive(&person.access).await);
    both.refresh(&person.refresh).await.expect_tokens();
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn s2_a_token_signed_by_a_thief_ends_nobody() {
    let provider = TestProvider::start().await;
    let (web, own) = (provider.client("web"), provider.client("own"));
    let tokens = web.tokens_of(ALICE).await;
    let forger = Forger::with_stolen_key(&provider, Alg::ES256).await;
    // Another's grant under one's own name, to revoke it.
    let mut claims = claims_of(&tokens.access);
    claims["client_id"] = "own".into();
    let forged = forger.sign(&forger.header("at+jwt").to_string(), &claims.to_string());
    own.revoke(&forged).await.expect(200);
    assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 0);
    web.userinfo(&tokens.access).await.expect(200);
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn s2_no_cookie_is_read_here() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let tokens = app.signed_in_at(&browser, ALICE).await;
    app.fetch(&browser, "/oauth2/revoke", &[]).await.expect_error("invalid_request");
    let foreign = [("token", "fd_rt_x")];
    let answer = app.fetch(&browser, "/oauth2/revoke", &foreign).await.expect(200);
    assert_eq!(answer.set_cookies(), Vec::<String>::new());
    app.refresh_at(&browser).await.expect_tokens();
    app.fetch(&browser, "/oauth2/revoke", &[("token", &tokens.access)]).await.expect(200);
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert_eq!(provider.live_families().await, 1);
}
