//! The issuer's keys in memory: how long they are trusted and when they are fetched again.
//!
//! A set is fresh for as long as the issuer says. In the last fifth of that time a request starts
//! a refresh and does not wait for it. Past it, requests wait for one refresh; if that fails, the
//! old set serves on while attempts go on in the background, until `max_stale`. Then nothing is
//! accepted any more: a key that the issuer removed in an emergency must not live on for ever.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::cooldown::{Pace, TokenBucket, UnknownKids};
use crate::discovery::Metadata;
use crate::fetch::{Fetch, FetchError};
use crate::issuer::Issuer;
use crate::jwks::{KeySet, PublicKey};
use crate::metrics::Fetches;
use renewal::Renewal;

mod renewal;

/// Longest time a set counts as fresh, whatever the issuer says.
pub(crate) const MAX_FRESHNESS: Duration = Duration::from_secs(15 * 60);

/// Largest discovery document and key set, in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;

/// How long one refresh may take, both documents together.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);

/// How keys are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheSettings {
    pub(crate) min_freshness: Duration,
    /// Counted from the moment the set was asked for.
    pub(crate) max_stale: Duration,
    pub(crate) pace: Pace,
}

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The issuer has no such key, as far as we may ask.
    Unknown,
    /// There are no keys at all, or they are too old to be trusted.
    Unavailable { retry_after: Duration },
}

/// The keys of one issuer. Dropping it stops a refresh that is under way.
pub(crate) struct KeyCache {
    shared: Arc<Shared>,
}

struct Shared {
    issuer: Issuer,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    settings: CacheSettings,
    fetches: Fetches,
    snapshot: ArcSwapOption<Snapshot>,
    /// Held for moments only, never across a wait.
    attempts: Mutex<Attempts>,
    /// Where the issuer's documents are and until when that is believed.
    metadata: Mutex<Option<(Arc<Metadata>, Duration)>>,
}

/// One whole key set; never changed, only replaced.
struct Snapshot {
    keys: KeySet,
    requested_at: Duration,
    freshness: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Fresh,
    /// In the last fifth of its freshness.
    Ageing,
    /// Past its freshness, still within `max_stale`.
    Stale,
    Dead,
}

struct Attempts {
    /// Closed when the refresh under way has ended, however it ended.
    running: Option<watch::Receiver<()>>,
    task: Option<AbortHandle>,
    last: Option<Duration>,
    /// True from the start of an attempt until it succeeds, so that a panic counts as failure.
    failed: bool,
    /// What `failed` was when the present attempt started.
    failed_before: bool,
    refetches: TokenBucket,
    unknown: UnknownKids,
    renewal: Renewal,
}

/// Why a refresh is wanted.
#[derive(Clone, Copy)]
enum Need<'k> {
    /// There are no keys, or none fresh enough to answer at once.
    Keys,
    /// The keys are good for now.
    Ahead,
    /// A token names a key that the set does not have.
    Kid(&'k str),
    /// The issuer says that the set has changed.
    Told,
}

