//! Refresh families: one row, deterministic successors, and what a presented generation means.

use super::client::Delivery;
use super::id::{ClientId, FamilyId, GrantId, SessionId};
use super::time::Timestamp;

/// When the predecessor of the current generation is accepted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// For some seconds after the step. The strictest, so it stands first.
    Grace,
    /// Until its successor was presented. Only for families bound to the client's own proof.
    UntilSuccessorUsed,
    /// Generations never advance. Only for families bound to the client's own proof.
    NoRotation,
}

impl Retry {
    /// The text for a row.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grace => "grace",
            Self::UntilSuccessorUsed => "until_successor_used",
            Self::NoRotation => "no_rotation",
        }
    }

    /// Reads the text of a row.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Grace, Self::UntilSuccessorUsed, Self::NoRotation].into_iter().find(|retry| retry.as_str() == text)
    }
}

/// A policy as it applies to one family. The lax policies can only be made from a proof that the family is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    retry: Retry,
    grace: u64,
}

/// Proof that whoever presents the family's tokens also proves to be its client. Made only by client authentication.
#[derive(Debug, Clone, Copy)]
pub struct Bound(());

impl Bound {
    /// The client authenticated with something only it has.
    #[must_use]
    pub const fn by_client_authentication() -> Self {
        Self(())
    }
}

impl RetryPolicy {
    /// Accept the predecessor for `grace` seconds.
    #[must_use]
    pub const fn grace(grace: u64) -> Self {
        Self { retry: Retry::Grace, grace }
    }

    /// The stricter of the row's and the client's rule. Without a binding, or with cookie delivery, it is always `grace`.
    #[must_use]
    pub fn effective(row: (Retry, u64), client: (Retry, u64), delivery: Delivery, bound: Option<Bound>) -> Self {
        let grace = row.1.min(client.1);
        match (bound, delivery) {
            (Some(_), Delivery::Body) => Self { retry: row.0.min(client.0), grace },
            _ => Self::grace(grace),
        }
    }
}

/// A family as its row knows it.
#[derive(Debug, Clone)]
pub struct RefreshFamily {
    /// The row.
    pub id: FamilyId,
    /// The grant it belongs to.
    pub grant_id: GrantId,
    /// Whom it was given to.
    pub client_id: ClientId,
    /// The session it was opened in.
    pub session_id: SessionId,
    /// Which refresh root its tokens are MACed with.
    pub root_id: String,
    /// How its tokens travel.
    pub delivery: Delivery,
    /// The retry rule it was born with, and its grace in seconds.
    pub retry: (Retry, u64),
    /// The current generation.
    pub generation: u32,
    /// When the current generation was made.
    pub rotated_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// When it ends if it is not used.
    pub idle_expires_at: Timestamp,
    /// Retries seen so far.
    pub retries: Retries,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

/// Retries in consecutive generations, and where they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retries {
    /// Generations in a row that needed a retry.
    pub streak: u32,
    /// Whether the current generation has needed one.
    pub counted: bool,
    /// Short digests of the contexts (address prefix and user agent) of those generations, without duplicates.
    pub contexts: Vec<String>,
}

/// How many generations in a row may need a retry from more than one context.
const LONGEST_STREAK: u32 = 3;
const MOST_CONTEXTS: usize = 4;

impl Retries {
    /// After a step from `context`: a generation that needed no retry ends the streak.
    #[must_use]
    pub fn stepped(&self, context: &str) -> Self {
        let mut next = if self.counted { self.clone() } else { Self::default() };
        next.counted = false;
        next.note(context);
        next
    }

    /// After a retry from `context`. It counts once for each generation.
    #[must_use]
    pub fn retried(&self, context: &str) -> Self {
        let mut next = self.clone();
        if !next.counted {
            next.counted = true;
            next.streak = next.streak.saturating_add(1);
        }
        next.note(context);
        next
    }

    /// Whether this looks like two holders taking turns.
    #[must_use]
    pub fn are_too_many(&self) -> bool {
        self.streak >= LONGEST_STREAK && self.contexts.len() > 1
    }

    fn note(&mut self, context: &str) {
        if !self.contexts.iter().any(|seen| seen == context) && self.contexts.len() < MOST_CONTEXTS {
            self.contexts.push(context.to_owned());
        }
    }
}

/// What a genuine presented generation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The current one: go on to the next.
    Step {
        /// The generation to hand out.
        next: u32,
    },
    /// The predecessor, soon enough, or the current one where nothing rotates: the same answer again.
    Again {
        /// The generation to hand out.
        same: u32,
    },
    /// One that was never handed out: the store went back in time.
    StoreWentBack {
        /// The generation to hand out.
        next: u32,
    },
    /// The predecessor, too late, its successor never presented: the answer was lost.
    LostAnswer,
    /// Older than the predecessor: its successor was used, so this is a copy.
    Reuse,
    /// There are no generations left.
    Exhausted,
}

