//! OpenID Connect Core 1.0 §3.1.2: what the authentication request may ask, and what is made of it.

use serde_json::json;

use crate::support::{ALICE, BOB, Browser, PASSWORD, TestProvider};

async fn at_alices(provider: &TestProvider) -> Browser {
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    browser
}

/// §3.1.2.1: `max_age` is a number of seconds.
#[tokio::test]
async fn a_max_age_that_is_no_number_is_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    for wrong in
        ["-1", "+1", "-0", "1.5", "1e3", "0x10", " 1", "1 ", "1,000", "soon", "\u{661}", "18446744073709551616"]
    {
        let asked = app.ask().with("max_age", wrong);
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{wrong:?}");
    }
    provider.expect_nothing_given().await;
    for fine in ["10000", "18446744073709551615", "0001"] {
        let asked = app.ask().with("max_age", fine);
        let page = app.visit(&browser, &asked).await;
        let code = asked.code_in(page.left_for(), provider.issuer());
        let tokens = app.redeem(&code).await.expect_tokens();
        let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
        assert_eq!(claims["auth_time"], json!(provider.now()), "{fine}");
    }
    assert_eq!(provider.live_grants().await, 3);
}

/// Registration §2, `default_max_age`: it holds where the request says nothing, and gives way where it does.
#[tokio::test]
async fn a_registered_max_age_holds_where_none_is_asked() {
    let provider = TestProvider::start().await;
    let metadata = json!({
        "redirect_uris": ["https://strict.example/callback"], "first_party": true, "default_max_age": 60,
        "require_auth_time": true,
    });
    let app = provider.register("strict", metadata).await;
    let browser = at_alices(&provider).await;
    provider.advance(61).await;
    app.visit(&browser, &app.ask()).await.expect_at("/login/again");
    let silent = app.ask().with("prompt", "none");
    let page = app.visit(&browser, &silent).await;
    assert_eq!(silent.error_in(page.left_for(), provider.issuer()), "login_required");
    assert_eq!(provider.live_grants().await, 0);

    let asked = app.ask().with("max_age", "3600");
    let page = app.visit(&browser, &asked).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(claims["auth_time"], json!(provider.now() - 61));
    assert_eq!(provider.live_grants().await, 1);
}

/// §3.1.2.1: a `prompt` value that is not known is an error (Prompt Create §4.1 says so for new ones, too).
#[tokio::test]
async fn a_prompt_that_is_not_known_is_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    for wrong in ["other", "login other", "LOGIN", "None", "login,consent", "log in", "select-account", "\u{e9}"] {
        let asked = app.ask().with("prompt", wrong);
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{wrong:?}");
    }
    provider.expect_nothing_given().await;
}

/// §3.1.2.1: `prompt` is a list; everything on it is shown.
#[tokio::test]
async fn several_prompts_are_all_shown() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    provider.advance(5).await;
    for prompt in ["login consent", "consent login", "login select_account consent"] {
        let asked = app.ask().with("prompt", prompt);
        let page = app.visit(&browser, &asked).await.expect_at("/login/again");
        let page = browser.submit(&page, "/login/again", &[("password", PASSWORD)]).await.expect_at("/consent");
        let page = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
        asked.code_in(page.left_for(), provider.issuer());
    }
    let asked = app.ask().with("prompt", "select_account consent");
    let page = app.visit(&browser, &asked).await.expect_at("/login/choose");
    let page = browser.submit(&page, "/login/choose", &[("choice", "continue")]).await.expect_at("/consent");
    let page = browser.submit(&page, "/consent", &[("decision", "deny")]).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "access_denied");
    assert_eq!(provider.live_grants().await, 3);
}

/// Prompt Create §4.1: where there is no sign-up, it is a sign-in.
#[tokio::test]
async fn prompt_create_is_a_sign_in() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let stranger = provider.browser();
    let asked = app.ask().with("prompt", "create");
    let page = app.visit(&stranger, &asked).await.expect_at("/login");
    let page = stranger.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
    asked.code_in(page.left_for(), provider.issuer());
    let browser = at_alices(&provider).await;
    app.visit(&browser, &app.ask().with("prompt", "create")).await.expect_at("/login/again");
    assert_eq!(provider.live_grants().await, 1);
}

/// §3.1.2.1, §15.5.2: the nonce is text that comes back as it was sent.
#[tokio::test]
async fn a_nonce_comes_back_as_it_was_sent_or_is_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    for nonce in ["n", " n ", "\"\\/<>&'", "\u{e9}\u{1f600}", "a+b%20c", "{\"alg\":\"none\"}", &"n".repeat(512)] {
        let asked = app.ask().with("nonce", nonce);
        let page = app.visit(&browser, &asked).await;
        let tokens = app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
        app.check_id_token(&tokens.id, Some(nonce)).await;
    }
    let before = provider.live_grants().await;
    for nonce in ["a\nb", "a\tb", "\u{1}", "\u{7f}", "\u{85}", &"n".repeat(513), &"\u{e9}".repeat(257)] {
        let asked = app.ask().with("nonce", nonce);
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{nonce:?}");
    }
    assert_eq!(provider.live_grants().await, before);
}

