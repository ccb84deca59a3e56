//! Row 122: every door of the admin's room, tried without the right that it asks for. The doors are those of the table that the
//! router is made from: a new one is in these tests before anybody thinks of it.

use axum::body::Body;
use axum::http::{Method, Request};
use frontdesk::http::admin::table::{Door, Right, doors};
use serde_json::json;

use crate::support::{ADMIN, ALICE, Answer, Browser, PASSWORD, TestProvider, encode};

async fn knock(provider: &TestProvider, method: &Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    provider.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Everything that a change could change.
async fn standing(provider: &TestProvider) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT id || ' ' || roles || ' ' || COALESCE(disabled_at, 0) || ' ' || not_before FROM users ORDER BY id",
        "SELECT client_id || ' ' || COALESCE(disabled_at, 0) || ' ' || not_before || ' ' || status_index FROM clients ORDER BY client_id",
        "SELECT id || ' ' || COALESCE(ended_at, 0) FROM sessions ORDER BY id",
        "SELECT id || ' ' || COALESCE(ended_at, 0) FROM grants ORDER BY id",
        "SELECT user_id || ' ' || client_id FROM consents ORDER BY user_id, client_id",
        "SELECT kid || ' ' || mac FROM signing_keys ORDER BY kid",
        "SELECT client_id || ' ' || kid FROM key_canaries ORDER BY client_id, kid",
    ] {
        all.extend(provider.texts(sql).await);
    }
    all
}

async fn refused(provider: &TestProvider) -> Vec<String> {
    provider.texts("SELECT subject || ' ' || data FROM audit WHERE action = 'admin.refused' ORDER BY id").await
}

fn is_api(door: &Door) -> bool {
    matches!(door.right, Right::ApiLook | Right::ApiChange)
}

