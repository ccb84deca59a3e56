//! Rows 56 to 59: bodies and methods that are not taken, ways to get tokens that do not exist, scopes of people asked for by
//! machines, and answers that somebody else could keep. Who may read them is in `other_origins`.

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
