use super::*;

use std::io::Write;
use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::{get, post};
use tower::ServiceExt as _;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::Issuer;
use crate::http::extract::form::StrictForm;
use crate::http::reply::json::Refusal;
use crate::oauth::error::OAuthError;

fn config() -> Config {
    let mut config = Config::default();
    config.server.issuer = Issuer::parse("https://id.example.com").unwrap();
    config.server.tls.certificate = Some("certificate.pem".into());
    config.server.tls.key = Some("key.pem".into());
    config.limits.body_bytes = 64;
    config
}

async fn panicking() -> &'static str {
    panic!("deliberate")
}

fn router(config: &Config) -> Router {
    Router::new()
        .route("/page/{name}", get(|| async { "page" }))
        .route("/panic", get(panicking))
        .route("/never", get(std::future::pending::<()>))
        .route("/oauth2/userinfo", get(std::future::pending::<()>))
        .route("/auth/login", get(panicking))
        .route("/who", get(|visit: Visit| async move { format!("{} {}", visit.id, visit.address) }))
        .route("/oauth2/token", post(|StrictForm(_)| async { "ok" }))
        .route("/.well-known/jwks.json", get(|| async { "{}" }))
        .route(
            "/refused",
            get(|| async {
                tracing::info!("deeper down");
                Refusal::from(OAuthError::invalid_grant("the code has expired"))
            }),
        )
        .fallback(not_found)
        .layer(Front::new(config, Arc::new(Brand::plain("Frontdesk".to_owned()))))
}

async fn send(config: &Config, request: Request) -> Response {
    router(config).oneshot(request).await.unwrap()
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 16).await.unwrap().to_vec()).unwrap()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// The answer, and what was logged at `level` and above on the way.
async fn logged(level: tracing::Level, request: Request) -> (Response, String) {
    logged_with(&config(), level, request).await
}

async fn logged_with(config: &Config, level: tracing::Level, request: Request) -> (Response, String) {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(level).with_writer(lines.clone()).with_ansi(false).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let response = send(config, request).await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    (response, text)
}

