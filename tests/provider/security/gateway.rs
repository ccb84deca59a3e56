//! Forward-auth in hostile hands: who asks, for which host, with what; and the sign-in that other people's browsers are led into.

use crate::support::{ALICE, Answer, BOB, Guest, INSIDE, NOTES, PROXY, Proxy, TestProvider, WIKI, query_of};

const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");

fn start_of(answer: &Answer) -> String {
    answer.header("location").to_owned()
}

async fn expect_stranger(guest: &Guest) {
    guest.go(Proxy::Traefik, "/").await.expect(302);
}

#[tokio::test]
async fn only_a_proxy_that_the_operator_named_is_answered() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    let cookies = guest.cookies();
    let headers = [
        ("host", NOTES),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-original-url", "https://notes.shop.test/"),
        ("cookie", cookies.as_str()),
        ("x-forwarded-host", NOTES),
    ];
    for (path, headers) in [
        ("/forward-auth/nginx", &headers[..4]),
        ("/forward-auth/traefik", &headers),
        ("/forward-auth/envoy/", &headers[..4]),
    ] {
        provider.send_from(PROXY, path, headers).await.expect(200);
        // Not even loopback, on https.
        for stranger in ["192.0.2.7:1", "127.0.0.1:1", "[::1]:1"] {
            expect_nothing(&provider.send_from(stranger, path, headers).await);
        }
    }
}

fn expect_nothing(answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer:#?}");
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("x-auth")), "{answer:#?}");
}

#[tokio::test]
async fn what_a_proxy_hands_on_is_not_its_own_question() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    let cookies = guest.cookies();
    let shown = [("cookie", cookies.as_str()), ("x-original-url", "https://notes.shop.test/"), NAVIGATION];
    // By the issuer's own name, whatever else the request says of hosts, and however the proxy wrote it down.
    for named in [
        &[("host", "id.shop.test"), ("x-forwarded-host", NOTES)][..],
        &[("host", "ID.shop.test:8443"), ("x-forwarded-host", NOTES)],
        &[("host", "id.shop.test.")],
        &[("host", "frontdesk"), ("x-forwarded-host", "id.shop.test")],
        &[("host", NOTES), ("x-forwarded-host", "id.shop.test")],
        &[("host", NOTES), ("x-forwarded-host", "notes.shop.test, id.shop.test")],
    ] {
        for path in ["/forward-auth/nginx", "/forward-auth/traefik", "/forward-auth/envoy/"] {
            expect_nothing(&provider.send_from(PROXY, path, &[&shown, named].concat()).await);
        }
    }
    // By the way of the sign-in on the app's host, where a proxy that reads paths otherwise than we do leads this here.
    let way = [("host", NOTES), ("x-forwarded-host", NOTES)];
    for path in ["/forward-auth/nginx", "/forward-auth/envoy/..%2f..%2f.frontdesk/start", "/forward-auth/envoy/"] {
        expect_nothing(&provider.send_from(PROXY, path, &[&shown[..], &way].concat()).await);
    }
    for proxy in Proxy::ALL {
        guest.go(proxy, "/").await.expect(200);
    }
}

#[tokio::test]
async fn a_host_that_is_no_apps_is_refused_and_so_is_none() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    let cookies = guest.cookies();
    let good = [("cookie", cookies.as_str()), NAVIGATION];
    for host in ["evil.test", "id.shop.test", "notes.shop.test.evil.test", "notes.shop.test:444", "x@notes.shop.test"] {
        for proxy in [Proxy::Nginx, Proxy::Traefik] {
            let answer = provider.asked_by(proxy, ("GET", host, "/"), &good).await.expect(403);
            assert!(answer.header("x-auth-redirect").is_empty() && answer.header("location").is_empty());
        }
    }
    for path in ["/forward-auth/nginx", "/forward-auth/traefik", "/forward-auth/envoy/"] {
        provider.send_from(PROXY, path, &[&good[..], &[INSIDE]].concat()).await.expect(403);
        let two = [INSIDE, ("x-forwarded-host", "notes.shop.test, evil.test"), good[0]];
        provider.send_from(PROXY, path, &two).await.expect(403);
    }
    // Written in another way it is the same host.
    provider.asked_by(Proxy::Traefik, ("GET", "Notes.Shop.Test:443", "/"), &good).await.expect(200);
}

