//! Rows 1 to 10: where answers may go.

use serde_json::{Value, json};

use crate::support::{ALICE, Browser, RelyingParty, TestProvider, query_of};

const REGISTERED: &str = "https://app.example.com/a/callback";

/// An app of the operator's, and a browser where Alice is signed in: what is not refused is answered with a code at once.
async fn app_and_browser(provider: &TestProvider, metadata: Value) -> (RelyingParty, Browser) {
    let mut metadata = metadata;
    metadata["first_party"] = json!(true);
    let app = provider.register("app", metadata).await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    (app, browser)
}

/// Asks with each of the addresses, in every way there is: the answer is a page, no trace of the request is left, and the
/// registered address still works.
async fn only_the_registered_one_is_answered(
    provider: &TestProvider,
    app: &RelyingParty,
    browser: &Browser,
    others: &[&str],
) {
    assert!(others.len() >= 20, "a row about input has twenty inputs");
    for other in others {
        let asked = app.ask().with("redirect_uri", other);
        for asked in [asked.clone(), asked.clone().with("prompt", "none"), asked.with("response_mode", "form_post")] {
            let page = app.visit(browser, &asked).await;
            assert!(!page.answer.body.contains("evil"), "{other:?} is repeated: {page:#?}");
            page.expect_error_page("invalid_request");
            let posted = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await.expect(400);
            assert_eq!((posted.away.as_deref(), posted.answer.header("location")), (None, ""), "{other:?}");
        }
    }
    provider.expect_nothing_given().await;
    let asked = app.ask();
    let page = app.visit(browser, &asked).await;
    app.redeem(&asked.code_in(page.left_for(), provider.issuer())).await.expect(200);
    assert_eq!(provider.live_grants().await, 1);
}

fn web() -> Value {
    json!({ "application_type": "web", "redirect_uris": [REGISTERED] })
}

#[tokio::test]
async fn row_01_an_unregistered_redirect_uri_gets_a_page() {
    let provider = TestProvider::https().await;
    let (app, browser) = app_and_browser(&provider, web()).await;
    // The address of another app is no better than a stranger's.
    for other in ["https://evil.example/callback", "https://own.example/callback", "https://spa.shop.test/callback"] {
        for asked in [
            app.ask().with("redirect_uri", other),
            // Whatever else is wrong, nobody is told there.
            app.ask().with("redirect_uri", other).without("response_type"),
            app.ask().with("redirect_uri", other).with("scope", "nothing"),
            app.ask().with("redirect_uri", other).with("request", "x.y.z"),
            app.ask().with("redirect_uri", other).with("prompt", "none").with("max_age", "0"),
        ] {
            let page = app.visit(&browser, &asked).await.expect_error_page("invalid_request");
            assert!(!page.answer.body.contains(other), "{page:#?}");
            assert_eq!(page.answer.header("cache-control"), "no-store");
            assert_eq!(page.answer.set_cookies(), Vec::<String>::new());
        }
    }
    provider.expect_nothing_given().await;
}

#[tokio::test]
async fn row_02_a_redirect_uri_is_compared_byte_for_byte() {
    let provider = TestProvider::start().await;
    let (app, browser) = app_and_browser(&provider, web()).await;
    let others = [
        "https://app.example.com/a/callback/",
        "https://app.example.com/a/callback2",
        "https://app.example.com/a/callbac",
        "https://app.example.com/a/",
        "https://app.example.com/a",
        "https://app.example.com/",
        "https://app.example.com",
        "https://app.example.com/a/callback/sub",
        "https://app.example.com/a/callback/..",
        "https://app.example.com/a/callback/../callback",
        "https://app.example.com/b/../a/callback",
        "https://app.example.com/./a/callback",
        "https://app.example.com/a/%2e%2e/a/callback",
        "https://app.example.com/a/callback/%2e%2e/%2e%2e/evil",
        "https://app.example.com/a/callback%2f..%2f..%2fevil",
        "https://app.example.com/a%2fcallback",
        "https://app.example.com//a/callback",
        "https://app.example.com/a//callback",
        "https://app.example.com/a/%63allback",
        "https://app.example.com/a/callback?",
        "https://app.example.com/a/callback?next=https://evil.example/",
        "https://app.example.com/a/callback#",
        "https://app.example.com/a/callback#evil",
        "https://app.example.com/a/callback;evil",
        "https://app.example.com/a/callback%20",
        "https://app.example.com:443/a/callback",
        "https://app.example.com:8443/a/callback",
        "https:app.example.com/a/callback",
        "https:///app.example.com/a/callback",
        "//app.example.com/a/callback",
        "/a/callback",
    ];
    only_the_registered_one_is_answered(&provider, &app, &browser, &others).await;
}

