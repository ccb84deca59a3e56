//! Removes what has expired. One process at a time does it, in batches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::clock;
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::store::purge::{self, Expiring};
use crate::store::{Store, StoreError, leases};

const EVERY: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(300);

/// Purges every minute until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = app.clock.now();
        let set_back_by = app.clock.set_back_by();
        if set_back_by > 0 {
            tracing::warn!(
                alarm = "clock",
                seconds = set_back_by,
                "the clock was set back; ours stands until it is reached again"
            );
        }
        let outcome = match clock::is_believable(&app, now).await {
            Ok(true) => once(&app, now, &stop).await.map(drop),
            Ok(false) => continue,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
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
    while !stop.is_cancelled() && app.store.write(async |tx| purge::shrink(tx).await).await? {}
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
