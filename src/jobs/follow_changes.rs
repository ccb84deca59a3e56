//! Keeps what the process remembers (keys, clients, resources) equal to the database, and its clock equal to PostgreSQL's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::store::{Store, StoreError};

/// How long one look may take. A database whose host is gone gives no answer and no error; the next look takes another
/// connection.
const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// After how long to try again to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// Polls until told to stop, and at once when the database tells of a change.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let told = Notify::new();
    tokio::select! {
        () = stop.cancelled() => {}
        () = poll(&app, &told) => {}
        () = listen(&app.store, &told) => {}
    }
}

async fn poll(app: &App, told: &Notify) {
    let mut ticks = interval(app.provider.config.limits.change_poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = told.notified() => {}
        }
        let looked = look(app).await;
        // By age, whatever became of this one look.
        let age = app.clock.now().seconds_since(app.provider.directory.confirmed_at());
        if age > app.provider.config.limits.stale_log.as_secs() {
            let error = looked.err().map(|error| error.to_string());
            tracing::warn!(age, error, "the database cannot be asked for changes");
        }
    }
}

/// Listens for as long as that goes, and then again. Nothing depends on it, so it fails quietly.
async fn listen(store: &Store, told: &Notify) {
    loop {
        let error = match store.listen().await {
            Ok(Some(mut listener)) => loop {
                // The first time for what changed while nobody listened.
                told.notify_one();
                if let Err(error) = listener.heard().await {
                    break error;
                }
            },
            Ok(None) => std::future::pending().await,
            Err(error) => error,
        };
        tracing::debug!(%error, "changes are not heard of, only polled for");
        sleep(LISTEN_AGAIN).await;
    }
}

/// Looks once.
///
/// # Errors
/// If the database refuses, or does not answer in time.
pub async fn look(app: &App) -> Result<(), StoreError> {
    in_time(app.follow_changes()).await
}

/// Gives a look up that is not answered.
///
/// # Errors
/// What the look came to, or that it came to nothing.
pub(super) async fn in_time<T>(looking: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(LONGEST_LOOK, looking).await.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer to a look".into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_look_that_is_not_answered_is_given_up_after_three_seconds() {
        let began = Instant::now();
        let error = in_time(std::future::pending::<Result<(), _>>()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert_eq!(began.elapsed().as_secs(), 3);
        let slow = async {
            sleep(Duration::from_millis(2_900)).await;
            Ok(())
        };
        in_time(slow).await.unwrap();
        assert!(matches!(in_time::<()>(async { Err(StoreError::Closed) }).await, Err(StoreError::Closed)));
    }
}