#[tokio::test]
async fn a_header_that_apps_may_take_for_one_of_ours_is_refused() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    for name in ["x_auth_groups", "x-auth_subject", "x.auth.email", "x_auth.token", "x_auth_redirect"] {
        for proxy in Proxy::ALL {
            let answer = guest.ask(proxy, ("GET", "/"), &[(name, "admin")]).await.expect(403);
            assert!(answer.header("x-auth-subject").is_empty(), "{name}");
        }
    }
    guest.ask(Proxy::Traefik, ("GET", "/"), &[("x_auth_other", "x")]).await.expect(200);
}

#[tokio::test]
async fn what_is_said_on_the_host_of_an_app_says_nothing_of_its_neighbours() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    for proxy in Proxy::ALL {
        let denied = guest.go(proxy, "/").await;
        assert!(denied.header("strict-transport-security").is_empty(), "{denied:#?}");
    }
    let start = start_of(&guest.go(Proxy::Traefik, "/").await);
    assert!(guest.at_app(&start, &[]).await.header("strict-transport-security").is_empty());
    assert!(!provider.get("/login").await.header("strict-transport-security").is_empty());
}

#[tokio::test]
async fn what_the_settings_no_longer_tell_an_app_is_not_told_by_older_visits() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    assert!(!guest.go(Proxy::Nginx, "/").await.header("x-auth-email").is_empty());
    let less = provider
        .twin(|config| {
            for app in &mut config.gateway.apps {
                app.scope = frontdesk::domain::scope::ScopeSet::parse("openid").unwrap();
            }
        })
        .await;
    let cookies = guest.cookies();
    let answer = less.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &[("cookie", cookies.as_str())]).await.expect(200);
    assert!(answer.header("x-auth-email").is_empty(), "{answer:#?}");
}

#[tokio::test]
async fn headers_that_a_browser_made_up_are_never_repeated() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let made_up = [
        ("x-auth-subject", "admin"),
        ("x-auth-email", "admin@example.com"),
        ("x-auth-groups", "admin"),
        ("x-auth-token", "made up"),
        ("x-auth-redirect", "https://evil.test/"),
        NAVIGATION,
    ];
    let guest = provider.guest(NOTES);
    for proxy in Proxy::ALL {
        let answer = provider.asked_by(proxy, ("GET", NOTES, "/"), &made_up).await;
        assert!(!format!("{:?}", answer.headers).contains("evil.test"), "{answer:#?}");
        for name in ["x-auth-subject", "x-auth-email", "x-auth-groups", "x-auth-token"] {
            assert!(!answer.headers.contains_key(name), "{answer:#?}");
        }
    }
    guest.arrive("/", BOB).await;
    for proxy in Proxy::ALL {
        let answer = guest.ask(proxy, ("GET", "/"), &made_up).await.expect(200);
        assert_eq!(answer.header("x-auth-subject"), provider.sub(BOB).await);
        assert_eq!(answer.header("x-auth-email"), "bob@example.com");
        assert_eq!((answer.header("x-auth-groups"), answer.header("x-auth-redirect")), ("", ""));
    }
}

