//! Apps behind a proxy that asks us: people sign in on the way, programs show tokens, and a sign-out is felt at once.

use serde_json::Value;

use crate::support::{ALICE, Answer, BOB, Guest, NOTES, PASSWORD, PROXY, Proxy, TestProvider, WIKI, query_of};

/// Fails unless the proxy lets it pass as this person.
async fn expect_pass(provider: &TestProvider, answer: Answer, name: &str) -> Value {
    let answer = answer.expect(200);
    assert_eq!(answer.header("x-auth-subject"), provider.sub(name).await);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("vary"), "Cookie, Authorization");
    assert!(answer.body.is_empty() && answer.set_cookies().is_empty());
    provider.verify(answer.header("x-auth-token")).await.1
}

async fn is_in(guest: &Guest) -> bool {
    let answer = guest.go(Proxy::Traefik, "/").await;
    assert!([200, 302].contains(&answer.status.as_u16()), "{answer:#?}");
    answer.status == 200
}

#[tokio::test]
async fn a_person_signs_in_on_the_way_to_a_page_and_comes_back_to_it() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    assert_eq!(guest.arrive("/notes/7?edit=1&x=%2F", ALICE).await, "https://notes.shop.test/notes/7?edit=1&x=%2F");
    for proxy in Proxy::ALL {
        let answer = guest.go(proxy, "/notes/7").await;
        assert_eq!(answer.header("x-auth-email"), "alice@example.com");
        assert_eq!(answer.header("x-auth-groups"), "");
        let claims = expect_pass(&provider, answer, ALICE).await;
        assert_eq!((&claims["aud"], &claims["client_id"]), (&"https://notes.shop.test".into(), &"notes-gate".into()));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
        assert_eq!(claims["scope"], "openid email");
        assert_eq!(claims["iat"], provider.now());
    }
    // Not a page only: what its scripts, pictures and sockets ask for passes with the same cookie.
    let socket = [("sec-fetch-mode", "websocket"), ("upgrade", "websocket"), ("connection", "upgrade")];
    for (method, headers) in [("GET", &socket[..]), ("POST", &[("sec-fetch-mode", "cors")]), ("DELETE", &[])] {
        for proxy in Proxy::ALL {
            expect_pass(&provider, guest.ask(proxy, (method, "/live"), headers).await, ALICE).await;
        }
    }
    // The app sees its own cookies, never the one that opens it.
    for (others, left) in [("theme=dark; lang=en", "theme=dark; lang=en"), ("", "")] {
        let cookies = format!("{}; {others}", guest.cookies());
        let answer = provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &[("cookie", &cookies)]).await.expect(200);
        assert_eq!(answer.header("cookie"), left);
    }
    // The sign-in at the house opens the next app without a page.
    let start = provider.guest_with(WIKI, guest.browser.copied_to("192.0.2.7"));
    let begun = start.go(Proxy::Traefik, "/").await.expect(302);
    let asked = start.at_app(begun.header("location"), &[]).await.expect(303);
    let callback = start.browser.go(asked.header("location")).await.left_for().to_owned();
    assert_eq!(start.at_app(&callback, &[]).await.expect(303).header("location"), "https://wiki.shop.test/");
    assert!(is_in(&start).await);
}

#[tokio::test]
async fn roles_are_told_as_groups() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", crate::support::ADMIN).await;
    assert_eq!(guest.go(Proxy::Nginx, "/").await.expect(200).header("x-auth-groups"), "admin");
}

#[tokio::test]
async fn an_address_that_was_not_proven_is_not_told() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    provider.run("UPDATE users SET email_verified = FALSE WHERE username = 'alice'").await;
    assert_eq!(guest.go(Proxy::Nginx, "/").await.expect(200).header("x-auth-email"), "");
}

