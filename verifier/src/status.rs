//! Has the grant behind a token ended? Token Status Lists (draft-ietf-oauth-status-list-21).

mod cache;
mod claim;
mod entry;
mod inflate;
mod list;
mod pushed;

use std::time::Duration;

pub(crate) use cache::{Parts as StatusParts, StatusCache, StatusFeed};
#[cfg(test)]
pub(crate) use list::StatusList;

/// When a token's status is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StatusPolicy {
    /// Never: a token is accepted until it expires, whatever happened since it was made.
    Off,
    /// For each token that names a status list. Tokens without `status` pass.
    #[default]
    IfPresent,
    /// For each token; without `status` it is refused.
    Required,
}

/// What happens while a status list that was fetched before cannot be renewed.
///
/// A list that could never be fetched always ends in
/// [`VerifyError::Unavailable`](crate::VerifyError::Unavailable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unreachable {
    /// The last list counts until its `exp`, with Frontdesk five minutes after it was signed.
    #[default]
    FailOpenUntilExpiry,
    /// The last list counts until it is 30 seconds overdue.
    FailClosed,
}

/// How status is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusSettings {
    pub(crate) policy: StatusPolicy,
    pub(crate) unreachable: Unreachable,
    /// Least time between two polls of a list.
    pub(crate) min_poll: Duration,
    /// How long a caller waits for a list that is not there.
    pub(crate) first_sight: Duration,
    /// Most memory that all lists together may take, in bytes.
    pub(crate) max_memory: usize,
}

/// Longest time between two polls of a list, whatever its `ttl` says.
pub(crate) const MAX_POLL: Duration = Duration::from_secs(300);
