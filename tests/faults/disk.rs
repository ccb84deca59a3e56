//! No room left: the database's files may not grow (`RLIMIT_FSIZE`), so that its writes fail as on a full disk.

#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::journal::{Asked, Journal};
use crate::kill::nothing_is_lost;
use crate::load::signed_in;
use crate::support::{ALICE, Answer, Server, TestProvider};
use crate::{invariants, rounds};

/// Starts the server where the signal that comes with the limit is ignored: writing fails then, as it does on a full disk.
fn serve(provider: &TestProvider) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_frontdesk")]);
    command.current_dir(provider.place().path()).env_clear().stdin(Stdio::null());
    provider.serve_by(&mut command);
}

/// No file of the server may grow beyond so many bytes; `None`: as large as it likes.
fn limit(provider: &TestProvider, bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let limit = Rlimit { current: bytes.or(maximum), maximum };
    prlimit(Some(provider.server(Server::pid)), Resource::Fsize, limit).unwrap();
}

#[track_caller]
fn expect_no_room(answer: Answer) {
    let answer = answer.expect(503);
    assert_eq!(answer.text("error"), "temporarily_unavailable");
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_full_disk_it_answers_503_and_goes_on_when_there_is_room() {
    let provider = TestProvider::installed_in_file();
    serve(&provider);
    let app = provider.client("web");
    let browsers = signed_in(&provider, 1).await;
    let mut known = Vec::new();
    for _ in 0..4 {
        known.push(app.tokens_at(&browsers[0], ALICE).await);
    }
    let code = app.code_at(&browsers[0], ALICE).await;
    let rows = "SELECT (SELECT COUNT(*) FROM audit) + (SELECT SUM(generation) FROM refresh_families) \
                + (SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL) + (SELECT COUNT(*) FROM sessions)";
    let before = provider.number(rows).await;

    limit(&provider, Some(0));
    for _ in 0..3 {
        expect_no_room(app.refresh(&known[0].refresh).await);
        expect_no_room(app.redeem(&code).await);
        expect_no_room(app.revoke(&known[1].refresh).await);
        let page = provider.browser().go("/login").await;
        page.expect(503);
    }
    assert_eq!(provider.number(rows).await, before, "nothing was kept");
    // Reading goes on.
    app.userinfo(&known[1].access).await.expect(200);

    limit(&provider, None);
    let next = app.refresh(&known[0].refresh).await.expect_tokens();
    app.refresh(&next.refresh).await.expect_tokens();
    let redeemed = app.redeem(&code).await.expect_tokens();
    app.revoke(&known[1].refresh).await.expect(200);
    app.refresh(&known[1].refresh).await.expect_error("invalid_grant");
    signed_in(&provider, 1).await;
    provider.kill();
    serve(&provider);
    app.refresh(&redeemed.refresh).await.expect_tokens();
    app.refresh(&known[1].refresh).await.expect_error("invalid_grant");
    invariants::hold(&provider).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_disk_fills_up_under_load_nothing_acknowledged_is_missing() {
    let provider = TestProvider::installed_in_file();
    let app = provider.client("web");
    let file = format!("{}-wal", provider.database_file().unwrap());
    for round in 0..rounds(3, 20) {
        // With a fresh log of writes, which is not started over before it meets the limit.
        serve(&provider);
        let browsers = signed_in(&provider, 1).await;
        let (journal, mut entries) = (Journal::new(), Vec::new());
        for _ in 0..16 {
            let code = app.code_at(&browsers[0], ALICE).await;
            entries.push((journal.given(code.clone()), code));
        }
        let room = 40_000 + 13_000 * u64::try_from(round % 7).unwrap();
        limit(&provider, Some(std::fs::metadata(&file).unwrap().len() + room));
        let mut busy = tokio::task::JoinSet::new();
        for (entry, code) in entries {
            let (app, journal) = (app.clone(), journal.clone());
            busy.spawn(async move {
                journal.asks(entry, Asked::Redeem);
                let mut answer = app.redeem(&code).await;
                while answer.status == 200 {
                    let tokens = answer.expect_tokens();
                    journal.received(entry, tokens.clone());
                    journal.asks(entry, Asked::Refresh);
                    answer = app.refresh(&tokens.refresh).await;
                }
                expect_no_room(answer);
            });
        }
        busy.join_all().await;
        assert!(journal.answers() > 16, "there was no room for anything");
        limit(&provider, None);
        if round % 2 == 1 {
            provider.kill();
            serve(&provider);
        }
        nothing_is_lost(&provider, &journal).await;
        invariants::hold(&provider).await;
        assert_eq!(provider.stop().code(), Some(0));
    }
}
