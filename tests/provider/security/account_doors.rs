//! Rooms that open to one person only, by whatever path and method one knocks.

use axum::body::Body;
use axum::http::{Method, Request};

use crate::support::{ADMIN, ALICE, Answer, BOB, TestProvider};

/// Every route of the house, read from where they stand: a new room is in this test before anybody thinks of it.
const ROUTER: &str = include_str!("../../../src/http/router.rs");

/// The paths under `/account`, and whether they take GET and POST.
fn rooms() -> Vec<(String, bool, bool)> {
    let routes = ROUTER.lines().filter_map(|line| line.trim().strip_prefix(".route(\"/account"));
    routes
        .map(|rest| {
            let (path, handlers) = rest.split_once('"').unwrap();
            let path = format!("/account{path}").replace("{client}", "web");
            (path, handlers.contains("get("), handlers.contains("post("))
        })
        .collect()
}

async fn knock(provider: &TestProvider, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    provider.send(request.body(Body::empty()).unwrap()).await
}

/// Nothing that only Alice may see.
#[track_caller]
fn shows_nothing(answer: &Answer, what: &str) {
    for hers in ["Alice Test", "alice@example.com", "The web app"] {
        assert!(!answer.body.contains(hers), "{what}: {answer:#?}");
    }
}

#[tokio::test]
async fn row_122_every_room_of_the_account_is_closed_without_a_session_of_its_person() {
    let provider = TestProvider::https().await;
    let app = provider.client("web");
    let (hers, ended, bobs) = (provider.browser(), provider.browser(), provider.browser());
    let tokens = app.tokens_at(&hers, ALICE).await;
    ended.sign_in(ALICE).await;
    let over = ended.cookie("sid").unwrap();
    let page = ended.go("/account").await;
    ended.submit(&page, "/logout", &[]).await;
    bobs.sign_in(BOB).await;
    let live = hers.cookie("sid").unwrap();
    let cookie = |value: &str| format!("__Host-Http-sid={value}");
    let strangers = [
        Vec::new(),
        vec![("cookie", cookie(&over))],
        vec![("cookie", cookie(&format!("{}AAAA", &live[..live.len() - 4])))],
        vec![("cookie", cookie(&live.replace("fd_ss_", "fd_ac_")))],
        vec![("cookie", cookie(""))],
        // Another's value beside it: nobody can tell which was planted.
        vec![("cookie", format!("{}; {}", cookie(&live), cookie(&over)))],
        // The development name means nothing here.
        vec![("cookie", format!("dev-sid={live}; sid={live}"))],
        vec![("authorization", format!("Bearer {}", tokens.access))],
        vec![("authorization", format!("Bearer {live}"))],
    ];
    let rooms = rooms();
    assert!(rooms.len() >= 8, "{rooms:?}");
    for (path, get, post) in &rooms {
        for headers in &strangers {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            if *get {
                let answer = knock(&provider, &Method::GET, path, &headers).await;
                let seen = (answer.status.as_u16(), answer.header("location"));
                assert_eq!(seen, (303, "/login"), "{path} {headers:?}");
            }
            if *post {
                let mut headers = headers.clone();
                headers.extend([
                    ("origin", provider.issuer()),
                    ("sec-fetch-site", "same-origin"),
                    ("content-type", "application/x-www-form-urlencoded"),
                ]);
                let answer = knock(&provider, &Method::POST, path, &headers).await;
                assert_eq!(answer.status.as_u16(), 403, "{path} {headers:?}");
            }
        }
        if *get {
            let page = bobs.go(path).await;
            shows_nothing(&page.answer, path);
        }
    }
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (2, 1));
    assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 1);
}

#[tokio::test]
async fn row_122_no_other_spelling_of_a_path_or_method_opens_a_room() {
    let provider = TestProvider::https().await;
    let app = provider.client("web");
    let hers = provider.browser();
    app.tokens_at(&hers, ALICE).await;
    let cookie = format!(
        "__Host-Http-sid={}; __Host-Http-browser={}",
        hers.cookie("sid").unwrap(),
        hers.cookie("browser").unwrap()
    );
    // Spellings that a proxy may read as something else than we do. Even with her own session none of them is a room.
    for path in [
        "/account;x",
        "/account;jsessionid=1",
        "/account/;/sessions",
        "/account/sessions;x=.css",
        "//account",
        "///account/sessions",
        "/account//sessions",
        "/account/",
        "/account/sessions/",
        "/./account",
        "/static/../account",
        "/login/..;/account",
        "/%61ccount",
        "/account%2fsessions",
        "/account%2Fsessions",
        "/account%5csessions",
        "/account%00",
        "/account%20",
        "/account%3b",
        "/ACCOUNT",
        "/Account/Sessions",
        "/account/sessions.json",
        "/account/sessions%2e",
        "/account/../account",
        "/account/%2e%2e/account",
        "/acc%C5%8Funt",
    ] {
        let answer = knock(&provider, &Method::GET, path, &[("cookie", &cookie)]).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}: {answer:#?}");
        shows_nothing(&answer, path);
    }
    // A method in a header or a field is none.
    for (name, value) in [
        ("x-http-method-override", "POST"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "PUT"),
        ("x-original-url", "/account/sessions"),
        ("x-rewrite-url", "/account/sessions"),
        ("x-forwarded-prefix", "/account"),
        ("x-original-method", "POST"),
    ] {
        let answer =
            knock(&provider, &Method::GET, "/account/sessions/end-others?_method=POST", &[(name, value)]).await;
        assert_eq!(answer.status.as_u16(), 405, "{name}");
        let answer = knock(&provider, &Method::GET, "/healthz", &[(name, value), ("cookie", &cookie)]).await;
        shows_nothing(&answer, name);
    }
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "Post"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = knock(&provider, &method, "/account/sessions", &[("cookie", &cookie)]).await;
        assert_eq!(answer.status.as_u16(), 405, "{method}");
        assert!(!answer.header("allow").is_empty(), "{method}");
        shows_nothing(&answer, method.as_str());
    }
    hers.go("/account/sessions").await.expect(200);
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (1, 1));
}

#[tokio::test]
async fn row_122_what_no_table_names_is_not_there() {
    let provider = TestProvider::https().await;
    let (admin, alice) = (provider.browser(), provider.browser());
    admin.sign_in(ADMIN).await;
    let token = provider.client("own").tokens_at(&alice, ALICE).await.access;
    for path in ["/admin/", "/admin/nothing", "/admin/api/v1/users", "/admin/api/v2/people", "/metrics"] {
        for browser in [&admin, &alice] {
            browser.go(path).await.expect(404);
        }
        let bearer = format!("Bearer {token}");
        let answer = provider.get_with(path, &[("authorization", &bearer)]).await.expect(404);
        assert_eq!(answer.header("www-authenticate"), "");
    }
}