#[tokio::test]
async fn every_answer_has_an_id_of_ours_and_the_headers() {
    for path in ["/page/a", "/nowhere", "/refused"] {
        let request = request("GET", path).header("request-id", "mine").body(Body::empty()).unwrap();
        let response = send(&config(), request).await;
        let id = response.headers()["request-id"].to_str().unwrap();
        assert_eq!(id.len(), 22, "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains");
    }
    let development = Config::default();
    let response = send(&development, request("GET", "/page/a").body(Body::empty()).unwrap()).await;
    assert!(!response.headers().contains_key("strict-transport-security"));
    let mut without = config();
    without.server.hsts = false;
    let response = send(&without, request("GET", "/page/a").body(Body::empty()).unwrap()).await;
    assert!(!response.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn handlers_know_id_and_address() {
    let mut config = config();
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let response =
        send(&config, request("GET", "/who").header("x-forwarded-for", "203.0.113.9").body(Body::empty()).unwrap())
            .await;
    let id = response.headers()["request-id"].to_str().unwrap().to_owned();
    assert_eq!(text(response).await, format!("{id} 203.0.113.9"));
}

#[tokio::test]
async fn a_panic_is_500_with_the_id_and_nothing_more() {
    let (response, log) = logged(tracing::Level::INFO, request("GET", "/panic").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = response.headers()["request-id"].to_str().unwrap().to_owned();
    let body = text(response).await;
    assert!(body.contains(&id) && !body.contains("deliberate"), "{body}");
    assert!(log.contains("deliberate") && log.contains(&id), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_given_up() {
    let response = send(&config(), request("GET", "/never").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(response.headers().contains_key("request-id"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_programs_in_json_and_to_people_on_a_page() {
    for (path, status, error, retry) in
        [("/oauth2/userinfo", 503, "temporarily_unavailable", Some("1")), ("/auth/login", 500, "server_error", None)]
    {
        let response =
            send(&config(), request("GET", path).header("accept", "text/html").body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), retry);
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["error"], error);
    }
    for (path, status, words) in
        [("/never", 503, "We are very busy"), ("/panic", 500, "Something went wrong on our side")]
    {
        let response =
            send(&config(), request("GET", path).header("accept", "text/html").body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let id = response.headers()["request-id"].to_str().unwrap().to_owned();
        let page = text(response).await;
        assert!(page.contains(words) && page.contains(&id) && !page.contains("deliberate"), "{page}");
    }
    let bare = send(&config(), request("GET", "/panic").body(Body::empty()).unwrap()).await;
    assert_eq!(bare.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn what_came_past_the_proxy_has_a_line_that_says_so() {
    let peer = ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 1)));
    let mut config = config();
    config.server.tls = crate::config::Tls::default();
    let request =
        request("GET", "/page/a").header("host", "id.example.com").extension(peer).body(Body::empty()).unwrap();
    let (response, log) = logged_with(&config, tracing::Level::INFO, request).await;
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(log.contains("status=421") && log.contains("server.trusted_proxies"), "{log}");
    assert!(log.contains("client=203.0.113.9"), "{log}");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_without_detail() {
    let response = send(&config(), request("GET", "/nowhere").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(text(response).await, "");
    let response = send(&config(), request("DELETE", "/oauth2/token").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "POST");
}

#[tokio::test]
async fn large_bodies_are_refused_declared_or_not() {
    let form = || request("POST", "/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
    let response = send(&config(), form().header("content-length", "65").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(response.headers()["connection"], "close");
    let response = send(&config(), form().body(Body::from("a".repeat(65))).unwrap()).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let response = send(&config(), form().body(Body::from("a".repeat(64))).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_ambiguous_host_is_refused() {
    let peer = ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 1)));
    for (hosts, status) in [(0, 400), (1, 200), (2, 400)] {
        let mut request = request("GET", "/page/a").extension(peer).body(Body::empty()).unwrap();
        for _ in 0..hosts {
            request.headers_mut().append(HOST, HeaderValue::from_static("id.example.com"));
        }
        assert_eq!(send(&config(), request).await.status().as_u16(), status, "{hosts}");
    }
}

#[tokio::test]
async fn one_line_tells_the_route_and_no_secret() {
    let request = request("GET", "/page/secret-path?code=secret-query")
        .header("cookie", "a=secret-cookie")
        .header("authorization", "Bearer secret-token")
        .body(Body::empty())
        .unwrap();
    let (response, log) = logged(tracing::Level::TRACE, request).await;
    let id = response.headers()["request-id"].to_str().unwrap();
    assert!(log.contains(id) && log.contains("/page/{name}") && log.contains("status=200"), "{log}");
    assert!(!log.contains("secret"), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn documents_and_calls_are_quiet_until_they_fail() {
    let empty = Body::empty;
    let quiet = request("GET", "/.well-known/jwks.json").body(empty()).unwrap();
    assert_eq!(logged(tracing::Level::INFO, quiet).await.1, "");
    let heard = request("GET", "/.well-known/jwks.json").body(empty()).unwrap();
    assert!(logged(tracing::Level::DEBUG, heard).await.1.contains("jwks.json"));
    let form = "application/x-www-form-urlencoded";
    let good = request("POST", "/oauth2/token").header("content-type", form).body(Body::from("a=1")).unwrap();
    assert_eq!(logged(tracing::Level::INFO, good).await.1, "");
    let bad = request("POST", "/oauth2/token").body(empty()).unwrap();
    let (_, log) = logged(tracing::Level::INFO, bad).await;
    assert!(log.contains("error=\"invalid_request\"") && log.contains("content type"), "{log}");
}

#[tokio::test]
async fn events_below_carry_the_id_and_refusals_their_code() {
    let (response, log) = logged(tracing::Level::INFO, request("GET", "/refused").body(Body::empty()).unwrap()).await;
    let id = response.headers()["request-id"].to_str().unwrap();
    let deeper = log.lines().find(|line| line.contains("deeper down")).unwrap();
    assert!(deeper.contains(id), "{deeper}");
    let line = log.lines().find(|line| line.contains("invalid_grant")).unwrap();
    assert!(line.contains("the code has expired") && line.contains("status=400"), "{line}");
}

#[tokio::test]
async fn a_head_above_the_limit_is_refused() {
    let mut config = config();
    config.limits.header_bytes = 100;
    for (length, status) in [(10, 200), (100, 431)] {
        let request = request("GET", "/page/a").header("x", "y".repeat(length)).body(Body::empty()).unwrap();
        assert_eq!(send(&config, request).await.status().as_u16(), status);
    }
}

#[tokio::test]
async fn what_is_answered_at_once_has_the_same_around_it() {
    let mut config = config();
    config.server.tls = Config::default().server.tls;
    config.server.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    let front = Front::new(&config, Arc::new(Brand::plain("Frontdesk".to_owned())));
    let (proxy, stranger) = (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([203, 0, 113, 9], 1)));
    for (path, peer, status) in
        [("/.well-known/jwks.json", proxy, 200), ("/.well-known/jwks.json", stranger, 421), ("/panic", proxy, 500)]
    {
        let asked = || {
            let request = request("GET", path).header("host", "a").header("x-forwarded-for", "198.51.100.7");
            request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
        };
        let (by_route, route_log) = logged_with(&config, tracing::Level::DEBUG, asked()).await;
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(lines.clone())
            .with_ansi(false)
            .finish();
        let at_once = tracing::subscriber::with_default(subscriber, || {
            front.at_once(&asked(), peer, path, |_| match path {
                "/panic" => panic!("deliberate"),
                _ => "{}".into_response(),
            })
        });
        let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!((by_route.status().as_u16(), at_once.status().as_u16()), (status, status), "{path} {peer}");
        let told = |response: &Response| {
            let mut headers = response.headers().clone();
            assert!(headers.remove("request-id").is_some());
            // Written by the router, which the server does for what does not pass it.
            headers.remove("content-length");
            headers
        };
        assert_eq!(told(&by_route), told(&at_once), "{path} {peer}");
        assert!(at_once.headers().contains_key("strict-transport-security"));
        let client = if peer == proxy { "client=198.51.100.7" } else { "client=203.0.113.9" };
        for log in [&route_log, &log] {
            assert!(log.contains(client) && log.contains(&format!("status={status}")), "{log}");
            assert!(log.contains(&format!("route=\"{path}\"")), "{log}");
            assert_eq!(log.contains("deliberate"), status == 500, "{log}");
        }
        let id = at_once.headers()["request-id"].to_str().unwrap();
        assert!(log.contains(id), "{log}");
    }
}