#[tokio::test]
async fn on_an_apps_host_nothing_else_of_ours_is_served() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    for path in
        ["/", "/login", "/account", "/admin", "/oauth2/token", "/.well-known/jwks.json", "/static/style.css", "/readyz"]
    {
        for (from, headers) in [
            (PROXY, &[("host", NOTES), ("accept", "text/html")][..]),
            (PROXY, &[("host", "id.shop.test"), ("x-forwarded-host", NOTES), ("accept", "text/html")]),
            (PROXY, &[("host", NOTES), ("x-forwarded-host", "id.shop.test"), ("accept", "text/html")]),
            // What can be read in two ways, one of them an app's, and what cannot be read.
            (PROXY, &[("host", "id.shop.test"), ("x-forwarded-host", "id.shop.test, notes.shop.test")]),
            (PROXY, &[("host", "id.shop.test"), ("x-forwarded-host", NOTES), ("x-forwarded-host", "id.shop.test")]),
            (PROXY, &[("host", "id.shop.test"), ("x-forwarded-host", "x@id.shop.test")]),
            ("192.0.2.7:1", &[("host", "NOTES.shop.test:443"), ("accept", "text/html")]),
            ("192.0.2.7:1", &[("host", "notes.shop.test."), ("accept", "text/html")]),
        ] {
            let answer = provider.send_from(from, path, headers).await.expect(404);
            assert!(answer.body.is_empty() && answer.set_cookies().is_empty(), "{path}: {answer:#?}");
        }
    }
    // A stranger's word about the host counts for nothing.
    let forged = [("host", "id.shop.test"), ("x-forwarded-host", NOTES)];
    provider.send_from("192.0.2.7:1", "/login", &forged).await.expect(200);
    for path in ["/.frontdesk/start", "/.frontdesk/callback", "/.frontdesk/logout"] {
        provider.send_from(PROXY, path, &[("host", "id.shop.test")]).await.expect(404);
        provider.send_from(PROXY, path, &[("host", "evil.test")]).await.expect(404);
    }
    for path in ["/.frontdesk/", "/.frontdesk/start/x", "/.frontdesk/other"] {
        provider.send_from(PROXY, path, &[("host", NOTES)]).await.expect(404);
    }
}

#[tokio::test]
async fn the_cookie_of_one_app_is_worth_nothing_at_another() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let (notes, wiki) = (provider.guest(NOTES), provider.guest(WIKI));
    notes.arrive("/", ALICE).await;
    wiki.plant(&notes);
    expect_stranger(&wiki).await;
    // Nor is what the house itself gives its browsers, or any other thing of ours.
    for value in [notes.browser.cookie("sid").unwrap(), notes.browser.cookie("browser").unwrap(), "fd_fa_".to_owned()] {
        let cookie = format!("__Host-Http-fa={value}");
        provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &[("cookie", &cookie)]).await.expect(401);
    }
    // A second value under the same name: one of them was planted.
    let two = format!("{}; __Host-Http-fa=other", notes.cookies());
    provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &[("cookie", &two)]).await.expect(401);
}

#[tokio::test]
async fn a_sign_in_ends_only_in_the_browser_it_began_in() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let (attacker, victim) = (provider.guest(NOTES), provider.guest(NOTES));
    let start = start_of(&attacker.go(Proxy::Traefik, "/").await);
    let callback = attacker.sign_in_at(&start, BOB).await;
    // Without a state cookie, and with one of its own.
    let refused = victim.at_app(&callback, &[]).await.expect(400);
    assert!(refused.body.contains("id=\"error-page\"") && refused.set_cookies().is_empty());
    let own = start_of(&victim.go(Proxy::Traefik, "/").await);
    let own = victim.sign_in_at(&own, ALICE).await;
    victim.at_app(&callback, &[]).await.expect(400);
    // The attacker's code with the victim's state.
    let code = query_of(&callback, "code").unwrap();
    let mixed = own.replace(&query_of(&own, "code").unwrap(), &code);
    assert_ne!(mixed, own);
    victim.at_app(&mixed, &[]).await.expect(400);
    expect_stranger(&victim).await;
    // Nothing of that keeps the rightful browser out.
    attacker.at_app(&callback, &[]).await.expect(400);
    let start = start_of(&attacker.go(Proxy::Traefik, "/").await);
    let callback = attacker.sign_in_at(&start, BOB).await;
    attacker.at_app(&callback, &[]).await.expect(303);
    let answer = attacker.go(Proxy::Nginx, "/").await.expect(200);
    assert_eq!(answer.header("x-auth-subject"), provider.sub(BOB).await);
}

#[tokio::test]
async fn a_callback_works_once() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    let start = start_of(&guest.go(Proxy::Traefik, "/page").await);
    let callback = guest.sign_in_at(&start, ALICE).await;
    let thief = provider.guest(NOTES);
    thief.plant(&guest);
    guest.at_app(&callback, &[]).await.expect(303);
    // A copy of everything that the browser had before.
    let answer = thief.at_app(&callback, &[]).await.expect(400);
    assert!(answer.set_cookies().is_empty(), "{answer:#?}");
    expect_stranger(&thief).await;
    // The back button: the person is in already, and nothing happens to that.
    let again = guest.at_app(&callback, &[]).await.expect(303);
    assert_eq!((again.header("location"), again.set_cookies().len()), ("https://notes.shop.test/", 0));
    guest.go(Proxy::Nginx, "/").await.expect(200);
    assert_eq!(provider.number("SELECT COUNT(*) FROM gateway_flows").await, 0);
}

