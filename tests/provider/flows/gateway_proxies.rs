//! What each proxy is told who asks about a request that may not pass.

use crate::support::{INSIDE, NOTES, PROXY, Proxy, TestProvider};

const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");

#[tokio::test]
async fn nginx_is_told_401_and_where_people_sign_in() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let answer = provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/a?b=c"), &[NAVIGATION]).await.expect(401);
    assert!(answer.header("x-auth-redirect").starts_with("https://notes.shop.test/.frontdesk/start?to="));
    assert!(answer.header("location").is_empty());
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"oauth2\"");
    for headers in [&[("sec-fetch-mode", "cors")][..], &[("accept", "application/json")], &[]] {
        let answer = provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), headers).await.expect(401);
        assert_eq!(answer.header("x-auth-redirect"), "");
        assert_eq!((answer.header("cache-control"), answer.header("vary")), ("no-store", "Cookie, Authorization"));
    }
}

#[tokio::test]
async fn what_traefik_and_envoy_are_told_goes_to_the_browser_as_it_is() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    for proxy in [Proxy::Traefik, Proxy::Envoy] {
        let answer = provider.asked_by(proxy, ("GET", NOTES, "/a"), &[NAVIGATION]).await.expect(302);
        assert!(answer.header("location").starts_with("https://notes.shop.test/.frontdesk/start?to="));
        assert_eq!((answer.header("cache-control"), answer.header("vary")), ("no-store", "Cookie, Authorization"));
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        for headers in [&[("sec-fetch-mode", "cors"), ("accept", "text/html")][..], &[("upgrade", "websocket")], &[]] {
            let answer = provider.asked_by(proxy, ("GET", NOTES, "/a"), headers).await.expect(401);
            assert_eq!(answer.header("location"), "");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"oauth2\"");
        }
    }
}

#[tokio::test]
async fn envoy_asks_with_the_method_and_the_path_of_the_request() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", "alice").await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for path in ["/", "/a/b/c?d=e", "/forward-auth/envoy", "//a", "/login"] {
            guest.ask(Proxy::Envoy, (method, path), &[]).await.expect(200);
            provider.asked_by(Proxy::Envoy, (method, NOTES, path), &[]).await.expect(401);
        }
    }
}

#[tokio::test]
async fn after_a_form_people_come_back_to_the_front_page() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    for (method, path, back) in [("GET", "/new", "/new"), ("HEAD", "/new", "/new"), ("POST", "/new", "/")] {
        for proxy in Proxy::ALL {
            let guest = provider.guest(NOTES);
            let answer = guest.ask(proxy, (method, path), &[NAVIGATION]).await;
            let start = answer.header(if proxy == Proxy::Nginx { "x-auth-redirect" } else { "location" }).to_owned();
            let callback = guest.sign_in_at(&start, "alice").await;
            let arrived = guest.at_app(&callback, &[]).await.expect(303);
            assert_eq!(arrived.header("location"), format!("https://notes.shop.test{back}"), "{method} {proxy:?}");
        }
    }
}

#[tokio::test]
async fn a_database_that_is_away_lets_nobody_pass() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", "alice").await;
    provider.app().clock.advance(std::time::Duration::from_secs(31));
    for proxy in Proxy::ALL {
        let answer = guest.go(proxy, "/").await.expect(503);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-auth-subject"), "");
    }
}

#[tokio::test]
async fn who_shows_nothing_good_too_often_is_told_to_wait() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", "alice").await;
    let from = [
        INSIDE,
        ("x-forwarded-for", "198.51.100.9"),
        ("authorization", "Bearer x"),
        ("x-original-url", "https://notes.shop.test/"),
    ];
    let mut last = 0;
    for _ in 0..3_001 {
        last = provider.send_from(PROXY, "/forward-auth/nginx", &from).await.status.as_u16();
    }
    assert_eq!(last, 429);
    // In the same network strangers who show something wait too; elsewhere nobody does, and neither does who has yet to sign in.
    let here = [("x-forwarded-for", "198.51.100.10")];
    guest.ask(Proxy::Nginx, ("GET", "/"), &here).await.expect(429);
    guest.go(Proxy::Nginx, "/").await.expect(200);
    // Who passed lately is no stranger, as a person and as a program, until that is over.
    for _ in 0..200 {
        guest.ask(Proxy::Nginx, ("GET", "/picture"), &here).await.expect(200);
    }
    let shown = format!("Bearer {}", provider.client("program").own_token("notes:app").await);
    let program = [("authorization", shown.as_str()), here[0]];
    provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &program).await.expect(429);
    provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &program[..1]).await.expect(200);
    provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &program).await.expect(200);
    let page = guest.browser.go("/logout").await;
    guest.browser.submit(&page, "/logout", &[]).await;
    guest.ask(Proxy::Nginx, ("GET", "/"), &here).await.expect(429);
    let nothing = [("x-forwarded-for", "198.51.100.9")];
    provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &nothing).await.expect(401);
}
