//! Figures for your monitoring.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{Missing, Reason, VerifyError};

/// What a verifier has done and how fresh its knowledge is; made by
/// [`Verifier::metrics`](crate::Verifier::metrics). Counts begin with the verifier.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Metrics {
    /// Tokens that passed.
    pub accepted: u64,
    /// Tokens that did not, by [`VerifyError::reason`]; reasons that never came are left out.
    pub refused: BTreeMap<&'static str, u64>,
    /// How old the issuer's keys are; `None` before they were fetched.
    pub key_age: Option<Duration>,
    /// How often keys were fetched.
    pub key_fetches: FetchCounts,
    /// The status lists in memory, by address.
    pub lists: Vec<ListMetrics>,
    /// How often status lists were fetched.
    pub list_fetches: FetchCounts,
    /// Keys that the issuer says are compromised.
    pub denied_kids: usize,
    /// Is the revocation stream open? `None` when there is none.
    pub stream_connected: Option<bool>,
}

/// One status list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListMetrics {
    /// Its address.
    pub uri: String,
    /// Time since the issuer last confirmed it; `None` while it could never be had.
    pub age: Option<Duration>,
    /// Its memory in bytes.
    pub bytes: usize,
}

/// How often something was fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchCounts {
    /// It came anew.
    pub fetched: u64,
    /// It was unchanged (304).
    pub not_modified: u64,
    /// It could not be had, or was refused.
    pub failed: u64,
}

/// Counts fetches.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    fetched: AtomicU64,
    not_modified: AtomicU64,
    failed: AtomicU64,
}

impl Fetches {
    pub(crate) fn succeeded(&self) {
        self.fetched.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unchanged(&self) {
        self.not_modified.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> FetchCounts {
        FetchCounts {
            fetched: self.fetched.load(Ordering::Relaxed),
            not_modified: self.not_modified.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// Counts verdicts.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    accepted: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
    no_keys: AtomicU64,
    no_status_list: AtomicU64,
}

impl Verdicts {
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, error: &VerifyError) {
        let counter = match error {
            VerifyError::Invalid(reason) => self.refused.get(*reason as usize),
            VerifyError::Unavailable { missing: Missing::Keys, .. } => Some(&self.no_keys),
            VerifyError::Unavailable { missing: Missing::StatusList, .. } => Some(&self.no_status_list),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn accepted_so_far(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn refused_so_far(&self) -> BTreeMap<&'static str, u64> {
        let reasons = Reason::ALL.iter().map(|reason| reason.code()).zip(&self.refused);
        let missing = [(Missing::Keys.code(), &self.no_keys), (Missing::StatusList.code(), &self.no_status_list)];
        reasons
            .chain(missing)
            .map(|(code, counter)| (code, counter.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_under_its_own_code() {
        let verdicts = Verdicts::default();
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{reason:?}");
            verdicts.refused(&reason.into());
        }
        for missing in [Missing::Keys, Missing::StatusList] {
            verdicts.refused(&VerifyError::Unavailable { missing, retry_after: Duration::ZERO });
        }
        let refused = verdicts.refused_so_far();
        assert_eq!(refused.len(), Reason::ALL.len() + 2);
        assert!(refused.values().all(|count| *count == 1), "{refused:?}");
    }
}
