//! RFC 6749 §3.2, §4.1.3, §4.4, §5: the token endpoint.

use frontdesk::crypto::encoding::{b64u, from_b64u};
use serde_json::json;

use crate::support::{ALICE, Code, TestProvider, encode};

#[tokio::test]
async fn s3_1_an_empty_value_is_absent_and_an_unknown_parameter_ignored() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.code.as_str()),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", &code.verifier),
        ("scope", ""),
        ("resource", ""),
        ("client_id", ""),
        ("client_secret", ""),
        ("refresh_token", ""),
        ("colour", "blue"),
        ("audience", "a"),
        ("audience", "b"),
        ("refresh_token ", "x"),
    ];
    let tokens = app.token(&form).await.expect_tokens();
    assert!(!tokens.refresh.is_empty());
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn s2_3_1_credentials_never_stand_in_the_query() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let tokens = app.tokens_of(ALICE).await;
    let secret = app.secret();
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"] {
        for (name, value) in [
            ("client_secret", secret.as_str()),
            ("code", &code.code),
            ("code_verifier", &code.verifier),
            ("refresh_token", &tokens.refresh),
            ("token", &tokens.refresh),
            ("access_token", &tokens.access),
            ("password", "secret"),
            ("client_assertion", &tokens.id),
        ] {
            let target = format!("{path}?{}", encode(&[("client_id", "web"), (name, value)]));
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.code.as_str()),
                ("redirect_uri", &code.redirect_uri),
                ("code_verifier", &code.verifier),
                ("token", &tokens.refresh),
            ];
            app.post(&target, &form).await.expect_error("invalid_request");
        }
        // Nor does anything else in the query count.
        let target = format!("{path}?grant_type=authorization_code&client_id=web&token_type_hint=x");
        let answer = provider.post(&target, &[], &[]).await;
        answer.expect_error("invalid_client");
    }
    assert_eq!(provider.live_families().await, 1);
    app.redeem(&code).await.expect_tokens();
}

#[tokio::test]
async fn s4_1_3_each_parameter_of_a_code_request_is_required() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let whole = [
        ("grant_type", "authorization_code"),
        ("code", code.code.as_str()),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", &code.verifier),
    ];
    for missing in ["grant_type", "code", "redirect_uri"] {
        for empty in [false, true] {
            let mut form = whole.to_vec();
            form.retain(|(name, _)| *name != missing);
            if empty {
                form.push((missing, ""));
            }
            app.token(&form).await.expect_error("invalid_request");
        }
    }
    app.token(&[("grant_type", "refresh_token")]).await.expect_error("invalid_request");
    // None of these was a presentation of the code.
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 0);
    app.redeem(&code).await.expect_tokens();
}

#[tokio::test]
async fn s4_1_3_what_is_no_code_of_ours_is_invalid_grant() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let text = code.code.as_str();
    let other = app.code_of(ALICE).await;
    // The right row with another secret half.
    let bytes = |code: &str| from_b64u(&code["fd_ac_".len()..]).unwrap();
    let crossed = format!("fd_ac_{}", b64u([&bytes(text)[..16], &bytes(&other.code)[16..]].concat()));
    for wrong in [
        crossed.as_str(),
        &text[..text.len() - 1],
        &format!("{text}A"),
        &format!("{text}="),
        &format!(" {text}"),
        &text.to_uppercase(),
        &text.replace("fd_ac_", "fd_rt_"),
        &text.replace("fd_ac_", "fd_ss_"),
        &text["fd_ac_".len()..],
        "fd_ac_",
        &format!("fd_ac_{}", "A".repeat(64)),
        "x",
    ] {
        let presented = Code { code: wrong.to_owned(), ..code.clone() };
        app.redeem(&presented).await.expect_error("invalid_grant");
    }
    assert_eq!(
        provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL OR used_at IS NOT NULL").await,
        0
    );
    app.redeem(&code).await.expect_tokens();
}

#[tokio::test]
async fn s4_1_3_a_code_is_worth_nothing_once_the_trust_is_over() {
    for cause in ["person disabled", "consent withdrawn", "grant ended", "session ended", "grant changed"] {
        let provider = TestProvider::start().await;
        let app = provider.client("post");
        let browser = provider.browser();
        let asked = app.ask().with("scope", "openid notes:read");
        let code = app.code_for(&browser, &asked, ALICE).await;
        match cause {
            "person disabled" => provider.disable(ALICE).await,
            "consent withdrawn" => {
                let page = browser.go("/account/apps/post/withdraw").await;
                browser.submit(&page, "/account/apps/withdraw", &[]).await.expect(200);
            }
            "grant ended" => {
                let grant = provider.texts("SELECT id FROM grants").await.remove(0);
                provider.end_grant(&grant).await;
            }
            "session ended" => {
                let page = browser.go("/account").await;
                browser.submit(&page, "/logout", &[]).await.expect(200);
            }
            _ => provider.run("UPDATE grants SET scope = 'openid notes:read notes:write'").await,
        }
        app.redeem(&code).await.expect_error("invalid_grant");
        assert_eq!(provider.live_families().await, 0, "{cause}");
        assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL").await, 0, "{cause}");
    }
}

