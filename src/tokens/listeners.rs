//! How many listen to what is revoked. Each holds a connection and a task, and a copied credential could open any number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::id::ClientId;

/// Streams of one client, and of all.
const OF_ONE: usize = 32;
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
    /// A place for one more stream of a client; `None`: there are enough.
    #[must_use]
    pub fn enter(&self, client: &ClientId) -> Option<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.values().sum::<usize>() >= OF_ALL {
            return None;
        }
        let own = counts.entry(client.clone()).or_default();
        if *own >= OF_ONE {
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
        let mut seats: Vec<Seat> = (0..OF_ONE).map(|_| listeners.enter(&one).unwrap()).collect();
        assert!(listeners.enter(&one).is_none());
        assert!(listeners.enter(&other).is_some());
        seats.pop();
        assert!(listeners.enter(&one).is_some());
        drop(seats);
        assert!(listeners.0.lock().unwrap().is_empty());
        let all: Vec<Seat> =
            (0..OF_ALL).map(|at| listeners.enter(&ClientId::new(format!("c{}", at / OF_ONE))).unwrap()).collect();
        assert!(listeners.enter(&other).is_none());
        drop(all);
        assert!(listeners.enter(&other).is_some());
    }
}
