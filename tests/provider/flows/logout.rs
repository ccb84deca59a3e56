//! Sign-out that an app starts (OIDC RP-Initiated Logout).

use crate::support::{ALICE, BOB, TestProvider, encode};

const BYE: &str = "https://own.example/bye";

#[tokio::test]
async fn the_operators_own_app_with_the_right_hint_is_not_asked_about() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let tokens = app.tokens_at(&browser, ALICE).await;
    let query = encode(&[("id_token_hint", &tokens.id), ("post_logout_redirect_uri", BYE), ("state", "s 1")]);

    let page = browser.come(&format!("/oauth2/logout?{query}")).await;

    assert_eq!(page.left_for(), format!("{BYE}?state=s+1"));
    assert_eq!((provider.live_sessions().await, browser.cookie("sid")), (0, None));
    // Nobody is signed in any more: the way back is still good, for who shows a hint.
    let page = browser.come(&format!("/oauth2/logout?{query}")).await;
    assert_eq!(page.left_for(), format!("{BYE}?state=s+1"));
}

#[tokio::test]
async fn without_a_hint_the_person_is_asked() {
    let provider = TestProvider::start().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let query = encode(&[("client_id", "own"), ("post_logout_redirect_uri", BYE)]);

    let page = browser.come(&format!("/oauth2/logout?{query}")).await.expect(200).expect_text("Sign out?");
    assert_eq!(provider.live_sessions().await, 1, "a link signs nobody out");
    let page = browser.submit(&page, "/logout", &[]).await;

    assert_eq!(page.left_for(), BYE);
    assert_eq!(provider.live_sessions().await, 0);
}

#[tokio::test]
async fn a_foreign_app_is_asked_about_even_with_a_hint() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let tokens = app.tokens_at(&browser, ALICE).await;
    let query = encode(&[("id_token_hint", &tokens.id), ("post_logout_redirect_uri", "https://web.example/bye")]);
    let page = browser.come(&format!("/oauth2/logout?{query}")).await.expect(200).expect_text("The web app");
    assert_eq!(provider.live_sessions().await, 1);
    assert_eq!(browser.submit(&page, "/logout", &[]).await.left_for(), "https://web.example/bye");
    assert_eq!(provider.live_sessions().await, 0);
    // What was given for use without the person stays.
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn a_hint_about_another_session_asks() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let alices = app.tokens_of(ALICE).await;
    let browser = provider.browser();
    browser.sign_in(BOB).await;
    let query = encode(&[("id_token_hint", &alices.id), ("post_logout_redirect_uri", BYE)]);
    browser.come(&format!("/oauth2/logout?{query}")).await.expect(200).expect_text("Sign out?");
    assert_eq!(provider.live_sessions().await, 2);
}

#[tokio::test]
async fn a_hint_and_a_client_id_name_the_same_app() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let tokens = app.tokens_at(&browser, ALICE).await;
    let query = |id: &str| encode(&[("id_token_hint", &tokens.id), ("client_id", id)]);

    browser.come(&format!("/oauth2/logout?{}", query("web"))).await.expect(400);
    assert_eq!(provider.live_sessions().await, 1);

    browser.come(&format!("/oauth2/logout?{}", query("own"))).await.expect(200).expect_text("You are signed out");
    assert_eq!(provider.live_sessions().await, 0);
}

#[tokio::test]
async fn a_hint_still_counts_when_it_has_expired() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let tokens = app.tokens_at(&browser, ALICE).await;
    provider.advance(3600).await;
    let query = encode(&[("id_token_hint", &tokens.id), ("post_logout_redirect_uri", BYE)]);
    let page = browser.come(&format!("/oauth2/logout?{query}")).await;
    assert_eq!((page.left_for(), provider.live_sessions().await), (BYE, 0));
}

#[tokio::test]
async fn an_address_that_is_not_registered_is_never_gone_to() {
    let provider = TestProvider::start().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let tokens = app.tokens_at(&browser, ALICE).await;
    for query in [
        encode(&[("id_token_hint", &tokens.id), ("post_logout_redirect_uri", "https://evil.example/")]),
        encode(&[("post_logout_redirect_uri", BYE)]),
        encode(&[("id_token_hint", &tokens.id), ("client_id", "web"), ("post_logout_redirect_uri", BYE)]),
        encode(&[("id_token_hint", "x.y.z"), ("post_logout_redirect_uri", BYE)]),
    ] {
        let page = browser.come(&format!("/oauth2/logout?{query}")).await;
        assert_eq!((page.away, page.answer.status.as_u16()), (None, 400), "{query}");
    }
    assert_eq!(provider.live_sessions().await, 1);
}

