//! The one cookie that makes a browser known: it binds requests that wait, and forms.

use crate::support::{ALICE, BOB, PASSWORD, TestProvider};

#[tokio::test]
async fn one_browser_cookie_serves_any_number_of_sign_ins_side_by_side() {
    let provider = TestProvider::https().await;
    let apps = ["spa", "second", "direct", "web", "own"].map(|id| provider.client(id));
    let browser = provider.browser();
    let mut waiting = Vec::new();
    for app in &apps {
        let asked = app.ask();
        let page = app.visit(&browser, &asked).await.expect_at("/login");
        waiting.push((app, asked, page));
    }
    let cookie = browser.cookie("browser").unwrap();
    assert_eq!(provider.number("SELECT COUNT(*) FROM browsers").await, 1);
    assert_eq!(provider.number("SELECT COUNT(DISTINCT browser_id) FROM authorize_requests").await, 1);
    // Finished in another order than begun.
    waiting.rotate_left(2);
    for (app, asked, page) in waiting {
        let page = browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
        let page = browser.answer_all(page, ALICE).await;
        let code = asked.code_in(page.left_for(), provider.issuer());
        if app.origin.ends_with("shop.test") {
            app.redeem_at(&browser, &code).await.expect_tokens();
        } else {
            app.redeem(&code).await.expect_tokens();
        }
    }
    assert_eq!(browser.cookie("browser").unwrap(), cookie, "it is never turned");
    assert_eq!(provider.waiting_requests().await, 0);
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (1, 5));
}

#[tokio::test]
async fn it_lives_a_year_and_is_no_proof_of_who_somebody_is() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    let answer = browser.go("/login").await.answer;
    let [line] = answer.set_cookies().try_into().unwrap();
    assert!(line.starts_with("__Host-Http-browser="), "{line}");
    for attribute in ["HttpOnly", "Secure", "Path=/", "SameSite=Lax", "Max-Age=31536000"] {
        assert!(line.split("; ").any(|part| part == attribute), "{attribute}: {line}");
    }
    browser.sign_in(ALICE).await;
    let value = browser.cookie("browser").unwrap();
    // Only a digest of it is kept.
    let digest = provider.texts("SELECT digest FROM browsers").await.remove(0);
    assert!(!value.contains(&digest) && digest.len() == 43);
    browser.forget("sid");
    browser.go("/account").await.expect_at("/login");
    assert_eq!(provider.number("SELECT COUNT(*) FROM known_browsers").await, 1);
}

#[tokio::test]
async fn a_form_counts_in_the_browser_it_was_made_for_only_however_many_people_used_it() {
    let provider = TestProvider::https().await;
    let (shared, thief) = (provider.browser(), provider.browser());
    shared.sign_in(ALICE).await;
    let alices = shared.go("/account/sessions").await;
    thief.sign_in(BOB).await;
    // Bob has a second session, so that the page has the form.
    provider.browser().sign_in(BOB).await;
    let bobs = thief.go("/account/sessions").await;
    let stolen = alices.hidden("/logout", "csrf");
    for (path, fields) in [
        ("/account/sessions/end-others", vec![]),
        ("/logout", vec![]),
        ("/account/sessions/end", vec![("session", "x")]),
    ] {
        let mut fields = fields;
        fields.push(("csrf", stolen.as_str()));
        thief.submit(&bobs, path, &fields).await.expect(403);
    }
    assert_eq!(provider.live_sessions().await, 3);
    thief.submit(&bobs, "/account/sessions/end-others", &[]).await.expect(200);
    assert_eq!(provider.live_sessions().await, 2);
}
