//! How many listen to what is revoked. Each holds a connection and a task, and a copied credential could open any number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::id::ClientId;

/// Streams of all clients.
const OF_ALL: usize = 1_024;

/// Counts those who listen.
#[derive(Debug, Clone, Default)]
pub struct Listeners(Arc<Mutex<HashMap<ClientId, usize>>>);

/// A place among them; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    listeners: Listeners,
    client: ClientId,
}

impl Listeners {
    /// A place for one more stream of a client, which may have `of_one`, 0 for any number; `None`: there are enough.
    #[must_use]
    pub fn enter(&self, client: &ClientId, of_one: usize) -> Option<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.values().sum::<usize>() >= OF_ALL {
            return None;
        }
        let own = counts.entry(client.clone()).or_default();
        if of_one > 0 && *own >= of_one {
            return None;
        }
        *own += 1;
        Some(Seat { listeners: self.clone(), client: client.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_places_and_gives_them_back() {
        let listeners = Listeners::default();
        let (one, other) = (ClientId::new("one"), ClientId::new("other"));
        let mut seats: Vec<Seat> = (0..3).map(|_| listeners.enter(&one, 3).unwrap()).collect();
        assert!(listeners.enter(&one, 3).is_none());
        assert!(listeners.enter(&other, 3).is_some());
        seats.pop();
        assert!(listeners.enter(&one, 3).is_some());
        drop(seats);
        assert!(listeners.0.lock().unwrap().is_empty());
        let all: Vec<Seat> = (0..OF_ALL).map(|_| listeners.enter(&one, 0).unwrap()).collect();
        assert!(listeners.enter(&other, 3).is_none());
        drop(all);
        assert!(listeners.enter(&other, 3).is_some());
    }
}