#[tokio::test]
async fn a_sign_in_that_took_too_long_begins_anew() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    let start = start_of(&guest.go(Proxy::Traefik, "/page").await);
    let begun = guest.at_app(&start, &[]).await.expect(303);
    provider.advance(15 * 60).await;
    let page = guest.browser.go(begun.header("location")).await;
    let callback = guest.browser.answer_all(page, ALICE).await.left_for().to_owned();
    let refused = guest.at_app(&callback, &[]).await.expect(400);
    assert!(refused.body.contains("href=\"https://notes.shop.test/\""), "{refused:#?}");
    // What the proxy handed out then leads to the front page now.
    let callback = guest.sign_in_at(&start, ALICE).await;
    assert_eq!(guest.at_app(&callback, &[]).await.expect(303).header("location"), "https://notes.shop.test/");
}

#[tokio::test]
async fn answers_that_are_not_ours_or_no_answers_sign_nobody_in() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    for change in ["iss", "error", "no code", "state of another host"] {
        let guest = provider.guest(NOTES);
        let start = start_of(&guest.go(Proxy::Traefik, "/page").await);
        let callback = guest.sign_in_at(&start, ALICE).await;
        let code = query_of(&callback, "code").unwrap();
        let answer = match change {
            "iss" => guest.at_app(&callback.replace("iss=https%3A%2F%2Fid.", "iss=https%3A%2F%2Fevil."), &[]).await,
            "error" => guest.at_app(&callback.replace(&format!("code={code}"), "error=access_denied"), &[]).await,
            "no code" => guest.at_app(&callback.replace(&format!("code={code}"), "x=y"), &[]).await,
            _ => {
                let elsewhere = provider.guest(WIKI);
                elsewhere.plant(&guest);
                elsewhere.at_app(&callback.replace(NOTES, WIKI), &[]).await
            }
        };
        assert!(
            (400..500).contains(&answer.status.as_u16()) && answer.set_cookies().is_empty(),
            "{change}: {answer:#?}"
        );
        expect_stranger(&guest).await;
        if change != "state of another host" {
            assert!(answer.body.contains("href=\"https://notes.shop.test/page\""), "{change}: {answer:#?}");
            guest.at_app(&callback, &[]).await.expect(400);
        }
    }
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    for path in ["//evil.test", "/\\evil.test", "/.frontdesk/logout", "//evil.test/%2e%2e"] {
        let guest = provider.guest(NOTES);
        // Not every one of them can be sent in an address, but a proxy may hand on what it got.
        for proxy in [Proxy::Nginx, Proxy::Traefik] {
            let answer = provider.asked_by(proxy, ("GET", NOTES, path), &[NAVIGATION]).await;
            let start = answer.header(if proxy == Proxy::Nginx { "x-auth-redirect" } else { "location" }).to_owned();
            let callback = guest.sign_in_at(&start, ALICE).await;
            let arrived = guest.at_app(&callback, &[]).await.expect(303);
            assert_eq!(arrived.header("location"), "https://notes.shop.test/", "{path}");
        }
    }
    let guest = provider.guest(NOTES);
    for to in ["https://evil.test/", "//evil.test", "%2F%2Fevil.test", "%5C%5Cevil.test", "AAAA"] {
        let callback = guest.sign_in_at(&format!("https://notes.shop.test/.frontdesk/start?to={to}"), ALICE).await;
        let arrived = guest.at_app(&callback, &[]).await.expect(303);
        assert_eq!(arrived.header("location"), "https://notes.shop.test/", "{to}");
    }
    // What was written down for one host counts at no other.
    let start = start_of(&provider.guest(NOTES).go(Proxy::Traefik, "/secret/path").await);
    let wiki = provider.guest(WIKI);
    let callback = wiki.sign_in_at(&start.replace(NOTES, WIKI), ALICE).await;
    assert_eq!(wiki.at_app(&callback, &[]).await.expect(303).header("location"), "https://wiki.shop.test/");
}