#[tokio::test]
async fn s4_1_3_more_scope_than_was_granted_is_refused_and_the_code_stays_good() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask().with("scope", "openid offline_access notes:read");
    let code = app.code_for(&browser, &asked, ALICE).await;
    let redeem = |scope: &'static str| {
        let (app, code) = (app.clone(), code.clone());
        async move {
            app.token(&[
                ("grant_type", "authorization_code"),
                ("code", &code.code),
                ("redirect_uri", &code.redirect_uri),
                ("code_verifier", &code.verifier),
                ("scope", scope),
            ])
            .await
        }
    };
    for wider in [
        "notes:write",
        "openid notes:read notes:write",
        "frontdesk:admin",
        "unknown",
        "openid  notes:read",
        "\"openid\"",
    ] {
        redeem(wider).await.expect_error("invalid_scope");
        assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NULL AND used_at IS NULL").await, 1);
    }
    let answer = redeem("notes:read").await.expect(200);
    assert_eq!(answer.text("scope"), "notes:read");
    let tokens = answer.expect_tokens();
    assert_eq!(provider.texts("SELECT scope FROM grants").await, ["openid offline_access notes:read"]);
    assert_eq!(app.refresh(&tokens.refresh).await.text("scope"), "openid offline_access notes:read");
}

#[tokio::test]
async fn s5_1_an_answer_says_what_it_gives() {
    let provider = TestProvider::start().await;
    let (web, worker) = (provider.client("web"), provider.client("worker"));
    let code = web.code_of(ALICE).await;
    let first = web.redeem(&code).await.expect(200);
    let second = web.refresh(&first.text("refresh_token")).await.expect(200);
    let machine = worker.token(&[("grant_type", "client_credentials")]).await.expect(200);
    let scope = "openid profile email offline_access notes:read notes:write";
    for (answer, scope, members) in [
        (&first, scope, "access_token expires_in id_token refresh_token scope token_type"),
        (&second, scope, "access_token expires_in id_token refresh_token scope token_type"),
        (&machine, "notes:read", "access_token expires_in scope token_type"),
    ] {
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        let mut names: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
        names.sort();
        assert_eq!(names.join(" "), members);
        assert_eq!((answer.text("scope").as_str(), answer.text("token_type").as_str()), (scope, "Bearer"));
        assert_eq!(answer.json()["expires_in"], json!(900), "a number");
    }
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn s5_2_a_refusal_is_in_the_grammar_and_repeats_nothing_of_the_request() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let marker = "marker\"<b>\\ü";
    let tokens = app.tokens_of(ALICE).await;
    let code = app.code_of(ALICE).await;
    let wrong = [("authorization", "Basic bWFya2VyOm1hcmtlcg==")];
    let answers = [
        app.token(&[("grant_type", marker)]).await,
        app.token(&[("marker", marker)]).await,
        app.token(&[("grant_type", "authorization_code"), ("code", marker)]).await,
        app.token(&[("grant_type", "authorization_code"), ("code", marker), ("redirect_uri", marker)]).await,
        app.refresh(marker).await,
        app.token(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh), ("scope", marker)]).await,
        app.token(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh), ("scope", "marker")]).await,
        app.token(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh), ("resource", marker)]).await,
        app.redeem(&Code { redirect_uri: format!("https://{marker}/"), ..code }).await,
        provider.post("/oauth2/token", &[], &[("client_id", marker), ("client_secret", marker)]).await,
        provider.post("/oauth2/token", &wrong, &[("grant_type", marker)]).await,
        provider.post("/oauth2/revoke", &wrong, &[("token", marker)]).await,
        provider.post("/oauth2/introspect", &wrong, &[("token", marker)]).await,
        provider.post("/oauth2/token?token=marker", &[], &[]).await,
        app.post("/oauth2/revoke", &[("marker", marker)]).await,
        app.userinfo("marker").await,
    ];
    for answer in answers {
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{answer:#?}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.header("request-id").is_empty());
        assert!(
            !answer.body.contains("marker") && !answer.header("www-authenticate").contains("marker"),
            "{answer:#?}"
        );
        let told = answer.json();
        assert_eq!(told.as_object().unwrap().len(), 2, "{told}");
        let text = told["error_description"].as_str().unwrap();
        assert!(text.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{text}");
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
}

#[tokio::test]
async fn s3_2_a_body_or_head_that_is_too_long_is_not_read() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let padding = "a".repeat(65_536);
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"] {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh.as_str()),
            ("token", &tokens.refresh),
            ("padding", &padding),
        ];
        app.post(path, &form).await.expect(413);
        let form = [("token", tokens.refresh.as_str())];
        let long = "a".repeat(32_768);
        provider.post(path, &[("x-long", &long)], &form).await.expect(431);
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    app.refresh(&tokens.refresh).await.expect_tokens();
}
