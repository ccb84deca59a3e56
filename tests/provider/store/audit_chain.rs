//! What is audited is sealed by one of the processes, and checkpoints are written when they are due.

use std::sync::Arc;
use std::time::Duration;

use frontdesk::audit::chain::ChainKey;
use frontdesk::audit::verify::{Report, verify};
use frontdesk::jobs::{Jobs, seal_audit};
use frontdesk::store::audit::{self, Event};

use crate::support::{ALICE, TestProvider};

async fn acts(provider: &TestProvider, count: usize) {
    let now = provider.app().clock.now();
    provider
        .app()
        .store
        .write(async move |tx| {
            for _ in 0..count {
                let event = Event { actor: "cli", action: "thing.deed", subject: "it", data: serde_json::json!({}) };
                audit::record(tx, &event, now).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

async fn once(provider: &TestProvider, stopping: bool) {
    seal_audit::once(provider.app(), stopping).await.unwrap();
}

async fn verified(provider: &TestProvider) -> Report {
    let app = provider.app();
    verify(&app.store, &ChainKey::from_vault(&app.vault), &[]).await.unwrap()
}

async fn unsealed(provider: &TestProvider) -> i64 {
    provider.number("SELECT COUNT(*) FROM audit WHERE number IS NULL").await
}

/// How far the chain goes, and how far checkpoints do.
async fn ends(provider: &TestProvider) -> (i64, i64) {
    let of = async |column: &str| provider.number(&format!("SELECT {column} FROM audit_head")).await;
    (of("number").await, of("checkpoint").await)
}

#[tokio::test]
async fn a_checkpoint_is_due_by_rows_by_age_and_at_a_stop() {
    let provider = TestProvider::start().await;
    let pass = async |minutes: u64, new: usize, stopping: bool| {
        provider.app().clock.advance(Duration::from_secs(minutes * 60));
        acts(&provider, new).await;
        once(&provider, stopping).await;
        ends(&provider).await
    };
    let (number, checkpoint) = pass(0, 1, false).await;
    assert_eq!(number, checkpoint, "the first at once");
    let n = number;
    assert_eq!(pass(59, 1, false).await, (n + 1, n));
    assert_eq!(pass(1, 1, false).await, (n + 2, n + 2));
    assert_eq!(pass(90, 0, false).await, (n + 2, n + 2), "nothing new");
    assert_eq!(pass(0, 1, false).await, (n + 3, n + 3), "the last is long ago");
    assert_eq!(pass(0, 999, false).await, (n + 1_002, n + 3));
    assert_eq!(pass(0, 1, false).await, (n + 1_003, n + 1_003));
    assert_eq!(pass(0, 1, true).await, (n + 1_004, n + 1_004), "at a stop");
    assert_eq!(provider.number("SELECT COUNT(*) FROM leases WHERE name = 'seal audit'").await, 0, "given back");
    assert!(verified(&provider).await.is_whole());
}

#[tokio::test]
async fn one_process_seals_and_the_other_leaves_it_alone() {
    let provider = TestProvider::start().await;
    let twin = provider.twin(|_| ()).await;
    acts(&provider, 1).await;
    once(&provider, false).await;
    acts(&provider, 1).await;
    once(&twin, false).await;
    once(&twin, true).await;
    assert_eq!(unsealed(&provider).await, 1, "the lease is the first's, also when the other stops");
    once(&provider, true).await;
    acts(&provider, 1).await;
    once(&twin, false).await;
    assert_eq!(unsealed(&provider).await, 0, "given back, it can be taken at once");
    assert!(verified(&provider).await.is_whole());
}

#[tokio::test]
async fn an_idle_house_writes_nothing() {
    let provider = TestProvider::start().await;
    once(&provider, false).await;
    once(&provider, true).await;
    provider.app().clock.advance(Duration::from_secs(7_200));
    once(&provider, false).await;
    assert_eq!(provider.number("SELECT COUNT(*) FROM leases").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_jobs_of_two_processes_seal_what_both_do() {
    let provider = TestProvider::start().await;
    let twin = provider.twin(|_| ()).await;
    let processes = [Arc::new(provider.second_process().await), Arc::new(provider.second_process().await)];
    let jobs = processes.each_ref().map(Jobs::start);
    for of in [&provider, &twin, &provider] {
        of.client("web").tokens_of(ALICE).await;
    }
    while unsealed(&provider).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for of in [&twin, &provider] {
        of.browser().sign_in(ALICE).await;
    }
    for jobs in jobs {
        jobs.stop().await;
    }
    let report = verified(&provider).await;
    assert_eq!((report.problems, report.unsealed), (Vec::new(), 0), "a stop leaves nothing behind");
    let (number, checkpoint) = ends(&provider).await;
    assert_eq!((number.unsigned_abs(), checkpoint), (report.sealed, number));
}
