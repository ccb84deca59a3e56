//! The command line beside a running server: each sees what the other wrote, and neither keeps the other out.

use std::time::Duration;

use crate::journal::Journal;
use crate::load::{Load, signed_in};
use crate::rounds;
use crate::support::{ALICE, BOB, RelyingParty, TestProvider, changed_text};

/// Longer than anything here takes; only a change that is never seen gets there.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

async fn may(service: &RelyingParty, scope: &str) -> bool {
    let answer = service.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await;
    match answer.status.as_u16() {
        200 => {
            assert_eq!(answer.text("scope"), scope);
            true
        }
        400 => {
            answer.expect_error("invalid_scope");
            false
        }
        _ => {
            answer.expect_error("invalid_client");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_running_server_sees_what_the_command_line_changes() {
    let provider = TestProvider::start().await;
    let place = provider.place();
    let (worker, late) = (provider.client("worker"), provider.client("late"));
    assert!(may(&worker, "notes:read").await && !may(&worker, "notes:write").await && !may(&late, "notes:read").await);

    place.ok(&["clients", "disable", "worker"]);
    until("a client out of service", async || !may(&worker, "notes:read").await).await;
    place.ok(&["clients", "enable", "worker"]);
    until("a client in service again", async || may(&worker, "notes:read").await).await;

    place.write("changed.toml", &changed_text());
    place.ok(&["apply", "changed.toml"]);
    until("a new client", async || may(&late, "notes:read").await).await;
    until("a scope more", async || may(&worker, "notes:write").await).await;

    let (app, browser) = (provider.client("web"), provider.browser());
    let tokens = app.tokens_at(&browser, BOB).await;
    app.userinfo(&tokens.access).await.expect(200);
    place.ok(&["users", "disable", BOB]);
    until("a person shut out", async || app.userinfo(&tokens.access).await.status == 401).await;
    app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    browser.go("/account").await.expect_at("/login");
    place.ok(&["users", "enable", BOB]);
    // What was ended stays so; signing in is possible again.
    app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    app.tokens_of(BOB).await;

    let tokens = app.tokens_of(ALICE).await;
    place.ok(&["users", "sign-out", ALICE]);
    app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_write_while_the_server_is_under_full_load() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browsers = signed_in(&provider, 1).await;
    let mut tokens = Vec::new();
    for _ in 0..48 {
        tokens.push(app.tokens_at(&browsers[0], ALICE).await.refresh);
    }
    let journal = Journal::new();
    let mut load = Load::refreshing(&provider, tokens, &journal);
    for round in 0..rounds(3, 20) {
        let before = journal.answers();
        load.during(journal.until(before + 200)).await;
        let (during, commands) = (journal.answers(), provider.clone());
        let name = format!("person{round}");
        let wrote = tokio::task::spawn_blocking(move || {
            let place = commands.place();
            place.write("changed.toml", &changed_text());
            place.ok(&["users", "add", &name, "--no-password"]);
            place.ok(&["clients", "disable", "worker"]);
            place.ok(&["apply", "changed.toml"]);
            place.ok(&["clients", "enable", "worker"]);
            place.ok(&["apply", "house.toml"]);
        });
        load.during(wrote).await.unwrap();
        assert!(journal.answers() > during, "nobody was served meanwhile");
    }
    load.end().await;
    let added = provider.number("SELECT COUNT(*) FROM users WHERE username LIKE 'person%'").await;
    assert_eq!(added, i64::try_from(rounds(3, 20)).unwrap());
}
