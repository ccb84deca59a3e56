//! `kill -9` under load: what was acknowledged is there afterwards, and everything stands on one side or the other.

use std::sync::Arc;

use frontdesk::domain::refresh_token::RefreshToken;
use tokio::task::JoinSet;

use crate::journal::{Asked, Authorization, Journal, Visit};
use crate::load::{Load, signed_in};
use crate::support::{BOB, RelyingParty, TestProvider};
use crate::{invariants, rounds};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_under_load_nothing_that_was_acknowledged_is_lost() {
    let provider = TestProvider::start().await;
    // They stay signed in over all rounds: the sign-ins were acknowledged, too.
    let browsers = signed_in(&provider, 4).await;
    let on_postgres = provider.database_file().is_none();
    for round in 0..rounds(3, if on_postgres { 6 } else { 20 }) {
        let journal = Journal::new();
        let mut load = Load::start(&provider, &browsers, &journal);
        // Somewhere in the midst of it, elsewhere in each round.
        load.during(journal.until(80 + 37 * (round % 5))).await;
        provider.kill();
        load.end().await;

        provider.serve();
        provider.get("/readyz").await.expect(200);
        invariants::hold(&provider).await;
        nothing_is_lost(&provider, &journal).await;
        invariants::hold(&provider).await;
    }
}

/// The proof that the comparison can fail: what a server would have lost that acknowledged before it was durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_loss_is_noticed() {
    let provider = TestProvider::start().await;
    let browsers = signed_in(&provider, 4).await;
    for (loss, undone) in [
        ("nothing", "UPDATE changes SET counter = counter"),
        ("a refresh", "UPDATE refresh_families SET generation = generation - 1 WHERE generation > 0"),
        ("a family", "DELETE FROM refresh_families"),
        ("a revocation", "UPDATE refresh_families SET ended_at = NULL, reason = NULL"),
        ("a code", "DELETE FROM codes"),
        ("a sign-out", "UPDATE sessions SET ended_at = NULL, reason = NULL"),
    ] {
        let journal = Journal::new();
        let mut load = Load::start(&provider, &browsers, &journal);
        load.during(journal.until(120)).await;
        provider.kill();
        load.end().await;
        provider.run(undone).await;
        provider.serve();
        let mut comparing = JoinSet::new();
        let provider = provider.clone();
        comparing.spawn(async move { nothing_is_lost(&provider, &journal).await });
        let compared = comparing.join_next().await.unwrap();
        assert_eq!(compared.is_err(), loss != "nothing", "{loss}");
    }
}

/// Compares the journal with the rows and with the answers from now on.
pub(crate) async fn nothing_is_lost(provider: &TestProvider, journal: &Arc<Journal>) {
    for (at, known) in journal.authorizations().into_iter().enumerate() {
        if known.tokens.is_empty() {
            code_is_whole(provider, &known).await;
        } else {
            family_is_whole(provider, &known, at).await;
        }
    }
    for visit in journal.visits() {
        visit_is_whole(provider, &visit).await;
    }
}

/// A code that was given and for which no tokens came.
async fn code_is_whole(provider: &TestProvider, known: &Authorization) {
    let app = provider.client("web");
    let answer = app.redeem(&known.code).await;
    if answer.status == 200 {
        let tokens = answer.expect_tokens();
        app.refresh(&tokens.refresh).await.expect_tokens();
    } else {
        // Then it was redeemed, and the answer was lost with the server.
        answer.expect_error("invalid_grant");
        assert_eq!(known.asked, Some(Asked::Redeem), "a code that was never presented is lost");
    }
}

/// A family of which a generation was acknowledged.
async fn family_is_whole(provider: &TestProvider, known: &Authorization, at: usize) {
    let app = provider.client("web");
    let last = known.tokens.last().unwrap();
    let newest = generation_in(&last.refresh);
    assert_eq!(newest, i64::try_from(known.tokens.len()).unwrap() - 1);
    let (stored, ended) = (stored_generation(provider, &last.refresh).await, has_ended(provider, &last.refresh).await);
    let one_more = known.asked == Some(Asked::Refresh) && stored == newest + 1;
    assert!(
        stored == newest || one_more,
        "generation {newest} was acknowledged, {stored} is stored: {:?}",
        known.asked
    );

    if known.revoked || (ended && known.asked == Some(Asked::Revoke)) {
        assert!(ended, "an acknowledged revocation is lost");
        is_over(provider, &app, known).await;
        return;
    }
    assert!(!ended, "nobody ended it: {known:?}");
    app.userinfo(&last.access).await.expect(200);
    let next = app.refresh(&last.refresh).await.expect_tokens();
    let again = app.refresh(&last.refresh).await.expect_tokens();
    assert_eq!(next.refresh, again.refresh, "a retry gets the same successor");
    assert_eq!(stored_generation(provider, &last.refresh).await, newest + 1);
    let after = app.refresh(&next.refresh).await.expect_tokens();
    match at % 3 {
        // A token whose successor was used is a copy.
        0 => app.refresh(&last.refresh).await.expect_error("invalid_grant"),
        // A used code stays used, and using it again ends everything.
        1 => app.redeem(&known.code).await.expect_error("invalid_grant"),
        _ => return,
    };
    app.refresh(&after.refresh).await.expect_error("invalid_grant");
    is_over(provider, &app, known).await;
}

async fn is_over(provider: &TestProvider, app: &RelyingParty, known: &Authorization) {
    for tokens in known.tokens.iter().rev().take(2) {
        app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
        app.userinfo(&tokens.access).await.expect_error("invalid_token");
        assert!(!provider.client("api").sees_alive(&tokens.access).await);
        assert!(has_ended(provider, &tokens.refresh).await);
    }
    app.redeem(&known.code).await.expect_error("invalid_grant");
}

/// A person at the browser app.
async fn visit_is_whole(provider: &TestProvider, visit: &Visit) {
    let app = provider.client("spa");
    let cookie = visit.browser.cookie(&visit.browser.refresh_cookie_name()).unwrap();
    if visit.left || (visit.leaving && has_ended(provider, &cookie).await) {
        app.refresh_at(&visit.browser).await.expect_error("invalid_grant");
        visit.browser.go("/account").await.expect_at("/login");
        assert!(has_ended(provider, &cookie).await);
        return;
    }
    assert!(!has_ended(provider, &cookie).await, "nobody signed out");
    let (newest, stored) = (generation_in(&cookie), stored_generation(provider, &cookie).await);
    assert!(stored == newest || stored == newest + 1, "{newest} was acknowledged, {stored} is stored");
    app.refresh_at(&visit.browser).await.expect_tokens();
    visit.browser.go("/account").await.expect_at("/account").expect_text(BOB);
}

fn generation_in(token: &str) -> i64 {
    RefreshToken::parse(token).unwrap().generation().into()
}

async fn stored_generation(provider: &TestProvider, token: &str) -> i64 {
    let family = RefreshToken::parse(token).unwrap().family().clone();
    provider.number(&format!("SELECT generation FROM refresh_families WHERE id = '{family}'")).await
}

async fn has_ended(provider: &TestProvider, token: &str) -> bool {
    let family = RefreshToken::parse(token).unwrap().family().clone();
    let ended = format!("SELECT COUNT(*) FROM refresh_families WHERE id = '{family}' AND ended_at IS NOT NULL");
    provider.number(&ended).await == 1
}