/// What a form of ours comes with.
fn own(provider: &TestProvider) -> Vec<(&str, &str)> {
    vec![
        ("origin", provider.issuer()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ]
}

async fn csrf(browser: &Browser) -> String {
    let page = browser.go("/account").await;
    let page = if page.path.starts_with("/login") { ("/login", page) } else { ("/logout", page) };
    encode(&[("csrf", &page.1.hidden(page.0, "csrf"))])
}

/// People who may not come in, each with what the answer is.
struct Stranger {
    name: &'static str,
    browser: Browser,
    known: bool,
}

/// A caller by name: what it brings, the answer's status and error, and whether it is known who it is.
type Caller = (&'static str, Vec<(&'static str, String)>, u16, &'static str, bool);

#[test]
fn row_122_nothing_leads_into_the_room_past_its_table() {
    let router = include_str!("../../../src/http/router.rs");
    assert!(router.contains("admin::table::routes()"));
    let code = router.lines().filter(|line| !line.trim().starts_with("//"));
    let named: Vec<&str> = code.filter(|line| line.contains("admin")).collect();
    assert_eq!(named.len(), 2, "the import and the table, and no route of its own: {named:?}");
    let table = doors();
    assert!(table.len() > 40 && table.iter().all(|door| door.path == "/admin" || door.path.starts_with("/admin/")));
    for door in &table {
        assert_eq!(is_api(door), door.path.starts_with("/admin/api/"), "{door:?}");
        let changes = matches!(door.right, Right::Change | Right::Prove | Right::ApiChange);
        assert_eq!(changes, door.method == Method::POST, "{door:?}");
        assert!(changes || door.method == Method::GET, "{door:?}");
    }
}

#[tokio::test]
async fn row_122_no_page_opens_without_the_right() {
    let provider = TestProvider::https().await;
    let panel = provider.panel().await;
    let (nobody, alice, direct, over) =
        (provider.browser(), provider.browser(), provider.browser(), provider.browser());
    nobody.go("/login").await;
    provider.client("web").tokens_at(&alice, ALICE).await;
    let wish = json!({ "username": ADMIN, "password": PASSWORD });
    provider.client("direct").fetch_json(&direct, "/auth/login", wish).await.expect_tokens();
    over.elevated().await;
    let (ended, worth) = (over.all_cookies(), panel.token_of(ADMIN, "frontdesk:admin").await);
    let page = over.go("/account").await;
    over.submit(&page, "/logout", &[]).await.expect(200);
    let strangers = [
        Stranger { name: "nobody", browser: nobody, known: false },
        Stranger { name: "an ordinary person", browser: alice, known: true },
        Stranger { name: "an admin at the form of an app", browser: direct, known: true },
    ];
    let before = standing(&provider).await;
    let mut tried = 0;
    for door in doors().iter().filter(|door| !is_api(door)) {
        let address = provider.address(door.path).await;
        for stranger in &strangers {
            let (what, ordinary) =
                (format!("{} at {} {address}", stranger.name, door.method), stranger.name.contains("ordinary"));
            let recorded = refused(&provider).await.len();
            let cookies = stranger.browser.all_cookies();
            let mut headers = vec![("cookie", cookies.as_str())];
            let form = csrf(&stranger.browser).await;
            if door.method == Method::POST {
                headers.extend(own(&provider));
            }
            let answer = knock(&provider, &door.method, &address, &headers, &form).await;
            if ordinary {
                assert_eq!(answer.status, 403, "{what}: {answer:#?}");
                assert!(answer.body.contains("access_denied"), "{what}");
            } else {
                assert_eq!(answer.status, 303, "{what}: {answer:#?}");
                assert!(answer.header("location").starts_with("/login?to=%2Fadmin"), "{what}: {answer:#?}");
            }
            assert!(!answer.body.contains("alice@example.com") && !answer.body.contains("Ada"), "{what}");
            let new = refused(&provider).await.len() - recorded;
            assert_eq!(new, usize::from(door.method == Method::POST && stranger.known), "{what}: audited");
            tried += 1;
        }
        // A session that is over, and a token that is not for pages.
        let bearer = format!("Bearer {worth}");
        for headers in [vec![("cookie", ended.as_str())], vec![("authorization", bearer.as_str())]] {
            let answer = knock(&provider, &door.method, &address, &headers, "").await;
            let expected = if door.method == Method::POST { 403 } else { 303 };
            assert_eq!(answer.status, expected, "{address} {headers:?}");
        }
    }
    assert!(tried >= 60, "{tried}");
    assert_eq!(standing(&provider).await, before);
}

#[tokio::test]
async fn row_122_nothing_is_changed_without_elevation_or_from_elsewhere() {
    let provider = TestProvider::https().await;
    let (plain, elevated) = (provider.browser(), provider.browser());
    provider.client("web").tokens_of(ALICE).await;
    plain.sign_in(ADMIN).await;
    elevated.elevated().await;
    let before = standing(&provider).await;
    let mut expected = Vec::new();
    for door in doors().iter().filter(|door| !is_api(door)) {
        let address = provider.address(door.path).await;
        let cookies = [plain.all_cookies(), elevated.all_cookies()];
        let form = [csrf(&plain).await, csrf(&elevated).await];
        match door.right {
            // Looking needs no elevation, and is not possible without being asked from the page itself either.
            Right::Look => {
                knock(&provider, &door.method, &address, &[("cookie", &cookies[0])], "").await.expect(200);
            }
            Right::Ask => {
                let answer = knock(&provider, &door.method, &address, &[("cookie", &cookies[0])], "").await;
                assert_eq!(answer.status, 303, "{address}");
                assert!(answer.header("location").starts_with("/admin/elevate?to=%2Fadmin"), "{answer:#?}");
                knock(&provider, &door.method, &address, &[("cookie", &cookies[1])], "").await.expect(200);
            }
            Right::Change | Right::Prove => {
                if door.right == Right::Change {
                    let mut headers = own(&provider);
                    headers.push(("cookie", &cookies[0]));
                    let answer = knock(&provider, &door.method, &address, &headers, &form[0]).await;
                    assert_eq!(answer.status, 303, "{address}");
                    assert!(answer.header("location").starts_with("/admin/elevate?to=%2Fadmin"), "{answer:#?}");
                    expected.push(format!("{address} {{\"guard\":\"elevation\"}}"));
                }
                let content = ("content-type", "application/x-www-form-urlencoded");
                let ours = ("origin", provider.issuer());
                for (guard, headers, form) in [
                    ("csrf", own(&provider), String::new()),
                    ("csrf", own(&provider), encode(&[("csrf", "AAAA")])),
                    // That of another browser.
                    ("csrf", own(&provider), form[0].clone()),
                    ("csrf", own(&provider), format!("{0}&{0}", form[1])),
                    ("csrf", vec![ours, ("content-type", "text/plain")], form[1].clone()),
                    ("origin", vec![content], form[1].clone()),
                    ("origin", vec![("origin", "null"), content], form[1].clone()),
                    ("origin", vec![("origin", "https://evil.test"), content], form[1].clone()),
                    ("origin", vec![("origin", "https://app.shop.test"), content], form[1].clone()),
                    ("sec-fetch-site", vec![ours, ("sec-fetch-site", "same-site"), content], form[1].clone()),
                ] {
                    let mut headers = headers.clone();
                    headers.push(("cookie", &cookies[1]));
                    let answer = knock(&provider, &door.method, &address, &headers, &form).await;
                    assert_eq!(answer.status, 403, "{address} {guard} {headers:?}: {answer:#?}");
                    assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{address} {guard}");
                    expected.push(format!("{address} {{\"guard\":\"{guard}\"}}"));
                }
            }
            Right::ApiLook | Right::ApiChange => unreachable!(),
        }
    }
    assert_eq!(standing(&provider).await, before);
    assert_eq!(refused(&provider).await, expected);
    assert!(expected.len() > 100);
}

#[tokio::test]
async fn row_122_the_api_opens_to_the_right_token_alone() {
    let provider = TestProvider::https().await;
    let (robot, panel) = (provider.robot().await, provider.panel().await);
    let unflagged = json!({ "application_type": "service", "scope": "notes:read" });
    let other = provider.register("other", unflagged).await;
    let browser = provider.browser();
    browser.elevated().await;
    provider.client("web").tokens_of(ALICE).await;
    let cookies = browser.all_cookies();

    // A client that was flagged once, and a person who was an admin once.
    let flagged = json!({ "application_type": "service", "scope": "frontdesk:admin", "admin_api": true });
    let once = provider.register("once", flagged).await.own_token("frontdesk:admin").await;
    provider.run("UPDATE clients SET settings = replace(settings, '\"admin_api\":true', '\"admin_api\":false') WHERE client_id = 'once'").await;
    provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'clients'").await;
    provider.follow_changes().await;
    let revoked = robot.own_token("frontdesk:admin").await;
    robot.revoke(&revoked).await.expect(200);
    let signed_in = panel.tokens_of(ADMIN).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let strangers: Vec<Caller> = vec![
        ("nothing", vec![], 401, "", false),
        ("the cookies of an elevated admin", vec![("cookie", cookies)], 401, "", false),
        ("no token of ours", vec![("authorization", bearer("abc"))], 401, "invalid_token", false),
        ("a revoked token", vec![("authorization", bearer(&revoked))], 401, "invalid_token", false),
        ("a refresh token", vec![("authorization", bearer(&signed_in.refresh))], 401, "invalid_token", false),
        ("an ID token", vec![("authorization", bearer(&signed_in.id))], 401, "invalid_token", false),
        (
            "a token for an API",
            vec![("authorization", bearer(&other.own_token("notes:read").await))],
            401,
            "invalid_token",
            true,
        ),
        (
            "a flagged client's token for an API",
            vec![("authorization", bearer(&robot.own_token("notes:read").await))],
            401,
            "invalid_token",
            true,
        ),
        (
            "a token for an API and us",
            vec![("authorization", bearer(&panel.token_of(ADMIN, "openid notes:read frontdesk:admin").await))],
            401,
            "invalid_token",
            true,
        ),
        (
            "a token without the scope",
            vec![("authorization", bearer(&panel.token_of(ADMIN, "openid").await))],
            403,
            "insufficient_scope",
            true,
        ),
        (
            "an ordinary person's token",
            vec![("authorization", bearer(&panel.token_of(ALICE, "openid frontdesk:admin").await))],
            403,
            "insufficient_scope",
            true,
        ),
        (
            "a client that is not flagged any more",
            vec![("authorization", bearer(&once))],
            403,
            "insufficient_scope",
            true,
        ),
    ];
    let before = standing(&provider).await;
    for door in doors().iter().filter(|door| is_api(door)) {
        let address = provider.address(door.path).await;
        for (name, headers, status, error, known) in &strangers {
            let recorded = refused(&provider).await.len();
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = knock(&provider, &door.method, &address, &headers, "").await;
            assert_eq!(answer.status, *status, "{name} at {address}: {answer:#?}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Bearer realm=\"oauth2\""), "{name} at {address}: {answer:#?}");
            assert!(challenge.contains(error), "{name} at {address}: {answer:#?}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{name} at {address}");
            assert!(!answer.body.contains("alice@example.com"), "{name} at {address}");
            let new = refused(&provider).await.len() - recorded;
            assert_eq!(new, usize::from(*known && door.right == Right::ApiChange), "{name} at {address}: audited");
        }
    }
    assert_eq!(standing(&provider).await, before);

    // And to the right one it opens, so all this was not for nothing.
    for door in doors().iter().filter(|door| is_api(door)) {
        let address = provider.address(door.path).await;
        // A fresh one each time: one of these doors throws out the key that signed it.
        let token = bearer(&robot.own_token("frontdesk:admin").await);
        let what = match address.rsplit('/').next() {
            Some("revoke") => r#"{"reason":"lost"}"#,
            Some("canary") => r#"{"client_id":"web"}"#,
            _ => "",
        };
        let answer = knock(&provider, &door.method, &address, &[("authorization", &token)], what).await;
        // A key that has not been published for long is turned later, and no app tries it yet.
        let expected = match address.rsplit('/').next() {
            Some("rotate") => 202,
            Some("canary") => 409,
            _ => 200,
        };
        answer.expect(expected);
    }
    assert_ne!(standing(&provider).await, before);
}

