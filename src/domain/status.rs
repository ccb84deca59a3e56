//! Where a grant's bit stands in the Token Status Lists (draft-ietf-oauth-status-list).

/// A position in a status list. Given to each grant at its birth, and to each client for `client_credentials`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusIndex {
    /// The list's number.
    pub list: i64,
    /// The position in it.
    pub index: i64,
}