impl KeyCache {
    pub(crate) fn new(issuer: Issuer, fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>, settings: CacheSettings) -> Self {
        let attempts = Attempts {
            running: None,
            task: None,
            last: None,
            failed: false,
            failed_before: false,
            refetches: TokenBucket::new(settings.pace.refetches_per_minute),
            unknown: UnknownKids::default(),
            renewal: Renewal::default(),
        };
        let shared = Shared {
            issuer,
            fetch,
            clock,
            settings,
            fetches: Fetches::default(),
            snapshot: ArcSwapOption::empty(),
            attempts: Mutex::new(attempts),
            metadata: Mutex::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.shared.issuer
    }

    /// The time that everything here is measured by.
    pub(crate) fn now(&self) -> Duration {
        self.shared.clock.elapsed()
    }

    /// Finds a key without waiting. Starts a refresh in the background when one is due.
    pub(crate) fn at_hand(&self, kid: &str) -> Option<Arc<PublicKey>> {
        let now = self.shared.clock.elapsed();
        let snapshot = self.shared.snapshot.load();
        let snapshot = snapshot.as_deref()?;
        if !self.may_serve(snapshot, now) {
            return None;
        }
        snapshot.keys.get(kid)
    }

    /// Finds a key, asking the issuer if that can help and is allowed now.
    pub(crate) async fn find(&self, kid: &str) -> Result<Arc<PublicKey>, NoKey> {
        let now = self.shared.clock.elapsed();
        let need = match self.shared.snapshot.load().as_deref() {
            Some(snapshot) if self.may_serve(snapshot, now) => Need::Kid(kid),
            _ => Need::Keys,
        };
        self.refresh_and_wait(need, now).await;
        self.find_after_waiting(kid, now)
    }

    /// Makes sure that there are keys.
    pub(crate) async fn warm_up(&self) -> Result<(), NoKey> {
        let now = self.shared.clock.elapsed();
        let ready = self.shared.snapshot.load().as_deref().is_some_and(|s| self.may_serve(s, now));
        if !ready {
            self.refresh_and_wait(Need::Keys, now).await;
        }
        self.usable().map(|_| ())
    }

    /// Where the issuer's documents are.
    pub(crate) async fn metadata(&self) -> Result<Arc<Metadata>, FetchError> {
        self.shared.metadata(self.shared.clock.elapsed()).await
    }

    /// How often keys were fetched, and how often that failed.
    pub(crate) fn fetches(&self) -> &Fetches {
        &self.shared.fetches
    }

    /// Time since the present set was asked for.
    pub(crate) fn age(&self) -> Option<Duration> {
        let now = self.shared.clock.elapsed();
        let snapshot = self.shared.snapshot.load();
        snapshot.as_deref().map(|snapshot| now.saturating_sub(snapshot.requested_at))
    }

    /// May this set answer without waiting? Starts the refresh that it may need.
    fn may_serve(&self, snapshot: &Snapshot, now: Duration) -> bool {
        match snapshot.condition(now, &self.shared.settings) {
            Condition::Fresh => true,
            Condition::Ageing => {
                self.shared.begin(Need::Ahead, now);
                true
            }
            // While the issuer does not answer, nobody should wait for it again and again.
            Condition::Stale if self.shared.attempts().last_one_failed() => {
                self.shared.begin(Need::Ahead, now);
                true
            }
            Condition::Stale | Condition::Dead => false,
        }
    }

    async fn refresh_and_wait(&self, need: Need<'_>, now: Duration) {
        if let Some(mut running) = self.shared.begin(need, now) {
            // Nothing is ever sent; this ends when the task drops its half.
            let _ = running.changed().await;
        }
    }

    fn find_after_waiting(&self, kid: &str, asked_at: Duration) -> Result<Arc<PublicKey>, NoKey> {
        let snapshot = self.usable()?;
        if let Some(key) = snapshot.keys.get(kid) {
            return Ok(key);
        }
        // Only an answer to a question put after the token came proves that the key is unknown.
        if snapshot.requested_at >= asked_at {
            self.shared.attempts().unknown.insert(kid, self.shared.clock.elapsed());
        }
        Err(NoKey::Unknown)
    }

    /// The present set, unless it is too old to be trusted.
    fn usable(&self) -> Result<Arc<Snapshot>, NoKey> {
        let now = self.shared.clock.elapsed();
        let settings = &self.shared.settings;
        self.shared
            .snapshot
            .load_full()
            .filter(|snapshot| snapshot.condition(now, settings) != Condition::Dead)
            .ok_or(NoKey::Unavailable { retry_after: settings.pace.retry() })
    }
}

impl Drop for KeyCache {
    fn drop(&mut self) {
        let mut attempts = self.shared.attempts();
        attempts.renewal.stop();
        if let Some(task) = attempts.task.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyCache")
            .field("issuer", &self.shared.issuer.as_str())
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl Attempts {
    fn under_way(&self) -> Option<&watch::Receiver<()>> {
        self.running.as_ref().filter(|running| running.has_changed().is_ok())
    }

    /// Did the last attempt that has ended fail?
    fn last_one_failed(&self) -> bool {
        if self.under_way().is_some() { self.failed_before } else { self.failed }
    }

    fn allow(&mut self, need: Need<'_>, now: Duration, pace: Pace) -> bool {
        let rested = |pause| self.last.is_none_or(|last| now.saturating_sub(last) >= pause);
        match need {
            // It has waited for its time.
            Need::Told => true,
            Need::Keys => rested(pace.retry()),
            Need::Ahead => rested(pace.cool_down),
            Need::Kid(_) => rested(pace.cool_down) && self.refetches.take(now),
        }
    }
}

impl Snapshot {
    fn condition(&self, now: Duration, settings: &CacheSettings) -> Condition {
        let age = now.saturating_sub(self.requested_at);
        if age < self.freshness / 5 * 4 {
            Condition::Fresh
        } else if age < self.freshness {
            Condition::Ageing
        } else if age < settings.max_stale {
            Condition::Stale
        } else {
            Condition::Dead
        }
    }
}

impl Shared {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        // Nothing inside can be left half done, so a panic elsewhere does no harm here.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_metadata(&self) -> MutexGuard<'_, Option<(Arc<Metadata>, Duration)>> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the refresh under way, or starts one if it is time. `None`: not now.
    ///
    /// The work is done by a task of its own: when the caller that started it goes away, the
    /// others who wait still get their answer. There is never more than one.
    fn begin(self: &Arc<Self>, need: Need<'_>, now: Duration) -> Option<watch::Receiver<()>> {
        let mut attempts = self.attempts();
        if let Need::Kid(kid) = need
            && attempts.unknown.contains(kid, now)
        {
            return None;
        }
        if let Some(running) = attempts.under_way() {
            return Some(running.clone());
        }
        if !attempts.allow(need, now, self.settings.pace) {
            return None;
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("keys can only be fetched inside a tokio runtime");
            return None;
        };
        let (done, running) = watch::channel(());
        attempts.last = Some(now);
        attempts.failed_before = attempts.failed;
        attempts.failed = true;
        attempts.running = Some(running.clone());
        attempts.renewal.attempt_begins();
        let task = runtime.spawn(Arc::clone(self).refresh(now, done));
        attempts.task = Some(task.abort_handle());
        Some(running)
    }

    /// One attempt. `done` is dropped at the end and wakes everybody who waits.
    async fn refresh(self: Arc<Self>, now: Duration, done: watch::Sender<()>) {
        let outcome = match tokio::time::timeout(REFRESH_TIMEOUT, self.load(now)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::new("the issuer took too long")),
        };
        match outcome {
            Ok(snapshot) => {
                self.fetches.succeeded();
                tracing::debug!(
                    issuer = self.issuer.as_str(),
                    keys = snapshot.keys.len(),
                    fresh_for = snapshot.freshness.as_secs(),
                    "fetched the issuer's keys"
                );
                self.snapshot.store(Some(Arc::new(snapshot)));
                let mut attempts = self.attempts();
                attempts.failed = false;
                attempts.renewal.attempt_succeeded();
            }
            Err(error) => {
                self.fetches.failed();
                // The keys may have moved: ask for their place again next time.
                *self.known_metadata() = None;
                tracing::warn!(
                    issuer = self.issuer.as_str(),
                    %error,
                    "could not fetch the issuer's keys"
                );
            }
        }
        drop(done);
    }

    async fn load(&self, now: Duration) -> Result<Snapshot, FetchError> {
        let metadata = self.metadata(now).await?;
        let answer = self.fetch.get(&metadata.jwks_uri, MAX_DOCUMENT).await?;
        let keys = KeySet::parse(answer.accept(MAX_DOCUMENT)?).map_err(FetchError::new)?;
        let freshness = self.clamp(answer.freshness());
        Ok(Snapshot { keys, requested_at: now, freshness })
    }

    async fn metadata(&self, now: Duration) -> Result<Arc<Metadata>, FetchError> {
        if let Some((metadata, until)) = self.known_metadata().clone()
            && now < until
        {
            return Ok(metadata);
        }
        let url = self.issuer.discovery_url().ok_or_else(|| FetchError::new("no discovery URL"))?;
        let answer = self.fetch.get(&url, MAX_DOCUMENT).await?;
        let metadata = Metadata::parse(answer.accept(MAX_DOCUMENT)?, &self.issuer).map_err(FetchError::new)?;
        let metadata = Arc::new(metadata);
        *self.known_metadata() = Some((Arc::clone(&metadata), now + self.clamp(answer.freshness())));
        Ok(metadata)
    }

    fn clamp(&self, freshness: Duration) -> Duration {
        let longest = MAX_FRESHNESS.min(self.settings.max_stale);
        freshness.min(longest).max(self.settings.min_freshness)
    }
}

#[cfg(test)]
mod tests;
