//! What another site, a sibling host, or script in the page may try, line by line of the analysis.

use axum::body::Body;
use axum::http::Request;

use crate::support::{ALICE, Answer, BOB, TestProvider, encode};

/// Fails if an answer could change anything in the browser, or be read by a page.
#[track_caller]
fn gives_nothing(answer: &Answer, what: &str) {
    assert!(answer.status.is_client_error(), "{what}: {answer:#?}");
    assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{what}");
    let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(cors, None, "{what}");
}

#[tokio::test]
async fn another_sites_form_image_or_navigation_gets_nothing_even_where_cookies_are_sent() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    // A browser that knows nothing of SameSite.
    let cookies = browser.all_cookies();
    let refresh = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
    let sign_out = encode(&[("client_id", "spa"), ("scope", "session")]);
    let sites = [
        // A form in a page, in a frame, by script, and from a page that hides where it is.
        [("origin", "https://evil.example"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
        [("origin", "https://evil.example"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        [("origin", "https://evil.example"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "empty")],
        [("origin", "null"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
    ];
    for (path, form) in [("/oauth2/token", &refresh), ("/oauth2/browser/logout", &sign_out)] {
        for site in sites {
            for kind in ["application/x-www-form-urlencoded", "text/plain"] {
                let mut request = Request::builder().method("POST").uri(path).header("cookie", &cookies);
                request = request.header("content-type", kind).header("sec-fetch-site", "cross-site");
                for (name, value) in site {
                    request = request.header(name, value);
                }
                let answer = provider.send(request.body(Body::from(form.clone())).unwrap()).await;
                gives_nothing(&answer, &format!("{path} {site:?} {kind}"));
            }
        }
        let image = [("cookie", cookies.as_str()), ("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")];
        gives_nothing(&provider.get_with(&format!("{path}?{form}"), &image).await, path);
        // As browsers of today do it: without the cookies, and still in vain.
        let page = browser.posted_from_elsewhere(path, &[("grant_type", "refresh_token"), ("client_id", "spa")]).await;
        gives_nothing(&page.answer, path);
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
    app.refresh_at(&browser).await.expect_tokens();
}

#[tokio::test]
async fn a_sibling_host_gets_nothing_by_fetch_or_form_although_all_cookies_come_along() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let form = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
    // A host that was taken over, one of another app of ours, and ports and schemes of the app's own.
    for origin in [
        "https://other.shop.test",
        "https://shop.test",
        "https://second.shop.test",
        "https://spa.shop.test:8443",
        "http://spa.shop.test",
        "https://a.spa.shop.test",
        "https://id.shop.test",
    ] {
        let known = origin == "https://second.shop.test";
        let ask = Request::builder().method("OPTIONS").uri("/oauth2/token").header("origin", origin);
        let ask = ask.header("access-control-request-method", "POST");
        let ask = ask.header("access-control-request-headers", "x-oauth-browser");
        let answer = provider.send(ask.body(Body::empty()).unwrap()).await;
        // The preflight cannot know the client; the request itself does.
        assert_eq!(answer.status.as_u16(), if known { 204 } else { 403 }, "{origin}");
        for (mode, dest, header) in
            [("cors", "empty", "1"), ("navigate", "document", "1"), ("navigate", "document", "")]
        {
            for path in ["/oauth2/token", "/oauth2/browser/logout"] {
                let mut headers = vec![
                    ("origin", origin),
                    ("content-type", "application/x-www-form-urlencoded"),
                    ("sec-fetch-site", "same-site"),
                    ("sec-fetch-mode", mode),
                    ("sec-fetch-dest", dest),
                ];
                headers.extend((!header.is_empty()).then_some(("x-oauth-browser", header)));
                let answer = browser.fetch(path, &headers, form.clone()).await;
                assert_eq!(answer.status.as_u16(), 403, "{origin} {mode} {path}");
                gives_nothing(&answer, origin);
            }
        }
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (1, 1));
}

#[tokio::test]
async fn a_refresh_cookie_that_was_planted_signs_nobody_in_and_harms_no_family() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let (victim, attacker) = (provider.browser(), provider.browser());
    spa.signed_in_at(&victim, ALICE).await;
    second.signed_in_at(&victim, ALICE).await;
    spa.signed_in_at(&attacker, BOB).await;
    let name = attacker.refresh_cookie_name();
    let (theirs, hers) = (attacker.cookie(&name).unwrap(), victim.cookie(&name).unwrap());
    let other_name = victim.cookie_names().into_iter().find(|own| own.contains("rt.") && *own != name).unwrap();
    let of_second = victim.cookie(&other_name).unwrap();
    let session = format!("__Host-Http-sid={}", victim.cookie("sid").unwrap());
    let flipped = |at: usize| {
        let mut bytes = hers.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    for (what, cookies) in [
        ("the attacker's own", format!("{name}={theirs}; {session}")),
        ("both, the planted one first", format!("{name}={theirs}; {name}={hers}; {session}")),
        ("both, the planted one last", format!("{name}={hers}; {name}={theirs}; {session}")),
        ("that of another app", format!("{name}={of_second}; {session}")),
        ("under another app's name", format!("{other_name}={hers}; {session}")),
        ("without the prefix", format!("rt.{}={hers}; {session}", &name[15..])),
        ("with a weaker prefix", format!("__Host-rt.{0}={hers}; __Secure-rt.{0}={hers}; {session}", &name[15..])),
        ("with another identity", format!("{name}={}; {session}", flipped(10))),
        ("with another generation", format!("{name}={}; {session}", flipped(30))),
        ("with another proof", format!("{name}={}; {session}", flipped(70))),
        ("cut off", format!("{name}={}; {session}", &hers[..75])),
        ("nothing", format!("{name}=; {session}")),
        ("in another case", format!("{}={hers}; {session}", name.to_uppercase())),
        ("two sessions", format!("{name}={hers}; {session}; __Host-Http-sid={}", attacker.cookie("sid").unwrap())),
    ] {
        let mut headers = spa.page_headers();
        headers.push(("cookie", &cookies));
        let form = [("grant_type", "refresh_token"), ("client_id", "spa")];
        let answer = provider.post("/oauth2/token", &headers, &form).await;
        assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{what}");
        assert_eq!(answer.json()["error"], "invalid_grant", "{what}: {answer:#?}");
        // A sign-out with it ends nothing of hers either.
        if !cookies.contains(&theirs) || what == "the attacker's own" {
            continue;
        }
        provider.post("/oauth2/browser/logout", &headers, &form).await.expect(204);
    }
    assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (2, 3));
    assert_eq!(provider.end_reasons().await, Vec::<String>::new());
    spa.refresh_at(&victim).await.expect_tokens();
    spa.refresh_at(&attacker).await.expect_tokens();
}

#[tokio::test]
async fn script_that_carries_a_code_away_cannot_redeem_it_by_any_cookie_but_this_sessions() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    // Another session of the same person, that of another, a copy that has turned meanwhile, none, and something made up.
    for way in ["another browser of hers", "the thief's own", "one that has turned", "none", "made up"] {
        let hers = provider.browser();
        hers.sign_in(ALICE).await;
        let elsewhere = provider.browser();
        match way {
            "another browser of hers" => drop(elsewhere.sign_in(ALICE).await),
            "the thief's own" => drop(elsewhere.sign_in(BOB).await),
            _ => {}
        }
        let old = hers.copied_to("203.0.113.9");
        let code = app.code_at(&hers, ALICE).await;
        let thief = match way {
            "one that has turned" => {
                let page = hers.go("/login/other").await;
                let fields = [("username", ALICE), ("password", crate::support::PASSWORD)];
                hers.submit(&page, "/login/other", &fields).await.expect_at("/account");
                old
            }
            "made up" => {
                let copy = hers.copied_to("203.0.113.9");
                let value = copy.cookie("sid").unwrap();
                copy.plant("sid", &format!("{}AAAAAAAA", &value[..value.len() - 8]));
                copy
            }
            _ => elsewhere,
        };
        let families = provider.live_families().await;

        let refused = app.redeem_at(&thief, &code).await;

        assert_eq!(refused.set_cookies(), Vec::<String>::new(), "{way}");
        refused.expect_error("invalid_grant");
        assert_eq!(provider.live_families().await, families, "{way}");
        // It is spoiled: whoever brings it later, even the right browser, gets nothing.
        app.redeem_at(&hers, &code).await.expect_error("invalid_grant");
        assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL").await, 0, "{way}");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 5);
    assert_eq!(provider.audited("code.reuse").await, 0, "a spoiled code is not a used one");
}

#[tokio::test]
async fn a_refresh_token_in_a_query_or_header_is_not_taken() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let token = browser.cookie(&browser.refresh_cookie_name()).unwrap();
    browser.forget(&browser.refresh_cookie_name());
    let path = format!("/oauth2/token?{}", encode(&[("refresh_token", &token)]));
    app.fetch(&browser, &path, &[("grant_type", "refresh_token")]).await.expect_error("invalid_request");
    let form = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
    for name in ["x-refresh-token", "refresh-token", "refresh_token", "x-cookie", "cookie2"] {
        let mut headers = app.page_headers();
        headers.extend([("content-type", "application/x-www-form-urlencoded"), (name, token.as_str())]);
        browser.fetch("/oauth2/token", &headers, form.clone()).await.expect_error("invalid_grant");
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn no_page_of_an_authorization_may_be_framed() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let asked = app.ask().with("prompt", "consent");
    let login = app.visit(&browser, &asked).await.expect_at("/login");
    let consent =
        browser.submit(&login, "/login", &[("username", ALICE), ("password", crate::support::PASSWORD)]).await;
    let error = browser.come(&app.ask().with("redirect_uri", "https://evil.example/").path()).await.expect(400);
    let again = app.visit(&browser, &app.ask().with("prompt", "login")).await.expect_at("/login/again");
    let choose = app.visit(&browser, &app.ask().with("prompt", "select_account")).await.expect_at("/login/choose");
    let posted = app.visit(&browser, &app.ask().with("response_mode", "form_post")).await;
    for page in [login, consent.expect_at("/consent"), error, again, choose, posted] {
        let policy = page.answer.header("content-security-policy").to_owned();
        assert!(policy.contains("frame-ancestors 'none'"), "{}: {policy}", page.path);
        assert_eq!(page.answer.header("x-frame-options"), "DENY", "{}", page.path);
    }
    assert_eq!(provider.live_sessions().await, 1);
}