#[tokio::test]
async fn a_foreign_page_signs_nobody_out() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    for headers in [&[("sec-fetch-site", "cross-site")][..], &[("sec-fetch-site", "same-site")], &[]] {
        let answer = guest.at_app("https://notes.shop.test/.frontdesk/logout", headers).await.expect(303);
        assert!(answer.set_cookies().is_empty(), "{answer:#?}");
        let location = answer.header("location").to_owned();
        assert_eq!(query_of(&location, "id_token_hint"), None);
        // The house asks.
        guest.browser.come(&location).await.expect(200).expect_text("id=\"logout-confirm\"");
        guest.go(Proxy::Nginx, "/").await.expect(200);
    }
}

#[tokio::test]
async fn what_a_page_loads_by_itself_signs_nobody_out() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    let own = ("sec-fetch-site", "same-origin");
    for headers in [
        &[own, ("sec-fetch-dest", "image")][..],
        &[own, ("sec-fetch-dest", "iframe")],
        &[own, ("sec-fetch-dest", "empty")],
        &[own, ("sec-fetch-dest", "document"), ("sec-purpose", "prefetch;prerender")],
    ] {
        let answer = guest.at_app("https://notes.shop.test/.frontdesk/logout", headers).await.expect(400);
        assert!(answer.set_cookies().is_empty() && answer.header("location").is_empty(), "{answer:#?}");
        guest.go(Proxy::Nginx, "/").await.expect(200);
    }
    let going = [own, ("sec-fetch-dest", "document")];
    guest.at_app("https://notes.shop.test/.frontdesk/logout", &going).await.expect(303);
    expect_stranger(&guest).await;
}

#[tokio::test]
async fn a_visit_never_outlives_the_session_whatever_is_asked_for() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    let start = start_of(&guest.go(Proxy::Traefik, "/").await);
    let begun = guest.at_app(&start, &[]).await.expect(303);
    let asked =
        begun.header("location").replace("scope=openid+email", "scope=openid+email+offline_access&prompt=consent");
    let page = guest.browser.go(&asked).await;
    let callback = guest.browser.answer_all(page, ALICE).await.left_for().to_owned();
    guest.at_app(&callback, &[]).await.expect(303);
    let ends = "SELECT CAST(g.expires_at - s.expires_at AS TEXT) FROM grants g JOIN sessions s ON s.id = g.session_id";
    assert_eq!(provider.texts(ends).await, ["0"]);
    let page = guest.browser.go("/logout").await;
    guest.browser.submit(&page, "/logout", &[]).await;
    expect_stranger(&guest).await;
    assert_eq!(provider.live_grants().await, 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM refresh_families").await, 0);
}

#[tokio::test]
async fn a_grant_in_the_database_that_is_not_genuine_lets_nobody_pass() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let (alice, bob) = (provider.guest(NOTES), provider.guest(NOTES));
    alice.arrive("/", ALICE).await;
    bob.arrive("/", BOB).await;
    let alices = provider.user(ALICE).await;
    provider.run(&format!("UPDATE grants SET user_id = '{alices}'")).await;
    alice.go(Proxy::Nginx, "/").await.expect(200);
    bob.go(Proxy::Nginx, "/").await.expect(401);
}

#[tokio::test]
async fn neither_cookie_is_written_down() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    let start = start_of(&guest.go(Proxy::Traefik, "/").await);
    let begun = guest.at_app(&start, &[]).await;
    let state = query_of(begun.header("location"), "state").unwrap();
    for column in ["id", "digest", "browser", "path"] {
        let stored = provider.texts(&format!("SELECT {column} FROM gateway_flows")).await.remove(0);
        assert!(!stored.is_empty() && stored != state && !stored.contains(&state), "{column}");
        let shown = guest.cookies();
        let mut values = shown.split("; ").map(|cookie| cookie.split_once('=').unwrap().1);
        assert!(values.all(|value| !stored.contains(value)), "{column}");
    }
    guest.forget();
    guest.arrive("/", ALICE).await;
    let cookies = guest.cookies();
    let value = cookies.split("__Host-Http-fa=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let stored = provider.texts("SELECT id || digest || host FROM gateway_sessions").await.join("");
    assert!(!stored.contains(&value[6..]), "only a digest is kept");
}
