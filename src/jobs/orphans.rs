//! Ends grants that were left over when their session, person or client ended: there were more of them than one unit of work ends,
//! or the process was killed before the rest. They are worth nothing here; their status bits say so to everybody else.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::domain::grant::EndReason;
use crate::domain::time::Timestamp;
use crate::store::{StoreError, leases, orphans};
use crate::tokens::revoke::{self, What};

const EVERY: Duration = Duration::from_secs(15);
const LEASE: Duration = Duration::from_secs(60);
/// Whoever ended the rest itself is done by then.
const LEFT_IN_PEACE: Duration = Duration::from_secs(15);
/// How far back is looked for parents that ended; a process that starts looks as far as an access token may live.
const LOOKED_BACK: Duration = Duration::from_secs(600);
const LOOKED_BACK_AT_START: Duration = Duration::from_secs(2 * 3600);

/// Looks until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut back = LOOKED_BACK_AT_START;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match once(&app, back, app.clock.now(), &stop).await {
            Ok(_) => back = LOOKED_BACK,
            Err(error) => {
                tracing::warn!(%error, "grants that were left over could not be ended, which will be tried again");
            }
        }
    }
}

/// Ends all whose parents ended within a time. How many it were.
///
/// # Errors
/// If the database refuses; what was ended until then stays so.
pub async fn once(app: &App, back: Duration, now: Timestamp, stop: &CancellationToken) -> Result<usize, StoreError> {
    let (from, to) = (now.minus(back), now.minus(LEFT_IN_PEACE));
    let mut total = 0;
    loop {
        // First without a lease, since there are hardly ever any.
        let found = orphans::find(&mut app.store.read().await?, from, to).await?;
        if found.is_empty() || stop.is_cancelled() {
            return Ok(total);
        }
        let (holder, count) = (app.process_id().to_owned(), found.len());
        let ours = app.store.write(async move |tx| {
            if !leases::take(tx, "orphans", &holder, LEASE, now).await? {
                return Ok(false);
            }
            for id in &found {
                revoke::end(tx, What::Grant(id), EndReason::Orphaned, "system", now).await?;
            }
            Ok(true)
        });
        if !ours.await? {
            return Ok(total);
        }
        total += count;
    }
}