#[tokio::test]
async fn row_122_no_other_method_and_no_other_spelling_leads_in() {
    let provider = TestProvider::https().await;
    let robot = provider.robot().await;
    let browser = provider.browser();
    browser.elevated().await;
    let (cookies, token) = (browser.all_cookies(), format!("Bearer {}", robot.own_token("frontdesk:admin").await));
    let table = doors();
    let before = standing(&provider).await;
    for door in &table {
        let address = provider.address(door.path).await;
        for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let method: Method = method.parse().unwrap();
            let there = |wanted: &Method| table.iter().any(|other| other.path == door.path && other.method == wanted);
            if there(&method) || (method == Method::HEAD && there(&Method::GET)) {
                continue;
            }
            let headers = [
                ("cookie", cookies.as_str()),
                ("authorization", token.as_str()),
                ("origin", "https://app.shop.test"),
                ("access-control-request-method", "POST"),
                ("x-http-method-override", "POST"),
            ];
            let answer = knock(&provider, &method, &address, &headers, "").await;
            assert!([403, 405].contains(&answer.status.as_u16()), "{method} {address}: {answer:#?}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{method} {address}");
        }
        // HEAD says no more to strangers than GET does.
        if door.method == Method::GET {
            let answer = knock(&provider, &Method::HEAD, &address, &[], "").await;
            assert!([303, 401].contains(&answer.status.as_u16()), "{address}: {answer:#?}");
        }
        for spelling in [
            format!("/{address}"),
            format!("{address}/"),
            address.replace("/admin", "/Admin"),
            address.replace("/admin", "/%61dmin"),
            address.replace("/admin", "/admin;x=1"),
            address.replace("/admin", "/static/../admin"),
        ] {
            let answer = knock(&provider, &door.method, &spelling, &[], "").await;
            assert!(![200, 500].contains(&answer.status.as_u16()), "{spelling}: {answer:#?}");
        }
    }
    assert_eq!(standing(&provider).await, before);
}
