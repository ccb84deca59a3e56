//! Rows 11 to 25: PKCE, response types and modes, what an answer carries, request objects.

use serde_json::json;

use crate::support::{ALICE, BOB, Browser, TestProvider, query_of};

/// A browser where Alice is signed in: what is not refused is answered with a code at once.
async fn at_alices(provider: &TestProvider) -> Browser {
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    browser
}

#[tokio::test]
async fn row_11_a_public_client_without_code_challenge_is_refused_by_redirect() {
    let provider = TestProvider::https().await;
    let browser = at_alices(&provider).await;
    let body = json!({
        "application_type": "browser", "redirect_uris": ["https://body.example/callback"], "first_party": true,
    });
    let body = provider.register("body", body).await;
    for app in [provider.client("spa"), body] {
        let asked = app.ask().without("code_challenge").without("code_challenge_method");
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request", "{}", app.id);
        let posted = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;
        assert_eq!(asked.error_in(posted.left_for(), provider.issuer()), "invalid_request", "{}", app.id);
    }
    // Nor can it be registered otherwise.
    for kind in ["browser", "native"] {
        let lax = json!({
            "application_type": kind, "redirect_uris": ["https://lax.example/callback"], "require_pkce": false,
        });
        assert_eq!(provider.objections_to("lax", lax).await, ["require_pkce"], "{kind}");
    }
    provider.expect_nothing_given().await;
}

#[tokio::test]
async fn row_12_a_code_challenge_is_s256_and_nothing_else() {
    let provider = TestProvider::start().await;
    let browser = at_alices(&provider).await;
    let lax = json!({ "redirect_uris": ["https://lax.example/callback"], "require_pkce": false, "first_party": true });
    let lax = provider.register("lax", lax).await;
    let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let longer = |length: usize| Some("A".repeat(length));
    for app in [provider.client("own"), lax] {
        for (challenge, method) in [
            (Some(good.to_owned()), Some("plain")),
            (Some(good.to_owned()), Some("s256")),
            (Some(good.to_owned()), Some("S512")),
            (Some(good.to_owned()), Some("S256 plain")),
            (Some(good.to_owned()), Some("none")),
            // Without a method RFC 7636 means plain.
            (Some(good.to_owned()), None),
            (Some(good.to_owned()), Some("")),
            (None, Some("S256")),
            (None, Some("plain")),
            (Some(String::new()), Some("S256")),
            (longer(1), Some("S256")),
            (longer(42), Some("S256")),
            (longer(44), Some("S256")),
            (longer(128), Some("S256")),
            (longer(129), Some("S256")),
            (Some(format!("{}=", &good[..42])), Some("S256")),
            (Some(format!("{good}=")), Some("S256")),
            (Some(good.replace('-', "+")), Some("S256")),
            (Some(good.replace('-', "/")), Some("S256")),
            (Some(good.replace('-', ".")), Some("S256")),
            (Some(good.replace('-', "~")), Some("S256")),
            (Some(good.replace('-', " ")), Some("S256")),
            (Some(good.replace('-', "\n")), Some("S256")),
            (Some(format!("{}\u{e9}", &good[..41])), Some("S256")),
        ] {
            let mut asked = app.ask().without("code_challenge").without("code_challenge_method");
            if let Some(challenge) = &challenge {
                asked = asked.with("code_challenge", challenge);
            }
            if let Some(method) = method {
                asked = asked.with("code_challenge_method", method);
            }
            let page = app.visit(&browser, &asked).await;
            let error = asked.error_in(page.left_for(), provider.issuer());
            assert_eq!(error, "invalid_request", "{challenge:?} {method:?}");
        }
    }
    provider.expect_nothing_given().await;
}