/// §3.1.2.1: what is only a wish is never an error, however it is written.
#[tokio::test]
async fn wishes_are_never_errors() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    let mut asked_for = 0;
    for name in ["display", "ui_locales", "claims_locales", "acr_values", "login_hint"] {
        for value in ["page", "popup", "touch", "wap", "x", "de-CH en", "\u{e9} \"<>", "en;q=0.5,*", "\n", "0"] {
            let asked = app.ask().with(name, value);
            let page = app.visit(&browser, &asked).await;
            asked.code_in(page.left_for(), provider.issuer());
            app.visit(&provider.browser(), &asked).await.expect_at("/login").expect(200);
            asked_for += 1;
        }
    }
    assert_eq!(provider.live_grants().await, asked_for);
}

/// §3.1.2.1: a hint is an ID token of ours, made for this app. It does not matter that it has expired.
#[tokio::test]
async fn an_id_token_hint_is_an_id_token_for_this_app() {
    let provider = TestProvider::start().await;
    let (own, web) = (provider.client("own"), provider.client("web"));
    let browser = provider.browser();
    let tokens = own.tokens_at(&browser, ALICE).await;
    let at_web = web.tokens_at(&browser, ALICE).await;
    let before = provider.live_grants().await;
    let parts: Vec<&str> = tokens.id.split('.').collect();
    for wrong in [
        "x".to_owned(),
        "..".to_owned(),
        format!("{}.{}.", parts[0], parts[1]),
        format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        format!("{}.{}", tokens.id, parts[2]),
        tokens.access.clone(),
        tokens.refresh.clone(),
        at_web.id.clone(),
    ] {
        for asked in
            [own.ask().with("id_token_hint", &wrong), own.ask().with("id_token_hint", &wrong).with("prompt", "none")]
        {
            let page = own.visit(&browser, &asked).await;
            assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{wrong}");
        }
    }
    assert_eq!(provider.live_grants().await, before);
    provider.advance(7200).await;
    let late = own.ask().with("id_token_hint", &tokens.id).with("prompt", "none");
    late.code_in(own.visit(&browser, &late).await.left_for(), provider.issuer());
    assert_eq!(provider.live_grants().await, before + 1);
}

/// §3.1.2.2: a positive answer only for the person of the hint, whose name is filled in.
#[tokio::test]
async fn nobody_else_answers_for_the_person_of_the_hint() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let alices = app.tokens_of(ALICE).await.id;
    let asked = app.ask().with("id_token_hint", &alices);
    let browser = provider.browser();
    let page = app.visit(&browser, &asked).await.expect_at("/login").expect_text("value=\"alice\"");
    let before = provider.live_grants().await;
    let bob = [("username", BOB), ("password", PASSWORD)];
    let page = browser.submit(&page, "/login", &bob).await.expect_at("/login/other").expect_text("value=\"alice\"");
    let page = browser.submit(&page, "/login/other", &bob).await.expect_at("/login/other");
    let txn = page.hidden("/login/other", "txn");
    for path in [format!("/oauth2/authorize/i/{txn}"), format!("/consent?txn={txn}")] {
        assert_eq!(browser.go(&path).await.away, None, "{path}");
    }
    let consent = browser.go(&format!("/consent?txn={txn}")).await;
    browser.submit(&consent, "/consent", &[("decision", "accept")]).await.expect_at("/login/other");
    assert_eq!(provider.live_grants().await, before);

    let page = browser.submit(&page, "/login/other", &[("username", ALICE), ("password", PASSWORD)]).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    let claims = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
    assert_eq!(claims["sub"], json!(provider.sub(ALICE).await));
    // What the app says itself goes first.
    let told = asked.with("login_hint", "somebody");
    app.visit(&provider.browser(), &told).await.expect_at("/login").expect_text("value=\"somebody\"");
}

/// §3.1.2.1: a request is a navigation, from wherever it may come.
#[tokio::test]
async fn where_a_request_comes_from_does_not_matter() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    let cookie = format!("__Host-Http-sid={}", browser.cookie("sid").unwrap());
    for origin in ["https://evil.test", "null", "https://own.example"] {
        for site in ["cross-site", "same-site", "none"] {
            let asked = app.ask();
            let headers = [("origin", origin), ("sec-fetch-site", site), ("cookie", cookie.as_str())];
            let answer = provider.get_with(&asked.path(), &headers).await.expect(303);
            asked.code_in(answer.header("location"), provider.issuer());
            let cors = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
            assert!(!cors, "nobody's script reads it: {answer:#?}");
        }
    }
    assert_eq!(provider.live_grants().await, 9);
}
