//! A status list in memory, with the task that keeps it fresh.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use url::Url;

use super::list::StatusList;
use super::{MAX_POLL, StatusSettings};

/// Least time between two attempts to fetch a list, when callers wait for it.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Time between two polls of a list that does not say, or that could never be had.
const DEFAULT_POLL: Duration = Duration::from_secs(10);

/// One list, perhaps not yet fetched.
pub(super) struct Entry {
    /// As tokens write it.
    pub(super) uri: String,
    pub(super) url: Url,
    /// Never changed, only replaced.
    pub(super) list: ArcSwapOption<StatusList>,
    /// Sends word at the end of each attempt, however it ended.
    pub(super) ended: watch::Sender<u64>,
    /// Ends the task's pause.
    pub(super) wake: Notify,
    /// When the present list was last confirmed, in milliseconds.
    confirmed: AtomicU64,
    /// When a token last named it, in milliseconds.
    used: AtomicU64,
    /// Held for moments only, never across a wait.
    attempts: Mutex<Attempts>,
}

/// How fetching goes.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    pub(super) task: Option<AbortHandle>,
    pub(super) running: bool,
    pub(super) last: Option<Duration>,
    pub(super) failures: u32,
    /// Of the present list.
    pub(super) etag: Option<String>,
}

impl Attempts {
    pub(super) fn alive(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.is_finished())
    }
}

impl Entry {
    pub(super) fn new(uri: &str, url: Url, now: Duration) -> Self {
        Self {
            uri: uri.to_owned(),
            url,
            list: ArcSwapOption::empty(),
            ended: watch::Sender::new(0),
            wake: Notify::new(),
            confirmed: AtomicU64::new(0),
            used: AtomicU64::new(milliseconds(now)),
            attempts: Mutex::default(),
        }
    }

    pub(super) fn attempts(&self) -> MutexGuard<'_, Attempts> {
        // Nothing inside can be left half done, so a panic elsewhere does no harm here.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token names this list. Written once a second at most, since all threads share it.
    pub(super) fn touch(&self, now: Duration) {
        let now = milliseconds(now);
        if now.saturating_sub(self.used.load(Ordering::Relaxed)) > 1000 {
            self.used.store(now, Ordering::Relaxed);
        }
    }

    pub(super) fn used(&self) -> Duration {
        Duration::from_millis(self.used.load(Ordering::Relaxed))
    }

    /// The issuer said at this time that the present list is its newest.
    pub(super) fn confirm(&self, at: Duration) {
        self.confirmed.store(milliseconds(at), Ordering::Relaxed);
    }

    /// Time since the present list was confirmed.
    pub(super) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.confirmed.load(Ordering::Relaxed)))
    }

    /// Forgets the list, because its signature no longer counts.
    pub(super) fn clear(&self) {
        self.list.store(None);
        self.attempts().etag = None;
    }

    /// There is no list here, and no attempt to get it has failed yet.
    pub(super) fn is_new(&self) -> bool {
        self.list.load().is_none() && self.attempts().failures == 0
    }

    /// How long until the next attempt.
    pub(super) fn pause(&self, settings: &StatusSettings) -> Duration {
        let regular = match self.list.load().as_deref() {
            Some(list) => poll_interval(list, settings),
            None => DEFAULT_POLL.max(settings.min_poll),
        };
        match self.attempts().failures {
            0 => regular,
            failures => regular.min(RETRY * 2_u32.pow((failures - 1).min(9))),
        }
    }

    /// Stops the task.
    pub(super) fn stop(&self) {
        if let Some(task) = self.attempts().task.take() {
            task.abort();
        }
    }
}

/// How often a list is fetched.
pub(super) fn poll_interval(list: &StatusList, settings: &StatusSettings) -> Duration {
    list.ttl.unwrap_or(DEFAULT_POLL).min(MAX_POLL).max(settings.min_poll)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
