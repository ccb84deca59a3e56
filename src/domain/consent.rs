//! Consent: what a person lets one client have, remembered.

use super::scope::ScopeSet;
use super::time::Timestamp;

/// A remembered permission of one person for one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What was allowed so far.
    pub scope: ScopeSet,
    /// Claims allowed by name beyond the scopes (OIDC Core §5.5).
    pub claims: Vec<String>,
    /// When it was last given.
    pub granted_at: Timestamp,
}
