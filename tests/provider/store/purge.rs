//! What has expired goes, a batch at a time, and what must be kept stays as long as it must.

use frontdesk::domain::time::Timestamp;
use frontdesk::store::purge::{self, Expiring};

use super::rows::{DAY, NOW, Rows, later};

async fn batch(rows: &Rows, of: Expiring, now: Timestamp) -> u64 {
    rows.store().write(async move |tx| purge::batch(tx, of, now).await).await.unwrap()
}

#[tokio::test]
async fn each_kind_is_kept_to_the_last_second_it_is_needed() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    rows.code(&grant).await;
    rows.family(&grant).await;
    let at = NOW.as_seconds();
    for row in [
        format!(
            "INSERT INTO authorize_requests (id, digest, client_id, parameters, created_at, expires_at) \
             VALUES ('r', '', 'c1', '', 0, {at})"
        ),
        format!("INSERT INTO attempts (bucket, taken, until) VALUES ('b', 1, {at})"),
        format!("INSERT INTO setup_links (id, digest, expires_at) VALUES ('l', '', {at})"),
        format!("INSERT INTO browsers (id, digest, known, created_at, last_seen_at) VALUES ('b', '', TRUE, 0, {at})"),
        format!(
            "INSERT INTO retired_indices (status_list, status_index, invalid_until) VALUES (1, 7, {at}), (1, 8, NULL)"
        ),
        format!("UPDATE codes SET expires_at = {at}"),
        format!("UPDATE grants SET ended_at = {at}, expires_at = {}", at + 400 * 86_400),
    ] {
        rows.database.run(&row).await;
    }
    let month = 30 * DAY;
    for (of, table, kept) in [
        (Expiring::AuthorizeRequests, "authorize_requests", 0),
        (Expiring::Attempts, "attempts", 0),
        (Expiring::SetupLinks, "setup_links", DAY),
        (Expiring::Codes, "codes", DAY),
        (Expiring::Browsers, "browsers", 366 * DAY),
        (Expiring::EndedGrants, "grants", month),
    ] {
        let count = format!("SELECT COUNT(*) FROM {table}");
        // A second before its time, and a year before, as a clock that went back would have it.
        for early in [kept.saturating_sub(1), 0].into_iter().filter(|_| kept > 0) {
            assert_eq!(batch(&rows, of, later(early)).await, 0, "{table}");
        }
        assert_eq!(batch(&rows, of, Timestamp::from_seconds(at - 1)).await, 0, "{table}");
        assert_eq!(rows.number(&count).await, 1, "{table}");
        assert_eq!(batch(&rows, of, later(kept)).await, 1, "{table}");
        assert_eq!(rows.number(&count).await, 0, "{table}");
        assert_eq!(batch(&rows, of, later(kept)).await, 0, "{table}");
    }
    assert_eq!(rows.number("SELECT COUNT(*) FROM refresh_families").await, 0, "a family goes with its grant");
    assert_eq!(batch(&rows, Expiring::RetiredIndices, later(0)).await, 1);
    // A bit without an end stays as long as its list.
    assert_eq!(rows.texts("SELECT CAST(status_index AS TEXT) FROM retired_indices").await, ["8"]);
    assert_eq!(batch(&rows, Expiring::RetiredIndices, later(4000 * DAY)).await, 0);
}

