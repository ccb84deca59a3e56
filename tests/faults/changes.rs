//! The command line beside a running server: each sees what the other wrote, and neither keeps the other out.

use std::process::Output;
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

fn with_input(provider: &TestProvider, arguments: &[&str], input: &str) -> Output {
    let place = provider.place();
    place.write("input", input);
    let input = std::fs::File::open(place.path().join("input")).unwrap();
    place.command(arguments).stdin(input).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_are_looked_at_and_ended_from_the_command_line() {
    let provider = TestProvider::start().await;
    let (app, browser) = (provider.client("web"), provider.browser());
    let inspect = |token: &str| -> serde_json::Value {
        let out = with_input(&provider, &["tokens", "inspect", "--json"], &format!("{token}\n"));
        assert!(out.status.success(), "{out:?}");
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let tokens = app.tokens_at(&browser, ALICE).await;
    for (token, kind) in [(&tokens.access, "access_token"), (&tokens.refresh, "refresh_token")] {
        let told = inspect(token);
        assert_eq!(
            (&told["kind"], &told["active"], &told["user"]),
            (&kind.into(), &true.into(), &ALICE.into()),
            "{told}"
        );
    }
    let forged = format!("{}x", &tokens.refresh[..tokens.refresh.len() - 1]);
    assert_eq!(inspect(&forged)["active"], false);
    assert_eq!(with_input(&provider, &["tokens", "inspect"], "no token").status.code(), Some(2));

    // What either token was given for ends, and so does everything of a session, a person and a client.
    for which in ["refresh", "access", "--session", "--user", "--client"] {
        let tokens = app.tokens_at(&browser, ALICE).await;
        let sid = inspect(&tokens.access)["claims"]["sid"].as_str().unwrap().to_owned();
        let out = match which {
            "refresh" => with_input(&provider, &["tokens", "revoke", "--json"], &tokens.refresh),
            "access" => with_input(&provider, &["tokens", "revoke", "--json"], &tokens.access),
            "--session" => with_input(&provider, &["tokens", "revoke", "--session", &sid, "--json"], ""),
            "--user" => with_input(&provider, &["tokens", "revoke", "--user", ALICE, "--json"], ""),
            _ => with_input(&provider, &["tokens", "revoke", "--client", "web", "--json"], ""),
        };
        assert!(out.status.success(), "{which}: {out:?}");
        assert_eq!(app.userinfo(&tokens.access).await.status, 401, "{which}");
        app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
        assert_eq!(inspect(&tokens.refresh)["active"], false, "{which}");
    }
    // Who is out of service has nothing left, which is what was wanted.
    provider.place().ok(&["clients", "disable", "web"]);
    let out = with_input(&provider, &["tokens", "revoke", "--client", "web", "--json"], "");
    assert!(out.status.success(), "{out:?}");
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(told, serde_json::json!({ "sessions": 0, "grants": 0, "own_tokens": false }));
    for wrong in [vec!["--user", "nobody"], vec!["--client", "nobody"], vec!["--session", "nobody"], vec![]] {
        let out = with_input(&provider, &[&["tokens", "revoke"], wrong.as_slice()].concat(), "a.b.c");
        assert_eq!(out.status.code(), Some(1), "{wrong:?}: {out:?}");
    }
    assert_eq!(with_input(&provider, &["tokens", "revoke", "--user", "a", "--client", "b"], "").status.code(), Some(2));
}
