//! The log at its most talkative names every request and no secret.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::support::{ALICE, BOB, PASSWORD, TestProvider, query_of};

/// Keeps what is logged.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Paper {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_at_trace_names_every_request_and_no_secret() {
    let paper = Paper::default();
    // For the whole process: threads that hash and threads of the database speak too.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(frontdesk::logging::filter("trace")))
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(paper.clone())
        .init();
    let provider = TestProvider::https().await;
    let mut secrets = vec![PASSWORD.to_owned(), "a wrong password".to_owned(), "another fine password".to_owned()];

    // A browser app, with copies and mistakes.
    let (spa, direct) = (provider.client("spa"), provider.client("direct"));
    let browser = provider.browser();
    let page = browser.go("/login").await;
    browser.submit(&page, "/login", &[("username", ALICE), ("password", "a wrong password")]).await;
    let code = spa.code_at(&browser, ALICE).await;
    secrets.extend([code.code.clone(), code.verifier.clone()]);
    spa.redeem_at(&browser, &code).await.expect_tokens();
    let thief = browser.copied_to("203.0.113.9");
    spa.refresh_at(&browser).await.expect_tokens();
    spa.refresh_at(&browser).await.expect_tokens();
    spa.refresh_at(&thief).await.expect_error("invalid_grant");
    let app = provider.browser();
    let wish = |password: &str| json!({ "username": BOB, "password": password });
    direct.fetch_json(&app, "/auth/login", wish("a wrong password")).await.expect_error("invalid_credentials");
    direct.fetch_json(&app, "/auth/login", wish(PASSWORD)).await.expect_tokens();
    direct.fetch_json(&app, "/auth/logout", json!({})).await.expect(204);

    // Apps with secrets, with every endpoint, and with credentials where they do not belong.
    for id in ["web", "post", "native"] {
        let app = provider.client(id);
        secrets.push(app.secret());
        let code = app.code_of(ALICE).await;
        secrets.extend([code.code.clone(), code.verifier.clone()]);
        let tokens = app.redeem(&code).await.expect_tokens();
        app.userinfo(&tokens.access).await.expect(200);
        app.introspect(&tokens.access).await;
        let path = format!("/oauth2/token?client_secret={}&code={}", app.secret(), code.code);
        app.post(&path, &[("grant_type", "authorization_code")]).await.expect_error("invalid_request");
        provider.get(&format!("/oauth2/userinfo?access_token={}", tokens.access)).await.expect(401);
        app.redeem(&code).await.expect_error("invalid_grant");
        app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
        app.revoke(&tokens.refresh).await.expect(200);
        provider.get(&format!("/nowhere/{}?token={}", tokens.refresh, tokens.access)).await.expect(404);
    }

    // The account room.
    let room = provider.browser();
    room.sign_in(BOB).await;
    let page = room.go("/account/password").await;
    let new = "another fine password";
    let fields = [("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
    room.submit(&page, "/account/password", &fields).await.expect_at("/account");
    let page = room.go("/account").await;
    room.submit(&page, "/logout", &[]).await.expect(200);

    let answers = provider.answers();
    for answer in &answers {
        for cookie in answer.set_cookies() {
            secrets.push(cookie.split([';', '=']).nth(1).unwrap().to_owned());
        }
        for parameter in ["code", "txn"] {
            let location = answer.header("location");
            let url =
                if location.starts_with('/') { format!("https://id.shop.test{location}") } else { location.to_owned() };
            secrets.extend((!url.is_empty()).then(|| query_of(&url, parameter)).flatten());
        }
        if answer.header("content-type").starts_with("application/json") {
            secrets.extend(["access_token", "id_token"].map(|member| answer.text(member)));
            secrets.push(answer.text("refresh_token"));
        }
        for hidden in answer.body.split("name=\"csrf\" value=\"").skip(1) {
            secrets.push(hidden.split('"').next().unwrap().to_owned());
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() > 50, "the story was told: {}", secrets.len());

    let log = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    for answer in &answers {
        let id = answer.header("request-id");
        assert!(id.len() == 22 && log.contains(id), "the request {id:?} is not in the log: {answer:#?}");
    }
    for secret in secrets {
        // The end of a token is its secret part, and enough to find a piece of it.
        let tail = &secret[secret.len().saturating_sub(20)..];
        if let Some(at) = log.find(&secret).or_else(|| log.find(tail)) {
            let line = log[..at].rfind('\n').map_or(0, |start| start + 1);
            panic!("{secret:?} is in the log: {}", log[line..].lines().next().unwrap());
        }
    }
    // Master key and hashes of the test's house.
    assert!(!log.contains("$argon2id$"));
}
