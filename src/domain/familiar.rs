//! Who was proven good a while ago, by what was shown. It opens nothing: it only keeps the known from being counted among
//! strangers. In memory, of one process.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::time::Timestamp;

/// So long is somebody known, in seconds.
const WHILE: u64 = 3_600;
/// So many are known at most: 2 MiB.
const MOST: usize = 65_536;

/// Keyed digests of what was shown, with when it was good last.
#[derive(Debug, Default)]
pub struct Familiar {
    hasher: RandomState,
    seen: Mutex<HashMap<u64, Timestamp>>,
}

impl Familiar {
    /// Whether this was good a while ago.
    #[must_use]
    pub fn knows(&self, shown: &str, now: Timestamp) -> bool {
        self.seen().get(&self.digest(shown)).is_some_and(|at| is_fresh(*at, now))
    }

    /// It is good now. Where too many are known, those go whose time is over, else all: they are known again at the next request.
    pub fn keep(&self, shown: &str, now: Timestamp) {
        let digest = self.digest(shown);
        let mut seen = self.seen();
        if seen.len() >= MOST && !seen.contains_key(&digest) {
            seen.retain(|_, at| is_fresh(*at, now));
            if seen.len() >= MOST {
                seen.clear();
            }
        }
        seen.insert(digest, now);
    }

    /// It is not good any more.
    pub fn forget(&self, shown: &str) {
        self.seen().remove(&self.digest(shown));
    }

    fn digest(&self, shown: &str) -> u64 {
        self.hasher.hash_one(shown)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<u64, Timestamp>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    now.seconds_since(at) < WHILE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_for_an_hour_unless_it_went_bad() {
        let familiar = Familiar::default();
        let at = Timestamp::from_seconds;
        assert!(!familiar.knows("a", at(0)));
        familiar.keep("a", at(0));
        familiar.keep("b", at(0));
        assert!(familiar.knows("a", at(3_599)) && !familiar.knows("a", at(3_600)));
        familiar.forget("a");
        assert!(!familiar.knows("a", at(0)) && familiar.knows("b", at(0)));
        for number in 0..3 * MOST {
            familiar.keep(&number.to_string(), at(1));
        }
        assert!(familiar.seen().len() <= MOST);
        assert!(familiar.knows(&(3 * MOST - 1).to_string(), at(1)));
    }
}
