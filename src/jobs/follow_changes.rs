//! Keeps what the process remembers (keys, clients, resources) equal to the database, and its clock equal to PostgreSQL's.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Polls until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(app.provider.config.limits.change_poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = app.follow_changes().await {
            let age = app.clock.now().seconds_since(app.provider.directory.confirmed_at());
            if age > app.provider.config.limits.stale_log.as_secs() {
                tracing::warn!(%error, age, "the database cannot be asked for changes");
            }
        }
    }
}
