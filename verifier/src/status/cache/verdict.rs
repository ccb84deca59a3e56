//! What the lists in memory say about one place. No lock is taken here and no memory.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::error::Reason;
use crate::status::Unreachable;
use crate::status::entry::{Entry, RETRY, poll_interval};

/// How long past its poll a list still counts when the policy is to fail closed.
const GRACE: Duration = Duration::from_secs(30);

impl Shared {
    /// `None`: there is no list here that may be trusted now.
    pub(super) fn verdict(self: &Arc<Self>, entry: &Arc<Entry>, index: u64) -> Option<Result<(), Reason>> {
        let now = self.clock.elapsed();
        entry.touch(now);
        if self.pushed.contains(&entry.uri, index) {
            return Some(Err(Reason::Revoked));
        }
        let list = entry.list.load();
        let list = list.as_deref()?;
        let earliest = self.clock.unix_time().saturating_sub(self.leeway);
        if list.expires_at <= earliest {
            return None;
        }
        let overdue = entry.age(now).saturating_sub(poll_interval(list, &self.settings));
        if overdue > RETRY {
            self.revive(entry);
        }
        if self.settings.unreachable == Unreachable::FailClosed && overdue > GRACE {
            return None;
        }
        Some(match list.get(index) {
            None => Err(Reason::StatusIndex),
            Some(0) => Ok(()),
            Some(_) => Err(Reason::Revoked),
        })
    }
}
