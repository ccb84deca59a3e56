//! When the issuer may be asked again, so that tokens with invented `kid`s cannot make us flood it.

use std::collections::HashMap;
use std::time::Duration;

/// How often the issuer is asked. All times come from [`Clock::elapsed`](crate::Clock::elapsed).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Least time between two attempts while there are usable keys.
    pub(crate) cool_down: Duration,
    /// Attempts per minute that unknown `kid`s may cause.
    pub(crate) refetches_per_minute: u32,
}

impl Pace {
    /// Least time between two attempts while there are no usable keys and callers get 503.
    pub(crate) fn retry(self) -> Duration {
        self.cool_down.min(Duration::from_secs(1))
    }
}

/// A token bucket: full at first, one token back after each equal share of a minute.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    capacity: u32,
    tokens: u32,
    counted_at: Duration,
}

impl TokenBucket {
    pub(crate) fn new(capacity: u32) -> Self {
        Self { capacity, tokens: capacity, counted_at: Duration::ZERO }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        self.refill(now);
        match self.tokens.checked_sub(1) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, now: Duration) {
        let Some(share) = Duration::from_secs(60).checked_div(self.capacity) else {
            return;
        };
        while self.tokens < self.capacity && now.saturating_sub(self.counted_at) >= share {
            self.tokens += 1;
            self.counted_at += share;
        }
        if self.tokens == self.capacity {
            self.counted_at = now;
        }
    }
}

/// `kid`s that the issuer was asked for and did not have; the one used longest ago goes first.
#[derive(Debug, Default)]
pub(crate) struct UnknownKids {
    kids: HashMap<String, Remembered>,
}

#[derive(Debug)]
struct Remembered {
    until: Duration,
    used: Duration,
}

impl UnknownKids {
    /// Most `kid`s that are remembered.
    const CAPACITY: usize = 512;
    /// How long one is remembered.
    const LIFE: Duration = Duration::from_secs(60);

    /// Was the issuer asked for this `kid` in the last minute?
    pub(crate) fn contains(&mut self, kid: &str, now: Duration) -> bool {
        match self.kids.get_mut(kid) {
            Some(remembered) if now < remembered.until => {
                remembered.used = now;
                true
            }
            Some(_) => {
                self.kids.remove(kid);
                false
            }
            None => false,
        }
    }

    /// Remembers that the issuer has no such key.
    pub(crate) fn insert(&mut self, kid: &str, now: Duration) {
        if self.kids.len() >= Self::CAPACITY && !self.kids.contains_key(kid) {
            self.make_room(now);
        }
        let remembered = Remembered { until: now + Self::LIFE, used: now };
        self.kids.insert(kid.to_owned(), remembered);
    }

    fn make_room(&mut self, now: Duration) {
        self.kids.retain(|_, remembered| now < remembered.until);
        if self.kids.len() >= Self::CAPACITY {
            let oldest = self.kids.iter().min_by_key(|(_, remembered)| remembered.used);
            if let Some(kid) = oldest.map(|(kid, _)| kid.clone()) {
                self.kids.remove(&kid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_bucket_gives_six_at_once_and_then_one_every_ten_seconds() {
        let mut bucket = TokenBucket::new(6);
        let taken = (0..10).filter(|_| bucket.take(at(100))).count();
        assert_eq!(taken, 6);
        assert!(!bucket.take(at(109)));
        assert!(bucket.take(at(110)));
        assert!(!bucket.take(at(119)));
        assert!(bucket.take(at(120)));
        let taken = (0..10).filter(|_| bucket.take(at(10_000))).count();
        assert_eq!(taken, 6, "it does not hold more than its capacity");
    }

    #[test]
    fn an_empty_bucket_stays_empty() {
        let mut bucket = TokenBucket::new(0);
        assert!(!bucket.take(at(0)) && !bucket.take(at(10_000)));
    }

    #[test]
    fn a_kid_is_forgotten_after_a_minute() {
        let mut kids = UnknownKids::default();
        kids.insert("a", at(0));
        assert!(kids.contains("a", at(59)));
        assert!(!kids.contains("b", at(59)));
        assert!(!kids.contains("a", at(60)));
        assert!(!kids.contains("a", at(0)), "it is gone");
    }

    #[test]
    fn the_kid_used_longest_ago_makes_room() {
        let mut kids = UnknownKids::default();
        for index in 0..512_u32 {
            kids.insert(&index.to_string(), Duration::from_millis(u64::from(index)));
        }
        assert!(kids.contains("0", at(2)), "used again");
        kids.insert("new", at(3));
        assert_eq!(kids.kids.len(), 512);
        assert!(kids.contains("0", at(4)) && kids.contains("new", at(4)));
        assert!(!kids.contains("1", at(4)));
        kids.insert("new", at(5));
        assert_eq!(kids.kids.len(), 512);
        assert!(kids.contains("2", at(5)), "a known kid needs no room");
    }

    #[test]
    fn retries_without_keys_are_quicker_than_the_cool_down() {
        let pace = |cool_down| Pace { cool_down, refetches_per_minute: 6 };
        assert_eq!(pace(at(10)).retry(), at(1));
        assert_eq!(pace(Duration::from_millis(100)).retry(), Duration::from_millis(100));
    }
}
