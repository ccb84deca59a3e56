//! Tells the other processes that this one serves, and which master keys it holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::domain::time::Timestamp;
use crate::store::nodes;

/// How often it is looked whether there is anything to tell.
const LOOK: Duration = Duration::from_secs(1);
/// After how many seconds the same is told again. Who is silent for a minute counts as gone.
const AGAIN: u64 = 10;

/// Tells it until told to stop, and then that this process is gone.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: Option<(Timestamp, String)> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let (now, seals_with) = (app.clock.now(), app.vault.seals_with());
        if told.as_ref().is_some_and(|(at, with)| now.seconds_since(*at) < AGAIN && *with == seals_with) {
            continue;
        }
        match app.report(now).await {
            Ok(()) => told = Some((now, seals_with)),
            Err(error) => tracing::debug!(%error, "this process could not tell that it serves"),
        }
    }
    let process = app.process_id().to_owned();
    if let Err(error) = app.store.write(async move |tx| nodes::remove(tx, &process).await).await {
        tracing::debug!(%error, "this process could not tell that it ends");
    }
}
