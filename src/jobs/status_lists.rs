//! Keeps the status lists of this process up to date, and tells at once what was revoked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::follow_changes::in_time;
use crate::app::App;
use crate::store::StoreError;

/// How often it is looked what was ended: what listeners wait for.
const LOOK: Duration = Duration::from_millis(250);
/// How many looks there are to one round of signing.
const LOOKS_PER_ROUND: u64 = 4;

/// Works until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0_u64;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let outcome = in_time(once(&app, looks.is_multiple_of(LOOKS_PER_ROUND))).await;
        looks += 1;
        if let Err(error) = outcome {
            tracing::warn!(%error, "the status lists could not be brought up to date");
        }
    }
}

/// Looks once, and signs if it is time.
///
/// # Errors
/// If the database refuses.
pub async fn once(app: &App, sign: bool) -> Result<(), StoreError> {
    let (from, now) = (app.status_sources(), app.clock.now());
    app.status_lists.look(from, now).await?;
    if sign { app.status_lists.publish(from, now).await } else { Ok(()) }
}
