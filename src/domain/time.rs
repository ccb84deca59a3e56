//! Moments and the clock. Seconds are enough for every rule of the protocol, and the same in both databases.

use std::fmt;
use std::str::FromStr;
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

impl Timestamp {
    /// As HTTP headers have it (RFC 9110 §5.6.7).
    #[must_use]
    pub fn http_date(self) -> String {
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        let moment = jiff::Timestamp::from_second(self.0).unwrap_or_default();
        printer.timestamp_to_rfc9110_string(&moment).unwrap_or_default()
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

/// A text is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAMoment;

impl fmt::Display for NotAMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a day (2026-11-18) or a moment (2026-11-18T11:06:40Z)")
    }
}

impl std::error::Error for NotAMoment {}

/// RFC 3339, or a day, which begins at midnight in UTC.
impl FromStr for Timestamp {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let midnight = format!("{text}T00:00:00Z");
        let text = if text.len() == "2026-11-18".len() { &midnight } else { text };
        text.parse().map(|moment: jiff::Timestamp| Self(moment.as_second())).map_err(|_| NotAMoment)
    }
}

/// The clock of the process. Asked once per request; the answer is passed on. It never goes backward: what has expired stays
/// expired. Where the system's clock is set back, this one stands until it is reached again.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    source: Source,
    /// The latest moment that was told.
    latest: AtomicI64,
}

#[derive(Debug)]
enum Source {
    /// The system's clock, and by how many milliseconds the database's clock is ahead of it.
    System { ahead: AtomicI64 },
    /// A clock that stands until it is moved.
    Standing(AtomicI64),
}

/// When the database was asked for its time, by the system's clock.
#[derive(Debug, Clone, Copy)]
pub struct Asked(i64);

/// An answer that took longer says too little about when the database looked at its clock.
const SLOW_ANSWER: i64 = 1_000;
/// Within the rounding of both clocks.
const SAME: i64 = 1_000;

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::over(Source::System { ahead: AtomicI64::new(0) })
    }

    /// A clock that stands at a moment until it is moved: for tests.
    #[must_use]
    pub fn standing_at(moment: Timestamp) -> Self {
        Self::over(Source::Standing(AtomicI64::new(moment.0)))
    }

    fn over(source: Source) -> Self {
        Self(Arc::new(Inside { source, latest: AtomicI64::new(i64::MIN) }))
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let moment = self.source_says();
        Timestamp(self.0.latest.fetch_max(moment, Ordering::Relaxed).max(moment))
    }

    /// By how many seconds the clock is ahead of where it comes from, since that was set back.
    #[must_use]
    pub fn set_back_by(&self) -> u64 {
        let moment = self.source_says();
        self.now().seconds_since(Timestamp(moment))
    }

    fn source_says(&self) -> i64 {
        match &self.0.source {
            Source::System { ahead } => {
                system_milliseconds().saturating_add(ahead.load(Ordering::Relaxed)).div_euclid(1_000)
            }
            Source::Standing(at) => at.load(Ordering::Relaxed),
        }
    }

    /// Moves a standing clock; the system's clock moves by itself.
    pub fn advance(&self, span: Duration) {
        if let Source::Standing(at) = &self.0.source {
            at.fetch_add(i64::try_from(span.as_secs()).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// To be called right before the database is asked for its time.
    #[must_use]
    pub fn asks(&self) -> Asked {
        Asked(system_milliseconds())
    }

    /// Tells the clock what the database answered, in milliseconds; it is taken as the time in the middle between question and
    /// answer. Returns by how many milliseconds the database is ahead of the system's clock; `None` where the answer was too
    /// slow to tell, or the clock follows nobody.
    pub fn follow(&self, asked: Asked, database: i64) -> Option<i64> {
        self.follow_at(asked, database, system_milliseconds())
    }

    fn follow_at(&self, asked: Asked, database: i64, answered: i64) -> Option<i64> {
        let Source::System { ahead } = &self.0.source else { return None };
        let took = answered.saturating_sub(asked.0);
        if !(0..=SLOW_ANSWER).contains(&took) {
            return None;
        }
        let difference = database.saturating_sub(asked.0.saturating_add(took / 2));
        ahead.store(if difference.abs() <= SAME { 0 } else { difference }, Ordering::Relaxed);
        Some(difference)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
fn system_milliseconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
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
    fn reads_moments_and_days() {
        for (text, seconds) in [
            ("2026-11-18T11:06:40Z", 1_795_000_000),
            ("2026-11-18T12:06:40+01:00", 1_795_000_000),
            ("2026-11-18", 1_794_960_000),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp(seconds)), "{text}");
        }
        for text in ["", "yesterday", "2026-11", "2026-13-01", "2026-11-18T11:06:40", "11:06:40Z", "2026-11-1😀"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotAMoment), "{text}");
        }
    }

    #[test]
    fn the_clock_follows_the_database() {
        let clock = Clock::system();
        let asked = clock.asks();
        assert_eq!(
            clock.follow_at(asked, asked.0 + 3_600_100, asked.0 + 200),
            Some(3_600_000),
            "the middle of the way"
        );
        assert!(clock.now().0 >= asked.0 / 1_000 + 3_599);
        assert_eq!(clock.follow_at(asked, asked.0 + 7_200_000, asked.0 + 1_001), None, "too slow to tell");
        assert_eq!(clock.follow_at(asked, asked.0 + 7_200_000, asked.0 - 1), None, "the system's clock was set back");
        assert!(clock.now().0 < asked.0 / 1_000 + 7_000);
        assert_eq!(Clock::standing_at(Timestamp(5)).follow(asked, 9_000), None);
    }

    #[test]
    fn what_has_expired_stays_expired_when_the_clock_is_set_back() {
        let clock = Clock::system();
        let asked = clock.asks();
        assert_eq!(clock.set_back_by(), 0);
        clock.follow_at(asked, asked.0 + 3_600_000, asked.0);
        let expired = clock.now();
        clock.follow_at(asked, asked.0, asked.0);
        assert!(expired.has_passed(clock.now()));
        assert!(clock.set_back_by() >= 3_000);
        assert!(expired.has_passed(clock.clone().now()), "clones are the same clock");
    }
}
