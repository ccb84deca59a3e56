//! How long an app that cannot be told is left in peace, and when it is given up.
//!
//! A notice that fails says nothing about the others: it waits by itself. An app that fails with one notice after the other is
//! left in peace as a whole.

use std::time::Duration;

use super::time::Timestamp;

/// Tries of one notice. Also: rests in a row, after which what has waited too long is given up.
pub const MOST_TRIES: u32 = 5;
/// After that, what waits for an app that has rested so often is given up.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Pauses after failures in a row.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(2_700)];
/// An app may ask for a rest as long as that: what waits for it shall still come to its end within two hours.
const LONGEST_WISH: Duration = Duration::from_secs(600);
/// So many notices in a row that an app cannot digest say that it can digest nothing.
const BROKEN: u32 = 5;

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There was no answer, or one that says that the app is not there.
    Away {
        /// When it wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The app is there, and did not do with the notice what it should.
    Stumbled,
}

/// What is remembered of an app that failed, until it takes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Rests in a row.
    pub rests: u32,
    /// Notices in a row over which it stumbled.
    pub stumbles: u32,
    /// Not to be called before.
    pub rests_until: Timestamp,
}

impl Patience {
    /// With an app that has not failed.
    #[must_use]
    pub const fn unspent() -> Self {
        Self { rests: 0, stumbles: 0, rests_until: Timestamp::from_seconds(0) }
    }

    /// After a further failure, over a notice that never failed before or one that did.
    #[must_use]
    pub fn after(self, failure: Failure, is_first_try: bool, now: Timestamp) -> Self {
        let stumbles = self.stumbles.saturating_add(u32::from(failure == Failure::Stumbled && is_first_try));
        if failure == Failure::Stumbled && stumbles < BROKEN {
            // It is there.
            return Self { rests: 0, stumbles, rests_until: now };
        }
        // The same notice over and over again may be what it dies of: then others need not wait ever longer for it.
        let is_longer = self.rests == 0 || is_first_try || self.is_with_the_app();
        let rests = self.rests.saturating_add(u32::from(is_longer));
        let pause = match failure {
            Failure::Away { retry_after: Some(wished) } => pause_after(rests).max(wished.min(LONGEST_WISH)),
            _ => pause_after(rests),
        };
        Self { rests, stumbles, rests_until: now.plus(pause) }
    }

    /// Whether several notices failed in a row, so that it is the app and not what it was told.
    #[must_use]
    pub const fn is_with_the_app(self) -> bool {
        self.rests >= 2 || self.stumbles >= BROKEN
    }

    /// When a notice is due again that has failed so often: where it is with the app, as soon as that has rested.
    #[must_use]
    pub fn try_again_at(self, tries: u32, now: Timestamp) -> Timestamp {
        if self.is_with_the_app() { now } else { now.plus(pause_after(tries)) }
    }

    /// What has waited since before that moment is given up.
    #[must_use]
    pub fn gives_up_from_before(self, now: Timestamp) -> Option<Timestamp> {
        (self.rests >= MOST_TRIES).then(|| now.minus(LONGEST_WAIT))
    }
}

fn pause_after(failures: u32) -> Duration {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let [.., longest] = PAUSES;
    PAUSES.get(place).copied().unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: Failure = Failure::Away { retry_after: None };
    const NOW: Timestamp = Timestamp::from_seconds(10_000);

    fn rest(patience: Patience) -> u64 {
        patience.rests_until.seconds_since(NOW)
    }

    /// After these, one after the other.
    fn after(failures: &[(Failure, bool)]) -> Patience {
        failures
            .iter()
            .fold(Patience::unspent(), |patience, (failure, is_first)| patience.after(*failure, *is_first, NOW))
    }

    #[test]
    fn an_app_that_is_away_rests_longer_each_time() {
        let mut patience = Patience::unspent();
        for (pause, gives_up) in [(10, false), (60, false), (600, false), (2_700, false), (2_700, true), (2_700, true)]
        {
            patience = patience.after(AWAY, true, NOW);
            assert_eq!((rest(patience), patience.gives_up_from_before(NOW).is_some()), (pause, gives_up));
        }
        assert_eq!(patience.gives_up_from_before(NOW), Some(Timestamp::from_seconds(6_400)));
        assert_eq!(patience.try_again_at(4, NOW), NOW, "the rest of the app is pause enough");
    }

    #[test]
    fn one_notice_that_finds_nobody_again_and_again_makes_no_rest_longer() {
        let patience = after(&[(AWAY, true), (AWAY, false), (AWAY, false)]);
        assert_eq!((rest(patience), patience.is_with_the_app()), (10, false));
        assert_eq!(patience.try_again_at(3, NOW).seconds_since(NOW), 600);
        // With a second one it is the app.
        let patience = patience.after(AWAY, true, NOW).after(AWAY, false, NOW);
        assert_eq!((rest(patience), patience.is_with_the_app()), (600, true));
    }

    #[test]
    fn who_stumbles_does_not_rest_until_it_stumbles_over_everything() {
        let patience = after(&[(Failure::Stumbled, true); 4]);
        assert_eq!((rest(patience), patience.is_with_the_app()), (0, false));
        let again = patience.after(Failure::Stumbled, false, NOW);
        assert_eq!((rest(again), again.is_with_the_app()), (0, false), "one that failed before says nothing new");
        let broken = again.after(Failure::Stumbled, true, NOW);
        assert_eq!((rest(broken), broken.is_with_the_app()), (10, true));
        assert_eq!(rest(broken.after(Failure::Stumbled, false, NOW)), 60);
        // Whoever stumbles is back.
        let back = after(&[(AWAY, true), (AWAY, true), (Failure::Stumbled, true)]);
        assert_eq!((rest(back), back.is_with_the_app()), (0, false));
    }

    #[test]
    fn an_app_may_ask_for_a_longer_rest_but_not_for_an_endless_one() {
        for (wished, rests) in [(0, 10), (9, 10), (120, 120), (1_000_000, 600)] {
            let failure = Failure::Away { retry_after: Some(Duration::from_secs(wished)) };
            assert_eq!(rest(after(&[(failure, true)])), rests, "{wished}");
        }
    }
}
