//! How often something may happen: a bucket of permits for each key, which fills again evenly. In memory, of one process.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::time::Timestamp;

/// Keys are spread over so many locks, so that cores do not wait for each other.
const SHARDS: usize = 16;
/// So many keys are remembered in one shard at most: 2 MiB in all.
const MOST_KEYS: usize = 4_096;
const SECOND: i64 = 1_000_000_000;

/// A limit for many keys, each with a bucket of its own.
#[derive(Debug)]
pub struct RateLimit {
    /// `None`: there is no limit.
    rate: Option<Rate>,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// Lengths of time in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Rate {
    most: u32,
    /// Until one permit is back.
    each: i64,
    /// Until all of them are.
    window: i64,
}

/// When each bucket will be full again, by the digest of its key. A bucket that is full needs no entry.
#[derive(Debug, Default)]
struct Shard {
    full_at: HashMap<u64, i64>,
    swept_at: i64,
}

/// The bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSoon {
    /// Seconds until it holds enough again.
    pub retry_after: u64,
}

impl RateLimit {
    /// `most` within `window`: at once, or spread over it. 0: no limit.
    #[must_use]
    pub fn new(most: u32, window: Duration) -> Self {
        let window = i64::try_from(window.as_nanos()).unwrap_or(i64::MAX / 4);
        let each = window.checked_div(i64::from(most));
        Self {
            rate: each.map(|each| Rate { most, each, window }),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Takes permits. A refusal takes none, so who waits as told gets through.
    ///
    /// # Errors
    /// [`TooSoon`] if the bucket holds fewer.
    pub fn take(&self, key: impl Hash, permits: u32, now: Timestamp) -> Result<(), TooSoon> {
        let Some(rate) = self.rate else { return Ok(()) };
        let (digest, now) = (self.hasher.hash_one(key), nanoseconds(now));
        let mut shard = self.shard(digest);
        let full_at = rate.spend(shard.full_at(digest, rate, now), permits, now)?;
        shard.keep(digest, full_at, now);
        Ok(())
    }

    /// Whether a permit is there to take.
    ///
    /// # Errors
    /// [`TooSoon`] if there is none.
    pub fn peek(&self, key: impl Hash, now: Timestamp) -> Result<(), TooSoon> {
        let Some(rate) = self.rate else { return Ok(()) };
        let (digest, now) = (self.hasher.hash_one(key), nanoseconds(now));
        let full_at = self.shard(digest).full_at(digest, rate, now);
        rate.spend(full_at, 1, now).map(drop)
    }

    /// Puts permits back that turned out not to count.
    pub fn give_back(&self, key: impl Hash, permits: u32, now: Timestamp) {
        let Some(rate) = self.rate else { return };
        let (digest, now) = (self.hasher.hash_one(key), nanoseconds(now));
        let mut shard = self.shard(digest);
        let full_at = shard.full_at(digest, rate, now) - rate.cost(permits);
        if full_at > now {
            shard.keep(digest, full_at, now);
        } else {
            shard.full_at.remove(&digest);
        }
    }

    fn shard(&self, digest: u64) -> MutexGuard<'_, Shard> {
        // The remainder is always below the number of shards; the first one is there for the compiler.
        let at = usize::try_from(digest % SHARDS as u64).unwrap_or(0);
        let [first, ..] = &self.shards;
        self.shards.get(at).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rate {
    /// A cost above what the bucket holds would never be met, so it empties the bucket instead.
    fn cost(self, permits: u32) -> i64 {
        self.each.saturating_mul(i64::from(permits.min(self.most)))
    }

    fn spend(self, full_at: i64, permits: u32, now: i64) -> Result<i64, TooSoon> {
        let later = full_at + self.cost(permits);
        let missing = later - (now + self.window);
        if missing > 0 {
            let seconds = u64::try_from(missing).unwrap_or(0).div_ceil(SECOND.unsigned_abs());
            return Err(TooSoon { retry_after: seconds.max(1) });
        }
        Ok(later)
    }
}

impl Shard {
    /// Never before now; and never more than a window away, so that a clock that was set back locks nobody out.
    fn full_at(&mut self, digest: u64, rate: Rate, now: i64) -> i64 {
        let Some(full_at) = self.full_at.get_mut(&digest) else { return now };
        *full_at = (*full_at).min(now + rate.window);
        (*full_at).max(now)
    }

    /// Forgets full buckets, at most once a second, when there are too many. If all are in use, a new key goes without:
    /// then requests come from so many sides that no single one is the cause.
    fn keep(&mut self, digest: u64, full_at: i64, now: i64) {
        if self.full_at.len() >= MOST_KEYS && !self.full_at.contains_key(&digest) {
            if now >= self.swept_at + SECOND || now < self.swept_at {
                self.swept_at = now;
                self.full_at.retain(|_, full_at| *full_at > now);
            }
            if self.full_at.len() >= MOST_KEYS {
                return;
            }
        }
        self.full_at.insert(digest, full_at);
    }
}

fn nanoseconds(at: Timestamp) -> i64 {
    // Up to the year 2190, and half of what fits, so that a window can be added.
    at.as_seconds().clamp(0, i64::MAX / 2 / SECOND) * SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn so_many_at_once_and_then_as_fast_as_it_fills() {
        let limit = RateLimit::new(6, MINUTE);
        for _ in 0..6 {
            limit.take("a", 1, NOW).unwrap();
        }
        assert_eq!(limit.take("a", 1, NOW), Err(TooSoon { retry_after: 10 }));
        assert_eq!(limit.take("a", 1, later(9)), Err(TooSoon { retry_after: 1 }), "a refusal takes nothing");
        limit.take("b", 1, NOW).unwrap();
        limit.take("a", 1, later(10)).unwrap();
        limit.take("a", 1, later(10)).unwrap_err();
        for _ in 0..6 {
            limit.take("a", 1, later(3600)).unwrap();
        }
        limit.take("a", 1, later(3600)).unwrap_err();
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let limit = RateLimit::new(2, MINUTE);
        for _ in 0..10 {
            limit.take("a", 1, NOW).unwrap();
            limit.give_back("a", 1, NOW);
        }
        limit.give_back("a", 5, NOW);
        limit.take("a", 2, NOW).unwrap();
        limit.take("a", 1, NOW).unwrap_err();
    }

    #[test]
    fn a_look_takes_nothing() {
        let limit = RateLimit::new(1, MINUTE);
        limit.peek("a", NOW).unwrap();
        limit.peek("a", NOW).unwrap();
        limit.take("a", 1, NOW).unwrap();
        limit.peek("a", NOW).unwrap_err();
    }

    #[test]
    fn a_large_request_costs_more_but_never_for_ever() {
        let limit = RateLimit::new(6, MINUTE);
        limit.take("a", 4, NOW).unwrap();
        assert_eq!(limit.take("a", 4, NOW), Err(TooSoon { retry_after: 20 }));
        limit.take("a", 100, later(40)).unwrap();
        limit.take("a", 1, later(40)).unwrap_err();
    }

    #[test]
    fn zero_is_no_limit() {
        let limit = RateLimit::new(0, MINUTE);
        for _ in 0..100_000 {
            limit.take("a", 1_000, NOW).unwrap();
        }
        limit.peek("a", NOW).unwrap();
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_longer_than_a_window() {
        let limit = RateLimit::new(1, MINUTE);
        limit.take("a", 1, later(1_000_000)).unwrap();
        assert_eq!(limit.take("a", 1, NOW), Err(TooSoon { retry_after: 60 }));
        limit.take("a", 1, later(60)).unwrap();
    }

    #[test]
    fn memory_is_bounded_and_full_buckets_make_place() {
        let held =
            |limit: &RateLimit| limit.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum::<usize>();
        let limit = RateLimit::new(1, MINUTE);
        for key in 0..200_000 {
            limit.take(key, 1, NOW).unwrap();
        }
        assert_eq!(held(&limit), SHARDS * MOST_KEYS);
        for key in 0..1_000 {
            limit.take(("later", key), 1, later(61)).unwrap();
            limit.take(("later", key), 1, later(61)).unwrap_err();
        }
        assert_eq!(held(&limit), 1_000);
    }
}
