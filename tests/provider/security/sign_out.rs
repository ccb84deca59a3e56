//! Rows 96 and 97: links that sign out, and links that lead away.

use crate::support::{ALICE, BOB, PASSWORD, TestProvider, encode};

const BYE: &str = "https://own.example/bye";

#[tokio::test]
async fn row_96_no_link_and_no_foreign_form_signs_anybody_out() {
    let provider = TestProvider::https().await;
    let (own, web) = (provider.client("own"), provider.client("web"));
    let browser = provider.browser();
    let hers = own.tokens_at(&browser, ALICE).await;
    let at_web = web.tokens_at(&browser, ALICE).await;
    let bobs = own.tokens_of(BOB).await;
    let other_session = own.tokens_of(ALICE).await;
    let cookies = browser.cookie_names();
    let sessions = provider.live_sessions().await;
    let grants = provider.live_grants().await;
    let forged = format!("{}AAAA", &hers.id[..hers.id.len() - 4]);
    for query in [
        vec![],
        vec![("state", "x")],
        vec![("client_id", "own")],
        vec![("client_id", "own"), ("post_logout_redirect_uri", BYE)],
        vec![("client_id", "own"), ("logout_hint", ALICE)],
        vec![("client_id", "nobody")],
        vec![("id_token_hint", "")],
        vec![("id_token_hint", "x.y.z")],
        vec![("id_token_hint", forged.as_str())],
        vec![("id_token_hint", bobs.id.as_str())],
        vec![("id_token_hint", bobs.id.as_str()), ("post_logout_redirect_uri", BYE)],
        vec![("id_token_hint", other_session.id.as_str())],
        // An access token of hers says as much about her, and is no ID token.
        vec![("id_token_hint", hers.access.as_str())],
        vec![("id_token_hint", hers.access.as_str()), ("client_id", "own")],
        vec![("id_token_hint", hers.id.as_str()), ("client_id", "web")],
        // Apps of others are asked about even with the right hint.
        vec![("id_token_hint", at_web.id.as_str())],
        vec![("id_token_hint", at_web.id.as_str()), ("post_logout_redirect_uri", "https://web.example/bye")],
        vec![("id_token_hint", at_web.id.as_str()), ("client_id", "web")],
    ] {
        for page in [
            browser.come(&format!("/oauth2/logout?{}", encode(&query))).await,
            browser.posted_from_elsewhere("/oauth2/logout", &query).await,
        ] {
            assert_eq!(page.away, None, "{query:?}");
            assert!(matches!(page.answer.status.as_u16(), 200 | 400), "{query:?}: {page:#?}");
            assert_eq!(page.answer.set_cookies(), Vec::<String>::new(), "{query:?}");
        }
    }
    for path in ["/logout", "/oauth2/browser/logout", "/auth/logout", "/account/sessions/end-others"] {
        browser.come(path).await;
        browser.posted_from_elsewhere(path, &[("client_id", "own")]).await;
    }
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (sessions, grants));
    assert_eq!(browser.cookie_names(), cookies);
    browser.go("/account").await.expect_at("/account");

    // The person's own yes does.
    let page = browser.come(&format!("/oauth2/logout?{}", encode(&[("client_id", "own")]))).await;
    browser.submit(&page, "/logout", &[]).await.expect(200).expect_text("You are signed out");
    assert_eq!(provider.live_sessions().await, sessions - 1);
    browser.go("/account").await.expect_at("/login");
}