#[tokio::test]
async fn row_13_a_code_is_not_redeemed_without_the_verifier_it_was_asked_with() {
    let provider = TestProvider::start().await;
    for id in ["own", "native"] {
        let app = provider.client(id);
        for downgraded in ["omitted", "empty"] {
            let code = app.code_of(ALICE).await;
            let mut form = vec![
                ("grant_type", "authorization_code"),
                ("code", code.code.as_str()),
                ("redirect_uri", &code.redirect_uri),
            ];
            if downgraded == "empty" {
                form.push(("code_verifier", ""));
            }
            app.token(&form).await.expect_error("invalid_grant");
            // It was shown to someone who could not have asked for it.
            app.redeem(&code).await.expect_error("invalid_grant");
        }
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL AND used_at IS NULL").await, 4);
    assert_eq!(provider.live_families().await, 0);
}

#[tokio::test]
async fn row_15_only_the_code_flow_is_there() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    for other in [
        "token",
        "id_token",
        "id_token token",
        "token id_token",
        "code token",
        "token code",
        "code id_token",
        "id_token code",
        "code id_token token",
        "token id_token code",
        "none",
        "code none",
        "code code",
        "code code code",
        "CODE",
        "Code",
        "codex",
        " code",
        "code ",
        "code,token",
        "code+token",
        "code\ttoken",
        "device_code",
        "urn:example:code",
    ] {
        let asked = app.ask().with("response_type", other);
        for asked in [asked.clone(), asked.clone().with("prompt", "none"), asked.with("response_mode", "query")] {
            let page = app.visit(&browser, &asked).await;
            let answer = page.left_for();
            assert_eq!(asked.error_in(answer, provider.issuer()), "unsupported_response_type", "{other:?}");
            let url = url::Url::parse(answer).unwrap();
            assert_eq!(url.fragment(), None, "{other:?}");
            let token = url.query_pairs().find(|(name, _)| name.contains("token") || name == "expires_in");
            assert_eq!(token, None, "{other:?}");
        }
    }
    for missing in [app.ask().without("response_type"), app.ask().with("response_type", "")] {
        let page = app.visit(&browser, &missing).await;
        assert_eq!(missing.error_in(page.left_for(), provider.issuer()), "invalid_request");
    }
    let registered = json!({ "redirect_uris": ["https://new.example/callback"], "response_types": ["code", "token"] });
    assert_eq!(provider.objections_to("new", registered).await, ["response_types"]);
    provider.expect_nothing_given().await;
}

#[tokio::test]
async fn row_17_a_response_mode_that_is_not_offered_is_refused_in_the_query() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    for other in [
        "fragment",
        "jwt",
        "query.jwt",
        "fragment.jwt",
        "form_post.jwt",
        "web_message",
        "web_message.jwt",
        "cookie",
        "QUERY",
        "Form_Post",
        "form_post ",
        " query",
        "query form_post",
        "query,form_post",
        "form-post",
        "formpost",
        "none",
        "0",
        "query\n",
        "<script>",
    ] {
        let asked = app.ask().with("response_mode", other);
        let page = app.visit(&browser, &asked).await;
        let answer = page.left_for();
        assert_eq!(asked.error_in(answer, provider.issuer()), "invalid_request", "{other:?}");
        assert_eq!(url::Url::parse(answer).unwrap().fragment(), None, "{other:?}");
    }
    // Two of them decide nothing: it is not known where the answer may go.
    let twice = format!("{}&response_mode=query", app.ask().with("response_mode", "form_post").path());
    browser.come(&twice).await.expect_error_page("invalid_request");
    provider.expect_nothing_given().await;
}