#[tokio::test]
async fn a_sign_out_is_felt_at_the_next_request() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    let other = provider.guest(NOTES);
    other.arrive("/", BOB).await;
    let session = "(SELECT id FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = 'alice'))";
    for end in ["at the house", "by an admin", "the grant", "disabled", "idle", "too old", "a new password"] {
        assert!(!is_in(&guest).await, "{end}");
        guest.arrive("/", ALICE).await;
        assert!(is_in(&guest).await, "{end}");
        match end {
            "at the house" => {
                let page = guest.browser.go("/logout").await;
                guest.browser.submit(&page, "/logout", &[]).await.expect_text("id=\"signed-out\"");
            }
            "by an admin" => {
                let sql = format!("UPDATE sessions SET ended_at = {} WHERE id IN {session}", provider.now());
                provider.run(&sql).await;
            }
            "the grant" => {
                let grant = provider.texts("SELECT id FROM grants WHERE ended_at IS NULL ORDER BY id DESC").await;
                provider.end_grant(&grant[0]).await;
                // The house still knows the person; at the app nobody is.
            }
            "disabled" => provider.disable(ALICE).await,
            // Changed elsewhere: the browser that does it stays signed in at the house.
            "a new password" => {
                let elsewhere = provider.browser();
                elsewhere.sign_in(ALICE).await;
                let page = elsewhere.go("/account/password").await;
                let new = "another fine password";
                let fields = [("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
                elsewhere.submit(&page, "/account/password", &fields).await.expect_at("/account");
            }
            "idle" => {
                let sql = format!("UPDATE sessions SET idle_expires_at = {} WHERE id IN {session}", provider.now());
                provider.run(&sql).await;
            }
            _ => {
                let sql = format!("UPDATE sessions SET expires_at = {} WHERE id IN {session}", provider.now());
                provider.run(&sql).await;
            }
        }
        assert!(!is_in(&guest).await, "{end}");
        if end == "disabled" {
            provider.enable(ALICE).await;
        }
        guest.browser.forget("sid");
    }
    assert!(is_in(&other).await, "what somebody else does is felt by nobody");
}

#[tokio::test]
async fn an_app_that_is_switched_off_lets_nobody_pass() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let (notes, wiki) = (provider.guest(NOTES), provider.guest(WIKI));
    notes.arrive("/", ALICE).await;
    wiki.arrive("/", ALICE).await;
    provider.disable_client("notes-gate").await;
    assert!(!is_in(&notes).await);
    assert!(is_in(&wiki).await);
}

#[tokio::test]
async fn an_app_whose_api_is_switched_off_lets_nobody_pass() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let (notes, wiki) = (provider.guest(NOTES), provider.guest(WIKI));
    notes.arrive("/", ALICE).await;
    wiki.arrive("/", ALICE).await;
    let shown = format!("Bearer {}", provider.client("program").own_token("notes:app").await);
    provider.disable_resource("https://notes.shop.test").await;
    provider.follow_changes().await;
    for proxy in Proxy::ALL {
        notes.go(proxy, "/").await.expect(403);
        provider.asked_by(proxy, ("GET", NOTES, "/"), &[("authorization", &shown)]).await.expect(403);
    }
    assert!(is_in(&wiki).await);
}

#[tokio::test]
async fn an_app_that_is_not_in_the_settings_any_more_lets_nobody_pass() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let (notes, wiki) = (provider.guest(NOTES), provider.guest(WIKI));
    notes.arrive("/", ALICE).await;
    wiki.arrive("/", ALICE).await;
    let later = provider.twin(|config| config.gateway.apps.retain(|app| app.host == WIKI)).await;
    for proxy in Proxy::ALL {
        let (gone, left) = (notes.cookies(), wiki.cookies());
        later.asked_by(proxy, ("GET", NOTES, "/"), &[("cookie", &gone)]).await.expect(403);
        later.asked_by(proxy, ("GET", WIKI, "/"), &[("cookie", &left)]).await.expect(200);
    }
    // Nor is the visit worth anything to the client that took the place of the one it was made for.
    let changed = provider.twin(|config| config.gateway.apps[0].client_id = "wiki-gate".to_owned()).await;
    let cookies = notes.cookies();
    changed.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &[("cookie", &cookies)]).await.expect(401);
}

#[tokio::test]
async fn a_cookie_that_opens_nothing_goes_with_the_next_sign_in() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    let start = async || {
        let start = provider.guest(NOTES).go(Proxy::Traefik, "/").await.header("location").to_owned();
        guest.at_app(&start, &[]).await.expect(303).set_cookies().len()
    };
    assert_eq!(start().await, 1, "who is signed in stays so, whatever another tab begins");
    assert!(is_in(&guest).await);
    let page = guest.browser.go("/logout").await;
    guest.browser.submit(&page, "/logout", &[]).await;
    assert_eq!(start().await, 2);
    assert!(!guest.cookies().contains("__Host-Http-fa="), "{}", guest.cookies());
    assert!(guest.cookies().contains("__Host-Http-fa-state="));
}

#[tokio::test]
async fn using_the_app_keeps_the_session_awake_until_its_end() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    let hours = 3600;
    for _ in 0..23 {
        provider.advance(7 * hours).await;
        assert!(is_in(&guest).await);
    }
    provider.advance(7 * hours).await;
    assert!(!is_in(&guest).await, "a week is the end");
    guest.arrive("/", ALICE).await;
    provider.advance(8 * hours).await;
    assert!(!is_in(&guest).await, "unused for too long");
}

