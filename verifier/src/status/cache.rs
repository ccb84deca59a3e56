//! The status lists in memory.
//!
//! The first token that names a list waits for it; a task of its own then fetches it again and again,
//! so that no later token waits, as long as tokens name it. A list is never replaced by an older one.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::claim::{Reference, status_list_url};
use super::entry::{Entry, RETRY};
use super::pushed::Pushed;
use super::{StatusPolicy, StatusSettings};
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::error::{Missing, Reason, VerifyError};
use crate::fetch::Fetch;
use crate::metrics::{Fetches, ListMetrics};
use crate::trust::Trust;

mod feed;
mod poll;
mod preload;
mod verdict;

pub(crate) use feed::StatusFeed;

/// Most lists in memory; the one named longest ago makes room.
const MAX_LISTS: usize = 512;

/// How long a list is kept fresh after a token last named it.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// The status lists of one issuer. Dropping it stops everything that goes on in the background.
pub(crate) struct StatusCache {
    shared: Arc<Shared>,
}

/// What the tasks share.
struct Shared {
    trust: Arc<Trust>,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    settings: StatusSettings,
    algorithms: Vec<Algorithm>,
    /// In seconds.
    leeway: u64,
    /// By address. Copied when one comes or goes, so that looking one up takes no lock.
    entries: ArcSwap<Entries>,
    /// Held while lists come, go or are replaced; for moments only, never across a wait.
    changes: Mutex<()>,
    pushed: Pushed,
    fetches: Fetches,
    /// The verifier is gone: nothing starts any more.
    closed: AtomicBool,
}

type Entries = HashMap<String, Arc<Entry>>;

/// What a cache needs from its verifier.
pub(crate) struct Parts {
    pub(crate) trust: Arc<Trust>,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: StatusSettings,
    pub(crate) algorithms: Vec<Algorithm>,
    /// In seconds.
    pub(crate) leeway: u64,
}

impl StatusCache {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { trust, fetch, clock, settings, algorithms, leeway } = parts;
        let shared = Shared {
            trust,
            fetch,
            clock,
            settings,
            algorithms,
            leeway,
            entries: ArcSwap::default(),
            changes: Mutex::default(),
            pushed: Pushed::default(),
            fetches: Fetches::default(),
            closed: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn policy(&self) -> StatusPolicy {
        self.shared.settings.policy
    }

    /// Checks the status of a token that passed every other check.
    pub(crate) async fn check(&self, claims: &Map<String, Value>) -> Result<(), VerifyError> {
        let shared = &self.shared;
        if shared.settings.policy == StatusPolicy::Off {
            return Ok(());
        }
        let Some(reference) = Reference::read(claims)? else {
            return match shared.settings.policy {
                StatusPolicy::Required => Err(Reason::StatusMissing.into()),
                StatusPolicy::Off | StatusPolicy::IfPresent => Ok(()),
            };
        };
        let entry = match shared.at_hand(reference.uri) {
            Some(entry) => entry,
            None => shared.enter(reference.uri).ok_or(Reason::Status)?,
        };
        if let Some(verdict) = shared.verdict(&entry, reference.index) {
            return verdict.map_err(VerifyError::from);
        }
        shared.wait(&entry, shared.settings.first_sight).await;
        match shared.verdict(&entry, reference.index) {
            Some(verdict) => verdict.map_err(VerifyError::from),
            None => Err(UNAVAILABLE),
        }
    }

    /// What the stream speaks to.
    pub(crate) fn feed(&self) -> StatusFeed {
        StatusFeed { shared: Arc::clone(&self.shared) }
    }

    pub(crate) fn lists(&self) -> Vec<ListMetrics> {
        let now = self.shared.clock.elapsed();
        let metrics = |entry: &Arc<Entry>| {
            let list = entry.list.load();
            ListMetrics {
                uri: entry.uri.clone(),
                age: list.as_ref().map(|_| entry.age(now)),
                bytes: list.as_ref().map_or(0, |list| list.size()),
            }
        };
        let mut lists: Vec<_> = self.shared.entries.load().values().map(metrics).collect();
        lists.sort_unstable_by(|one, other| one.uri.cmp(&other.uri));
        lists
    }

    pub(crate) fn fetches(&self) -> &Fetches {
        &self.shared.fetches
    }
}

/// The list that a token names is not here.
const UNAVAILABLE: VerifyError = VerifyError::Unavailable { missing: Missing::StatusList, retry_after: RETRY };

impl Shared {
    fn changes(&self) -> MutexGuard<'_, ()> {
        // It guards an order, not data that could be left half done.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_hand(&self, uri: &str) -> Option<Arc<Entry>> {
        self.entries.load().get(uri).cloned()
    }

    /// Makes a place for a list, if this can be the address of one.
    fn enter(&self, uri: &str) -> Option<Arc<Entry>> {
        let url = status_list_url(uri, self.trust.keys.issuer())?;
        let _changing = self.changes();
        let mut entries = Entries::clone(&self.entries.load());
        if let Some(entry) = entries.get(uri) {
            return Some(Arc::clone(entry));
        }
        let oldest = entries.values().min_by_key(|entry| entry.used()).cloned();
        let evicted = oldest.filter(|_| entries.len() >= MAX_LISTS);
        if let Some(evicted) = &evicted {
            entries.remove(&evicted.uri);
        }
        let entry = Arc::new(Entry::new(uri, url, self.clock.elapsed()));
        entries.insert(uri.to_owned(), Arc::clone(&entry));
        self.entries.store(entries.into());
        // Only now: whoever still holds it finds that it has no place, and starts nothing.
        if let Some(evicted) = evicted {
            evicted.stop();
        }
        Some(entry)
    }

    /// Is this the entry for its address, and not one that has lost its place?
    fn holds(&self, entry: &Arc<Entry>) -> bool {
        self.entries.load().get(&entry.uri).is_some_and(|present| Arc::ptr_eq(present, entry))
    }

    /// Gives up a list that nobody names any more.
    fn forget(&self, entry: &Arc<Entry>) {
        let _changing = self.changes();
        if self.holds(entry) {
            let mut entries = Entries::clone(&self.entries.load());
            entries.remove(&entry.uri);
            self.entries.store(entries.into());
        }
    }

    /// Waits until an attempt to fetch the list has ended, if one is under way or may begin.
    async fn wait(self: &Arc<Self>, entry: &Arc<Entry>, longest: Duration) {
        if let Some(mut ended) = self.begin(entry) {
            let _ = tokio::time::timeout(longest, ended.changed()).await;
        }
    }

    /// Joins the attempt under way, or starts one if it is time. `None`: not now.
    fn begin(self: &Arc<Self>, entry: &Arc<Entry>) -> Option<watch::Receiver<u64>> {
        let ended = entry.ended.subscribe();
        let now = self.clock.elapsed();
        let mut attempts = entry.attempts();
        let alive = attempts.alive();
        if alive && attempts.running {
            return Some(ended);
        }
        if attempts.last.is_some_and(|last| now.saturating_sub(last) < RETRY) {
            return None;
        }
        if alive {
            attempts.running = true;
            attempts.last = Some(now);
            entry.wake.notify_one();
            return Some(ended);
        }
        self.start(entry, &mut attempts).then_some(ended)
    }
}

impl Drop for StatusCache {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for entry in self.shared.entries.load().values() {
            entry.stop();
        }
    }
}

impl fmt::Debug for StatusCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StatusCache")
            .field("settings", &self.shared.settings)
            .field("lists", &self.shared.entries.load().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