#[tokio::test]
async fn nobody_signed_in_and_nothing_shown_ends_on_our_own_page() {
    let provider = TestProvider::start().await;
    let browser = provider.browser();
    let query = encode(&[("client_id", "own"), ("post_logout_redirect_uri", BYE)]);
    let page = browser.come(&format!("/oauth2/logout?{query}")).await.expect(200).expect_text("You are signed out");
    assert_eq!((page.away, provider.live_sessions().await), (None, 0));
}

#[tokio::test]
async fn an_app_may_post_its_request_from_its_own_site() {
    let provider = TestProvider::https().await;
    let app = provider.client("own");
    let browser = provider.browser();
    let tokens = app.tokens_at(&browser, ALICE).await;
    let fields = [("id_token_hint", tokens.id.as_str()), ("post_logout_redirect_uri", BYE)];

    // The post arrives without the session cookie; the browser is sent to ask again with it.
    let page = browser.posted_from_elsewhere("/oauth2/logout", &fields).await;

    assert_eq!((page.left_for(), provider.live_sessions().await), (BYE, 0));
    let without_hint = [("client_id", "own"), ("post_logout_redirect_uri", BYE)];
    browser.sign_in(ALICE).await;
    browser.posted_from_elsewhere("/oauth2/logout", &without_hint).await.expect(200).expect_text("Sign out?");
    assert_eq!(provider.live_sessions().await, 1);
}

/// A house with two apps that the browser tells of sign-outs.
async fn house_with_frames() -> TestProvider {
    let provider = TestProvider::https().await;
    for name in ["office", "maps"] {
        let app = serde_json::json!({
            "client_name": format!("The {name} app"), "application_type": "web", "first_party": true,
            "redirect_uris": [format!("https://{name}.example/callback")],
            "post_logout_redirect_uris": [format!("https://{name}.example/bye")],
            "frontchannel_logout_uri": format!("https://{name}.example/out?x=1"),
        });
        provider.register(name, app).await;
    }
    provider
}

/// What a page loads in frames, sorted.
fn frames(page: &crate::support::Page) -> Vec<String> {
    let parts = page.answer.body.split("<iframe ").skip(1);
    let source = |rest: &str| rest.split_once("src=\"").unwrap().1.split('"').next().unwrap().replace("&#38;", "&");
    let mut found: Vec<String> = parts.map(source).collect();
    found.sort();
    found
}

async fn frame_of(provider: &TestProvider, name: &str) -> String {
    let sid = provider.texts(&format!("SELECT sid FROM grants WHERE client_id = '{name}'")).await.remove(0);
    let iss = encode(&[("iss", provider.issuer())]);
    format!("https://{name}.example/out?x=1&{iss}&sid={sid}")
}

#[tokio::test]
async fn apps_that_ask_for_it_are_told_by_the_browser_on_the_way_back() {
    let provider = house_with_frames().await;
    let browser = provider.browser();
    let (office, maps) = (provider.client("office"), provider.client("maps"));
    maps.code_at(&browser, ALICE).await;
    let tokens = office.redeem(&office.code_at(&browser, ALICE).await).await.expect_tokens();
    let bye = "https://office.example/bye";
    let query = encode(&[("id_token_hint", &tokens.id), ("post_logout_redirect_uri", bye), ("state", "s 1")]);

    let page = browser.come(&format!("/oauth2/logout?{query}")).await.expect(200);

    assert_eq!(frames(&page), [frame_of(&provider, "maps").await, frame_of(&provider, "office").await]);
    let policy = page.answer.header("content-security-policy");
    assert!(policy.ends_with("; frame-src https://maps.example https://office.example"), "{policy}");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    // Without scripts the page goes on by itself, and with its link.
    assert!(page.answer.body.contains(&format!("content=\"3; url={bye}?state=s+1\"")), "{}", page.answer.body);
    assert!(page.links().contains(&format!("{bye}?state=s+1")));
    assert_eq!((provider.live_sessions().await, browser.cookie("sid")), (0, None));
    assert_eq!(page.answer.header("cache-control"), "no-store");
    // Nobody is left to be told.
    assert_eq!(browser.come(&format!("/oauth2/logout?{query}")).await.left_for(), format!("{bye}?state=s+1"));
}

#[tokio::test]
async fn apps_are_told_by_the_browser_where_nobody_goes_back() {
    let provider = house_with_frames().await;
    let browser = provider.browser();
    provider.client("maps").code_at(&browser, ALICE).await;
    provider.client("spa").signed_in_at(&browser, ALICE).await;
    let page = browser.go("/logout").await;
    let page = browser.submit(&page, "/logout", &[]).await.expect(200).expect_text("You are signed out");
    assert_eq!(frames(&page), [frame_of(&provider, "maps").await]);
    assert!(page.answer.header("content-security-policy").ends_with("; frame-src https://maps.example"));
    assert!(!page.answer.body.contains("http-equiv"));
    let page = browser.come("/oauth2/logout").await.expect(200);
    assert_eq!((frames(&page), page.answer.body.contains("iframe")), (Vec::new(), false));
}
