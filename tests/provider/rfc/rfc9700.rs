//! RFC 9700: what the best current practice asks of the token endpoint beyond RFC 6749.

use serde_json::json;

use crate::support::{ALICE, Code, TestProvider};

#[tokio::test]
async fn s2_1_1_a_verifier_without_a_challenge_is_refused_as_a_challenge_without_a_verifier_is() {
    let provider = TestProvider::start().await;
    let app = provider
        .register(
            "old",
            json!({
                "application_type": "web", "redirect_uris": ["https://old.example/callback"], "first_party": true,
                "scope": "openid", "require_pkce": false,
            }),
        )
        .await;
    let browser = provider.browser();
    let redeem = |code: Code, verifier: bool| {
        let app = app.clone();
        async move {
            let mut form = vec![
                ("grant_type", "authorization_code"),
                ("code", code.code.as_str()),
                ("redirect_uri", &code.redirect_uri),
            ];
            if verifier {
                form.push(("code_verifier", &code.verifier));
            }
            app.token(&form).await
        }
    };
    for (challenge, verifier) in [(false, true), (true, false), (false, false), (true, true)] {
        let mut asked = app.ask();
        if !challenge {
            asked = asked.without("code_challenge").without("code_challenge_method");
        }
        let code = app.code_for(&browser, &asked, ALICE).await;
        let answer = redeem(code.clone(), verifier).await;
        if challenge == verifier {
            answer.expect_tokens();
        } else {
            // Someone took the challenge out of the request, or the verifier out of this one.
            answer.expect_error("invalid_grant");
            redeem(code, !verifier).await.expect_error("invalid_grant");
        }
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 2);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL").await, 2);
}

#[tokio::test]
async fn s4_3_1_no_token_ever_stands_in_an_address() {
    let provider = TestProvider::https().await;
    let (web, spa) = (provider.client("web"), provider.client("spa"));
    let browser = provider.browser();
    let tokens = web.tokens_at(&browser, ALICE).await;
    let next = web.refresh(&tokens.refresh).await.expect_tokens();
    let at_spa = spa.signed_in_at(&browser, ALICE).await;
    spa.refresh_at(&browser).await.expect_tokens();
    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await.expect(200);
    let mut locations = 0;
    for answer in provider.answers() {
        let location = answer.header("location");
        locations += i64::from(!location.is_empty());
        for token in [&tokens, &next, &at_spa] {
            for part in [&token.access, &token.refresh, &token.id] {
                assert!(part.is_empty() || !location.contains(part.as_str()), "{location}");
            }
        }
        assert!(!location.contains("token"), "{location}");
        assert_ne!(answer.status.as_u16(), 307, "a redirect never repeats a form");
    }
    assert!(locations > 4);
    assert_eq!(provider.live_sessions().await, 0);
}

#[tokio::test]
async fn s4_14_2_the_refresh_token_of_a_public_client_always_rotates() {
    let provider = TestProvider::start().await;
    // Even one whose registration says otherwise: whoever wrote the row.
    provider.run("UPDATE clients SET settings = REPLACE(settings, '\"grace\"', '\"no_rotation\"') WHERE client_id = 'native'").await;
    provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'clients'").await;
    provider.follow_changes().await;
    assert_eq!(
        provider
            .number("SELECT COUNT(*) FROM clients WHERE client_id = 'native' AND settings LIKE '%no_rotation%'")
            .await,
        1
    );
    let app = provider.client("native");
    let first = app.tokens_of(ALICE).await;
    provider.run("UPDATE refresh_families SET retry = 'no_rotation', grace = 60").await;
    let second = app.refresh(&first.refresh).await.expect_tokens();
    assert_ne!(first.refresh, second.refresh);
    provider.advance(61).await;
    app.refresh(&first.refresh).await.expect_error("invalid_grant");
    assert_eq!(provider.live_families().await, 0);
}

#[tokio::test]
async fn s4_14_2_a_token_endpoint_has_no_ambient_authority() {
    let provider = TestProvider::https().await;
    let (web, spa) = (provider.client("web"), provider.client("spa"));
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    let code = web.code_at(&browser, ALICE).await;
    let name = browser.refresh_cookie_name();
    let cookies =
        format!("{name}={}; __Host-Http-sid={}", browser.cookie(&name).unwrap(), browser.cookie("sid").unwrap());
    // The cookies of a browser app say nothing for any other client.
    for id in ["web", "post", "own", "native"] {
        let app = provider.client(id);
        let secret = app.secret();
        for headers in
            [vec![("cookie", cookies.as_str())], [vec![("cookie", cookies.as_str())], spa.page_headers()].concat()]
        {
            let form = [("grant_type", "refresh_token"), ("client_id", id), ("client_secret", &secret)];
            let answer = provider.post("/oauth2/token", &headers, &form).await;
            assert!(matches!(answer.status.as_u16(), 400 | 401), "{answer:#?}");
            assert_eq!(answer.set_cookies(), Vec::<String>::new());
            let form = [("grant_type", "refresh_token"), ("client_id", id)];
            let answer = provider.post("/oauth2/token", &headers, &form).await;
            assert!(matches!(answer.status.as_u16(), 400 | 401), "{answer:#?}");
        }
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    let answer = web.redeem(&code).await;
    assert_eq!(answer.set_cookies(), Vec::<String>::new());
    answer.expect_tokens();
    spa.refresh_at(&browser).await.expect_tokens();
}
