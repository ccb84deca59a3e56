//! Nobody learns from a refusal whether a name belongs to somebody.

use serde_json::json;

use crate::support::{ALICE, Answer, PASSWORD, TestProvider};

/// A refused sign-in as an outsider compares it: all but what differs between any two requests.
type Told = (u16, Vec<(String, String)>, String);

fn told(answer: &Answer, own: &[&str]) -> Told {
    let id = answer.header("request-id");
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "request-id")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let body = own.iter().chain([&id]).fold(answer.body.clone(), |body, own| body.replace(own, "*"));
    (answer.status.as_u16(), headers, body)
}

/// Names of one length: a person with a wrong password, a disabled person with the right one, a person without a
/// password, somebody's address that was never confirmed, and nobody.
const CASES: [(&str, &str); 5] =
    [(ALICE, "not the password"), ("admin", PASSWORD), ("bobby", PASSWORD), ("b@b.b", PASSWORD), ("zelda", PASSWORD)];

async fn house(limit: u32) -> TestProvider {
    let provider = TestProvider::with(|config| {
        crate::support::on_https(config);
        config.passwords.attempts_per_account_and_network = limit;
    })
    .await;
    provider.run("UPDATE users SET disabled_at = 1 WHERE username = 'admin'").await;
    provider.run("DELETE FROM passwords WHERE user_id = (SELECT id FROM users WHERE username = 'bob')").await;
    provider
        .run(
            "UPDATE users SET username = 'bobby', username_key = 'bobby', email = 'b@b.b', email_key = 'b@b.b', \
             email_verified = FALSE WHERE username = 'bob'",
        )
        .await;
    provider
}

#[tokio::test]
async fn row_103_the_page_refuses_everybody_with_the_same_words_status_headers_and_length() {
    let provider = house(3).await;
    let mut answers: Vec<Vec<(Told, usize)>> = Vec::new();
    for (name, password) in CASES {
        // Each from a network of its own, so that only the names differ.
        let browser = provider.browser().at(&format!("203.0.{}.7", answers.len()));
        let page = browser.go("/login").await;
        let csrf = page.hidden("/login", "csrf");
        let mut turns = Vec::new();
        // Three tries, then two that are throttled.
        for _ in 0..5 {
            let page = browser.submit(&page, "/login", &[("username", name), ("password", password)]).await;
            assert_eq!(browser.cookie("sid"), None, "{name}");
            turns.push((told(&page.answer, &[name, &csrf]), page.answer.body.len()));
        }
        answers.push(turns);
    }
    for (turns, (name, _)) in answers.iter().zip(CASES) {
        assert_eq!(turns, &answers[0], "{name}");
    }
    let statuses: Vec<u16> = answers[0].iter().map(|((status, ..), _)| *status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!((provider.live_sessions().await, provider.audited("sign_in.refused").await), (0, 15));
    // The same rows were written for everybody.
    assert_eq!(provider.number("SELECT COUNT(DISTINCT taken) FROM attempts").await, 1);
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts WHERE taken = 3").await, 25);
}

#[tokio::test]
async fn row_103_the_json_flow_refuses_everybody_with_the_same_words_status_headers_and_length() {
    let provider = house(3).await;
    let app = provider.client("direct");
    let mut answers: Vec<Vec<(Told, usize)>> = Vec::new();
    for (name, password) in CASES {
        let browser = provider.browser().at(&format!("203.0.{}.7", answers.len()));
        // A browser that is known to us already: its cookie would be the only difference.
        browser.go("/login").await;
        let mut turns = Vec::new();
        for _ in 0..5 {
            let wish = json!({ "username": name, "password": password });
            let answer = app.fetch_json(&browser, "/auth/login", wish).await;
            assert_eq!(browser.cookie("sid"), None, "{name}");
            turns.push((told(&answer, &[]), answer.body.len()));
        }
        answers.push(turns);
    }
    for (turns, (name, _)) in answers.iter().zip(CASES) {
        assert_eq!(turns, &answers[0], "{name}");
    }
    let statuses: Vec<u16> = answers[0].iter().map(|((status, ..), _)| *status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    assert_eq!((provider.live_sessions().await, provider.live_grants().await), (0, 0));
    assert_eq!(provider.audited("sign_in.refused").await, 15);
}

#[tokio::test]
async fn row_103_a_login_hint_tells_nothing_about_who_is_registered() {
    let provider = house(3).await;
    let app = provider.client("own");
    let mut pages = Vec::new();
    for (name, _) in CASES {
        let browser = provider.browser();
        let page = app.visit(&browser, &app.ask().with("login_hint", name)).await.expect_at("/login");
        let (csrf, txn) = (page.hidden("/login", "csrf"), page.hidden("/login", "txn"));
        pages.push((told(&page.answer, &[name, &csrf, &txn]).2, page.answer.body.len()));
    }
    for (page, (name, _)) in pages.iter().zip(CASES) {
        assert_eq!(page, &pages[0], "{name}");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 0);
}
