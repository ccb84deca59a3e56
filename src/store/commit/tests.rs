//! What the writer promises, under the conditions that break such promises.

use std::pin::pin;

use super::*;
use crate::store::testing::{TestStore, all_at_once};
use crate::store::{OpenOptions, Store, on};

const PAIRS: &str = "CREATE TABLE pairs (id BIGINT NOT NULL, half BIGINT NOT NULL, PRIMARY KEY (id, half))";

/// A database whose units write two rows each, so that half a unit shows.
async fn pairs() -> TestStore {
    let store = TestStore::open().await;
    store.run(PAIRS).await;
    store
}

/// The same, always SQLite: for what only the writer thread does.
async fn sqlite() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let store = Store::open(&OpenOptions { url, max_connections: 4, migrate: true }).await.unwrap();
    store.write(async |tx| on!(tx, |db| sqlx::query(PAIRS).execute(db).await.map(drop))).await.unwrap();
    (folder, store)
}

async fn insert(tx: &mut Tx, id: i64, half: i64) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("INSERT INTO pairs (id, half) VALUES ($1, $2)")
        .bind(id)
        .bind(half)
        .execute(db)
        .await
        .map(drop))
}

async fn write_pair(store: &Store, id: i64) -> Result<(), StoreError> {
    store
        .write(async move |tx| {
            insert(tx, id, 0).await?;
            insert(tx, id, 1).await
        })
        .await
}

async fn number(store: &Store, sql: &'static str) -> i64 {
    let mut db = store.read().await.unwrap();
    let read = async |db: &mut Db| -> Result<i64, StoreError> {
        let row: (i64,) = on!(db, |db| sqlx::query_as(sql).fetch_one(db).await)?;
        Ok(row.0)
    };
    read(&mut db).await.unwrap()
}

async fn rows(store: &Store) -> i64 {
    number(store, "SELECT COUNT(*) FROM pairs").await
}

