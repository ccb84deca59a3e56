//! The settings that rule the ring, and the times that follow from them.

use std::time::Duration;

use crate::domain::alg::Alg;
use crate::domain::time::Timestamp;

/// The settings that rule the ring.
#[derive(Debug, Clone)]
pub struct KeyPolicy {
    /// Algorithms that have a key.
    pub algorithms: Vec<Alg>,
    /// Size of RSA keys.
    pub rsa_bits: u32,
    /// How long a key signs.
    pub period: Duration,
    /// How long a key is published before it signs.
    pub publish_ahead: Duration,
    /// How long a key stays published after its last signature.
    pub retire_window: Duration,
    /// How long a turn waits for apps that were not yet seen to have the new key.
    pub patience: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
    /// How long others keep the key set.
    pub jwks_max_age: Duration,
    /// How long a token that a key signed lives at most.
    pub longest_token: Duration,
    /// How long one lives that nobody asked anything special for.
    pub usual_token: Duration,
}

impl KeyPolicy {
    /// From when on a key that was published then may sign. Moments are whole seconds, cut off: two of them that are `n` apart
    /// may lie `n - 1` seconds apart in truth.
    #[must_use]
    pub fn safe_from(&self, published_at: Timestamp) -> Timestamp {
        let whole = self.publish_ahead.as_secs() + u64::from(self.publish_ahead.subsec_nanos() > 0);
        published_at.plus(Duration::from_secs(whole + 1))
    }

    /// When a key that stops signing now leaves the key set.
    #[must_use]
    pub fn retired_at(&self, now: Timestamp) -> Timestamp {
        now.plus(self.retire_window + Duration::from_secs(1))
    }

    /// When a turn that was planned for a moment is made although apps lag.
    #[must_use]
    pub fn patient_until(&self, planned: Timestamp) -> Timestamp {
        planned.plus(self.patience)
    }

    /// The period in equal parts, one for each algorithm: how far apart their turns shall be.
    #[must_use]
    pub fn share(&self) -> Duration {
        self.period / u32::try_from(self.algorithms.len()).unwrap_or(1).max(1)
    }
}

#[cfg(test)]
impl KeyPolicy {
    /// What the settings say where nobody wrote any.
    pub(crate) fn usual(algorithms: &[Alg]) -> Self {
        let seconds = Duration::from_secs;
        Self {
            algorithms: algorithms.to_vec(),
            rsa_bits: 2048,
            period: seconds(30 * 86_400),
            publish_ahead: seconds(86_400),
            retire_window: seconds(86_400),
            patience: seconds(3 * 86_400),
            skew: seconds(60),
            jwks_max_age: seconds(300),
            longest_token: seconds(3_600),
            usual_token: seconds(900),
        }
    }
}