#[tokio::test]
async fn row_18_a_state_is_text_wherever_it_stands() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    let states = [
        "\"",
        "'",
        "<",
        ">",
        "&",
        "&amp;",
        "&quot;><script>alert(1)</script>",
        "\"><script>alert(1)</script>",
        "'><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "\" onfocus=\"alert(1)\" autofocus=\"",
        "</form><form action=\"https://evil.example/\">",
        "</script><script>alert(1)</script>",
        "<!--",
        "]]>",
        "javascript:alert(1)",
        " ",
        "  padded  ",
        "line\nline",
        "line\r\nSet-Cookie: evil=1\r\n\r\n<html>",
        "a\tb",
        "{{ 7 * 7 }}",
        "${7*7}",
        "%0d%0a%3Cscript%3E",
        "\u{1}\u{1f}\u{7f}",
        "\u{202e}\u{feff}",
        "\u{e9}\u{1f600}",
        "a=b&code=evil&iss=evil",
        "#fragment?query",
        "\\\\\\",
    ];
    for state in states {
        let asked = app.ask().with("state", state).with("response_mode", "form_post");
        let page = app.visit(&browser, &asked).await.expect(200);
        let fields = page.form(&app.redirect_uri);
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["code", "state", "iss"], "{state:?}");
        assert_eq!(page.hidden(&app.redirect_uri, "state"), state, "{state:?}");
        let body = &page.answer.body;
        assert_eq!(body.matches("<script").count(), 1, "{state:?}: {body}");
        assert_eq!(body.matches("<form").count(), 1, "{state:?}: {body}");
        assert!(!body.contains("<img src=x") && !body.contains("alert(1)\" autofocus"), "{state:?}: {body}");
        let policy = page.answer.header("content-security-policy");
        assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(!policy.contains("form-action"), "{policy}");

        let asked = app.ask().with("state", state);
        let page = app.visit(&browser, &asked).await;
        let answer = page.left_for();
        assert!(answer.bytes().all(|byte| byte.is_ascii_graphic()), "{answer}");
        assert_eq!(query_of(answer, "state").as_deref(), Some(state));
        assert_eq!(query_of(answer, "iss").as_deref(), Some(provider.issuer()));
        let url = url::Url::parse(answer).unwrap();
        assert_eq!((url.query_pairs().count(), url.fragment()), (3, None), "{answer}");
        assert_eq!(page.answer.set_cookies(), Vec::<String>::new());
    }
    assert_eq!(provider.live_grants().await, 2 * states.len() as i64);
}

#[tokio::test]
async fn row_20_every_answer_says_who_gives_it() {
    let provider = TestProvider::https().await;
    let (own, web, native) = (provider.client("own"), provider.client("web"), provider.client("native"));
    let browser = at_alices(&provider).await;
    let mut answers = Vec::new();
    for asked in [
        own.ask(),
        own.ask().without("state"),
        // What the app itself sends under this name is nothing to us.
        own.ask().with("iss", "https://evil.example"),
        own.ask().with("response_type", "token"),
        own.ask().with("response_mode", "fragment"),
        own.ask().without("code_challenge"),
        own.ask().with("scope", "nothing"),
        own.ask().with("resource", "https://nobody.example/"),
        own.ask().with("claims", "{"),
        own.ask().with("prompt", "none login"),
        own.ask().with("prompt", "none").with("max_age", "0"),
        own.ask().with("max_age", "soon"),
        own.ask().with("request", "x.y.z"),
        own.ask().with("request_uri", "https://own.example/request"),
        own.ask().with("claims", r#"{"id_token":{"acr":{"essential":true,"value":"urn:moon"}}}"#),
        web.ask().with("prompt", "none"),
        native.ask().with("prompt", "none"),
    ] {
        let page = browser.come(&asked.path()).await;
        answers.push(page.left_for().to_owned());
    }
    let silent = own.ask().with("prompt", "none");
    answers.push(provider.browser().come(&silent.path()).await.left_for().to_owned());
    for decision in ["accept", "deny"] {
        for uri in ["http://127.0.0.1/callback", "com.example.notes:/callback"] {
            let page = native.visit(&browser, &native.ask().with("redirect_uri", uri)).await.expect_at("/consent");
            let page = browser.submit(&page, "/consent", &[("decision", decision)]).await;
            answers.push(page.left_for().to_owned());
        }
    }
    let (mut codes, mut errors) = (0, std::collections::BTreeSet::new());
    for answer in &answers {
        let url = url::Url::parse(answer).unwrap();
        let issuers: Vec<_> = url.query_pairs().filter(|(name, _)| name == "iss").map(|(_, value)| value).collect();
        assert_eq!(issuers, [provider.issuer()], "{answer}");
        match query_of(answer, "error") {
            Some(error) => drop(errors.insert(error)),
            None => codes += 1,
        }
    }
    assert_eq!((codes, errors.len()), (5, 10), "{errors:?}");
    for asked in [own.ask(), own.ask().with("scope", "nothing")] {
        let page = browser.come(&asked.with("response_mode", "form_post").path()).await.expect(200);
        let issuers: Vec<_> = page.form(&own.redirect_uri).into_iter().filter(|(name, _)| name == "iss").collect();
        assert_eq!(issuers, [("iss".to_owned(), provider.issuer().to_owned())]);
    }
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let told = provider.get(path).await.json();
        assert_eq!(told["authorization_response_iss_parameter_supported"], json!(true));
        assert_eq!(told["issuer"], json!(provider.issuer()));
    }
    assert_eq!(provider.live_grants().await, 6);
}

