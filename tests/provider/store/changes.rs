//! The counters tell every process what to read again, with the change and never before it.

use frontdesk::store::changes::{self, Counters, Kind};
use frontdesk::store::{StoreError, Tx};
use serde_json::json;

use super::rows::{Rows, race};
use crate::support::TestProvider;

async fn read(rows: &Rows) -> Counters {
    changes::read(&mut rows.processes[1].read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn each_kind_has_its_own_counter_and_an_undone_change_counts_nothing() {
    let rows = Rows::open().await;
    let start = read(&rows).await;
    for (kind, clients, resources, keys) in
        [(Kind::Clients, 1, 0, 0), (Kind::Resources, 1, 1, 0), (Kind::Keys, 1, 1, 1), (Kind::Clients, 2, 1, 1)]
    {
        rows.store().write(async move |tx| changes::bump(tx, kind).await).await.unwrap();
        let expected = Counters {
            clients: start.clients + clients,
            resources: start.resources + resources,
            keys: start.keys + keys,
        };
        assert_eq!(read(&rows).await, expected);
    }
    let before = read(&rows).await;
    let undone = rows
        .store()
        .write(async move |tx: &mut Tx| {
            changes::bump(tx, Kind::Clients).await?;
            Err::<(), _>(StoreError::corrupt("a change of mind"))
        })
        .await;
    assert!(undone.is_err());
    assert_eq!(read(&rows).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_bump_of_two_processes_is_lost() {
    let rows = Rows::open().await;
    let start = read(&rows).await;
    race(&rows, 64, |store, number| async move {
        let kind = [Kind::Clients, Kind::Resources][number / 2 % 2];
        store.write(async move |tx| changes::bump(tx, kind).await).await.unwrap();
    })
    .await;
    let end = read(&rows).await;
    assert_eq!((end.clients - start.clients, end.resources - start.resources, end.keys - start.keys), (32, 32, 0));
}

#[tokio::test]
async fn a_second_process_reads_again_what_changed_and_only_then() {
    let provider = TestProvider::start().await;
    let twin = provider.twin(|_| ()).await;
    let seen = |id: &str| twin.app().provider.directory.snapshot().client(id).is_some();
    let first = twin.app().provider.directory.snapshot();
    twin.follow_changes().await;
    assert!(
        std::sync::Arc::ptr_eq(&first, &twin.app().provider.directory.snapshot()),
        "nothing changed, nothing was read"
    );
    provider.register("new", json!({ "application_type": "service", "scope": "notes:read" })).await;
    assert!(!seen("new"));
    twin.follow_changes().await;
    assert!(seen("new"));
    // A counter that was set back, as by a restore, is a change as well.
    provider.run("UPDATE changes SET counter = counter - 1 WHERE name = 'clients'").await;
    provider.run("DELETE FROM clients WHERE client_id = 'new'").await;
    twin.follow_changes().await;
    assert!(!seen("new"));
    // Asked for by name it is found before the next look, and its absence is remembered a second.
    let worker = |process: &TestProvider| process.app().provider.clone();
    let now = provider.app().clock.now();
    let id = frontdesk::domain::id::ClientId::new("later");
    let ask = async |now| {
        let provider = worker(&twin);
        provider.directory.client_or_ask(&twin.app().store, &id, now).await.unwrap().is_some()
    };
    assert!(!ask(now).await);
    provider.register("later", json!({ "application_type": "service", "scope": "notes:read" })).await;
    assert!(!ask(now).await, "asked a moment ago");
    assert!(ask(now.plus(std::time::Duration::from_secs(1))).await);
    assert!(seen("later"), "all was read anew with it: its API may be as new");
}
