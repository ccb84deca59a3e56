//! What the revocation stream may do to the lists: add to them for a while, and have them fetched.

use std::sync::Arc;

use super::Shared;
use crate::status::claim::status_list_url;

/// The lists, as the stream sees them. It does not keep their tasks alive.
pub(crate) struct StatusFeed {
    pub(super) shared: Arc<Shared>,
}

impl StatusFeed {
    /// These bits are set from now on, also in a list that was signed before and comes after.
    pub(crate) fn push(&self, uri: &str, indices: &[u64]) {
        let shared = &self.shared;
        if status_list_url(uri, shared.trust.keys.issuer()).is_none() {
            return;
        }
        let all_kept = shared.pushed.insert(uri, indices, shared.clock.unix_time());
        if !all_kept && let Some(entry) = shared.at_hand(uri) {
            shared.fetch_now(&entry);
        }
    }

    /// Fetches every list again, at once.
    pub(crate) fn renew_all(&self) {
        for entry in self.shared.entries.load().values() {
            self.shared.fetch_now(entry);
        }
    }

    /// Fetches the lists again, and one if there are none: each says which keys are denied.
    pub(crate) async fn renew_some(&self) {
        if self.shared.entries.load().is_empty() {
            // The log has what went wrong; the next token that names a list tries again.
            let _ = self.shared.preload(1).await;
        } else {
            self.renew_all();
        }
    }
}
