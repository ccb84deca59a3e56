//! Rows get their numbers and MACs, a bounded number in one unit of work.
//!
//! One process does it, by a lease. The chain does not rest on that: the unit first moves the head from where it saw it, and
//! then takes only rows without a number. Of two processes that seal at once (a lease that ran out in the middle), the later one
//! finds the head moved and has written nothing.

use std::time::Duration;

use super::chain::ChainKey;
use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError, Tx, audit, audit_chain, leases};

/// Rows in one unit of work: others wait behind it.
const BATCH: u32 = 100;

/// The lease. Whoever holds it renews it with each batch.
const LEASE: &str = "seal audit";
const LASTS: Duration = Duration::from_secs(5);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// So many rows were sealed, and that was all there were.
    All(usize),
    /// So many rows were sealed, and there may be more.
    More(usize),
    /// Another process is at it.
    Another,
    /// The chain goes on under a key that this process does not have yet.
    AnotherKey,
}

/// Seals the oldest rows that wait, if no other process is at it.
///
/// # Errors
/// If the database refuses, or somebody has removed the head of the chain.
pub async fn batch(store: &Store, key: &ChainKey, process: &str, now: Timestamp) -> Result<Outcome, StoreError> {
    let (key, process) = (key.clone(), process.to_owned());
    store
        .write(async move |tx| {
            // Looked at first: who cannot seal leaves the lease to others.
            if audit_chain::head(tx).await?.is_some_and(|head| !head.key_id.is_empty() && head.key_id != key.id()) {
                return Ok(Outcome::AnotherKey);
            }
            if !hold_lease(tx, &process, now).await? {
                return Ok(Outcome::Another);
            }
            in_unit(tx, &key).await
        })
        .await
}

/// Takes the lease, or renews it. False: it is another's.
///
/// # Errors
/// If the database refuses.
pub async fn hold_lease(tx: &mut Tx, process: &str, now: Timestamp) -> Result<bool, StoreError> {
    leases::take(tx, LEASE, process, LASTS, now).await
}

/// Lets another process go on at once.
///
/// # Errors
/// If the database refuses.
pub async fn give_lease_back(store: &Store, process: &str) -> Result<(), StoreError> {
    let process = process.to_owned();
    store.write(async move |tx| leases::give_back(tx, LEASE, &process).await).await
}