#[tokio::test]
async fn a_token_is_handed_out_again_for_seconds_only() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    guest.arrive("/", ALICE).await;
    let token = async || guest.go(Proxy::Nginx, "/").await.expect(200).header("x-auth-token").to_owned();
    let first = token().await;
    provider.advance(4).await;
    assert_eq!(token().await, first);
    provider.advance(1).await;
    assert_ne!(token().await, first);
    // It is a token like any other: those who check tokens learn that it is revoked.
    let claims = provider.verify(&first).await.1;
    assert!(claims["status"]["status_list"]["uri"].as_str().unwrap().starts_with(provider.issuer()));
    assert_eq!(
        claims["gid"].as_str(),
        provider.texts("SELECT grant_id FROM gateway_sessions").await.first().map(String::as_str)
    );
}

#[tokio::test]
async fn programs_show_access_tokens() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let program = provider.client("program");
    let token = program.own_token("notes:app").await;
    let shown = format!("Bearer {token}");
    for proxy in Proxy::ALL {
        let answer = provider.asked_by(proxy, ("POST", NOTES, "/api"), &[("authorization", &shown)]).await.expect(200);
        assert_eq!((answer.header("x-auth-subject"), answer.header("x-auth-email")), ("program", ""));
        let claims = provider.verify(answer.header("x-auth-token")).await.1;
        assert_eq!((&claims["aud"], &claims["scope"]), (&"https://notes.shop.test".into(), &"notes:app".into()));
        assert_eq!(claims["exp"].as_i64().unwrap() - provider.now(), 60);
    }
    // Made for another API, or for another app: 401, and nobody is led anywhere.
    let other = format!("Bearer {}", program.own_token("notes:read").await);
    for (host, shown) in [(NOTES, other.as_str()), (WIKI, &shown), (NOTES, "Bearer x"), (NOTES, "Bearer")] {
        for proxy in Proxy::ALL {
            let navigation = [("authorization", shown), ("sec-fetch-mode", "navigate")];
            let answer = provider.asked_by(proxy, ("GET", host, "/api"), &navigation).await.expect(401);
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:#?}");
            assert!(answer.header("location").is_empty() && answer.header("x-auth-redirect").is_empty());
        }
    }
    // What is left of its life is all that the app's own token gets.
    provider.advance(900 - 10).await;
    let answer = provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &[("authorization", &shown)]).await.expect(200);
    let claims = provider.verify(answer.header("x-auth-token")).await.1;
    assert_eq!(claims["exp"].as_i64().unwrap() - provider.now(), 10);
    provider.advance(10).await;
    provider.asked_by(Proxy::Nginx, ("GET", NOTES, "/"), &[("authorization", &shown)]).await.expect(401);
}

#[tokio::test]
async fn a_persons_token_passes_until_it_is_revoked() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let metadata = serde_json::json!({
        "application_type": "web", "redirect_uris": ["https://cli.example/callback"], "scope": "openid email notes:app",
    });
    let app = provider.register("cli", metadata).await;
    let token = app.token_of(ALICE, "openid email notes:app").await;
    let shown = format!("Bearer {token}");
    let ask = async |headers: &[(&str, &str)]| provider.asked_by(Proxy::Traefik, ("GET", NOTES, "/"), headers).await;
    let answer = ask(&[("authorization", &shown)]).await;
    assert_eq!(answer.header("x-auth-email"), "alice@example.com");
    let claims = expect_pass(&provider, answer, ALICE).await;
    assert_eq!((&claims["client_id"], &claims["scope"]), (&"cli".into(), &"openid email notes:app".into()));
    // The token decides alone, also beside a cookie that would do.
    let guest = provider.guest(NOTES);
    guest.arrive("/", BOB).await;
    let cookies = guest.cookies();
    expect_pass(&provider, ask(&[("authorization", &shown), ("cookie", &cookies)]).await, ALICE).await;
    app.revoke(&token).await.expect(200);
    ask(&[("authorization", &shown)]).await.expect(401);
    ask(&[("authorization", &shown), ("cookie", &cookies)]).await.expect(401);
    // What an app brings for itself is not ours to judge.
    expect_pass(&provider, ask(&[("authorization", "Basic YTpi"), ("cookie", &cookies)]).await, BOB).await;
}

