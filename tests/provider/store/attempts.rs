//! Permits: exact, within their window, and given back to the window they were taken from.

use frontdesk::store::attempts::{self, Taken};

use super::rows::{Rows, later, race};

const WINDOW: u64 = 900;

async fn take(rows: &Rows, bucket: &'static str, limit: u32, at: u64) -> Option<Taken> {
    let (now, until) = (later(at), later(at + WINDOW));
    rows.store().write(async move |tx| attempts::take(tx, bucket, limit, now, until).await).await.unwrap()
}

async fn refund(rows: &Rows, until: u64) {
    let until = later(until);
    rows.store().write(async move |tx| attempts::refund(tx, "b", until).await).await.unwrap();
}

#[tokio::test]
async fn permits_are_numbered_until_the_limit_and_begin_anew_with_the_next_window() {
    let rows = Rows::open().await;
    for number in 1..=3 {
        // The window began with the first permit and is not put off by later ones.
        let taken = take(&rows, "b", 3, 10 * (number - 1)).await;
        assert_eq!(taken, Some(Taken { number: i64::try_from(number).unwrap(), until: later(WINDOW) }));
    }
    assert_eq!(take(&rows, "b", 3, 30).await, None);
    assert_eq!(take(&rows, "b", 3, WINDOW - 1).await, None);
    assert_eq!(rows.number("SELECT taken FROM attempts").await, 3, "a refusal is not counted");
    assert_eq!(take(&rows, "other", 3, 30).await, Some(Taken { number: 1, until: later(30 + WINDOW) }));
    assert_eq!(take(&rows, "b", 3, WINDOW).await, Some(Taken { number: 1, until: later(2 * WINDOW) }));
    let mut db = rows.store().read().await.unwrap();
    assert_eq!(attempts::until(&mut db, "b").await.unwrap(), Some(later(2 * WINDOW)));
    assert_eq!(attempts::until(&mut db, "never").await.unwrap(), None);
}

#[tokio::test]
async fn a_permit_is_given_back_to_its_own_window_and_never_below_nothing() {
    let rows = Rows::open().await;
    take(&rows, "b", 2, 0).await.unwrap();
    take(&rows, "b", 2, 0).await.unwrap();
    refund(&rows, WINDOW).await;
    assert_eq!(take(&rows, "b", 2, 1).await.unwrap().number, 2);
    for _ in 0..3 {
        refund(&rows, WINDOW).await;
    }
    assert_eq!(rows.number("SELECT taken FROM attempts").await, 0);
    take(&rows, "b", 2, WINDOW).await.unwrap();
    // Of the window before: too late.
    refund(&rows, WINDOW).await;
    assert_eq!(rows.number("SELECT taken FROM attempts").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_give_exactly_as_many_permits_as_there_are() {
    let rows = Rows::open().await;
    for window in 0..3 {
        let now = later(window * WINDOW);
        let taken = race(&rows, 64, |store, _| async move {
            let until = now.plus(std::time::Duration::from_secs(WINDOW));
            store.write(async move |tx| attempts::take(tx, "b", 7, now, until).await).await.unwrap()
        })
        .await;
        let mut numbers: Vec<i64> = taken.into_iter().flatten().map(|taken| taken.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    }
    assert_eq!(rows.number("SELECT taken FROM attempts").await, 7);
}
