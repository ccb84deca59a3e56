//! A lease has one holder at a time, in whatever process.

use std::time::Duration;

use frontdesk::jobs::purge;
use frontdesk::store::{Store, leases};
use tokio_util::sync::CancellationToken;

use super::rows::{NOW, Rows, later, race};
use crate::support::{ALICE, TestProvider};

async fn take(store: &Store, name: &'static str, holder: &'static str, at: u64) -> bool {
    let lasts = Duration::from_secs(300);
    store.write(async move |tx| leases::take(tx, name, holder, lasts, later(at)).await).await.unwrap()
}

#[tokio::test]
async fn a_lease_is_kept_by_its_holder_and_free_when_it_has_run_out() {
    let rows = Rows::open().await;
    let [one, two] = &rows.processes;
    assert!(take(one, "job", "one", 0).await);
    assert!(!take(two, "job", "two", 0).await);
    assert!(!take(two, "job", "two", 299).await);
    assert!(take(two, "another job", "two", 0).await);
    // Renewed, it lasts from then on.
    assert!(take(one, "job", "one", 200).await);
    assert!(!take(two, "job", "two", 499).await);
    assert!(take(two, "job", "two", 500).await);
    assert!(!take(one, "job", "one", 500).await, "who lost it does not have it any more");
    assert_eq!(rows.texts("SELECT holder FROM leases WHERE name = 'job'").await, ["two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_want_a_lease_at_once_one_has_it() {
    let rows = Rows::open().await;
    for round in 0..5_u64 {
        let won = race(&rows, 32, |store, number| async move {
            let (holder, now) = (format!("process {number}"), later(round * 300));
            let lasts = Duration::from_secs(300);
            store.write(async move |tx| leases::take(tx, "job", &holder, lasts, now).await).await.unwrap()
        })
        .await;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1, "round {round}");
    }
    assert_eq!(rows.number("SELECT COUNT(*) FROM leases").await, 1);
    assert!(rows.number("SELECT until FROM leases").await > NOW.as_seconds());
}

#[tokio::test]
async fn one_process_purges_and_the_other_leaves_it_alone() {
    let provider = TestProvider::start().await;
    let twin = provider.twin(|_| ()).await;
    provider.client("own").code_of(ALICE).await;
    provider.app().clock.advance(Duration::from_secs(3 * 86_400));
    let (now, stop) = (provider.app().clock.now(), CancellationToken::new());
    provider
        .run(&format!("INSERT INTO leases (name, holder, until) VALUES ('purge', 'another', {})", now.as_seconds() + 1))
        .await;

    assert_eq!(purge::once(provider.app(), now, &stop).await.unwrap(), 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes").await, 1);
    let now = now.plus(Duration::from_secs(1));
    assert!(purge::once(provider.app(), now, &stop).await.unwrap() > 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes").await, 0);
    // It is the first's now, as long as it says.
    provider.run("INSERT INTO attempts (bucket, taken, until) VALUES ('b', 1, 0)").await;
    assert_eq!(purge::once(twin.app(), now, &stop).await.unwrap(), 0);
    assert_eq!(purge::once(provider.app(), now, &stop).await.unwrap(), 1);
    // Told to stop, it stops before the next batch.
    provider.run("INSERT INTO attempts (bucket, taken, until) VALUES ('b', 1, 0)").await;
    stop.cancel();
    assert_eq!(purge::once(provider.app(), now, &stop).await.unwrap(), 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 1);
}
