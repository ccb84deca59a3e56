//! How many connections there may be: in all, and from one network.
//!
//! Where all places are taken, a new connection waits as if it had not been taken from the system's queue: nobody may stand
//! still, so there will be one again. Who holds too many himself is turned away at once, so that he keeps nobody else
//! waiting. A proxy speaks for everybody, and so may hold all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::address::ClientAddress;

/// Whoever runs the server is told once in so long.
const BETWEEN_WORDS: Duration = Duration::from_secs(60);

/// The places of one server.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    most: usize,
    /// 0: no limit.
    per_network: u32,
    proxies: Vec<IpNet>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_network: HashMap<IpNet, u32>,
    said: Said,
    said_of_networks: Said,
}

/// When something was said last, so that it is not said all the time.
#[derive(Debug, Default)]
pub(super) struct Said(Option<Instant>);

impl Said {
    /// Whether it may be said again; then it counts as said.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.0.is_none_or(|said| now.duration_since(said) >= BETWEEN_WORDS);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
}

/// One of the places of a network.
#[derive(Debug)]
struct Share {
    places: Arc<Places>,
    network: IpNet,
}

impl Places {
    pub(super) fn new(most: u32, per_network: u32, proxies: Vec<IpNet>) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { all: Arc::new(Semaphore::new(most)), most, per_network, proxies, held: Mutex::default() }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.most - self.all.available_permits()
    }

    /// A place for a connection from there, as soon as there is one. `None`: its network holds too many.
    pub(super) async fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let share = self.share(peer)?;
        let permit = match Arc::clone(&self.all).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                if self.held().said.is_due() {
                    tracing::warn!(
                        connections = self.most,
                        "all connections are taken, new ones wait: limits.connections"
                    );
                }
                // The semaphore is never closed.
                Arc::clone(&self.all).acquire_owned().await.ok()?
            }
        };
        Some(Place { _permit: permit, _share: share })
    }

    /// `Some(None)`: nothing is counted here.
    fn share(self: &Arc<Self>, peer: IpAddr) -> Option<Option<Share>> {
        let address = ClientAddress::of(peer, &HeaderMap::new(), &[]);
        let speaks_for_many =
            address.ip().is_loopback() || self.proxies.iter().any(|proxy| proxy.contains(&address.ip()));
        if self.per_network == 0 || speaks_for_many {
            return Some(None);
        }
        let network = address.network();
        let mut held = self.held();
        let count = held.by_network.entry(network).or_default();
        if *count < self.per_network {
            *count += 1;
            return Some(Some(Share { places: Arc::clone(self), network }));
        }
        let due = held.said_of_networks.is_due();
        drop(held);
        if due {
            let most = self.per_network;
            tracing::warn!(%network, most, "a network holds too many connections: limits.connections_per_network");
        }
        None
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What is kept there is whole after every statement.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.places.held();
        if let Some(count) = held.by_network.get_mut(&self.network) {
            *count -= 1;
            // Otherwise every network that ever came would be remembered.
            if *count == 0 {
                held.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(most: u32, per_network: u32) -> Arc<Places> {
        Arc::new(Places::new(most, per_network, vec!["192.0.2.7/32".parse().unwrap()]))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_network_takes_its_share_and_leaves_the_rest_to_others() {
        let places = places(10, 2);
        let mut kept = Vec::new();
        for (peer, enters) in [
            ("203.0.113.1", true),
            ("203.0.113.2", true),
            ("203.0.113.3", false),
            ("::ffff:203.0.113.4", false),
            ("203.0.114.1", true),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:2::1", true),
            ("2001:db8:0:ff::1", false),
            ("2001:db8:1::1", true),
        ] {
            let place = places.enter(address(peer)).await;
            assert_eq!(place.is_some(), enters, "{peer}");
            kept.extend(place);
        }
        assert_eq!(places.taken(), 6);
        kept.remove(0);
        kept.push(places.enter(address("203.0.113.3")).await.unwrap());
        assert!(places.enter(address("203.0.113.1")).await.is_none());
        drop(kept);
        assert_eq!(places.taken(), 0);
        assert!(places.held().by_network.is_empty(), "nobody is remembered");
    }

    #[tokio::test]
    async fn a_proxy_and_this_machine_may_hold_all() {
        let places = places(10, 1);
        let mut kept = Vec::new();
        for peer in ["192.0.2.7", "127.0.0.1", "::1", "::ffff:127.0.0.1"].iter().cycle().take(10) {
            kept.push(places.enter(address(peer)).await.unwrap());
        }
        assert_eq!(places.taken(), 10);
    }

    #[tokio::test]
    async fn where_all_are_taken_the_next_waits() {
        let places = places(2, 0);
        let first = places.enter(address("203.0.113.1")).await;
        let _second = places.enter(address("203.0.113.1")).await;
        let mut third = std::pin::pin!(places.enter(address("203.0.113.1")));
        let mut look = || third.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert!(look().is_pending());
        drop(first);
        assert!(matches!(look(), std::task::Poll::Ready(Some(_))));
    }
}
