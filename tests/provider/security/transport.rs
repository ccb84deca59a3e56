//! What strangers write into a request about where it came from and where it goes. What needs a socket stands in
//! `tests/http_server`.

use axum::body::Body;
use axum::http::Request;

use crate::support::{ALICE, PASSWORD, TestProvider, encode};

/// Headers by which proxies tell of the client, as a stranger would write them.
const CLAIMS: [(&str, &str); 24] = [
    ("x-forwarded-for", "198.51.100.66"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-for", "::1"),
    ("x-forwarded-for", "198.51.100.66, 127.0.0.1"),
    ("x-forwarded-for", "unknown"),
    ("x-forwarded-for", ""),
    ("x-real-ip", "127.0.0.1"),
    ("x-client-ip", "127.0.0.1"),
    ("x-cluster-client-ip", "127.0.0.1"),
    ("true-client-ip", "127.0.0.1"),
    ("cf-connecting-ip", "127.0.0.1"),
    ("client-ip", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1;proto=http;host=evil.example"),
    ("forwarded", "for=\"[::1]\""),
    ("via", "1.1 evil.example"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-server", "evil.example"),
    ("x-host", "evil.example"),
    ("x-original-host", "evil.example"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-scheme", "http"),
    ("x-forwarded-port", "1"),
    ("front-end-https", "off"),
    ("x-forwarded-prefix", "/evil"),
];

#[tokio::test]
async fn row_138_where_a_request_came_from_is_not_what_a_stranger_says() {
    let provider = TestProvider::with(|config| {
        crate::support::on_https(config);
        config.passwords.attempts_per_account_and_network = 3;
    })
    .await;
    let plain = provider.get("/.well-known/openid-configuration").await.expect(200).body;
    let stranger = provider.browser();
    let page = stranger.go("/login").await;
    let csrf = page.hidden("/login", "csrf");
    let cookie = format!("__Host-Http-browser={}", stranger.cookie("browser").unwrap());
    let own = provider.issuer().to_owned();
    let mut compared = 0;
    for (name, value) in CLAIMS {
        let headers = [(name, value), ("cookie", cookie.as_str()), ("origin", own.as_str())];
        // Each from what it says is another network: it is one all the same.
        let form = [("csrf", csrf.as_str()), ("username", ALICE), ("password", "a guess")];
        let answer = provider.post("/login", &headers, &form).await;
        compared += usize::from(answer.status == 200);
        assert!(matches!(answer.status.as_u16(), 200 | 429), "{name}: {value}");
        let answer = provider.get_with("/.well-known/openid-configuration", &[(name, value)]).await.expect(200);
        assert_eq!(answer.body, plain, "{name}: {value}");
        let answer = provider.get_with("/account", &[(name, value)]).await.expect(303);
        assert_eq!(answer.header("location"), "/login", "{name}: {value}");
        let answer = provider.get_with("/login", &[(name, value)]).await.expect(200);
        let cookies = answer.set_cookies();
        assert!(cookies.iter().all(|line| line.contains("; Secure") && !line.contains("Domain")), "{cookies:?}");
        assert!(!answer.body.contains("evil.example"), "{name}: {value}");
        assert!(!answer.headers.values().any(|own| own.as_bytes().windows(12).any(|part| part == b"evil.example")));
    }
    assert_eq!(compared, 3);
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 5, "one network in the throttle");
}

#[tokio::test]
async fn row_138_a_trusted_proxy_is_believed_about_the_address_and_about_nothing_else() {
    let provider = TestProvider::with(|config| {
        crate::support::on_https(config);
        config.server.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
        config.passwords.attempts_per_account_and_network = 1;
    })
    .await;
    let browser = provider.browser();
    let page = browser.go("/login").await;
    let csrf = page.hidden("/login", "csrf");
    let cookie = format!("__Host-Http-browser={}", browser.cookie("browser").unwrap());
    let own = provider.issuer().to_owned();
    let tried = async |forwarded: &str| {
        let headers = [
            ("x-forwarded-for", forwarded),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("cookie", &cookie),
            ("origin", &own),
        ];
        let form = [("csrf", csrf.as_str()), ("username", ALICE), ("password", "a guess")];
        provider.post("/login", &headers, &form).await.status.as_u16()
    };
    assert_eq!(tried("198.51.100.1").await, 200);
    // What stands to the left was written by the client, not by the proxy.
    for spoofed in ["10.0.0.1, 198.51.100.1", "1.1.1.1,2.2.2.2,198.51.100.1", "127.0.0.1, 198.51.100.99"] {
        assert_eq!(tried(spoofed).await, 429, "{spoofed}");
    }
    assert_eq!(tried("203.0.113.1").await, 200, "another network");
    assert_eq!(provider.live_sessions().await, 0);
}

#[tokio::test]
async fn row_138_a_foreign_host_changes_no_address_of_ours() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let plain = provider.get("/.well-known/openid-configuration").await.expect(200).body;
    for host in [
        "evil.example",
        "id.shop.test.evil.example",
        "evil.example:443",
        "id.shop.test:8443",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "id.shop.test@evil.example",
        "ID.SHOP.TEST",
        "id.shop.test.",
        "",
    ] {
        let ask = |method: &str, path: &str, body: String| {
            let request = Request::builder().method(method).uri(path).header("host", host);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            provider.send(request.body(Body::from(body)).unwrap())
        };
        let answer = ask("GET", "/.well-known/openid-configuration", String::new()).await;
        assert_eq!(answer.body, plain, "{host}");
        let answer = ask("GET", &app.ask().path(), String::new()).await.expect(303);
        assert!(answer.header("location").starts_with("/login?txn="), "{host}: {answer:#?}");
        // A form that stands on a page of that name is foreign.
        let form = encode(&[("username", ALICE), ("password", PASSWORD)]);
        let request = Request::builder().method("POST").uri("/login").header("host", host);
        let request = request.header("origin", format!("https://{host}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        provider.send(request.body(Body::from(form)).unwrap()).await.expect(403);
    }
    // In the request line, as to a proxy.
    let request = Request::builder().uri("https://evil.example/.well-known/openid-configuration");
    let answer = provider.send(request.header("host", "evil.example").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.body, plain);
    assert_eq!(provider.live_sessions().await, 0);
}

#[tokio::test]
async fn row_138_a_head_or_body_above_its_limit_reaches_no_handler() {
    let provider = TestProvider::https().await;
    let web = provider.client("web");
    let code = web.code_of(ALICE).await;
    let long = "x".repeat(70_000);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.code.as_str()),
        ("redirect_uri", code.redirect_uri.as_str()),
        ("code_verifier", "wrong"),
        ("padding", long.as_str()),
    ];
    web.token(&form).await.expect(413);
    for (name, value) in
        [("x-long", "x".repeat(33_000)), ("cookie", "a=b; ".repeat(8_000)), ("authorization", "y".repeat(40_000))]
    {
        provider.post("/oauth2/token", &[(name, &value)], &form[..4]).await.expect(431);
    }
    provider.get(&format!("/oauth2/authorize?state={}", "x".repeat(40_000))).await.expect(431);
    for path in ["/oauth2/revoke", "/oauth2/introspect", "/oauth2/browser/logout", "/oauth2/userinfo"] {
        let answer = web.post(path, &[("token", &long), ("access_token", &long)]).await;
        assert_eq!(answer.status.as_u16(), 413, "{path}");
        assert!(!answer.header("request-id").is_empty(), "{path}");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NULL AND used_at IS NULL").await, 1);
    web.redeem(&code).await.expect_tokens();
}