/// Ids of which not both rows are there.
async fn halves(store: &Store) -> i64 {
    number(store, "SELECT COUNT(*) FROM (SELECT id FROM pairs GROUP BY id HAVING COUNT(*) <> 2) AS odd").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_six_hundred_units_two_hundred_break_a_key_and_no_half_unit_stays() {
    let store = pairs().await;
    write_pair(&store, 0).await.unwrap();
    let outcomes = all_at_once((1..=600).map(|id| {
        let store = store.clone();
        async move {
            let breaks = id % 3 == 0;
            let outcome = store
                .write(async move |tx| {
                    insert(tx, id, 0).await?;
                    insert(tx, if breaks { 0 } else { id }, 1).await
                })
                .await;
            (breaks, outcome)
        }
    }))
    .await;
    for (breaks, outcome) in outcomes {
        match outcome {
            Ok(()) => assert!(!breaks),
            Err(error) => assert!(breaks && matches!(error, StoreError::Conflict(_)), "{error}"),
        }
    }
    assert_eq!((rows(&store).await, halves(&store).await), (802, 0));
    assert_eq!(number(&store, "SELECT COUNT(*) FROM pairs WHERE id > 0 AND id % 3 = 0").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_dropped_after_any_number_of_polls_is_whole_or_absent_and_blocks_nobody() {
    let store = pairs().await;
    for id in 0..200_i64 {
        let polls = id % 20;
        {
            let mut unit = pin!(write_pair(&store, id));
            for _ in 0..polls {
                let polled = std::future::poll_fn(|context| Poll::Ready(unit.as_mut().poll(context).is_ready())).await;
                if polled {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        write_pair(&store, 1_000 + id).await.unwrap();
    }
    assert_eq!(halves(&store).await, 0);
    assert_eq!(number(&store, "SELECT COUNT(*) FROM pairs WHERE id >= 1000").await, 400);
    // Never polled: never asked for.
    assert_eq!(number(&store, "SELECT COUNT(*) FROM pairs WHERE id < 1000 AND id % 20 = 0").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_aborted_under_load_leave_no_half_unit_and_the_others_are_answered() {
    let store = pairs().await;
    let mut kept = tokio::task::JoinSet::new();
    let mut aborted = tokio::task::JoinSet::new();
    for id in 0..500_i64 {
        let inside = store.clone();
        let tasks = if id % 2 == 0 { &mut kept } else { &mut aborted };
        tasks.spawn(async move { write_pair(&inside, id).await });
        if id % 7 == 0 {
            aborted.abort_all();
            tokio::task::yield_now().await;
        }
    }
    aborted.abort_all();
    for outcome in kept.join_all().await {
        outcome.unwrap();
    }
    while aborted.join_next().await.is_some() {}
    write_pair(&store, 1_000).await.unwrap();
    assert_eq!(halves(&store).await, 0);
    assert_eq!(number(&store, "SELECT COUNT(*) FROM pairs WHERE id % 2 = 0").await, 502);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_that_panics_is_undone_and_harms_no_other() {
    let store = pairs().await;
    let outcomes = all_at_once((0..200_i64).map(|id| {
        let store = store.clone();
        async move {
            let panics = id % 4 == 0;
            let outcome = store
                .write(async move |tx| {
                    insert(tx, id, 0).await?;
                    assert!(!panics, "a unit that panics on purpose");
                    insert(tx, id, 1).await
                })
                .await;
            (panics, outcome)
        }
    }))
    .await;
    for (panics, outcome) in outcomes {
        assert_eq!(matches!(outcome, Err(StoreError::Panicked)), panics, "{outcome:?}");
        assert_eq!(outcome.is_ok(), !panics);
    }
    assert_eq!((rows(&store).await, halves(&store).await), (300, 0));
}

#[tokio::test]
async fn a_unit_that_waits_for_something_else_is_refused_at_once() {
    let store = pairs().await;
    let (never, mut released) = oneshot::channel::<()>();
    let outcome = store
        .write(async move |tx| {
            insert(tx, 1, 0).await?;
            // Would wait for ever: the other end is held until after the refusal.
            drop((&mut released).await);
            insert(tx, 1, 1).await
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::WaitedElsewhere)), "{outcome:?}");
    drop(never);
    let inner = TestStore::clone(&store);
    let outcome = store
        .write(async move |tx| {
            insert(tx, 2, 0).await?;
            write_pair(&inner, 3).await
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::WaitedElsewhere)), "{outcome:?}");
    write_pair(&store, 4).await.unwrap();
    assert_eq!(halves(&store).await, 0);
    assert_eq!(number(&store, "SELECT COUNT(*) FROM pairs WHERE id IN (1, 2)").await, 0);
}

#[tokio::test]
async fn an_ignored_failure_is_a_failure_and_nothing_runs_after_it() {
    let store = pairs().await;
    write_pair(&store, 1).await.unwrap();
    let outcome = store
        .write(async |tx| {
            insert(tx, 2, 0).await?;
            assert!(matches!(insert(tx, 1, 0).await, Err(StoreError::Conflict(_))));
            assert!(matches!(insert(tx, 2, 1).await, Err(StoreError::IgnoredFailure)));
            Ok(())
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::IgnoredFailure)), "{outcome:?}");
    assert_eq!(rows(&store).await, 2);
    write_pair(&store, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_fails_fails_all_of_its_batch_and_the_next_batch_works() {
    let (_folder, store) = sqlite().await;
    let mut fellows = 0;
    let (mut id, mut kept) = (0, 0);
    for _ in 0..30 {
        let units = (0..64_i64).map(|place| {
            id += 1;
            let (store, id) = (store.clone(), id);
            async move {
                if place != 20 {
                    return (false, write_pair(&store, id).await);
                }
                // A child without its parent, looked at only when the whole transaction ends.
                let outcome = store
                    .write(async |tx| {
                        on!(tx, |db| sqlx::query("PRAGMA defer_foreign_keys = ON").execute(db).await.map(drop))?;
                        on!(tx, |db| sqlx::query(
                            "INSERT INTO passwords (user_id, sealed, kek_id, changed_at) VALUES ('nobody', '', '', 0)"
                        )
                        .execute(db)
                        .await
                        .map(drop))
                    })
                    .await;
                (true, outcome)
            }
        });
        for (poisoned, outcome) in all_at_once(units.collect::<Vec<_>>()).await {
            match (poisoned, outcome) {
                (true, outcome) => assert!(outcome.is_err()),
                (false, Ok(())) => kept += 1,
                (false, Err(_)) => fellows += 1,
            }
        }
        assert_eq!((rows(&store).await, halves(&store).await), (2 * kept, 0), "kept is what was acknowledged");
        id += 1;
        write_pair(&store, id).await.unwrap();
        kept += 1;
    }
    assert!(fellows > 0, "in thirty rounds no unit shared the batch of the poisoned one");
    assert_eq!(number(&store, "SELECT COUNT(*) FROM passwords").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_another_process_writes_units_wait_and_then_are_told_to_come_back() {
    let (folder, store) = sqlite().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("test.db"));
    let mut other = options.connect().await.unwrap();

    // It lets go in time.
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    let asking = store.clone();
    waiting.spawn(async move { write_pair(&asking, 1).await });
    assert_eq!(rows(&store).await, 0, "readers do not wait");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    waiting.join_next().await.unwrap().unwrap().unwrap();

    // It does not.
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let refused = all_at_once((2..34_i64).map(|id| {
        let store = store.clone();
        async move { write_pair(&store, id).await }
    }));
    let refused = timeout(Duration::from_secs(60), refused).await.expect("a bounded wait");
    assert_eq!(refused.len(), 32);
    for outcome in refused {
        assert!(matches!(outcome, Err(StoreError::Busy)), "{outcome:?}");
    }
    assert_eq!(rows(&store).await, 2);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    write_pair(&store, 2).await.unwrap();
    assert_eq!((rows(&store).await, halves(&store).await), (4, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_finishes_what_was_accepted_and_takes_nothing_more() {
    let (folder, store) = sqlite().await;
    let mut units = tokio::task::JoinSet::new();
    for id in 0..100_i64 {
        let store = store.clone();
        units.spawn(async move { write_pair(&store, id).await });
    }
    tokio::task::yield_now().await;
    store.close().await;
    assert!(matches!(write_pair(&store, 1_000).await, Err(StoreError::Closed)));
    let kept = units.join_all().await.into_iter().filter(Result::is_ok).count();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let again = Store::open(&OpenOptions { url, max_connections: 4, migrate: true }).await.unwrap();
    assert_eq!((rows(&again).await, halves(&again).await), (2 * i64::try_from(kept).unwrap(), 0));
}
