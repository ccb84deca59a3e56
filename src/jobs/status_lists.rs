//! Keeps the status lists of this process up to date, and tells at once what was revoked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::follow_changes::in_time;
use crate::app::App;
use crate::store::StoreError;

/// How often it is looked what was ended: what listeners wait for.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is seen to it that the lists say so.
const ROUND: Duration = Duration::from_secs(1);
/// How long one round may take.
const LONGEST_ROUND: Duration = Duration::from_secs(30);

/// Works until told to stop. Looks do not wait for signatures, which may wait for the database's writer.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    tokio::join!(look(&app, &stop), publish(&app, &stop));
}

async fn look(app: &App, stop: &CancellationToken) {
    let mut ticks = every(LOOK);
    while is_next(&mut ticks, stop).await {
        let now = app.clock.now();
        warn(in_time(app.status_lists.look(app.status_sources(), now)).await);
    }
}

async fn publish(app: &App, stop: &CancellationToken) {
    let mut ticks = every(ROUND);
    while is_next(&mut ticks, stop).await {
        let now = app.clock.now();
        // It may take longer than a look, since what is done list by list stays done.
        let published = timeout(LONGEST_ROUND, app.status_lists.publish(app.status_sources(), now)).await;
        warn(
            published.unwrap_or_else(|_| {
                Err(StoreError::Unavailable("a round of signing status lists took too long".into()))
            }),
        );
    }
}

fn every(pause: Duration) -> Interval {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Waits for the next turn. False: it is over.
async fn is_next(ticks: &mut Interval, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        _ = ticks.tick() => true,
    }
}

fn warn(done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the status lists could not be brought up to date");
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
