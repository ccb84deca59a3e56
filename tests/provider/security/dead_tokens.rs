//! Rows 61 and 88: whoever asks about a token that is dead, or not for him, learns that and nothing else.

use axum::http::{HeaderMap, StatusCode};
use frontdesk::domain::alg::Alg;
use serde_json::json;

use crate::support::{ALICE, Answer, BOB, Forger, TestProvider, claims_of};

/// What an answer tells: all of it but the request's own name.
fn told(answer: &Answer) -> (StatusCode, HeaderMap, String) {
    let mut headers = answer.headers.clone();
    headers.remove("request-id");
    (answer.status, headers, answer.body.clone())
}

/// Everything that is no living access token, and why.
async fn dead(provider: &TestProvider) -> Vec<(&'static str, String)> {
    let (web, post, own) = (provider.client("web"), provider.client("post"), provider.client("own"));
    let expired = web.tokens_of(ALICE).await;
    provider.advance(900).await;
    let browser = provider.browser();
    let linked = own.ask().with("scope", "openid notes:read");
    let signed_out = own.redeem(&own.code_for(&browser, &linked, ALICE).await).await.expect_tokens();
    let session = browser.cookie("sid").unwrap();
    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await.expect(200);
    let given_back = web.tokens_of(ALICE).await;
    web.revoke(&given_back.access).await.expect(200);
    let ended = web.tokens_of(ALICE).await;
    web.revoke(&ended.refresh).await.expect(200);
    let of_disabled_app = post.tokens_of(ALICE).await;
    provider.disable_client("post").await;
    let of_disabled_person = web.tokens_of(BOB).await;
    provider.disable(BOB).await;
    let twice = web.code_of(ALICE).await;
    let of_reuse = web.redeem(&twice).await.expect_tokens();
    web.redeem(&twice).await.expect_error("invalid_grant");
    let changed = web.tokens_of(ALICE).await;
    provider
        .run("UPDATE grants SET scope = scope || ' frontdesk:admin' WHERE ended_at IS NULL AND client_id = 'web'")
        .await;
    let living = web.tokens_of(ALICE).await;
    let code = web.code_of(ALICE).await;
    provider.follow_changes().await;
    let stranger = Forger::with_own_key(Alg::ES256);
    let ours = Forger::with_stolen_key(provider, Alg::ES256).await;
    let claims = claims_of(&living.access).to_string();
    let elsewhere = json!({ "iss": "https://other.example" });
    let mut of_another_issuer = claims_of(&living.access);
    of_another_issuer["iss"] = elsewhere["iss"].clone();
    let unsigned = ours.sign(&json!({ "typ": "at+jwt", "alg": "none", "kid": ours.kid() }).to_string(), &claims);
    let cut = living.access[..living.access.len() - 6].to_owned();
    vec![
        ("expired", expired.access),
        ("of a session that was signed out", signed_out.access),
        ("given back", given_back.access),
        ("of a grant that was given back", ended.access),
        ("of a client that was disabled", of_disabled_app.access),
        ("of a person who was disabled", of_disabled_person.access),
        ("of a code that was used twice", of_reuse.access),
        ("of a grant that was changed from outside", changed.access),
        ("cut off", cut),
        ("signed by a stranger", stranger.sign(&stranger.header("at+jwt").to_string(), &claims)),
        ("signed by a stranger in our name", stranger.sign(&ours.header("at+jwt").to_string(), &claims)),
        ("of another issuer", ours.sign(&ours.header("at+jwt").to_string(), &of_another_issuer.to_string())),
        ("of another type", ours.sign(&ours.header("JWT").to_string(), &claims)),
        ("unsigned", format!("{}.", unsigned.rsplit_once('.').unwrap().0)),
        ("an ID token", living.id),
        ("an ID token of a dead grant", ended.id),
        ("a refresh token that is dead", ended.refresh),
        ("a code", code.code),
        ("a session cookie", session),
        ("a secret", web.secret()),
        ("three words", "not.a.token".to_owned()),
        ("a word", "token".to_owned()),
        ("dots", "..".to_owned()),
        ("much", "a".repeat(8_000)),
        ("json", "{\"active\":true}".to_owned()),
        ("null", "null".to_owned()),
        ("text", "ü ' OR 1=1 --".to_owned()),
        (
            "a refresh token of nobody",
            "fd_rt_AAECAwQFBgcICQoLDA0ODwAAAAD3KDWxw-gUodxp1SVc3xpFMIbsqoyGqwy2JvBMHL5wKg".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn row_61_introspection_tells_nobody_why_a_token_is_dead() {
    let provider = TestProvider::start().await;
    let dead = dead(&provider).await;
    assert!(dead.len() >= 20);
    let living = provider.client("web").tokens_of(ALICE).await;
    let before = (provider.live_grants().await, provider.live_families().await);
    let inactive = told(&provider.client("api").introspect("x").await.expect(200));
    assert_eq!(inactive.2, r#"{"active":false}"#);
    for asker in ["api", "web", "own", "worker"] {
        let app = provider.client(asker);
        for (what, token) in &dead {
            assert_eq!(told(&app.introspect(token).await), inactive, "{asker}: {what}");
        }
        // And tokens that live, but are not for the asker to know of.
        for token in [&living.access, &living.refresh, &living.id] {
            let known = match asker {
                "web" => *token != living.id,
                "api" => *token == living.access,
                _ => false,
            };
            assert_eq!(told(&app.introspect(token).await) != inactive, known, "{asker}");
        }
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), before, "asking changes nothing");
}

#[tokio::test]
async fn row_61_who_proves_nothing_asks_about_nothing() {
    let provider = TestProvider::start().await;
    let living = provider.client("web").tokens_of(ALICE).await;
    let mut answers = Vec::new();
    for token in [living.access.as_str(), &living.refresh, &living.id, "x"] {
        answers.push(provider.post("/oauth2/introspect", &[], &[("token", token)]).await);
        answers.push(provider.post("/oauth2/introspect", &[], &[("token", token), ("client_id", "api")]).await);
        answers.push(provider.client("native").introspect(token).await);
        answers.push(provider.client("spa").introspect(token).await);
        // The token itself is no proof of who asks.
        let bearer = format!("Bearer {}", living.access);
        let by_bearer = provider.post("/oauth2/introspect", &[("authorization", &bearer)], &[("token", token)]).await;
        assert_eq!(by_bearer.expect_error("invalid_client").header("www-authenticate"), "Basic realm=\"oauth2\"");
    }
    for answer in answers {
        let answer = answer.expect_error("invalid_client");
        assert!(!answer.body.contains("active"), "{answer:#?}");
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn row_88_userinfo_refuses_every_dead_token_in_the_same_words() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let mut dead = dead(&provider).await;
    let living = app.tokens_of(ALICE).await;
    dead.push(("a refresh token that lives", living.refresh));
    let browser = provider.browser();
    let for_the_api = app.ask().with("resource", "https://api.shop.test/").with("scope", "openid notes:read");
    let code = app.code_for(&browser, &for_the_api, ALICE).await;
    dead.push(("for the API only", app.redeem(&code).await.expect_tokens().access));
    let before = (provider.live_grants().await, provider.live_families().await);
    let expected = told(&app.userinfo("x").await.expect_error("invalid_token"));
    let challenge = expected.1.get("www-authenticate").unwrap().to_str().unwrap();
    assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""), "{challenge}");
    for (what, token) in &dead {
        let in_the_body = provider.post("/oauth2/userinfo", &[], &[("access_token", token)]).await;
        assert_eq!(told(&in_the_body), expected, "{what}");
        if token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            assert_eq!(told(&app.userinfo(token).await), expected, "{what}");
        }
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), before);
    app.userinfo(&living.access).await.expect(200);
}
