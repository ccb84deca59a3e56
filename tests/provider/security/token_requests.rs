//! Rows 56 to 59: bodies and methods that are not taken, ways to get tokens that do not exist, scopes of people asked for by
//! machines, and answers that somebody else could keep or read.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{ALICE, Answer, PASSWORD, RelyingParty, TestProvider, encode};

const ENDPOINTS: [&str; 3] = ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"];

/// A request with the client's good proof and any method, content type and body.
async fn send(
    provider: &TestProvider,
    app: &RelyingParty,
    to: (&str, &str),
    kind: Option<&str>,
    body: Vec<u8>,
) -> Answer {
    let (method, path) = to;
    let proof = format!("Basic {}", STANDARD.encode(format!("{}:{}", app.id, app.secret())));
    let mut request = Request::builder().method(method).uri(path).header("authorization", proof);
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    provider.send(request.body(Body::from(body)).unwrap()).await
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn row_56_only_a_form_is_taken() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let pairs =
        [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str()), ("token", &tokens.refresh)];
    let form = encode(&pairs).into_bytes();
    let json = serde_json::json!({ "grant_type": "refresh_token", "token": tokens.refresh }).to_string().into_bytes();
    let utf16: Vec<u8> = encode(&pairs).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with = |more: &str| [form.as_slice(), b"&", more.as_bytes()].concat();
    let requests: Vec<(Option<&str>, Vec<u8>)> = vec![
        (None, form.clone()),
        (Some(""), form.clone()),
        (Some("text/plain"), form.clone()),
        (Some("text/html"), form.clone()),
        (Some("application/json"), form.clone()),
        (Some("application/json"), json.clone()),
        (Some("application/json; charset=utf-8"), json.clone()),
        (Some(FORM), json),
        (Some("multipart/form-data; boundary=x"), form.clone()),
        (
            Some("multipart/form-data; boundary=x"),
            b"--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx\r\n--x--".to_vec(),
        ),
        (Some("application/x-www-form-urlencoded; boundary=x"), form.clone()),
        (Some("application/x-www-form-urlencoded2"), form.clone()),
        (Some("application/x-www-form"), form.clone()),
        (Some("text/plain; application/x-www-form-urlencoded"), form.clone()),
        (Some("application/x-www-form-urlencoded, application/json"), form.clone()),
        (Some("application/xml"), form.clone()),
        (Some("application/octet-stream"), form.clone()),
        (Some("application/x-www-form-urlencoded; charset=utf-16"), form.clone()),
        (Some("application/x-www-form-urlencoded; charset=\"UTF-16LE\""), form.clone()),
        (Some("application/x-www-form-urlencoded; charset=utf-16"), utf16.clone()),
        (Some("application/x-www-form-urlencoded; charset=utf-7"), form.clone()),
        (Some("application/x-www-form-urlencoded; charset=IBM037"), form.clone()),
        (Some(FORM), utf16),
        (Some(FORM), Vec::new()),
        (Some(FORM), b"&&&".to_vec()),
        (Some(FORM), b"grant_type=&token=".to_vec()),
        (Some(FORM), with("grant_type=refresh_token&token=a")),
        (Some(FORM), with("grant_type=authorization_code&token=b")),
        (Some(FORM), with("gr%61nt_type=refresh_token&t%6fken=a")),
        (Some(FORM), with("scope=a&scope=a")),
        (Some(FORM), with("client_id=web&client_id=web")),
        (Some(FORM), with("unknown=1&unknown=2")),
        (Some(FORM), with("state=%00")),
        (Some(FORM), with("state=%FF")),
        (Some(FORM), with("state=%C3%28")),
        (Some(FORM), [form.as_slice(), b"&a=\xff"].concat()),
    ];
    for path in ENDPOINTS {
        for (kind, body) in &requests {
            let answer = send(&provider, &app, ("POST", path), *kind, body.clone()).await;
            let answer = answer.expect_error("invalid_request");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 0);
    // The same body as a form, and with a charset that changes nothing, is what it always was.
    for charset in ["", "; charset=UTF-8", ";charset=utf-8", "; charset=\"utf-8\"", "; charset=ISO-8859-1"] {
        let kind = format!("{FORM}{charset}");
        let answer = send(&provider, &app, ("POST", "/oauth2/introspect"), Some(&kind), form.clone()).await;
        assert_eq!(answer.expect(200).json()["active"], serde_json::json!(true), "{charset}");
    }
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn row_56_other_methods_are_answered_with_the_ones_there_are() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let form =
        encode(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh), ("token", &tokens.refresh)]);
    for path in ENDPOINTS {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"] {
            for path in [path.to_owned(), format!("{path}?{form}")] {
                let answer =
                    send(&provider, &app, (method, &path), Some(FORM), form.clone().into_bytes()).await.expect(405);
                let allowed: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
                assert!(allowed.contains(&"POST") && !allowed.contains(&method), "{method} {path}: {allowed:?}");
            }
        }
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = send(&provider, &app, (method, "/oauth2/userinfo"), None, Vec::new()).await.expect(405);
        assert!(answer.header("allow").contains("GET") && answer.header("allow").contains("POST"), "{answer:#?}");
    }
    assert_eq!(
        (provider.number("SELECT generation FROM refresh_families").await, provider.live_families().await),
        (0, 1)
    );
}