#[tokio::test]
async fn row_03_a_host_that_only_looks_alike_gets_a_page() {
    let provider = TestProvider::start().await;
    let (app, browser) = app_and_browser(&provider, web()).await;
    let others = [
        "https://appxexample.com/a/callback",
        "https://app.examplexcom/a/callback",
        "https://appxexamplexcom/a/callback",
        "https://app-example.com/a/callback",
        "https://app_example.com/a/callback",
        "https://appexample.com/a/callback",
        "https://app..example.com/a/callback",
        "https://app.example.com./a/callback",
        "https://.app.example.com/a/callback",
        "https://evil.app.example.com/a/callback",
        "https://evilapp.example.com/a/callback",
        "https://app.example.com.evil.example/a/callback",
        "https://app.example.comevil.example/a/callback",
        "https://app.example.co/a/callback",
        "https://app.example.community/a/callback",
        "https://app.example.com%2eevil.example/a/callback",
        "https://app%2eexample%2ecom/a/callback",
        "https://evil.example/app.example.com/a/callback",
        "https://evil.example/https://app.example.com/a/callback",
        "https://example.com/a/callback",
        "https://other.example.com/a/callback",
        "https://app\u{3002}example\u{3002}com/a/callback",
        "https://app.ex\u{ad}ample.com/a/callback",
        "https://\u{430}pp.example.com/a/callback",
        "https://\u{ff41}pp.example.com/a/callback",
        "https://app.example.com\u{200b}/a/callback",
    ];
    only_the_registered_one_is_answered(&provider, &app, &browser, &others).await;
}

#[tokio::test]
async fn row_04_what_parsers_read_differently_gets_a_page() {
    let provider = TestProvider::start().await;
    let (app, browser) = app_and_browser(&provider, web()).await;
    let others = [
        "https://app.example.com@evil.example/a/callback",
        "https://app.example.com:443@evil.example/a/callback",
        "https://evil@app.example.com/a/callback",
        "https://@app.example.com/a/callback",
        "https://app.example.com%40evil.example/a/callback",
        "https://app.example.com\\@evil.example/a/callback",
        "https://evil.example\\@app.example.com/a/callback",
        "https://evil.example\\.app.example.com/a/callback",
        "https:\\\\app.example.com\\a\\callback",
        "https://app.example.com\\a\\callback",
        "https:/\\app.example.com/a/callback",
        "https://app.example.com/a/callback\\",
        "https://app.example.com#@evil.example/a/callback",
        "https://app.example.com?@evil.example/a/callback",
        "https://evil.example#https://app.example.com/a/callback",
        "https://app.example.com/a/call\tback",
        "https://app.exam\tple.com/a/callback",
        "ht\ntps://app.example.com/a/callback",
        "https://app.example.com/a/callback\n",
        "https://app.example.com/a/callback\r\nLocation: https://evil.example/",
        "\thttps://app.example.com/a/callback",
        " https://app.example.com/a/callback",
        "https://app.example.com/a/callback ",
        "https://app.example.com/a/callback\u{0}",
        "https://app.example.com\u{0}.evil.example/a/callback",
        "https://app.example.com/a/callback\u{7f}",
        "https://[app.example.com]/a/callback",
    ];
    only_the_registered_one_is_answered(&provider, &app, &browser, &others).await;
}

