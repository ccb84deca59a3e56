//! Rows 32 to 36: sizes, scopes and the `claims` parameter.

use serde_json::json;

use crate::support::{ALICE, BOB, PASSWORD, TestProvider, query_of};

#[tokio::test]
async fn row_32_what_is_too_long_is_refused_and_nothing_is_cut_off() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let words = format!("openid {}", "word ".repeat(2000).trim_end());
    let claims = format!(r#"{{"userinfo":{{"email":{{"value":"{}"}}}}}}"#, "x".repeat(10_000));
    let ten_thousand = "x".repeat(10_000);
    // Longer than any proxy lets through, shorter than what no URI may be.
    let most = "x".repeat(40_000);
    let huge = "x".repeat(100_000);
    for (name, value, outcome) in [
        ("state", &ten_thousand, "invalid_request"),
        ("nonce", &ten_thousand, "invalid_request"),
        ("scope", &ten_thousand, "invalid_scope"),
        ("claims", &claims, "invalid_request"),
        ("claims", &ten_thousand, "invalid_request"),
        ("resource", &ten_thousand, "invalid_target"),
        ("scope", &words, "code"),
        ("login_hint", &ten_thousand, "code"),
        ("ui_locales", &ten_thousand, "code"),
        ("acr_values", &ten_thousand, "code"),
        ("unknown", &ten_thousand, "code"),
    ] {
        let asked = app.ask().with(name, value);
        let before = provider.live_grants().await;
        for page in [
            app.visit(&browser, &asked).await,
            browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await,
        ] {
            let answer = page.left_for();
            let sent = if name == "state" { value.as_str() } else { asked.state() };
            assert_eq!(query_of(answer, "state").as_deref(), Some(sent), "{name}");
            let told = query_of(answer, "error").unwrap_or_else(|| "code".to_owned());
            assert_eq!(told, outcome, "{name}");
        }
        let given = if outcome == "code" { 2 } else { 0 };
        assert_eq!(provider.live_grants().await, before + given, "{name}");
        if name != "unknown" {
            browser.come(&app.ask().with(name, &most).path()).await.expect(431);
            let big = app.ask().with(name, &huge);
            browser.posted_from_elsewhere("/oauth2/authorize", &big.pairs()).await.expect(413);
        }
        assert_eq!(provider.live_grants().await, before + given, "{name}");
    }
    // The longest that is taken comes back whole.
    let state = "s".repeat(4096);
    let asked = app.ask().with("state", &state);
    let page = app.visit(&browser, &asked).await;
    assert_eq!(query_of(page.left_for(), "state"), Some(state));
    let nonce = "n".repeat(512);
    let asked = app.ask().with("nonce", &nonce);
    let code = asked.code_in(app.visit(&browser, &asked).await.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    app.check_id_token(&tokens.id, Some(&nonce)).await;
    // A name nobody has is not filled in halfway.
    let stranger = provider.browser();
    let page = app.visit(&stranger, &app.ask().with("login_hint", &ten_thousand)).await.expect_at("/login");
    assert!(!page.answer.body.contains("xxxxxxxx"));
}

#[tokio::test]
async fn row_34_a_scope_is_narrowed_and_the_answer_says_to_what() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for (asked, granted) in [
        ("openid", "openid"),
        ("openid openid", "openid"),
        ("email openid email openid", "email openid"),
        ("openid nosuch", "openid"),
        ("nosuch openid other", "openid"),
        ("openid phone", "openid"),
        ("openid OPENID", "openid"),
        ("openid Email EMAIL", "openid"),
        ("openid notes:READ", "openid"),
        ("openid frontdesk:admin", "openid"),
        ("openid admin root *", "openid"),
        ("openid notes:*", "openid"),
        ("openid notes:read,notes:write", "openid"),
        ("notes:read", "notes:read"),
    ] {
        let request = app.ask().with("scope", asked);
        let page = app.visit(&browser, &request).await;
        let answer = app.redeem(&request.code_in(page.left_for(), provider.issuer())).await.expect(200);
        assert_eq!(answer.text("scope"), granted, "{asked:?}");
        let (_, claims) = provider.verify(&answer.text("access_token")).await;
        assert_eq!(claims["scope"], json!(granted), "{asked:?}");
        let newest = provider.texts("SELECT scope FROM grants ORDER BY id DESC").await.remove(0);
        assert_eq!(newest, granted, "{asked:?}");
    }
    let before = provider.live_grants().await;
    for asked in [
        "nosuch",
        "OPENID",
        "frontdesk:admin",
        "openid  email",
        " openid",
        "openid ",
        "openid\temail",
        "openid\nemail",
        "openid \"email\"",
        "openid e\\mail",
        "openid \u{e9}",
        "",
    ] {
        let request = app.ask().with("scope", asked);
        let page = app.visit(&browser, &request).await;
        assert_eq!(request.error_in(page.left_for(), provider.issuer()), "invalid_scope", "{asked:?}");
    }
    let worker = provider.client("worker");
    for asked in ["nosuch", "notes:read nosuch", "NOTES:READ", "frontdesk:admin", "notes:read  notes:read"] {
        let form = [("grant_type", "client_credentials"), ("scope", asked)];
        worker.token(&form).await.expect_error("invalid_scope");
    }
    let admin = json!({ "redirect_uris": ["https://new.example/callback"], "scope": "openid frontdesk:admin" });
    assert_eq!(provider.objections_to("new", admin).await, ["scope"]);
    assert_eq!(provider.live_grants().await, before);
}