#[tokio::test]
async fn row_57_ways_that_do_not_exist_are_not_supported() {
    let provider = TestProvider::start().await;
    let long = "a".repeat(10_000);
    for id in ["web", "native", "worker"] {
        let app = provider.client(id);
        for grant_type in [
            "password",
            "implicit",
            "token",
            "id_token",
            "code",
            "none",
            "null",
            "*",
            "refresh",
            "Password",
            "AUTHORIZATION_CODE",
            "authorization-code",
            "authorization_code ",
            " authorization_code",
            "authorization_code\n",
            "authorization_code,refresh_token",
            "authorization_code refresh_token",
            "client_credential",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:saml2-bearer",
            "urn:openid:params:grant-type:ciba",
            long.as_str(),
        ] {
            let form = [("grant_type", grant_type), ("username", ALICE), ("scope", "openid"), ("password", PASSWORD)];
            app.token(&form).await.expect_error("unsupported_grant_type");
        }
    }
    // Nobody even looked at the password.
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (0, 0));
}

#[tokio::test]
async fn row_57_ways_that_a_client_did_not_register_are_closed_to_it() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let tokens = app.tokens_of(ALICE).await;
    let once = provider
        .register(
            "once",
            serde_json::json!({
                "application_type": "web", "redirect_uris": ["https://once.example/callback"],
                "grant_types": ["authorization_code"], "scope": "openid offline_access",
            }),
        )
        .await;
    let given = once.tokens_of(ALICE).await;
    assert_eq!(given.refresh, "", "without the grant there is no refresh token, whatever was consented to");
    for (id, grant_type) in [
        ("web", "client_credentials"),
        ("post", "client_credentials"),
        ("native", "client_credentials"),
        ("worker", "authorization_code"),
        ("worker", "refresh_token"),
        ("api", "authorization_code"),
        ("api", "refresh_token"),
        ("once", "refresh_token"),
        ("once", "client_credentials"),
    ] {
        let form = [
            ("grant_type", grant_type),
            ("code", code.code.as_str()),
            ("redirect_uri", &code.redirect_uri),
            ("code_verifier", &code.verifier),
            ("refresh_token", &tokens.refresh),
        ];
        provider.client(id).token(&form).await.expect_error("unauthorized_client");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, 0);
    app.redeem(&code).await.expect_tokens();
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn row_58_a_machine_gets_nothing_about_people() {
    let provider = TestProvider::start().await;
    let everything = "openid profile email address phone offline_access notes:read";
    // Even one that has registered all of them.
    let greedy = provider
        .register(
            "greedy",
            serde_json::json!({
                "application_type": "web", "redirect_uris": ["https://greedy.example/callback"], "scope": everything,
                "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            }),
        )
        .await;
    for app in [&provider.client("worker"), &greedy] {
        for scope in [
            "openid",
            "offline_access",
            "profile",
            "email",
            "address",
            "phone",
            "openid profile",
            "openid offline_access",
            "notes:read openid",
            "openid notes:read",
            "notes:read offline_access",
            "notes:read profile",
            "notes:read email",
            "notes:read address phone",
            "OpenID",
            "frontdesk:admin",
            "notes:read frontdesk:admin",
            "notes:write",
            "notes:read notes:write",
            "unknown",
            everything,
        ] {
            let form = [("grant_type", "client_credentials"), ("scope", scope)];
            let answer = app.token(&form).await.expect_error("invalid_scope");
            assert!(!answer.body.contains("_token"), "{answer:#?}");
        }
        for form in [vec![], vec![("scope", "notes:read")]] {
            let answer = app.token(&[vec![("grant_type", "client_credentials")], form].concat()).await;
            assert_eq!(answer.text("scope"), "notes:read", "{}", app.id);
            let tokens = answer.expect_tokens();
            assert_eq!((tokens.id.as_str(), tokens.refresh.as_str()), ("", ""));
            let refused = app.userinfo(&tokens.access).await;
            assert_ne!(refused.status.as_u16(), 200);
        }
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
}

#[tokio::test]
async fn row_59_nobody_keeps_an_answer() {
    let provider = TestProvider::https().await;
    let (web, spa, api) = (provider.client("web"), provider.client("spa"), provider.client("api"));
    let browser = provider.browser();
    let tokens = web.tokens_of(ALICE).await;
    spa.signed_in_at(&browser, ALICE).await;
    let answers = [
        web.refresh(&tokens.refresh).await.expect(200),
        web.refresh("fd_rt_x").await.expect(400),
        web.token(&[]).await.expect(400),
        provider.post("/oauth2/token", &[], &[]).await.expect(401),
        provider.post("/oauth2/token", &[("content-type", "text/plain")], &[]).await.expect(400),
        provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect(200),
        spa.refresh_at(&browser).await.expect(200),
        spa.refresh(&tokens.refresh).await.expect(403),
        spa.fetch(&browser, "/oauth2/token", &[("grant_type", "password")]).await.expect(400),
        api.introspect(&tokens.access).await.expect(200),
        api.introspect("x").await.expect(200),
        api.post("/oauth2/introspect", &[]).await.expect(400),
        provider.post("/oauth2/introspect", &[], &[("token", "x")]).await.expect(401),
        web.userinfo(&tokens.access).await.expect(200),
        web.userinfo("x").await.expect(401),
        provider.get("/oauth2/userinfo").await.expect(401),
        web.revoke("x").await.expect(200),
        web.post("/oauth2/revoke", &[]).await.expect(400),
        provider.client("own").revoke(&tokens.refresh).await.expect(400),
        provider.post("/oauth2/revoke", &[], &[("token", "x")]).await.expect(401),
        spa.fetch(&browser, "/oauth2/browser/logout", &[]).await.expect(204),
    ];
    for answer in &answers {
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:#?}");
    }
    assert_eq!(provider.live_families().await, 1);
}

/// Origins that no client has registered, or only another one has.
const FOREIGN: [&str; 12] = [
    "https://evil.example",
    "null",
    "https://spa.shop.test.evil.example",
    "https://evil-spa.shop.test",
    "https://shop.test",
    "https://id.shop.test",
    "https://spa.shop.test:8443",
    "http://spa.shop.test",
    "https://SPA.shop.test",
    "https://spa.shop.test/",
    "file://",
    "*",
];

fn cors_headers(answer: &Answer) -> Vec<String> {
    answer
        .headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

#[tokio::test]
async fn row_59_only_the_clients_own_pages_read_an_answer() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let body_mode = provider
        .register(
            "reader",
            serde_json::json!({
                "application_type": "browser", "refresh_token_delivery": "body", "first_party": true,
                "redirect_uris": ["https://reader.example/callback"], "allowed_origins": ["https://reader.example"],
                "scope": "openid", "grant_types": ["authorization_code", "refresh_token"],
            }),
        )
        .await;
    let tokens = body_mode.tokens_of(ALICE).await;
    let browser = provider.browser();
    spa.signed_in_at(&browser, ALICE).await;
    let mine = "https://reader.example";
    let id = ("client_id", "reader");
    for origin in FOREIGN.into_iter().chain([spa.origin.as_str(), second.origin.as_str(), mine]) {
        let headers = [("origin", origin)];
        let revoked = provider.post("/oauth2/revoke", &headers, &[("token", "x"), id]).await.expect(200);
        let form = [("grant_type", "refresh_token"), ("refresh_token", "fd_rt_x"), id];
        let refused = provider.post("/oauth2/token", &headers, &form).await.expect(400);
        for answer in [revoked, refused] {
            assert!(answer.headers.get_all("vary").iter().any(|vary| vary == "Origin"), "{answer:#?}");
            assert_eq!(answer.header("access-control-allow-origin"), if origin == mine { mine } else { "" });
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            assert_eq!(cors_headers(&answer).is_empty(), origin != mine, "{origin} {answer:#?}");
        }
        // In cookie mode a foreign page is refused before anything is read, and with it every CORS header.
        let mut headers = spa.page_headers();
        headers.retain(|(name, _)| *name != "origin");
        headers.extend([("origin", origin), ("content-type", FORM)]);
        let form = encode(&[("grant_type", "refresh_token"), ("client_id", "spa")]);
        let answer = browser.fetch("/oauth2/token", &headers, form).await;
        if origin == spa.origin {
            assert_eq!(answer.header("access-control-allow-origin"), origin);
            assert_eq!(answer.header("access-control-allow-credentials"), "true");
            answer.expect_tokens();
        } else {
            assert_eq!((cors_headers(&answer), answer.set_cookies()), (vec![], vec![]), "{origin}");
            answer.expect(403);
        }
    }
    assert_eq!(provider.number("SELECT MAX(generation) FROM refresh_families").await, 1, "its own page only");
    body_mode.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn row_59_no_page_of_another_origin_reads_authorize_or_introspection() {
    let provider = TestProvider::https().await;
    let (spa, api) = (provider.client("spa"), provider.client("api"));
    let proof = format!("Basic {}", STANDARD.encode(format!("api:{}", api.secret())));
    for origin in FOREIGN.into_iter().chain([spa.origin.as_str()]) {
        let authorize = provider.get_with(&spa.ask().path(), &[("origin", origin)]).await;
        let headers = [("origin", origin), ("authorization", proof.as_str())];
        let introspect = provider.post("/oauth2/introspect", &headers, &[("token", "x")]).await.expect(200);
        for answer in [authorize, introspect] {
            assert_eq!(cors_headers(&answer), Vec::<String>::new(), "{origin}");
        }
        for path in ["/oauth2/authorize", "/oauth2/introspect", "/oauth2/logout", "/login", "/consent", "/account"] {
            let asked = [("origin", origin), ("access-control-request-method", "POST")];
            let mut request = Request::options(path);
            for (name, value) in asked {
                request = request.header(name, value);
            }
            let answer = provider.send(request.body(Body::empty()).unwrap()).await.expect(403);
            assert_eq!(cors_headers(&answer), Vec::<String>::new(), "{origin} {path}");
        }
    }
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (0, 0));
}

#[tokio::test]
async fn row_59_a_preflight_is_answered_for_registered_origins() {
    let provider = TestProvider::https().await;
    let spa = provider.client("spa");
    for (path, credentials) in [
        ("/oauth2/token", "true"),
        ("/oauth2/revoke", ""),
        ("/oauth2/userinfo", ""),
        ("/oauth2/browser/logout", "true"),
    ] {
        for origin in FOREIGN.into_iter().chain([spa.origin.as_str()]) {
            let request = Request::options(path)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "x-oauth-browser")
                .body(Body::empty())
                .unwrap();
            let answer = provider.send(request).await;
            if origin == spa.origin {
                let answer = answer.expect(204);
                assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
                assert_eq!(answer.header("access-control-allow-credentials"), credentials, "{path}");
                assert_eq!(answer.header("vary"), "Origin, Access-Control-Request-Headers");
            } else {
                assert_eq!(cors_headers(&answer.expect(403)), Vec::<String>::new(), "{path} {origin}");
            }
        }
    }
    assert_eq!(provider.live_sessions().await, 0);
}