#[tokio::test]
async fn row_05_case_counts_everywhere() {
    let provider = TestProvider::start().await;
    let (app, browser) = app_and_browser(&provider, web()).await;
    let others = [
        "HTTPS://app.example.com/a/callback",
        "Https://app.example.com/a/callback",
        "httpS://app.example.com/a/callback",
        "https://APP.example.com/a/callback",
        "https://App.example.com/a/callback",
        "https://aPp.example.com/a/callback",
        "https://apP.example.com/a/callback",
        "https://app.EXAMPLE.com/a/callback",
        "https://app.Example.com/a/callback",
        "https://app.exampLe.com/a/callback",
        "https://app.example.COM/a/callback",
        "https://app.example.cOm/a/callback",
        "https://APP.EXAMPLE.COM/a/callback",
        "https://app.example.com/A/callback",
        "https://app.example.com/a/Callback",
        "https://app.example.com/a/callBack",
        "https://app.example.com/a/callbacK",
        "https://app.example.com/a/CALLBACK",
        "https://app.example.com/A/CALLBACK",
        "HTTPS://APP.EXAMPLE.COM/A/CALLBACK",
        // Some tables fold these onto k and a long s.
        "https://app.example.com/a/callbac\u{212a}",
        "http\u{17f}://app.example.com/a/callback",
    ];
    only_the_registered_one_is_answered(&provider, &app, &browser, &others).await;
}

#[tokio::test]
async fn row_06_only_the_port_of_a_loopback_address_is_free_and_only_for_native_apps() {
    let provider = TestProvider::start().await;
    let native = json!({
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/callback", "http://[::1]:7000/callback?tenant=1"],
    });
    let (app, browser) = app_and_browser(&provider, native).await;
    let others = [
        "http://127.0.0.1:5000/other",
        "http://127.0.0.1:5000/callback/",
        "http://127.0.0.1:5000/callback?tenant=1",
        "http://127.0.0.1:5000/CALLBACK",
        "http://127.0.0.1:5000/a/../callback",
        "http://127.0.0.1:5000",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:-1/callback",
        "http://127.0.0.1:+80/callback",
        "http://127.0.0.1:5000callback",
        "http://127.0.0.1:5000@evil.example/callback",
        "http://127.0.0.1:5000\\@evil.example/callback",
        "http://127.0.0.1.evil.example:5000/callback",
        "http://127.0.0.2:5000/callback",
        "http://127.1:5000/callback",
        "http://2130706433:5000/callback",
        "http://0x7f.0.0.1:5000/callback",
        "http://0.0.0.0:5000/callback",
        "http://localhost:5000/callback",
        "http://localhost.evil.example:5000/callback",
        "https://127.0.0.1:5000/callback",
        "http://[::1]:5000/callback",
        "http://[::1]:5000/callback?tenant=2",
        "http://[0:0:0:0:0:0:0:1]:5000/callback?tenant=1",
        "http://[::ffff:127.0.0.1]:5000/callback",
        "http://evil.example:5000/callback",
    ];
    only_the_registered_one_is_answered(&provider, &app, &browser, &others).await;

    for (free, port) in [
        ("http://127.0.0.1:1/callback", 1),
        ("http://127.0.0.1:80/callback", 80),
        ("http://127.0.0.1:65535/callback", 65535),
        ("http://[::1]:80/callback?tenant=1", 80),
        ("http://[::1]/callback?tenant=1", 80),
        ("http://[::1]:49152/callback?tenant=1", 49152),
    ] {
        let asked = app.ask().with("redirect_uri", free);
        let page = app.visit(&browser, &asked).await;
        let answer = url::Url::parse(page.left_for()).unwrap();
        assert_eq!(answer.port_or_known_default(), Some(port), "{free}: {answer}");
        let code = asked.code(query_of(answer.as_str(), "code").unwrap());
        app.redeem(&code).await.expect(200);
    }

    // Another kind of app has said where it listens.
    let spa = provider.client("spa");
    let moved = spa.ask().with("redirect_uri", &spa.redirect_uri.replacen("/callback", "1/callback", 1));
    spa.visit(&browser, &moved).await.expect_error_page("invalid_request");
    assert_eq!(provider.live_grants().await, 7);
}

