//! Back-channel logout: apps are told that somebody signed out (OpenID Connect Back-Channel Logout 1.0).

use frontdesk::app::key_policy;
use frontdesk::domain::alg::Alg;
use frontdesk::domain::origin::Origin;
use frontdesk::tokens::consequences::Lost;
use frontdesk::tokens::key_desk::KeyDesk;
use serde_json::json;

use crate::support::{ALICE, PASSWORD, TestProvider, Told, encode};

/// A house in which the app `office` is told at a listener of its own.
async fn house(told: &Told) -> TestProvider {
    let origin = told.origin().to_owned();
    let provider = TestProvider::with(|config| {
        config.keys.algorithms = vec![Alg::ES256, Alg::RS256];
        config.outbound.allow = vec![Origin::parse(&origin).unwrap()];
    })
    .await;
    provider.register("office", office(told)).await;
    provider
}

fn office(told: &Told) -> serde_json::Value {
    json!({
        "client_name": "The office", "application_type": "web", "token_endpoint_auth_method": "client_secret_basic",
        "redirect_uris": ["https://office.example/callback"], "post_logout_redirect_uris": ["https://office.example/bye"],
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile offline_access notes:read",
        "first_party": true, "backchannel_logout_uri": format!("{}/told?tenant=1", told.origin()),
        "id_token_signed_response_alg": "RS256",
    })
}

#[tokio::test]
async fn an_app_is_told_with_a_token_that_it_can_check() {
    let told = Told::answering(&["200 OK"]).await;
    let provider = house(&told).await;
    let courier = provider.courier();
    let office = provider.client("office");
    let browser = provider.browser();
    let tokens = office.tokens_at(&browser, ALICE).await;
    let id_token = provider.verify(&tokens.id).await.1;

    let page = browser.go("/logout").await;
    browser.submit(&page, "/logout", &[]).await.expect(200).expect_text("You are signed out");
    assert_eq!(told.requests().len(), 0, "nobody who signs out waits for an app");
    courier.deliver().await;

    let requests = told.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].head.starts_with("POST /told?tenant=1 HTTP/1.1\r\n"), "{}", requests[0].head);
    assert!(requests[0].head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{}", requests[0].head);
    let (header, claims) = provider.verify_with(&requests[0].logout_token(), &["iss", "aud", "exp", "sub"]).await;
    assert_eq!((header.typ.as_deref(), header.alg), (Some("logout+jwt"), jsonwebtoken::Algorithm::RS256));
    assert_eq!(
        claims,
        json!({
            "iss": provider.issuer(), "aud": "office", "iat": provider.now(), "exp": provider.now() + 120,
            "jti": claims["jti"], "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            "sub": provider.sub(ALICE).await, "sid": id_token["sid"],
        })
    );
    assert!(claims["jti"].as_str().unwrap().len() >= 22);
    // It is told once.
    courier.deliver().await;
    assert_eq!(told.requests().len(), 1);
    assert_eq!(provider.texts("SELECT outcome FROM outbox").await, ["delivered"]);
}

#[tokio::test]
async fn a_sign_out_that_one_app_starts_is_told_to_all_apps_of_the_session() {
    let told = Told::answering(&["204 No Content"]).await;
    let provider = house(&told).await;
    let mut other = office(&told);
    other["backchannel_logout_uri"] = json!(format!("{}/other", told.origin()));
    provider.register("other", other).await;
    let browser = provider.browser();
    for app in ["office", "other"] {
        provider.client(app).tokens_at(&browser, ALICE).await;
    }
    let hint = provider.client("own").tokens_at(&browser, ALICE).await.id;
    // Of another session nothing is told.
    provider.client("office").tokens_of(ALICE).await;
    let query = encode(&[("id_token_hint", &hint), ("post_logout_redirect_uri", "https://own.example/bye")]);
    assert_eq!(browser.come(&format!("/oauth2/logout?{query}")).await.left_for(), "https://own.example/bye");
    provider.courier().deliver().await;
    let mut audiences = Vec::new();
    for request in told.requests() {
        audiences.push(provider.verify(&request.logout_token()).await.1["aud"].clone());
    }
    audiences.sort_by_key(ToString::to_string);
    assert_eq!(audiences, ["office", "other"]);
}