impl RefreshFamily {
    /// What a genuine presented generation means. With rotation "the current one was never presented" holds by construction:
    /// presenting it moves on.
    #[must_use]
    pub fn meaning(&self, presented: u32, policy: RetryPolicy, now: Timestamp) -> Meaning {
        let current = self.generation;
        if presented > current {
            return presented.checked_add(1).map_or(Meaning::Exhausted, |next| Meaning::StoreWentBack { next });
        }
        match (current - presented, policy.retry) {
            (0, Retry::NoRotation) => Meaning::Again { same: current },
            (0, _) => current.checked_add(1).map_or(Meaning::Exhausted, |next| Meaning::Step { next }),
            (1, Retry::UntilSuccessorUsed) => Meaning::Again { same: current },
            (1, Retry::Grace) if now.seconds_since(self.rotated_at) <= policy.grace => Meaning::Again { same: current },
            // In cookie mode the session's own cookie came along too: whoever asks is the browser that lost the answer.
            (1, _) if self.delivery == Delivery::Cookie => Meaning::Again { same: current },
            (1, _) => Meaning::LostAnswer,
            _ => Meaning::Reuse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_000);

    fn family(generation: u32, delivery: Delivery) -> RefreshFamily {
        RefreshFamily {
            id: FamilyId::new("f"),
            grant_id: GrantId::new("g"),
            client_id: ClientId::new("c"),
            session_id: SessionId::new("s"),
            root_id: "r".to_owned(),
            delivery,
            retry: (Retry::Grace, 10),
            generation,
            rotated_at: AT,
            expires_at: AT,
            idle_expires_at: AT,
            retries: Retries::default(),
            ended_at: None,
        }
    }

    fn bound(retry: Retry) -> RetryPolicy {
        RetryPolicy::effective(
            (retry, 10),
            (Retry::NoRotation, 10),
            Delivery::Body,
            Some(Bound::by_client_authentication()),
        )
    }

    #[test]
    fn every_arm() {
        let body = family(5, Delivery::Body);
        let cookie = family(5, Delivery::Cookie);
        let grace = RetryPolicy::grace(10);
        let in_time = Timestamp::from_seconds(1_010);
        let too_late = Timestamp::from_seconds(1_011);
        assert_eq!(body.meaning(5, grace, too_late), Meaning::Step { next: 6 });
        assert_eq!(body.meaning(4, grace, in_time), Meaning::Again { same: 5 });
        assert_eq!(body.meaning(4, grace, too_late), Meaning::LostAnswer);
        assert_eq!(cookie.meaning(4, grace, too_late), Meaning::Again { same: 5 });
        assert_eq!(body.meaning(3, grace, in_time), Meaning::Reuse);
        assert_eq!(cookie.meaning(3, grace, in_time), Meaning::Reuse);
        assert_eq!(body.meaning(9, grace, in_time), Meaning::StoreWentBack { next: 10 });
        assert_eq!(body.meaning(u32::MAX, grace, in_time), Meaning::Exhausted);
        assert_eq!(family(u32::MAX, Delivery::Body).meaning(u32::MAX, grace, in_time), Meaning::Exhausted);
        assert_eq!(body.meaning(4, bound(Retry::UntilSuccessorUsed), too_late), Meaning::Again { same: 5 });
        assert_eq!(body.meaning(3, bound(Retry::UntilSuccessorUsed), in_time), Meaning::Reuse);
        assert_eq!(body.meaning(5, bound(Retry::NoRotation), too_late), Meaning::Again { same: 5 });
    }

    #[test]
    fn a_clock_that_went_back_opens_no_grace_that_was_closed() {
        // Time before the step counts as no time at all, so the retry is inside the grace, never older than it.
        assert_eq!(
            family(5, Delivery::Body).meaning(3, RetryPolicy::grace(10), Timestamp::from_seconds(0)),
            Meaning::Reuse
        );
    }

    #[test]
    fn lax_rules_need_a_binding_and_never_come_with_cookies() {
        let lax = (Retry::NoRotation, 60);
        let proof = Some(Bound::by_client_authentication());
        assert_eq!(RetryPolicy::effective(lax, lax, Delivery::Body, None), RetryPolicy::grace(60));
        assert_eq!(RetryPolicy::effective(lax, lax, Delivery::Cookie, proof), RetryPolicy::grace(60));
        assert_eq!(RetryPolicy::effective(lax, (Retry::Grace, 5), Delivery::Body, proof), RetryPolicy::grace(5));
        assert_eq!(RetryPolicy::effective((Retry::Grace, 7), lax, Delivery::Body, proof), RetryPolicy::grace(7));
    }

    #[test]
    fn three_generations_in_a_row_from_two_places_are_too_many() {
        let mut retries = Retries::default();
        for round in 0..3 {
            assert!(!retries.are_too_many(), "round {round}");
            retries = retries.retried("there").stepped("here");
        }
        assert!(retries.are_too_many());
    }

    #[test]
    fn one_place_or_a_quiet_generation_between_is_no_alarm() {
        let mut alone = Retries::default();
        for _ in 0..9 {
            alone = alone.retried("here").retried("here").stepped("here");
        }
        assert!(!alone.are_too_many());
        let mut quiet = Retries::default();
        for _ in 0..9 {
            quiet = quiet.stepped("here").retried("there").stepped("here").stepped("here");
        }
        assert!(!quiet.are_too_many());
    }
}
