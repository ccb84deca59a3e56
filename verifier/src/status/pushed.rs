//! Bits that the stream told us of, until a list that holds them is here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

/// Most bits that are kept. Whatever is beyond comes with the next poll.
const CAPACITY: usize = 100_000;

/// How long a bit is kept when its list is not fetched: a list that is fetched later has it.
const LIFE: u64 = 600;

/// Set bits by list, each with the second in which it was heard.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    /// How many there are, so that usually nobody takes the lock.
    count: AtomicUsize,
    lists: RwLock<HashMap<String, HashMap<u64, u64>>>,
}

impl Pushed {
    /// Was this bit heard of, and is no list here yet that must hold it?
    pub(super) fn contains(&self, uri: &str, index: u64) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        lists.get(uri).is_some_and(|bits| bits.contains_key(&index))
    }

    /// Keeps bits; `false` when there is no room for all of them.
    pub(super) fn insert(&self, uri: &str, indices: &[u64], heard_at: u64) -> bool {
        let mut lists = self.write();
        lists.retain(|_, bits| {
            bits.retain(|_, heard| heard_at < heard.saturating_add(LIFE));
            !bits.is_empty()
        });
        let mut room = CAPACITY.saturating_sub(lists.values().map(HashMap::len).sum());
        let bits = lists.entry(uri.to_owned()).or_default();
        let mut all = true;
        for index in indices {
            if let Some(heard) = bits.get_mut(index) {
                *heard = heard_at;
            } else if room > 0 {
                room -= 1;
                bits.insert(*index, heard_at);
            } else {
                all = false;
            }
        }
        self.recount(&lists);
        all
    }

    /// A list came whose bits are those of this second: what was heard before is in it.
    pub(super) fn settle(&self, uri: &str, complete_until: u64) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut lists = self.write();
        if let Some(bits) = lists.get_mut(uri) {
            bits.retain(|_, heard| *heard > complete_until);
        }
        self.recount(&lists);
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, HashMap<u64, u64>>> {
        self.lists.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn recount(&self, lists: &HashMap<String, HashMap<u64, u64>>) {
        self.count.store(lists.values().map(HashMap::len).sum(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_stays_until_a_later_list_comes() {
        let pushed = Pushed::default();
        assert!(pushed.insert("a", &[1, 2], 100) && pushed.insert("b", &[1], 101));
        assert!(pushed.contains("a", 1) && pushed.contains("b", 1) && !pushed.contains("b", 2));
        pushed.settle("a", 99);
        assert!(pushed.contains("a", 1));
        pushed.insert("a", &[2], 103);
        pushed.settle("a", 102);
        assert!(!pushed.contains("a", 1) && pushed.contains("a", 2), "it was heard of again");
        pushed.insert("c", &[], 100 + 600 + 2);
        assert!(!pushed.contains("b", 1) && pushed.contains("a", 2), "ten minutes later every list has it");
    }

    #[test]
    fn memory_is_bounded() {
        let pushed = Pushed::default();
        let many: Vec<u64> = (0..CAPACITY as u64 + 1).collect();
        assert!(!pushed.insert("a", &many, 100));
        assert!(pushed.contains("a", 0) && !pushed.contains("a", CAPACITY as u64));
        assert!(!pushed.insert("b", &[1], 100) && pushed.insert("a", &[0], 100));
    }
}
