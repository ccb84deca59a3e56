//! The cookies themselves: names, attributes, lifetimes (RFC 6265bis §4.1).

use frontdesk::crypto::digest::sha256_b64u;

use crate::support::{ALICE, Answer, PASSWORD, TestProvider};

/// Name, value and the sorted attributes of each cookie that an answer sets.
fn cookies(answer: &Answer) -> Vec<(String, String, Vec<String>)> {
    let lines = answer.set_cookies().into_iter().map(|line| {
        let mut parts: Vec<String> = line.split("; ").map(str::to_owned).collect();
        let first = parts.remove(0);
        let (name, value) = first.split_once('=').unwrap();
        parts.sort();
        (name.to_owned(), value.to_owned(), parts)
    });
    lines.collect()
}

#[tokio::test]
async fn the_name_tells_clients_apart_and_not_who_they_are() {
    let provider = TestProvider::https().await;
    let browser = provider.browser();
    for id in ["spa", "second"] {
        provider.client(id).signed_in_at(&browser, ALICE).await;
        let name = format!("__Host-Http-rt.{}", &sha256_b64u(id.as_bytes())[..12]);
        let value = browser.cookie(&name).unwrap();
        assert!(value.len() == 76 && value.starts_with("fd_rt_"), "{value}");
    }
    assert_eq!(browser.cookie_names().len(), 4);
    assert_eq!(provider.live_families().await, 2);
}

#[tokio::test]
async fn its_life_counts_down_to_the_end_of_the_family_and_is_never_renewed() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD), ("remember", "on")]).await;
    let code = app.code_at(&browser, ALICE).await;
    let first = app.redeem_at(&browser, &code).await.expect(200);
    assert_eq!(first.json()["refresh_token_delivery"], "cookie");
    let week = 7 * 86_400;
    let mut passed = 0;
    let mut answer = first;
    for step in [0, 3600, 86_400, 400_000, week - 490_001] {
        if step > 0 {
            provider.advance(step).await;
            passed += step;
            answer = app.refresh_at(&browser).await.expect(200);
        }
        let left = week - passed;
        let expected = format!("Max-Age={left}");
        assert_eq!(cookies(&answer)[0].2, ["HttpOnly", &*expected, "Path=/", "SameSite=Strict", "Secure"]);
        assert_eq!(answer.json()["refresh_token_expires_in"], left);
    }
    let copy = format!("{}={}", browser.refresh_cookie_name(), browser.cookie(&browser.refresh_cookie_name()).unwrap());
    let session = format!("__Host-Http-sid={}", browser.cookie("sid").unwrap());
    // The last second is over: the browser forgets the cookie, and who kept it has nothing.
    provider.advance(1).await;
    let mut headers = app.page_headers();
    let both = format!("{copy}; {session}");
    headers.push(("cookie", &both));
    let form = [("grant_type", "refresh_token"), ("client_id", "spa")];
    let refused = provider.post("/oauth2/token", &headers, &form).await;
    assert_eq!(refused.set_cookies(), Vec::<String>::new());
    refused.expect_error("invalid_grant");
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 4);
}

#[tokio::test]
async fn a_retry_sets_the_same_value_again_and_takes_no_step() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    let late = browser.copied_to("192.0.2.7");
    let first = cookies(&app.refresh_at(&browser).await.expect(200));
    provider.advance(29).await;
    let retried = cookies(&app.refresh_at(&late).await.expect(200));
    assert_eq!(retried, first);
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
}

#[tokio::test]
async fn every_cookie_is_cleared_with_the_attributes_it_was_set_with() {
    let provider = TestProvider::https().await;
    let (spa, second) = (provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    let mut set = Vec::new();
    let page = browser.go("/login").await;
    let signed_in = browser.submit(&page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await;
    signed_in.expect_at("/account");
    // The page after the sign-in sets nothing; what the sign-in set is among all answers.
    for answer in provider.answers() {
        set.extend(cookies(&answer));
    }
    for app in [&spa, &second] {
        let code = app.code_at(&browser, ALICE).await;
        set.extend(cookies(&app.redeem_at(&browser, &code).await.expect(200)));
    }
    let answer = spa.fetch(&browser, "/oauth2/browser/logout", &[("scope", "session")]).await.expect(204);
    assert_eq!(answer.header("clear-site-data"), "", "that would empty the whole site");
    let cleared = cookies(&answer);
    let mut names: Vec<&str> = cleared.iter().map(|(name, ..)| name.as_str()).collect();
    names.sort_unstable();
    let mut expected: Vec<&str> =
        set.iter().map(|(name, ..)| name.as_str()).filter(|name| !name.ends_with("browser")).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for (name, value, attributes) in &cleared {
        assert_eq!(value, "", "{name}");
        let mut with_end = set.iter().find(|(own, ..)| own == name).unwrap().2.clone();
        with_end.push("Max-Age=0".to_owned());
        with_end.sort();
        assert_eq!(attributes, &with_end, "{name}");
    }
    assert_eq!((provider.live_sessions().await, provider.live_families().await), (0, 0));
}
