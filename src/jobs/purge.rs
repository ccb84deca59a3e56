//! Removes what has expired. One process at a time does it, in batches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::domain::time::Timestamp;
use crate::store::purge::{self, Expiring};
use crate::store::{Store, StoreError, installation, leases};

const EVERY: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(300);
/// A clock that leaps further than this may be wrong, and what is purged is gone.
const LONGEST_LEAP: Duration = Duration::from_secs(3600);

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
        let outcome = match is_believable(&app, now).await {
            Ok(true) => once(&app, now, &stop).await.map(drop),
            Ok(false) => continue,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "purging failed and will be tried again");
        }
    }
}

/// Whether the clock can be believed: it has gone no more than an hour since it was last believed, or the database's clock agrees,
/// or somebody has confirmed it. The last time is kept in the database, so that a leap is seen after a restart too; whether
/// nobody was running meanwhile, we cannot tell from a leap.
///
/// # Errors
/// If the database refuses.
pub async fn is_believable(app: &App, now: Timestamp) -> Result<bool, StoreError> {
    let agreed = app.clocks_agree();
    let leapt_from = app
        .store
        .write(async move |tx| {
            let last = installation::last_tick(tx).await?;
            let leapt_from = last.filter(|last| now > last.plus(LONGEST_LEAP) && !agreed);
            if leapt_from.is_none() {
                installation::tick(tx, now).await?;
            }
            Ok(leapt_from)
        })
        .await?;
    if let Some(last) = leapt_from {
        tracing::error!(
            alarm = "clock", %now, %last,
            "the clock is more than an hour ahead of when it was last seen, nothing is purged; if it is right, run `frontdesk config confirm-clock`"
        );
    }
    Ok(leapt_from.is_none())
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