#[tokio::test]
async fn row_97_a_sign_out_leads_to_a_registered_address_or_nowhere() {
    let provider = TestProvider::https().await;
    let own = provider.client("own");
    let browser = provider.browser();
    let tokens = own.tokens_at(&browser, ALICE).await;
    for other in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example\\",
        "https:/\\evil.example",
        "/%5cevil.example",
        "/bye",
        "bye",
        "https://own.example/bye/",
        "https://own.example/bye?next=https://evil.example",
        "https://own.example/bye#x",
        "https://own.example/bye/../evil",
        "https://own.example/%62ye",
        "https://own.example//bye",
        "https://own.example:443/bye",
        "https://OWN.example/bye",
        "https://own.example/BYE",
        "http://own.example/bye",
        "https://own.example.evil.example/bye",
        "https://own.example@evil.example/bye",
        "https://evil.example/https://own.example/bye",
        "https://own.example\\.evil.example/bye",
        "https://own.example\t/bye",
        "https://own.example/bye\n",
        " https://own.example/bye",
        "https://own.example/bye\u{0}",
        // Where its codes go, and where another app's people go.
        "https://own.example/callback",
        "https://web.example/bye",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        for query in [
            vec![("id_token_hint", tokens.id.as_str()), ("post_logout_redirect_uri", other)],
            vec![("client_id", "own"), ("post_logout_redirect_uri", other)],
            vec![("post_logout_redirect_uri", other)],
        ] {
            let page = browser.come(&format!("/oauth2/logout?{}", encode(&query))).await;
            assert!(!page.answer.body.contains("evil"), "{page:#?}");
            page.expect_error_page("invalid_request");
            // What rides in the confirmation is checked again.
            let form = browser.go("/logout").await;
            let txn = encode(&query);
            let page = browser.submit(&form, "/logout", &[("txn", &txn)]).await;
            assert_eq!((page.away.as_deref(), page.answer.header("location")), (None, ""), "{other:?}: {page:#?}");
            assert!(page.answer.status.is_client_error(), "{other:?}: {page:#?}");
        }
    }
    assert_eq!(provider.live_sessions().await, 1);
    let query = encode(&[("id_token_hint", &tokens.id), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(browser.come(&format!("/oauth2/logout?{query}")).await.left_for(), BYE);
    assert_eq!(provider.live_sessions().await, 0);
}

#[tokio::test]
async fn row_97_no_parameter_of_our_pages_leads_away() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    let addresses = [
        "https://evil.example/",
        "http://evil.example",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/%5cevil.example",
        "%2f%2fevil.example",
        "/\t/evil.example",
        "https:evil.example",
        "@evil.example",
        ".evil.example",
        "javascript:alert(1)",
        "https://id.shop.test@evil.example/",
        "https://id.shop.test.evil.example/",
        "/../..//evil.example",
        "?https://evil.example",
        "#//evil.example",
        "https://evil.example\r\nSet-Cookie: a=b",
        "/login?txn=//evil.example",
    ];
    let names = ["return_to", "next", "redirect", "redirect_uri", "continue", "url", "target", "back", "txn", "stay"];
    for signed_in in [false, true] {
        if signed_in {
            browser.sign_in(ALICE).await;
        }
        for address in addresses {
            let all: Vec<(&str, &str)> = names.iter().map(|name| (*name, address)).collect();
            let query = encode(&all);
            for path in
                ["/", "/login", "/login/again", "/login/other", "/login/choose", "/consent", "/logout", "/account"]
            {
                let page = browser.come(&format!("{path}?{query}")).await;
                assert_eq!(page.away, None, "{path} {address:?}");
                let body = &page.answer.body;
                for leads in ["href=\"", "action=\"", "src=\"", "content=\"0;"] {
                    let away = body.split(leads).skip(1).find(|rest| rest.split('"').next().unwrap().contains("evil"));
                    assert_eq!(away, None, "{path} {address:?}");
                }
            }
            // As a path: what is no page of ours leads nowhere.
            for path in [address.to_owned(), format!("/{address}")] {
                if path.starts_with('/') && path.parse::<axum::http::Uri>().is_ok() {
                    provider.get(&path).await;
                }
            }
        }
    }
    // Nor does a form take along where to go.
    let page = browser.go("/login/other").await;
    for address in addresses {
        let mut fields: Vec<(&str, &str)> =
            names.iter().filter(|name| **name != "txn").map(|name| (*name, address)).collect();
        fields.extend([("username", ALICE), ("password", PASSWORD)]);
        browser.submit(&page, "/login/other", &fields).await.expect_at("/account");
    }
    let led: Vec<String> = provider.answers().iter().map(|answer| answer.header("location").to_owned()).collect();
    for location in led.iter().filter(|location| !location.is_empty()) {
        assert!(location.starts_with('/') && !location.starts_with("//") && !location.contains("evil"), "{location}");
    }
    assert_eq!(provider.live_sessions().await, 1);
}