pub(super) async fn in_unit(tx: &mut Tx, key: &ChainKey) -> Result<Outcome, StoreError> {
    let head = audit_chain::head(tx).await?.ok_or_else(|| StoreError::corrupt("audit_head has no row"))?;
    if !head.key_id.is_empty() && head.key_id != key.id() {
        return Ok(Outcome::AnotherKey);
    }
    let events = audit::unsealed(tx, BATCH).await?;
    let mut seals = Vec::with_capacity(events.len());
    let (mut number, mut mac) = (head.number, head.mac.clone());
    for event in &events {
        let seal = key.seal(event, (number, &mac));
        (number, mac) = (seal.number, seal.mac.clone());
        seals.push(seal);
    }
    if events.is_empty() {
        return Ok(Outcome::All(0));
    }
    if !audit_chain::advance(tx, &head, (number, &mac), key.id()).await? {
        return Ok(Outcome::Another);
    }
    for (event, seal) in events.iter().zip(&seals) {
        if !audit_chain::seal(tx, &event.id, seal).await? {
            // Behind the head's guard only somebody from outside takes a row away. Nothing of the unit may stay.
            return Err(StoreError::Busy);
        }
    }
    let all = events.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
    Ok(if all { Outcome::All(events.len()) } else { Outcome::More(events.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{KEY, NOW, act, seal_all, verified};
    use crate::store::testing::{TestStore, all_at_once};

    #[tokio::test]
    async fn rows_are_numbered_in_their_order_in_bounded_batches() {
        let store = TestStore::open().await;
        for number in 0..230 {
            act(&store, number).await;
        }
        let mut outcomes = Vec::new();
        for _ in 0..4 {
            outcomes.push(batch(&store, &KEY, "one", NOW).await.unwrap());
        }
        assert_eq!(outcomes, [Outcome::More(100), Outcome::More(100), Outcome::All(30), Outcome::All(0)]);
        let order = store.texts("SELECT subject FROM audit ORDER BY number").await;
        assert_eq!(order, (0..230).map(|number| format!("row {number}")).collect::<Vec<_>>());
        assert_eq!(store.number("SELECT MAX(number) - MIN(number) FROM audit").await, 229);
        let report = verified(&store).await;
        assert_eq!((report.problems, report.sealed, report.unsealed), (Vec::new(), 230, 0));
    }

    #[tokio::test]
    async fn the_lease_is_one_process_at_a_time_until_it_runs_out_or_is_given_back() {
        let store = TestStore::open().await;
        act(&store, 1).await;
        let at = |second: u64| NOW.plus(Duration::from_secs(second));
        assert_eq!(batch(&store, &KEY, "one", NOW).await.unwrap(), Outcome::All(1));
        act(&store, 2).await;
        assert_eq!(batch(&store, &KEY, "two", at(4)).await.unwrap(), Outcome::Another);
        assert_eq!(store.number("SELECT COUNT(*) FROM audit WHERE number IS NULL").await, 1);
        assert_eq!(batch(&store, &KEY, "two", at(5)).await.unwrap(), Outcome::All(1));
        act(&store, 3).await;
        give_lease_back(&store, "one").await.unwrap();
        assert_eq!(
            batch(&store, &KEY, "one", at(5)).await.unwrap(),
            Outcome::Another,
            "what is another's is not given back"
        );
        give_lease_back(&store, "two").await.unwrap();
        assert_eq!(batch(&store, &KEY, "one", at(5)).await.unwrap(), Outcome::All(1));
        assert_eq!(verified(&store).await.problems, []);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn processes_that_act_and_seal_at_once_make_one_chain() {
        let store = TestStore::open().await;
        let mut processes = Vec::new();
        for number in 0..4_u32 {
            processes.push((number, store.open_again().await));
        }
        // Without the lease: each believes that it is the one.
        let tasks = processes.iter().flat_map(|(process, of)| {
            (0..4_u32).map(move |task| {
                let (store, process) = (of.clone(), *process);
                async move {
                    for turn in 0..25_u32 {
                        act(&store, process * 1_000 + task * 100 + turn).await;
                        // A refused unit is as good as one that did nothing: the rows wait.
                        drop(store.write(async |tx| in_unit(tx, &KEY).await).await);
                    }
                }
            })
        });
        all_at_once(tasks.collect::<Vec<_>>()).await;
        seal_all(&store).await;
        let report = verified(&store).await;
        assert_eq!((report.problems, report.sealed, report.unsealed), (Vec::new(), 400, 0));
        assert_eq!(store.number("SELECT COUNT(DISTINCT number) FROM audit").await, 400);
        assert_eq!(store.number("SELECT MAX(number) FROM audit").await, 400);
        assert_eq!(store.number("SELECT COUNT(DISTINCT previous) FROM audit").await, 400, "no fork");
        for (_, process) in processes {
            process.close().await;
        }
    }

    #[tokio::test]
    async fn a_sealer_that_was_overtaken_writes_nothing() {
        let store = TestStore::open().await;
        act(&store, 1).await;
        let seen = audit_chain::head(&mut store.read().await.unwrap()).await.unwrap().unwrap();
        seal_all(&store).await;
        let stale = seen.clone();
        assert!(
            !store
                .write(async move |tx| audit_chain::advance(tx, &stale, (1, "another"), KEY.id()).await)
                .await
                .unwrap()
        );
        let row = audit_chain::following(&mut store.read().await.unwrap(), (0, ""), 9).await.unwrap().remove(0);
        let again = KEY.seal(&row.event, (5, "another"));
        let id = row.event.id.clone();
        assert!(!store.write(async move |tx| audit_chain::seal(tx, &id, &again).await).await.unwrap());
        assert_eq!(audit_chain::following(&mut store.read().await.unwrap(), (0, ""), 9).await.unwrap(), [row]);
    }

    #[tokio::test]
    async fn without_a_head_nothing_is_sealed() {
        let store = TestStore::open().await;
        act(&store, 1).await;
        store.run("DELETE FROM audit_head").await;
        assert!(matches!(batch(&store, &KEY, "one", NOW).await, Err(StoreError::Corrupt(_))));
        assert_eq!(store.number("SELECT COUNT(*) FROM audit WHERE number IS NOT NULL").await, 0);
    }
}
