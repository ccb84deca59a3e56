//! Keeps the status lists of this process up to date, and tells at once what was revoked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::follow_changes::in_time;
use crate::app::App;
use crate::store::StoreError;

/// How often it is looked what was ended: what listeners wait for.
const LOOK: Duration = Duration::from_millis(250);
/// How many looks there are to one round of signing.
const LOOKS_PER_ROUND: u64 = 4;
/// How long one round may take.
const LONGEST_ROUND: Duration = Duration::from_secs(30);

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
        let (from, now) = (app.status_sources(), app.clock.now());
        let looked = in_time(app.status_lists.look(from, now)).await;
        // Whatever became of the look. It may take longer, since what is done list by list stays done.
        let published = match looks.is_multiple_of(LOOKS_PER_ROUND) {
            true => timeout(LONGEST_ROUND, app.status_lists.publish(from, now)).await.unwrap_or_else(|_| {
                Err(StoreError::Unavailable("a round of signing status lists took too long".into()))
            }),
            false => Ok(()),
        };
        looks += 1;
        if let Err(error) = looked.and(published) {
            tracing::warn!(%error, "the status lists could not be brought up to date");
        }
    }
}

/// Does it once, before the doors open: who comes first finds the lists, and whoever resumes a stream misses nothing.
pub async fn begin(app: &App) {
    let (from, now) = (app.status_sources(), app.clock.now());
    let begun = async {
        app.status_lists.look(from, now).await?;
        app.status_lists.publish(from, now).await
    };
    if let Err(error) = in_time(begun).await {
        tracing::warn!(%error, "the status lists could not be made ready");
    }
}