#[tokio::test]
async fn signing_out_at_the_app_signs_out_of_the_house() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let (notes, wiki) = (provider.guest(NOTES), provider.guest(WIKI));
    notes.arrive("/", ALICE).await;
    wiki.browser.sign_in(BOB).await;
    let out = notes.at_app("https://notes.shop.test/.frontdesk/logout", &[("sec-fetch-site", "same-origin")]).await;
    let location = out.expect(303).header("location").to_owned();
    assert!(!is_in(&notes).await, "before the house has answered");
    assert!(!notes.cookies().contains("fa="));
    assert!(location.starts_with("https://id.shop.test/oauth2/logout?id_token_hint="), "{location}");
    assert_eq!(notes.browser.go(&location).await.left_for(), "https://notes.shop.test/");
    assert_eq!(provider.live_sessions().await, 1, "the other person stays");
    // Nobody is there any more: the house says so.
    let again = notes.at_app("https://notes.shop.test/.frontdesk/logout", &[("sec-fetch-site", "none")]).await;
    let location = again.expect(303).header("location").to_owned();
    assert_eq!(query_of(&location, "id_token_hint"), None);
    notes.browser.go(&location).await.expect_text("id=\"signed-out\"");
}

#[tokio::test]
async fn two_tabs_sign_in_side_by_side() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    let first = guest.go(Proxy::Traefik, "/one").await.header("location").to_owned();
    let second = guest.go(Proxy::Traefik, "/two").await.header("location").to_owned();
    let first = guest.sign_in_at(&first, ALICE).await;
    let second = guest.sign_in_at(&second, ALICE).await;
    assert_eq!(guest.at_app(&first, &[]).await.expect(303).header("location"), "https://notes.shop.test/one");
    assert_eq!(guest.at_app(&second, &[]).await.expect(303).header("location"), "https://notes.shop.test/two");
    assert!(is_in(&guest).await);
    assert_eq!(provider.end_reasons().await, ["replaced"], "the first sign-in has no cookie any more");
}

#[tokio::test]
async fn a_person_who_stays_signed_in_stays_so_at_the_app() {
    let provider = TestProvider::with_apps_behind_a_proxy().await;
    let guest = provider.guest(NOTES);
    let page = guest.browser.go("/login").await;
    let fields = [("username", ALICE), ("password", PASSWORD), ("remember", "1")];
    guest.browser.submit(&page, "/login", &fields).await.expect_at("/account");
    let start = guest.go(Proxy::Traefik, "/").await.header("location").to_owned();
    let callback = guest.sign_in_at(&start, ALICE).await;
    let cookie = guest.at_app(&callback, &[]).await.expect(303).set_cookies().remove(0);
    assert!(cookie.contains("Max-Age=604800"), "{cookie}");
}

#[tokio::test]
async fn in_development_the_cookies_have_plain_names() {
    let host = "notes.localhost:9000";
    let provider = TestProvider::with(|config| {
        config.gateway.apps = vec![frontdesk::config::GatewayApp {
            host: host.to_owned(),
            client_id: "notes-gate".to_owned(),
            audience: format!("https://{host}"),
            scope: frontdesk::domain::scope::ScopeSet::parse("openid").unwrap(),
        }];
    })
    .await;
    provider.register_gate("notes-gate", &format!("http://{host}")).await;
    // A proxy on the same machine is believed here, and only here.
    let ask = async |from: &str, cookie: &str| {
        let headers =
            [("x-original-url", "http://notes.localhost:9000/a"), ("accept", "text/html"), ("cookie", cookie)];
        provider.send_from(from, "/forward-auth/nginx", &headers).await
    };
    ask(PROXY, "").await.expect(403);
    let start = ask("127.0.0.1:1", "").await.expect(401).header("x-auth-redirect").to_owned();
    let start = start.strip_prefix("http://notes.localhost:9000").unwrap();
    let begun = provider.send_from("127.0.0.1:1", start, &[("host", host)]).await.expect(303);
    let state = begun.set_cookies().remove(0);
    assert!(state.starts_with("dev-fa-state=") && !state.contains("Secure"), "{state}");
    let browser = provider.browser();
    let page = browser.go(begun.header("location")).await;
    let callback = browser.answer_all(page, ALICE).await.left_for().replace("http://notes.localhost:9000", "");
    let headers = [("host", host), ("cookie", state.split(';').next().unwrap())];
    let arrived = provider.send_from("127.0.0.1:1", &callback, &headers).await.expect(303);
    assert_eq!(arrived.header("location"), "http://notes.localhost:9000/a");
    let cookie = arrived.set_cookies().remove(0);
    assert!(cookie.starts_with("dev-fa="), "{cookie}");
    ask("127.0.0.1:1", cookie.split(';').next().unwrap()).await.expect(200);
}
