//! The issuer says that its keys have changed. That is remembered until an answer is here that was asked
//! for after it, however often that fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::{Attempts, KeyCache, Need, Shared};
use crate::cooldown::Pace;

/// Least time between two attempts that fail.
const RETRY: Duration = Duration::from_secs(1);

/// What is still to be done about the last news.
#[derive(Default)]
pub(super) struct Renewal {
    wanted: bool,
    /// The attempt under way, or the last one, began after the news.
    asked: bool,
    task: Option<AbortHandle>,
}

impl Renewal {
    pub(super) fn attempt_begins(&mut self) {
        self.asked = true;
    }

    pub(super) fn attempt_succeeded(&mut self) {
        self.wanted &= !self.asked;
    }

    pub(super) fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Remembers the news. Does anybody see to it already?
    fn remember(&mut self) -> bool {
        let alive = self.wanted && self.task.as_ref().is_some_and(|task| !task.is_finished());
        self.wanted = true;
        // What is under way may have been answered before the news.
        self.asked = false;
        alive
    }
}

impl KeyCache {
    /// Fetches the keys in the background, because the issuer says that they have changed.
    pub(crate) fn renew(&self) {
        let mut attempts = self.shared.attempts();
        if attempts.renewal.remember() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("keys can only be fetched inside a tokio runtime");
            return;
        };
        attempts.renewal.stop();
        let task = runtime.spawn(Arc::clone(&self.shared).renew());
        attempts.renewal.task = Some(task.abort_handle());
    }
}

impl Attempts {
    /// How long the issuer is left alone before it is asked for the news. `None`: there are none.
    fn rest(&self, now: Duration, pace: Pace) -> Option<Duration> {
        let pause = if self.failed { pace.cool_down.max(RETRY) } else { pace.retry() };
        let rest = self.last.map_or(Duration::ZERO, |last| (last + pause).saturating_sub(now));
        self.renewal.wanted.then_some(rest)
    }
}

impl Shared {
    async fn renew(self: Arc<Self>) {
        loop {
            let running = self.attempts().under_way().cloned();
            if let Some(mut running) = running {
                let _ = running.changed().await;
            }
            let now = self.clock.elapsed();
            let Some(rest) = self.attempts().rest(now, self.settings.pace) else { return };
            if rest.is_zero() {
                self.begin(Need::Told, now);
            } else {
                sleep(rest).await;
            }
        }
    }
}
