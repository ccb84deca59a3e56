//! The five states of a signing key, and what each may do. This file is the table.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::time::Timestamp;

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Published, so that everyone knows it before it signs. Its private half stays sealed.
    Pending,
    /// Signs: one for each algorithm.
    Active,
    /// Published for what it has signed; its private half is erased.
    Retiring,
    /// No longer published; good for `id_token_hint` only.
    Retired,
    /// Never trusted again.
    Revoked,
}

impl KeyState {
    const ALL: [Self; 5] = [Self::Pending, Self::Active, Self::Retiring, Self::Retired, Self::Revoked];

    /// The text in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    /// Its place where keys stand in the order of their use: the one that signs, then the next, then those of the past.
    #[must_use]
    pub const fn order(self) -> u8 {
        match self {
            Self::Active => 0,
            Self::Pending => 1,
            Self::Retiring => 2,
            Self::Retired => 3,
            Self::Revoked => 4,
        }
    }

    /// Whether it stands in the key set.
    #[must_use]
    pub const fn is_published(self) -> bool {
        matches!(self, Self::Pending | Self::Active | Self::Retiring)
    }

    /// Whether it signs.
    #[must_use]
    pub const fn may_sign(self) -> bool {
        matches!(self, Self::Active)
    }

    /// Whether our own endpoints accept tokens that it signed. A pending key may already sign in a process whose clock, or
    /// whose look at the ring, is a little ahead of ours.
    #[must_use]
    pub fn accepts_own_tokens(self, activate_at: Timestamp, skew: Duration, now: Timestamp) -> bool {
        match self {
            Self::Pending => activate_at.minus(skew).has_passed(now),
            Self::Active | Self::Retiring => true,
            Self::Retired | Self::Revoked => false,
        }
    }

    /// Whether it is good inside an `id_token_hint`.
    #[must_use]
    pub fn accepts_hint(self, activate_at: Timestamp, skew: Duration, now: Timestamp) -> bool {
        matches!(self, Self::Retired) || self.accepts_own_tokens(activate_at, skew, now)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is of no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownState;

impl FromStr for KeyState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let skew = Duration::from_secs(60);
        let activate_at = Timestamp::from_seconds(1_000);
        let now = Timestamp::from_seconds(1_000);
        // state, published, signs, own tokens accepted, hints accepted
        let table = [
            (KeyState::Pending, true, false, true, true),
            (KeyState::Active, true, true, true, true),
            (KeyState::Retiring, true, false, true, true),
            (KeyState::Retired, false, false, false, true),
            (KeyState::Revoked, false, false, false, false),
        ];
        for (state, published, signs, own, hint) in table {
            assert_eq!(state.is_published(), published, "{state}");
            assert_eq!(state.may_sign(), signs, "{state}");
            assert_eq!(state.accepts_own_tokens(activate_at, skew, now), own, "{state}");
            assert_eq!(state.accepts_hint(activate_at, skew, now), hint, "{state}");
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("Active".parse::<KeyState>(), Err(UnknownState));
    }

    #[test]
    fn a_pending_key_counts_from_its_activation_less_the_skew() {
        let skew = Duration::from_secs(60);
        let activate_at = Timestamp::from_seconds(1_000);
        for (now, counts) in [(939, false), (940, true), (941, true)] {
            let now = Timestamp::from_seconds(now);
            assert_eq!(KeyState::Pending.accepts_own_tokens(activate_at, skew, now), counts);
            assert_eq!(KeyState::Pending.accepts_hint(activate_at, skew, now), counts);
        }
    }
}
