//! OpenID Connect Core §5.3, RFC 6750 §2, §3: userinfo, beyond what `flows::userinfo` and `security::dead_tokens` tell.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{ALICE, BOB, TestProvider, claims_of};

#[tokio::test]
async fn s5_4_each_scope_opens_its_claims_and_no_others() {
    let provider = TestProvider::start().await;
    let scopes = "openid profile email address phone";
    let app = provider
        .register(
            "curious",
            json!({
                "application_type": "web", "redirect_uris": ["https://curious.example/callback"], "first_party": true,
                "scope": scopes,
            }),
        )
        .await;
    let claims = json!({
        "name": "Alice Test", "family_name": "Test", "given_name": "Alice", "middle_name": "M", "nickname": "Al",
        "profile": "https://alice.example/", "picture": "https://alice.example/a.png",
        "website": "https://alice.example/", "gender": "female", "birthdate": "2000-02-29",
        "zoneinfo": "Europe/Berlin", "locale": "de-DE", "phone_number": "+49 1", "phone_number_verified": true,
        "address": { "formatted": "Street 1", "country": "DE" },
        "notes": "what nobody may know", "sub": "another", "email": "another@example.com", "roles": ["admin"],
        "iss": "https://evil.example", "preferred_username": "another",
    });
    provider.run(&format!("UPDATE users SET claims = '{claims}' WHERE username = 'alice'")).await;
    let sub = provider.sub(ALICE).await;
    let updated = provider.number("SELECT updated_at FROM users WHERE username = 'alice'").await;
    let browser = provider.browser();
    for (scope, opened) in [
        ("openid", json!({})),
        ("openid email", json!({ "email": "alice@example.com", "email_verified": true })),
        ("openid phone", json!({ "phone_number": "+49 1", "phone_number_verified": true })),
        ("openid address", json!({ "address": { "formatted": "Street 1", "country": "DE" } })),
        (
            "openid profile",
            json!({
                "name": "Alice Test", "family_name": "Test", "given_name": "Alice", "middle_name": "M", "nickname": "Al",
                "preferred_username": "alice", "profile": "https://alice.example/",
                "picture": "https://alice.example/a.png", "website": "https://alice.example/", "gender": "female",
                "birthdate": "2000-02-29", "zoneinfo": "Europe/Berlin", "locale": "de-DE", "updated_at": updated,
            }),
        ),
    ] {
        let asked = app.ask().with("scope", scope);
        let tokens = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect_tokens();
        let answer = app.userinfo(&tokens.access).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        let mut expected = opened;
        expected["sub"] = json!(sub);
        assert_eq!(answer.json(), expected, "{scope}");
        assert_eq!(claims_of(&tokens.id)["sub"], json!(sub), "the same subject as in the ID token");
    }
    assert_eq!(provider.live_grants().await, 5);
}

#[tokio::test]
async fn s5_3_2_a_claim_without_a_value_is_left_out() {
    let provider = TestProvider::start().await;
    provider
        .run("UPDATE users SET email = NULL, claims = '{\"name\":\"\",\"given_name\":null}' WHERE username = 'bob'")
        .await;
    let app = provider.client("web");
    let tokens = app.tokens_of(BOB).await;
    let updated = provider.number("SELECT updated_at FROM users WHERE username = 'bob'").await;
    let told = app.userinfo(&tokens.access).await.expect(200).json();
    let sub = provider.sub(BOB).await;
    assert_eq!(told, json!({ "sub": sub, "preferred_username": "bob", "updated_at": updated }));
}

#[tokio::test]
async fn s5_3_a_token_that_was_narrowed_opens_less() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    for (scope, status) in [("openid email", 200), ("openid", 200), ("email", 403), ("offline_access", 403)] {
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str()), ("scope", scope)];
        let narrow = app.token(&form).await.expect_tokens();
        let answer = app.userinfo(&narrow.access).await.expect(status);
        if status == 200 {
            assert_eq!(answer.json().get("email").is_some(), scope.contains("email"), "{scope}");
            assert_eq!(answer.json().get("name"), None);
        } else {
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\""),
                "{challenge}"
            );
            assert!(challenge.contains("scope=\"openid\""), "{challenge}");
            assert!(!answer.body.contains("alice"));
        }
    }
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn s5_3_1_only_a_token_that_is_for_us_is_taken() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    for (scope, resource, status) in [
        ("openid email", None, 200),
        ("openid email notes:read", None, 200),
        ("openid email notes:read", Some("ourselves"), 200),
        ("openid email notes:read", Some("https://api.shop.test/"), 401),
        ("notes:read", None, 401),
        ("email", None, 403),
    ] {
        let mut asked = app.ask().with("scope", scope);
        if let Some(resource) = resource {
            asked = asked.with("resource", if resource == "ourselves" { provider.issuer() } else { resource });
        }
        let tokens = app.redeem(&app.code_for(&browser, &asked, ALICE).await).await.expect_tokens();
        app.userinfo(&tokens.access).await.expect(status);
    }
    assert_eq!(provider.live_grants().await, 6);
}

#[tokio::test]
async fn rfc6750_s3_1_who_shows_no_token_is_told_no_error_and_who_shows_it_wrongly_is() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let token = tokens.access.as_str();
    let bearer = format!("Bearer {token}");
    let get = |headers: Vec<(&'static str, String)>| {
        let provider = provider.clone();
        async move {
            let mut request = Request::get("/oauth2/userinfo");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            provider.send(request.body(Body::empty()).unwrap()).await
        }
    };
    for none in ["Basic d2ViOnNlY3JldA==", "Negotiate", "DPoP x", "Digest a=b"] {
        let answer = get(vec![("authorization", none.to_owned())]).await.expect(401);
        assert_eq!(
            (answer.header("www-authenticate"), answer.body.as_str()),
            ("Bearer realm=\"oauth2\"", ""),
            "{none}"
        );
    }
    for wrong in
        ["Bearer", "Bearer ", "Bearer a b", &format!("{bearer} x"), &format!("{bearer},{bearer}"), "Bearer \"a\""]
    {
        let answer = get(vec![("authorization", wrong.to_owned())]).await.expect_error("invalid_request");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_request\""), "{wrong}: {answer:#?}");
    }
    for twice in [bearer.as_str(), "Bearer x", "Basic d2ViOnNlY3JldA=="] {
        let headers = vec![("authorization", bearer.clone()), ("authorization", twice.to_owned())];
        get(headers).await.expect_error("invalid_request");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        get(vec![("authorization", format!("{scheme} {token}"))]).await.expect(200);
    }
    let twice = [("access_token", token), ("access_token", token)];
    provider.post("/oauth2/userinfo", &[], &twice).await.expect_error("invalid_request");
    // In a body that is no form there is no token, nor in a cookie.
    let text = Request::post("/oauth2/userinfo").header("content-type", "text/plain");
    let text = provider.send(text.body(Body::from(format!("access_token={token}"))).unwrap()).await;
    assert_eq!(text.expect(401).header("www-authenticate"), "Bearer realm=\"oauth2\"");
    let cookie = get(vec![("cookie", format!("access_token={token}; __Host-Http-sid={token}"))]).await;
    assert_eq!(cookie.expect(401).header("www-authenticate"), "Bearer realm=\"oauth2\"");
    assert_eq!(provider.live_grants().await, 1);
}
