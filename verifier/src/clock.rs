//! Where the verifier takes the time from.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The two kinds of time the verifier needs. Give your own to test expiry and caching.
pub trait Clock: Send + Sync + 'static {
    /// Seconds since 1970, to compare with `exp`, `nbf` and `iat`.
    fn unix_time(&self) -> u64;

    /// Time since any fixed moment. It never goes back, so cached keys age even when somebody
    /// sets the machine's clock.
    fn elapsed(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting [`Clock::elapsed`] now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn unix_time(&self) -> u64 {
        // A machine that believes to live before 1970 sees every token as issued in the future.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_lives_after_2020_and_never_goes_back() {
        let clock = SystemClock::default();
        assert!(clock.unix_time() > 1_577_836_800);
        let first = clock.elapsed();
        assert!(clock.elapsed() >= first);
    }
}
