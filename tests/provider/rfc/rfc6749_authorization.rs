//! RFC 6749 §3.1, §4.1.1 and §4.1.2: the authorization request and its answer.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};

use crate::support::{ALICE, TestProvider, query_of};

/// §3.1: both methods; OIDC Core §3.1.2.1 says so too. Here nobody is signed in, and the request comes from another site.
#[tokio::test]
async fn a_posted_request_goes_on_through_sign_in_and_consent() {
    let provider = TestProvider::https().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let asked = app.ask();

    let page = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await.expect_at("/login");

    let page = browser.answer_all(page, ALICE).await;
    app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (1, 1));
    assert_eq!(provider.waiting_requests().await, 0);
}

/// §4.1.2, §4.1.2.1: `state` is repeated if it was sent, and not made up.
#[tokio::test]
async fn a_state_that_was_not_sent_is_not_answered() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for asked in [app.ask().without("state"), app.ask().with("state", "")] {
        for (asked, name) in [(asked.clone(), "code"), (asked.with("scope", "nothing"), "error")] {
            let page = app.visit(&browser, &asked).await;
            assert!(query_of(page.left_for(), name).is_some());
            assert_eq!(query_of(page.left_for(), "state"), None);
        }
    }
    assert_eq!(provider.live_grants().await, 2);
}

/// §4.1.2: the state comes back exactly as it was sent, up to a length that every address can carry.
#[tokio::test]
async fn a_state_of_4096_bytes_comes_back_and_a_longer_one_is_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let long = app.ask().with("state", &"s".repeat(4096));
    let page = app.visit(&browser, &long).await;
    assert_eq!(query_of(page.left_for(), "state"), Some("s".repeat(4096)));
    let longer = app.ask().with("state", &"s".repeat(4097));
    let page = app.visit(&browser, &longer).await;
    assert_eq!(query_of(page.left_for(), "error"), Some("invalid_request".to_owned()));
    assert_eq!(provider.live_grants().await, 1);
}

/// §3.1: unrecognised parameters are ignored, and those without a value treated as omitted.
#[tokio::test]
async fn unknown_and_empty_parameters_change_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for name in [
        "extra",
        "audience",
        "access_type",
        "Prompt",
        "redirect_uri[]",
        "",
        "id_token",
        "code",
        "dpop_jkt",
        "authorization_details",
    ] {
        let asked = app.ask().with(name, "none login \u{e9}");
        let page = app.visit(&browser, &asked).await;
        asked.code_in(page.left_for(), provider.issuer());
    }
    let mut asked = app.ask();
    for name in [
        "response_mode",
        "prompt",
        "max_age",
        "nonce",
        "claims",
        "resource",
        "request",
        "request_uri",
        "id_token_hint",
        "login_hint",
        "acr_values",
        "ui_locales",
        "display",
    ] {
        asked = asked.with(name, "");
    }
    let page = app.visit(&browser, &asked).await;
    let code = asked.code_in(page.left_for(), provider.issuer());
    let tokens = app.redeem(&code).await.expect_tokens();
    app.check_id_token(&tokens.id, None).await;
    assert_eq!(provider.live_grants().await, 11);
}

/// §3.1: no parameter more than once. One that decides where the answer goes is refused on a page, the others by redirect.
#[tokio::test]
async fn no_parameter_may_be_sent_twice() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for (name, value) in [
        ("client_id", "own"),
        ("client_id", "web"),
        ("redirect_uri", "https://own.example/callback"),
        ("redirect_uri", "https://evil.example/"),
        ("response_mode", "query"),
        ("request", "x"),
        ("request_uri", "x"),
    ] {
        let once = app.ask().with(name, value);
        for path in [
            format!("{}&{name}={value}", once.path()),
            format!("/oauth2/authorize?{name}=other&{}", &once.path()[18..]),
        ] {
            browser.come(&path).await.expect_error_page("invalid_request");
        }
    }
    for name in [
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "login_hint",
        "id_token_hint",
        "acr_values",
        "ui_locales",
        "claims_locales",
        "display",
        "claims",
        "unknown",
    ] {
        let page = browser.come(&format!("{}&{name}=a&{name}=a", app.ask().path())).await;
        assert_eq!(query_of(page.left_for(), "error").as_deref(), Some("invalid_request"), "{name}");
        assert_eq!(query_of(page.left_for(), "code"), None, "{name}");
    }
    provider.expect_nothing_given().await;
}

/// RFC 9700 §4.12: 303, so that no form with a password is ever sent on. Nobody keeps it, and the next site is not told.
#[tokio::test]
async fn every_answer_by_redirect_is_a_303_that_nobody_keeps() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    for asked in [app.ask(), app.ask().with("scope", "nothing"), app.ask().with("prompt", "none").with("max_age", "0")]
    {
        let page = app.visit(&browser, &asked).await;
        browser.answer_all(page, ALICE).await;
        browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;
    }
    assert_eq!(provider.live_grants().await, 2);
    let page = browser.go("/account").await;
    browser.submit(&page, "/logout", &[]).await;
    let answers = provider.answers();
    let led: Vec<_> = answers.iter().filter(|answer| answer.headers.contains_key("location")).collect();
    for answer in &led {
        assert_eq!(answer.status.as_u16(), 303, "{answer:#?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:#?}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{answer:#?}");
        assert_eq!(answer.body, "", "{answer:#?}");
    }
    assert!(led.len() >= 10, "{}", led.len());
}

