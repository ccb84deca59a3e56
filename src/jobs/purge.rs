//! Removes what has expired. One process at a time does it, in batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::domain::time::Timestamp;
use crate::store::purge::{self, Expiring};
use crate::store::{Store, StoreError, leases};

const EVERY: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(300);
/// A clock that leaps further than this may be wrong, and what is purged is gone.
const LONGEST_LEAP: Duration = Duration::from_secs(3600);

/// Purges every minute until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (began, first) = (Instant::now(), app.clock.now());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = app.clock.now();
        if has_leapt(first, began.elapsed(), now) {
            tracing::error!(alarm = "clock", %now, "the clock leapt forward by more than an hour, purging waits for a restart");
            continue;
        }
        if let Err(error) = once(&app, now, &stop).await {
            tracing::warn!(%error, "purging failed and will be tried again");
        }
    }
}

/// Removes everything that has expired, if no other process is at it. Returns how many rows went. Where one table refuses the
/// others are still purged.
///
/// # Errors
/// What the first of the tables that refused had against it.
pub async fn once(app: &App, now: Timestamp, stop: &CancellationToken) -> Result<u64, StoreError> {
    let holder = app.process_id().to_owned();
    if !app.store.write(async move |tx| leases::take(tx, "purge", &holder, LEASE, now).await).await? {
        return Ok(0);
    }
    let (mut total, mut failed) = (0, None);
    for of in Expiring::ALL {
        if let Err(error) = table(&app.store, of, now, stop, &mut total).await {
            tracing::warn!(%error, ?of, "purging failed and will be tried again");
            failed.get_or_insert(error);
        }
    }
    if total > 0 {
        tracing::debug!(rows = total, "expired rows were removed");
    }
    failed.map_or(Ok(total), Err)
}

async fn table(
    store: &Store,
    of: Expiring,
    now: Timestamp,
    stop: &CancellationToken,
    total: &mut u64,
) -> Result<(), StoreError> {
    while !stop.is_cancelled() {
        let removed = store.write(async move |tx| purge::batch(tx, of, now).await).await?;
        *total += removed;
        if !purge::was_full(removed) {
            break;
        }
    }
    Ok(())
}

/// Whether the clock went further forward since the start than time did.
fn has_leapt(first: Timestamp, elapsed: Duration, now: Timestamp) -> bool {
    now > first.plus(elapsed + LONGEST_LEAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_of_more_than_an_hour_is_noticed() {
        let first = Timestamp::from_seconds(0);
        let elapsed = Duration::from_secs(100);
        assert!(!has_leapt(first, elapsed, Timestamp::from_seconds(100)));
        assert!(!has_leapt(first, elapsed, Timestamp::from_seconds(3_700)));
        assert!(has_leapt(first, elapsed, Timestamp::from_seconds(3_701)));
        assert!(!has_leapt(first, elapsed, Timestamp::from_seconds(-5_000)));
    }
}
