//! Moments and the clock. Seconds are enough for every rule of the protocol, and the same in both databases.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment: whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes seconds since 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0
    }

    /// This moment and a span later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// This moment less a span.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// Whether the moment lies behind `now`, the moment itself included: what ends at 12:00 is over at 12:00.
    #[must_use]
    pub fn has_passed(self, now: Self) -> bool {
        self.0 <= now.0
    }

    /// Seconds from `earlier` to this moment; never negative.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// The clock of the process. Asked once per request; the answer is passed on.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// The system's clock, and by how many seconds the database's clock is ahead of it.
    System { ahead: AtomicI64 },
    /// A clock that stands until it is moved.
    Standing(AtomicI64),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Source::System { ahead: AtomicI64::new(0) }))
    }

    /// A clock that stands at a moment until it is moved: for tests.
    #[must_use]
    pub fn standing_at(moment: Timestamp) -> Self {
        Self(Arc::new(Source::Standing(AtomicI64::new(moment.0))))
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self.0.as_ref() {
            Source::System { ahead } => Timestamp(system_seconds().saturating_add(ahead.load(Ordering::Relaxed))),
            Source::Standing(at) => Timestamp(at.load(Ordering::Relaxed)),
        }
    }

    /// Moves a standing clock; the system's clock moves by itself.
    pub fn advance(&self, span: Duration) {
        if let Source::Standing(at) = self.0.as_ref() {
            at.fetch_add(i64::try_from(span.as_secs()).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// Tells the clock what the database's clock said. Returns by how many seconds the system's clock differs from it.
    pub fn follow(&self, database: Timestamp) -> i64 {
        match self.0.as_ref() {
            Source::System { ahead } => {
                let difference = database.0.saturating_sub(system_seconds());
                // One second is within the rounding of both clocks.
                ahead.store(if difference.abs() <= 1 { 0 } else { difference }, Ordering::Relaxed);
                difference
            }
            Source::Standing(_) => 0,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
fn system_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_now_has_passed() {
        let noon = Timestamp::from_seconds(43_200);
        assert!(noon.has_passed(noon));
        assert!(!noon.plus(Duration::from_secs(1)).has_passed(noon));
    }

    #[test]
    fn prints_rfc_3339() {
        assert_eq!(Timestamp::from_seconds(1_795_000_000).to_string(), "2026-11-18T11:06:40Z");
    }

    #[test]
    fn the_clock_follows_the_database() {
        let clock = Clock::system();
        let now = clock.now();
        assert!((clock.follow(now.plus(Duration::from_secs(3))) - 3).abs() <= 1);
        assert!(clock.now() >= now.plus(Duration::from_secs(2)));
        clock.follow(now);
        assert!(clock.now() <= now.plus(Duration::from_secs(2)));
    }
}