#[tokio::test]
async fn row_07_dangerous_addresses_are_neither_registered_nor_answered() {
    let provider = TestProvider::https().await;
    let (app, browser) = app_and_browser(&provider, web()).await;
    let others = [
        "javascript:alert(1)",
        "javascript://app.example.com/%0aalert(1)",
        "JavaScript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:msgbox",
        "file:///etc/passwd",
        "blob:https://app.example.com/a",
        "filesystem:https://app.example.com/temporary/a",
        "about:blank",
        "view-source:https://app.example.com/",
        "ws://app.example.com/",
        "http://app.example.com/a/callback",
        "http://evil.example/callback",
        "http://192.168.1.1/callback",
        "http://localhost.evil.example/callback",
        "https://app.example.com/a/callback#fragment",
        "https://app.example.com/a/callback#",
        "https://*.example.com/callback",
        "https://app.example.com/*",
        "myapp:/callback",
        "myapp://callback",
        "mailto:evil@evil.example",
        "tel:+15550100",
        "callback",
        "https://",
    ];
    for kind in ["web", "native"] {
        for other in others {
            let metadata = json!({ "application_type": kind, "redirect_uris": [REGISTERED, other] });
            assert_eq!(provider.objections_to("other", metadata).await, ["redirect_uris"], "{kind} {other}");
            let metadata = json!({
                "application_type": kind, "redirect_uris": [REGISTERED], "post_logout_redirect_uris": [other],
            });
            assert_eq!(
                provider.objections_to("other", metadata).await,
                ["post_logout_redirect_uris"],
                "{kind} {other}"
            );
        }
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE client_id = 'other'").await, 0);
    only_the_registered_one_is_answered(&provider, &app, &browser, &others).await;
}

#[tokio::test]
async fn row_08_without_a_redirect_uri_none_is_guessed() {
    let provider = TestProvider::start().await;
    let (one, browser) = app_and_browser(&provider, web()).await;
    let several = json!({ "redirect_uris": [REGISTERED, "https://app.example.com/b"], "first_party": true });
    let several = provider.register("several", several).await;
    for app in [one, several] {
        for asked in [app.ask().without("redirect_uri"), app.ask().with("redirect_uri", "")] {
            app.visit(&browser, &asked).await.expect_error_page("invalid_request");
            let posted = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;
            posted.expect_error_page("invalid_request");
            let silent = asked.with("prompt", "none");
            app.visit(&browser, &silent).await.expect_error_page("invalid_request");
        }
    }
    provider.expect_nothing_given().await;
}

#[tokio::test]
async fn row_10_a_registered_query_cannot_be_taken_for_our_answer() {
    let provider = TestProvider::start().await;
    for name in [
        "code",
        "state",
        "iss",
        "error",
        "error_description",
        "error_uri",
        "response",
        "session_state",
        "id_token",
        "access_token",
        "expires_in",
        "%63ode",
        "c%6fde",
        "st%61te",
        "%69ss",
    ] {
        for query in [format!("{name}=mine"), format!("tenant=1&{name}="), name.to_owned()] {
            let uri = format!("{REGISTERED}?{query}");
            let metadata = json!({ "application_type": "web", "redirect_uris": [uri] });
            assert_eq!(provider.objections_to("app", metadata).await, ["redirect_uris"], "{query}");
        }
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM clients WHERE client_id = 'app'").await, 0);

    let uri = format!("{REGISTERED}?tenant=1&page=a%20b&codes=2");
    let (app, browser) = app_and_browser(&provider, json!({ "redirect_uris": [uri] })).await;
    let good = app.ask();
    let page = app.visit(&browser, &good).await;
    let answer = page.left_for();
    assert!(answer.starts_with(&format!("{uri}&code=")), "{answer}");
    let names: Vec<String> =
        url::Url::parse(answer).unwrap().query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["tenant", "page", "codes", "code", "state", "iss"]);
    app.redeem(&good.code_in(answer, provider.issuer())).await.expect(200);

    for more in ["&code=mine", "&state=mine", "&iss=https://evil.example"] {
        let asked = app.ask().with("redirect_uri", &format!("{uri}{more}"));
        app.visit(&browser, &asked).await.expect_error_page("invalid_request");
    }
    assert_eq!(provider.live_grants().await, 1);
}