/// §4.1.2.1: the grammar of `error` and `error_description`; and nothing of the request is repeated in it.
#[tokio::test]
async fn an_error_description_is_our_own_text_in_the_grammar() {
    let provider = TestProvider::start().await;
    let (own, web) = (provider.client("own"), provider.client("web"));
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let strange = "evil\"\\\u{e9}\n<b>";
    let mut seen = BTreeSet::new();
    for asked in [
        own.ask().with("response_type", strange),
        own.ask().with("response_mode", strange),
        own.ask().with("code_challenge", strange),
        own.ask().with("code_challenge_method", strange),
        own.ask().with("scope", strange),
        own.ask().with("scope", "evil"),
        own.ask().with("nonce", strange),
        own.ask().with("resource", strange),
        own.ask().with("resource", "https://evil.example/"),
        own.ask().with("claims", strange),
        own.ask().with("prompt", strange),
        own.ask().with("max_age", strange),
        own.ask().with("id_token_hint", strange),
        own.ask().with("request", strange),
        own.ask().with("request_uri", strange),
        own.ask().with("prompt", "none").with("max_age", "0").with("login_hint", strange),
        web.ask().with("prompt", "none"),
    ] {
        let page = browser.come(&asked.path()).await;
        let error = asked.error_in(page.left_for(), provider.issuer());
        assert!(error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{error}");
        let told = query_of(page.left_for(), "error_description").unwrap();
        assert!(told.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{told}");
        assert!(!told.is_empty() && !told.contains("evil"), "{told}");
        seen.insert(error);
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
    provider.expect_nothing_given().await;
}

/// A page, too, repeats nothing of the request that brought it up.
#[tokio::test]
async fn an_error_page_repeats_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    for asked in [
        app.ask().with("client_id", "evil<script>alert(1)</script>"),
        app.ask().with("client_id", "evil"),
        app.ask().with("redirect_uri", "evil\"onclick=\"alert(1)"),
        app.ask().with("client_id", "evil\u{0}"),
    ] {
        let asked = asked.with("state", "evil-state").with("scope", "evil-scope").with("login_hint", "evil-name");
        let browser = provider.browser();
        let page = app.visit(&browser, &asked).await.expect_error_page("invalid_request");
        assert!(!page.answer.body.contains("evil") && !page.answer.body.contains("alert("), "{page:#?}");
        assert_eq!(page.links().iter().filter(|link| !link.starts_with('/')).count(), 0, "{page:#?}");
        // It names the request, as the log does.
        let id = page.answer.header("request-id").to_owned();
        assert!(id.len() == 22 && page.answer.body.contains(&id), "{page:#?}");
        assert_eq!(browser.cookie_names(), Vec::<String>::new());
    }
    provider.expect_nothing_given().await;
}

/// Appendix B: parameters are UTF-8. What is not cannot be given back as it came, so it is refused.
#[tokio::test]
async fn bytes_that_are_not_utf8_are_refused_and_not_replaced() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for broken in ["%FF", "%C3", "a%ED%A0%80b", "%F4%90%80%80", "%C0%AF"] {
        let path = app.ask().without("state").path();
        browser.come(&format!("{path}&state={broken}")).await.expect_error_page("invalid_request");
        let page = browser.go(&format!("/oauth2/logout?client_id=own&state={broken}")).await;
        page.expect_error_page("invalid_request");
        let form = format!("{}&state={broken}", &path["/oauth2/authorize?".len()..]);
        let posted = provider.post_body("/oauth2/authorize", "application/x-www-form-urlencoded", &form).await;
        assert!(posted.expect(400).body.contains("invalid_request"));
    }
    provider.expect_nothing_given().await;
    assert_eq!(provider.live_sessions().await, 1);
}

/// §3.1: a form is a form; every other body and every other method is refused, with the methods there are.
#[tokio::test]
async fn other_bodies_and_methods_are_refused() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let form = app.ask().path().replacen("/oauth2/authorize?", "", 1);
    for kind in
        ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx", ""]
    {
        let answer = provider.post_body("/oauth2/authorize", kind, &form).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{kind}");
        // A person looks at it, so it is a page.
        assert!(answer.expect(400).body.contains("invalid_request"), "{kind}");
    }
    provider.expect_nothing_given().await;
    let tolerated = "application/x-www-form-urlencoded; charset=UTF-8";
    let answer = provider.post_body("/oauth2/authorize", tolerated, &form).await.expect(303);
    assert!(answer.header("location").starts_with("/oauth2/authorize/i/"));

    for (path, allowed) in [
        ("/oauth2/authorize", "GET,HEAD,POST"),
        ("/oauth2/authorize/i/x", "GET,HEAD"),
        ("/.well-known/openid-configuration", "GET,HEAD,OPTIONS"),
        ("/.well-known/oauth-authorization-server", "GET,HEAD,OPTIONS"),
        ("/.well-known/jwks.json", "GET,HEAD,OPTIONS"),
        ("/login", "GET,HEAD,POST"),
        ("/consent", "GET,HEAD,POST"),
        ("/oauth2/logout", "GET,HEAD,POST"),
    ] {
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
            let request = Request::builder().method(&method).uri(path).body(Body::empty()).unwrap();
            let answer = provider.send(request).await;
            assert_eq!(answer.status.as_u16(), 405, "{method} {path}");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
            assert_eq!((answer.body.as_str(), answer.set_cookies()), ("", vec![]), "{method} {path}");
        }
    }
}
