//! RFC 7662: introspection, beyond what `flows::introspection` and `security::dead_tokens` tell.

use frontdesk::domain::alg::Alg;
use serde_json::json;

use crate::support::{ALICE, Forger, TestProvider, claims_of};

#[tokio::test]
async fn s2_1_a_token_is_asked_for_and_the_hint_is_only_a_hint() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    for form in [vec![], vec![("token", "")], vec![("token_type_hint", "access_token")], vec![("access_token", "x")]] {
        app.post("/oauth2/introspect", &form).await.expect_error("invalid_request");
    }
    for token in [&tokens.access, &tokens.refresh] {
        for hint in ["access_token", "refresh_token", "id_token", "unknown"] {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            let told = app.post("/oauth2/introspect", &form).await.expect(200).json();
            assert_eq!(told["active"], json!(true), "{hint}");
        }
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
}

#[tokio::test]
async fn s2_2_a_living_access_token_is_told_with_these_members() {
    let provider = TestProvider::start().await;
    let (app, api) = (provider.client("web"), provider.client("api"));
    let tokens = app.tokens_of(ALICE).await;
    let said = claims_of(&tokens.access);
    let answer = api.introspect(&tokens.access).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.json(),
        json!({
            "active": true, "iss": provider.issuer(), "sub": provider.sub(ALICE).await, "username": ALICE,
            "aud": ["https://api.shop.test/", provider.issuer()], "client_id": "web",
            "scope": "openid profile email offline_access notes:read notes:write", "token_type": "Bearer",
            "exp": provider.now() + 900, "iat": provider.now(), "jti": said["jti"], "acr": said["acr"],
            "auth_time": provider.now(), "sid": said["sid"],
        })
    );
    assert_eq!(provider.live_grants().await, 1);
}

#[tokio::test]
async fn s2_2_a_refresh_token_is_told_to_its_own_client() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let told = app.introspect(&tokens.refresh).await.expect(200).json();
    assert_eq!(
        told,
        json!({
            "active": true, "iss": provider.issuer(), "sub": provider.sub(ALICE).await, "username": ALICE,
            "client_id": "web", "scope": "openid profile email offline_access notes:read notes:write",
            "exp": provider.now() + 365 * 86_400, "iat": provider.now(),
        })
    );
    // It ends with its family, idle or absolute.
    provider.advance(90 * 86_400).await;
    assert!(!app.sees_alive(&tokens.refresh).await);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
}

#[tokio::test]
async fn s2_2_what_is_told_comes_from_the_rows() {
    let provider = TestProvider::start().await;
    let (app, api) = (provider.client("web"), provider.client("api"));
    let tokens = app.tokens_of(ALICE).await;
    provider.run("UPDATE users SET username = 'alicia' WHERE username = 'alice'").await;
    let told = api.introspect(&tokens.access).await.json();
    assert_eq!(told["username"], json!("alicia"));
    // Who stole the key may write what he likes about how the person signed in: it is not what is told.
    let forger = Forger::with_stolen_key(&provider, Alg::ES256).await;
    let mut claims = claims_of(&tokens.access);
    claims["acr"] = json!("urn:frontdesk:acr:mfa");
    claims["auth_time"] = json!(1);
    claims["sid"] = json!("another");
    claims["roles"] = json!(["admin"]);
    claims["username"] = json!("admin");
    let forged = forger.sign(&forger.header("at+jwt").to_string(), &claims.to_string());
    assert_eq!(api.introspect(&forged).await.json(), told);
}

#[tokio::test]
async fn s4_a_resource_learns_about_its_own_tokens_only() {
    let provider = TestProvider::start().await;
    let (app, api, worker) = (provider.client("web"), provider.client("api"), provider.client("worker"));
    let browser = provider.browser();
    for (scope, resource, known) in [
        ("openid notes:read", None, true),
        ("notes:read", None, true),
        ("openid notes:read", Some("https://api.shop.test/"), true),
        ("openid email", None, false),
        ("openid notes:read", Some("ourselves"), false),
    ] {
        let mut asked = app.ask().with("scope", scope);
        if let Some(resource) = resource {
            asked = asked.with("resource", if resource == "ourselves" { provider.issuer() } else { resource });
        }
        let tokens = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect_tokens();
        assert_eq!(api.sees_alive(&tokens.access).await, known, "{scope} {resource:?}");
        assert!(app.sees_alive(&tokens.access).await, "its own client may always ask");
        assert!(!worker.sees_alive(&tokens.access).await);
    }
    assert_eq!(provider.live_grants().await, 5);
}

#[tokio::test]
async fn s2_2_it_stays_json_whatever_is_accepted() {
    let provider = TestProvider::start().await;
    let app = provider.client("post");
    let tokens = app.tokens_of(ALICE).await;
    for accept in ["application/jwt", "text/html", "*/*"] {
        let secret = app.secret();
        let form = [("token", tokens.access.as_str()), ("client_id", "post"), ("client_secret", &secret)];
        let answer = provider.post("/oauth2/introspect", &[("accept", accept)], &form).await.expect(200);
        assert_eq!((answer.header("content-type"), &answer.json()["active"]), ("application/json", &json!(true)));
    }
    assert_eq!(provider.live_grants().await, 1);
}