#[tokio::test]
async fn a_grant_that_lives_or_ended_a_little_while_ago_stays_with_all_it_owns() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    rows.code(&grant).await;
    rows.family(&grant).await;
    // It expires after a week by itself, and is kept a month for people to look back at.
    for now in [0, 7 * DAY - 1, 7 * DAY, 37 * DAY - 1] {
        assert_eq!(batch(&rows, Expiring::Grants, later(now)).await, 0, "{now}");
    }
    assert_eq!(rows.number("SELECT COUNT(*) FROM refresh_families").await, 1);
    assert_eq!(batch(&rows, Expiring::Grants, later(37 * DAY)).await, 1);
    for table in ["grants", "codes", "refresh_families"] {
        assert_eq!(rows.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_session_stays_while_a_grant_is_there_that_names_it() {
    let rows = Rows::open().await;
    rows.grant(1).await;
    let gone = later(37 * DAY);
    // `s2` has no grants; `s1` has one that outlives it.
    rows.database.run(&format!("UPDATE grants SET expires_at = {}", later(400 * DAY).as_seconds())).await;
    assert_eq!(batch(&rows, Expiring::Sessions, later(37 * DAY - 1)).await, 0);
    assert_eq!(batch(&rows, Expiring::Sessions, gone).await, 1);
    assert_eq!(rows.texts("SELECT id FROM sessions").await, ["s1"]);
    rows.database.run("DELETE FROM grants").await;
    assert_eq!(batch(&rows, Expiring::Sessions, gone).await, 1);
    assert_eq!(rows.number("SELECT COUNT(*) FROM users").await, 2);
}

#[tokio::test]
async fn more_than_a_batch_goes_in_several_the_oldest_first() {
    let rows = Rows::open().await;
    for hundred in 0..12 {
        let values: Vec<String> =
            (0..100).map(|one| format!("('b{:04}', 1, {})", hundred * 100 + one, hundred * 100 + one)).collect();
        rows.database.run(&format!("INSERT INTO attempts (bucket, taken, until) VALUES {}", values.join(", "))).await;
    }
    let mut removed = Vec::new();
    loop {
        let gone = batch(&rows, Expiring::Attempts, NOW).await;
        removed.push(gone);
        if !purge::was_full(gone) {
            break;
        }
        let oldest = rows.texts("SELECT MIN(bucket) FROM attempts").await.remove(0);
        assert_eq!(oldest, format!("b{:04}", removed.iter().sum::<u64>()));
    }
    assert_eq!(removed, [500, 500, 200]);
    assert_eq!(rows.number("SELECT COUNT(*) FROM attempts").await, 0);
}

#[tokio::test]
async fn a_used_code_is_recognised_for_a_day_and_unknown_after_that() {
    use crate::support::{ALICE, TestProvider};
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let tokens = app.redeem(&code).await.expect_tokens();
    let purge = async |seconds: u64| {
        provider.advance(seconds).await;
        let now = provider.app().clock.now();
        let stop = tokio_util::sync::CancellationToken::new();
        frontdesk::jobs::purge::once(provider.app(), now, &stop).await.unwrap();
    };
    purge(86_400 + 59).await;
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes").await, 1);
    purge(1).await;
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes").await, 0);
    app.redeem(&code).await.expect_error("invalid_grant");
    assert_eq!(provider.live_families().await, 1, "what is unknown ends nothing");
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn sign_ins_at_apps_go_with_their_time_or_their_grant() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    let at = NOW.as_seconds();
    for row in [
        format!(
            "INSERT INTO gateway_flows (id, digest, browser, host, path, expires_at) VALUES ('f', '', '', 'h', '/', {at})"
        ),
        format!(
            "INSERT INTO gateway_sessions (id, digest, host, grant_id, created_at) VALUES ('w', '', 'h', '{}', 0)",
            grant.id
        ),
    ] {
        rows.database.run(&row).await;
    }
    assert_eq!(batch(&rows, Expiring::GatewayFlows, Timestamp::from_seconds(at - 1)).await, 0);
    assert_eq!(batch(&rows, Expiring::GatewayFlows, NOW).await, 1);
    assert_eq!(rows.number("SELECT COUNT(*) FROM gateway_sessions").await, 1);
    assert_eq!(batch(&rows, Expiring::Grants, later(37 * DAY)).await, 1);
    assert_eq!(rows.number("SELECT COUNT(*) FROM gateway_sessions").await, 0);
}

#[tokio::test]
async fn what_apps_were_told_goes_after_a_day_and_how_they_failed_after_an_hour() {
    let rows = Rows::open().await;
    let at = NOW.as_seconds();
    for row in [
        format!(
            "INSERT INTO outbox (id, kind, client_id, session_id, sid, sub, created_at, not_before, attempts, finished_at) \
             VALUES ('1', 'logout', 'a', 's', 's', 'u', 0, 0, 1, {at}), ('2', 'logout', 'a', 's', 's', 'u', 0, 0, 1, NULL)"
        ),
        format!("INSERT INTO outbox_rests (client_id, rests, stumbles, rests_until) VALUES ('a', 1, 0, {at})"),
    ] {
        rows.database.run(&row).await;
    }
    for (of, kept) in [(Expiring::Outbox, DAY), (Expiring::OutboxRests, 3_600)] {
        assert_eq!(batch(&rows, of, later(kept - 1)).await, 0, "{of:?}");
        assert_eq!(batch(&rows, of, later(kept)).await, 1, "{of:?}");
    }
    assert_eq!(rows.number("SELECT COUNT(*) FROM outbox").await, 1, "what waits stays");
}