#[tokio::test]
async fn row_21_a_request_object_is_never_silently_ignored() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    for object in [
        // {"alg":"none"} . {"client_id":"own","scope":"openid"} .
        "eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJvd24iLCJzY29wZSI6Im9wZW5pZCJ9.",
        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
        "a.b.c.d.e",
        "x",
        " ",
        "{}",
    ] {
        for asked in [
            app.ask().with("request", object),
            app.ask().with("request", object).with("prompt", "none"),
            app.ask().with("request", object).with("request_uri", "https://own.example/r"),
            // The refusal comes before whatever the object might have replaced.
            app.ask().with("request", object).without("response_type").without("code_challenge").without("scope"),
        ] {
            let page = app.visit(&browser, &asked).await;
            assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "request_not_supported", "{object}");
            let posted = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;
            assert_eq!(asked.error_in(posted.left_for(), provider.issuer()), "request_not_supported", "{object}");
        }
        // What stands inside proves no address and no client.
        for asked in [app.ask().with("request", object).without("redirect_uri"), app.ask().without("client_id")] {
            app.visit(&browser, &asked).await.expect_error_page("invalid_request");
        }
    }
    let told = provider.get("/.well-known/openid-configuration").await.json();
    assert_eq!(told["request_parameter_supported"], json!(false));
    provider.expect_nothing_given().await;
}

#[tokio::test]
async fn row_25_a_request_uri_is_refused_and_never_fetched() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = at_alices(&provider).await;
    let target = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    target.set_nonblocking(true).unwrap();
    let port = target.local_addr().unwrap().port();
    for uri in [
        format!("http://127.0.0.1:{port}/request.jwt"),
        format!("https://127.0.0.1:{port}/request.jwt"),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("https://own.example@127.0.0.1:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "urn:ietf:params:oauth:request_uri:AAAA".to_owned(),
        "https://own.example/request.jwt".to_owned(),
        "x".to_owned(),
    ] {
        let asked = app.ask().with("request_uri", &uri);
        let page = app.visit(&browser, &asked).await;
        assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "request_uri_not_supported", "{uri}");
        let posted = browser.posted_from_elsewhere("/oauth2/authorize", &asked.pairs()).await;
        assert_eq!(asked.error_in(posted.left_for(), provider.issuer()), "request_uri_not_supported", "{uri}");
        app.visit(&browser, &asked.without("redirect_uri")).await.expect_error_page("invalid_request");
    }
    let came = target.accept().expect_err("nobody came");
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
    let told = provider.get("/.well-known/openid-configuration").await.json();
    assert_eq!(told["request_uri_parameter_supported"], json!(false));
    provider.expect_nothing_given().await;
    // The same browser is answered as soon as nothing of the kind is asked.
    let asked = app.ask();
    asked.code_in(app.visit(&browser, &asked).await.left_for(), provider.issuer());
    assert_eq!((provider.live_grants().await, provider.browser().sign_in(BOB).await.away), (1, None));
}
