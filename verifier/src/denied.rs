//! Keys that the issuer's status lists call compromised.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

/// How long a key stays denied after a list last said so: longer than any token that it signed, and
/// than any outage of the lists that a thief could arrange.
const STICKY: Duration = Duration::from_secs(48 * 60 * 60);

/// Most keys that are remembered; the ones that were denied longest ago go first.
const CAPACITY: usize = 1024;

/// The denied `kid`s. Looking one up takes no lock and no memory.
#[derive(Debug, Default)]
pub(crate) struct DeniedKids {
    /// By `kid`: until when, on the clock of [`Clock::elapsed`](crate::Clock::elapsed).
    kids: ArcSwap<HashMap<String, Duration>>,
    changes: Mutex<()>,
}

impl DeniedKids {
    pub(crate) fn contains(&self, kid: &str, now: Duration) -> bool {
        self.kids.load().get(kid).is_some_and(|until| now < *until)
    }

    /// Denies these keys from now on. The caller has made sure that the issuer says so: with a good
    /// signature by a key that is not denied itself.
    pub(crate) fn deny(&self, kids: &[String], now: Duration) {
        if kids.is_empty() {
            return;
        }
        let _changing = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = HashMap::clone(&self.kids.load());
        all.retain(|_, until| now < *until);
        all.extend(kids.iter().map(|kid| (kid.clone(), now + STICKY)));
        while all.len() > CAPACITY {
            let oldest = all.iter().min_by_key(|(_, until)| **until).map(|(kid, _)| kid.clone());
            if let Some(kid) = oldest {
                all.remove(&kid);
            }
        }
        self.kids.store(all.into());
    }

    pub(crate) fn count(&self, now: Duration) -> usize {
        self.kids.load().values().filter(|until| now < **until).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_key_stays_so_for_48_hours_after_the_last_word() {
        let (denied, hour) = (DeniedKids::default(), Duration::from_secs(3600));
        assert!(!denied.contains("a", Duration::ZERO));
        denied.deny(&["a".into()], Duration::ZERO);
        assert!(denied.contains("a", hour * 48 - Duration::from_millis(1)) && !denied.contains("b", hour));
        assert!(!denied.contains("a", hour * 48));
        denied.deny(&["a".into()], hour * 10);
        assert!(denied.contains("a", hour * 57) && !denied.contains("a", hour * 58));
        denied.deny(&["b".into()], hour * 60);
        assert_eq!(denied.count(hour * 60), 1, "what is over is forgotten");
    }

    #[test]
    fn memory_is_bounded() {
        let denied = DeniedKids::default();
        for count in 0..2000_u32 {
            denied.deny(&[count.to_string()], Duration::from_millis(count.into()));
        }
        assert_eq!(denied.count(Duration::from_secs(3)), CAPACITY);
        assert!(denied.contains("1999", Duration::from_secs(3)) && !denied.contains("0", Duration::from_secs(3)));
    }
}