#[tokio::test]
async fn an_app_is_told_of_what_the_person_or_an_admin_ends() {
    for way in [
        "the other sessions",
        "the password",
        "the app",
        "an admin ends the session",
        "an admin ends the app",
        "an admin disables the app",
        "an admin disables the person",
    ] {
        let told = Told::answering(&["200 OK"]).await;
        let provider = house(&told).await;
        provider.client("office").tokens_of(ALICE).await;
        let sid = provider.texts("SELECT sid FROM grants").await.remove(0);
        let here = provider.browser();
        if way.starts_with("an admin") {
            here.elevated().await;
        } else {
            here.sign_in(ALICE).await;
        }
        let alice = provider.user(ALICE).await;
        match way {
            "the other sessions" => {
                let page = here.go("/account/sessions").await;
                here.submit(&page, "/account/sessions/end-others", &[]).await;
            }
            "the password" => {
                let page = here.go("/account/password").await;
                let new = "another fine password";
                let fields = [("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
                here.submit(&page, "/account/password", &fields).await.expect_at("/account");
            }
            "the app" => {
                let page = here.go("/account/apps/office/withdraw").await.expect(200);
                here.submit(&page, "/account/apps/withdraw", &[]).await.expect_at("/account/apps");
            }
            "an admin ends the session" => {
                let of_alice = format!("SELECT id FROM sessions WHERE user_id = '{alice}'");
                let session = provider.texts(&of_alice).await.remove(0);
                here.does(&format!("/admin/sessions/{session}/end")).await;
            }
            "an admin ends the app" => drop(here.does("/admin/apps/office/end").await),
            "an admin disables the app" => drop(here.does("/admin/apps/office/disable").await),
            _ => drop(here.does(&format!("/admin/people/{alice}/disable")).await),
        }
        provider.follow_changes().await;
        provider.courier().deliver().await;
        let requests = told.requests();
        assert_eq!(requests.len(), 1, "{way}");
        assert_eq!(provider.verify(&requests[0].logout_token()).await.1["sid"], sid, "{way}");
    }
}

#[tokio::test]
async fn an_app_is_not_told_of_what_it_gave_back_itself() {
    let told = Told::answering(&["200 OK"]).await;
    let provider = house(&told).await;
    let office = provider.client("office");
    let tokens = office.tokens_of(ALICE).await;
    office.revoke(&tokens.refresh).await.expect(200);
    let code = office.code_of(ALICE).await;
    office.redeem(&code).await.expect_tokens();
    office.redeem(&code).await.expect_error("invalid_grant");
    assert_eq!(provider.live_grants().await, 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM outbox").await, 0);
}

#[tokio::test]
async fn a_key_that_was_revoked_signs_no_logout_token() {
    let told = Told::answering(&["503 x", "200 OK"]).await;
    let provider = house(&told).await;
    let courier = provider.courier();
    let browser = provider.browser();
    provider.client("office").tokens_at(&browser, ALICE).await;
    browser.sign_out().await;
    courier.deliver().await;
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let first = kid(&told.requests()[0].logout_token());

    let app = provider.app();
    let folder = tempfile::tempdir().unwrap();
    let desk = KeyDesk {
        store: &app.store,
        vault: &app.vault,
        policy: key_policy(app.config()),
        data_folder: folder.path(),
        actor: "cli",
        now: app.clock.now(),
        clock: &app.clock,
    };
    desk.revoke(&first, Lost::Key, "found on the street").await.unwrap();
    provider.advance(10).await;
    courier.deliver().await;

    let second = told.requests()[1].logout_token();
    assert_ne!(kid(&second), first);
    provider.verify(&second).await;
}

#[tokio::test]
async fn an_app_that_no_longer_asks_or_is_gone_is_not_told() {
    let told = Told::answering(&["200 OK"]).await;
    let provider = house(&told).await;
    let browser = provider.browser();
    provider.client("office").tokens_at(&browser, ALICE).await;
    browser.sign_out().await;
    let mut silent = office(&told);
    silent.as_object_mut().unwrap().remove("backchannel_logout_uri");
    provider.register("office", silent).await;
    provider.courier().deliver().await;
    assert_eq!(told.requests().len(), 0);
    assert_eq!(provider.texts("SELECT outcome FROM outbox").await, ["not_wanted"]);
    assert_eq!(provider.audited("logout.undelivered").await, 0);
}

#[tokio::test]
async fn an_app_on_its_own_authority_is_told_over_tls_and_a_stranger_is_not() {
    let told = Told::over_tls(&["200 OK"]).await;
    let (origin, authority) = (told.origin().to_owned(), told.authority());
    for trusted in [true, false] {
        let provider = TestProvider::with(|config| {
            config.outbound.allow = vec![Origin::parse(&origin).unwrap()];
            config.outbound.extra_ca = trusted.then(|| authority.clone());
        })
        .await;
        let mut office = office(&told);
        office["id_token_signed_response_alg"] = json!("ES256");
        provider.register("office", office).await;
        let browser = provider.browser();
        provider.client("office").tokens_at(&browser, ALICE).await;
        browser.sign_out().await;
        provider.courier().deliver().await;
        assert_eq!(told.requests().len(), 1, "trusted: {trusted}");
        let outcome = "SELECT COALESCE(outcome, 'waits') FROM outbox";
        assert_eq!(provider.texts(outcome).await, [if trusted { "delivered" } else { "waits" }]);
    }
}
