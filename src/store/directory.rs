//! Clients and resources in memory: an immutable snapshot, replaced whole when a counter changes.
//!
//! Requests read the snapshot without asking the database. A client that is not in it is asked for once, since it may have been
//! registered a moment ago; that it was not there is remembered for a second, so that made-up names do not become a load.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::changes::{self, Counters};
use super::{Store, StoreError, clients, resources};
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::resource::Resource;
use crate::domain::time::Timestamp;

/// How long it is remembered that a client was not there.
const MISS: Duration = Duration::from_secs(1);
/// How many such names are remembered.
const MOST_MISSES: usize = 4096;

/// All clients and resources at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    counters: Counters,
    clients: HashMap<String, Arc<Client>>,
    resources: Vec<Resource>,
    /// Scope to position among the resources.
    scopes: HashMap<String, usize>,
    origins: HashSet<String>,
    cookie_mode_origins: HashSet<String>,
}

impl Snapshot {
    /// A client, in service or not.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<&Arc<Client>> {
        self.clients.get(id)
    }

    /// All clients, in no order.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values()
    }

    /// All resources by their identifiers, those out of service too.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The one resource that owns a scope.
    #[must_use]
    pub fn resource_of_scope(&self, scope: &str) -> Option<&Resource> {
        self.resources.get(*self.scopes.get(scope)?)
    }

    /// The resource that a `resource` parameter or an audience means.
    #[must_use]
    pub fn resource_named(&self, identifier: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.identifier == identifier)
            .or_else(|| self.resources.iter().find(|resource| resource.is_named_by(identifier)))
    }

    /// Whether requests may come from this origin for some client in service: what a CORS preflight can know.
    #[must_use]
    pub fn is_known_origin(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }

    /// The same for clients in cookie mode: only these get CORS answers with credentials.
    #[must_use]
    pub fn is_cookie_mode_origin(&self, origin: &str) -> bool {
        self.cookie_mode_origins.contains(origin)
    }
}

/// The snapshot of this process and how old it is.
#[derive(Debug)]
pub struct Directory {
    current: ArcSwap<Snapshot>,
    confirmed_at: AtomicI64,
    misses: Mutex<HashMap<String, Timestamp>>,
}

impl Directory {
    /// Reads all clients and resources.
    ///
    /// # Errors
    /// If the database refuses, or a row holds what cannot be.
    pub async fn load(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self {
            current: ArcSwap::from_pointee(read(store).await?),
            confirmed_at: AtomicI64::new(now.as_seconds()),
            misses: Mutex::default(),
        })
    }

    /// The snapshot in force. Take it once per request, so that the request sees one state.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// When the snapshot was last known to be what the database holds.
    #[must_use]
    pub fn confirmed_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.confirmed_at.load(Ordering::Relaxed))
    }

    /// Tells the counters that were just read. Reads all anew if they are others. True: something was read.
    ///
    /// # Errors
    /// If the database refuses; the old snapshot stays, and grows old.
    pub async fn refresh(&self, store: &Store, counters: Counters, now: Timestamp) -> Result<bool, StoreError> {
        let known = self.current.load().counters;
        // Not `<`: a restore may set counters back.
        let changed = (known.clients, known.resources) != (counters.clients, counters.resources);
        if changed {
            self.current.store(Arc::new(read(store).await?));
            if let Ok(mut misses) = self.misses.lock() {
                misses.clear();
            }
        }
        self.confirmed_at.store(now.as_seconds(), Ordering::Relaxed);
        Ok(changed)
    }

    /// A client, in service or not. If the snapshot does not have it, the database is asked, at most once a second for each
    /// name. If it is there, the snapshot is old, and all is read anew: a new client would be no good beside old resources, since
    /// its tokens would be for somebody else.
    ///
    /// # Errors
    /// If the database had to be asked and refuses.
    pub async fn client_or_ask(
        &self,
        store: &Store,
        id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Arc<Client>>, StoreError> {
        if let Some(client) = self.current.load().client(id.as_str()) {
            return Ok(Some(client.clone()));
        }
        if self.was_missed(id, now) {
            return Ok(None);
        }
        let found = clients::find(&mut store.read().await?, id).await?;
        if found.is_none() {
            self.remember_miss(id, now);
            return Ok(None);
        }
        let snapshot = Arc::new(read(store).await?);
        let client = snapshot.client(id.as_str()).cloned();
        self.current.store(snapshot);
        Ok(client)
    }

    fn was_missed(&self, id: &ClientId, now: Timestamp) -> bool {
        self.misses
            .lock()
            .is_ok_and(|misses| misses.get(id.as_str()).is_some_and(|missed| !missed.plus(MISS).has_passed(now)))
    }

    fn remember_miss(&self, id: &ClientId, now: Timestamp) {
        let Ok(mut misses) = self.misses.lock() else { return };
        if misses.len() >= MOST_MISSES {
            misses.retain(|_, missed| !missed.plus(MISS).has_passed(now));
        }
        // Full of fresh names: someone is guessing. Then each of them costs one question, and memory stays bounded.
        if misses.len() < MOST_MISSES {
            misses.insert(id.as_str().to_owned(), now);
        }
    }
}

async fn read(store: &Store) -> Result<Snapshot, StoreError> {
    let db = &mut store.read().await?;
    // Counters first: what changes between the reads is then read again at the next poll.
    let counters = changes::read(db).await?;
    let all = clients::list(db).await?;
    let resources = resources::list(db).await?;
    let mut snapshot = Snapshot { counters, resources, ..Snapshot::default() };
    for (at, resource) in snapshot.resources.iter().enumerate() {
        snapshot.scopes.extend(resource.scopes.iter().map(|scope| (scope.to_owned(), at)));
    }
    for client in all {
        if client.is_active() {
            let origins = || client.settings.allowed_origins.iter().map(|origin| origin.as_str().to_owned());
            snapshot.origins.extend(origins());
            if client.settings.is_cookie_mode() {
                snapshot.cookie_mode_origins.extend(origins());
            }
        }
        snapshot.clients.insert(client.id.as_str().to_owned(), Arc::new(client));
    }
    Ok(snapshot)
}
