//! Keeps what the process remembers (keys, clients, resources) equal to the database, and its clock equal to PostgreSQL's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::store::StoreError;

/// How long one look may take. A database whose host is gone gives no answer and no error; the next look takes another
/// connection.
const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// Polls until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(app.provider.config.limits.change_poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let looked = look(&app).await;
        // By age, whatever became of this one look.
        let age = app.clock.now().seconds_since(app.provider.directory.confirmed_at());
        if age > app.provider.config.limits.stale_log.as_secs() {
            let error = looked.err().map(|error| error.to_string());
            tracing::warn!(age, error, "the database cannot be asked for changes");
        }
    }
}

/// Looks once.
///
/// # Errors
/// If the database refuses, or does not answer in time.
pub async fn look(app: &App) -> Result<(), StoreError> {
    timeout(LONGEST_LOOK, app.follow_changes())
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer to the look for changes".into())))
}