#[tokio::test]
async fn row_36_claims_of_the_wrong_shape_are_refused_and_unknown_ones_do_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let many: Vec<String> = (0..400).map(|at| format!("\"claim{at}\":null")).collect();
    let deep = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
    for wrong in [
        "{",
        "x",
        "null",
        "[]",
        "5",
        "\"userinfo\"",
        r#"{"userinfo":5}"#,
        r#"{"userinfo":[]}"#,
        r#"{"userinfo":"email"}"#,
        r#"{"userinfo":true}"#,
        r#"{"id_token":[{"email":null}]}"#,
        r#"{"id_token":{"email":5}}"#,
        r#"{"id_token":{"email":"x"}}"#,
        r#"{"id_token":{"email":[]}}"#,
        r#"{"id_token":{"email":true}}"#,
        r#"{"id_token":{"email":{"essential":1}}}"#,
        r#"{"id_token":{"email":{"essential":"true"}}}"#,
        r#"{"id_token":{"email":{"essential":null}}}"#,
        r#"{"id_token":{"email":{"values":"x"}}}"#,
        r#"{"id_token":{"email":{"values":{}}}}"#,
        r#"{"id_token":{"email":{"value":1,"values":[1]}}}"#,
        r#"{"userinfo":{}} trailing"#,
        &deep,
        &format!("{{\"userinfo\":{{\"email\":{{\"value\":{deep}}}}}}}"),
    ] {
        let asked = app.ask().with("claims", wrong);
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{wrong:.80}");
    }
    let ten_thousand: Vec<String> = (0..10_000).map(|at| format!("\"claim{at}\":null")).collect();
    let asked = app.ask().with("claims", &format!("{{\"userinfo\":{{{}}}}}", ten_thousand.join(",")));
    browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await.expect(413);
    provider.expect_nothing_given().await;

    for harmless in [
        "{}".to_owned(),
        r#"{"userinfo":null,"other":5}"#.to_owned(),
        format!("{{\"userinfo\":{{{}}}}}", many.join(",")),
        r#"{"id_token":{"password_hash":{"essential":true},"roles":null}}"#.to_owned(),
        r#"{"id_token":{"iss":{"value":"https://evil.example"},"aud":{"value":"other"},"exp":{"value":9}}}"#.to_owned(),
    ] {
        let asked = app.ask().with("scope", "openid").with("claims", &harmless);
        let page = app.visit(&browser, &asked).await;
        let code = asked.code_in(page.left_for(), provider.issuer());
        let tokens = app.redeem(&code).await.expect_tokens();
        let id = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
        assert!(id.get("roles").is_none() && id.get("password_hash").is_none(), "{id}");
        assert_eq!(id["exp"], json!(provider.now() + 900));
        assert_eq!(app.userinfo(&tokens.access).await.json(), json!({ "sub": provider.sub(ALICE).await }));
    }
}

#[tokio::test]
async fn row_36_a_sub_that_is_asked_for_is_the_only_one_that_is_answered() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let (alice, bob) = (provider.sub(ALICE).await, provider.sub(BOB).await);
    let wish = |place: &str, sub: &str| format!(r#"{{"{place}":{{"sub":{{"value":"{sub}"}}}}}}"#);
    for place in ["id_token", "userinfo"] {
        for other in [bob.as_str(), "nobody", &alice.to_uppercase(), "%"] {
            let asked = app.ask().with("claims", &wish(place, other));
            let silent = asked.clone().with("prompt", "none");
            let page = app.visit(&browser, &silent).await;
            assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "login_required", "{place} {other}");
            let page = app.visit(&browser, &asked).await.expect_at("/login/other");
            // That she signs in once more makes her nobody else.
            let fields = [("username", ALICE), ("password", PASSWORD)];
            browser.submit(&page, "/login/other", &fields).await.expect_at("/login/other");
        }
    }
    assert_eq!(provider.live_grants().await, 0);

    let hers = app.ask().with("claims", &wish("id_token", &alice));
    let code = hers.code_in(app.visit(&browser, &hers).await.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    assert_eq!(app.check_id_token(&tokens.id, Some(&code.nonce)).await["sub"], json!(alice));

    // Two names for one person that are not the same: nobody can be both.
    let both = format!(r#"{{"id_token":{{"sub":{{"value":"{bob}"}}}},"userinfo":{{"sub":{{"value":"{alice}"}}}}}}"#);
    for contradiction in [
        app.ask().with("id_token_hint", &tokens.id).with("claims", &wish("id_token", &bob)),
        app.ask().with("id_token_hint", &tokens.id).with("claims", &wish("userinfo", &bob)),
        app.ask().with("claims", &both),
    ] {
        let page = app.visit(&browser, &contradiction).await;
        assert_eq!(contradiction.error_in(page.left_for(), provider.issuer()), "invalid_request");
    }
    assert_eq!(provider.live_grants().await, 1);

    let his = app.ask().with("claims", &wish("userinfo", &bob));
    let page = app.visit(&browser, &his).await.expect_at("/login/other");
    let page = browser.submit(&page, "/login/other", &[("username", BOB), ("password", PASSWORD)]).await;
    let code = his.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    assert_eq!(app.check_id_token(&tokens.id, Some(&code.nonce)).await["sub"], json!(bob));
}
