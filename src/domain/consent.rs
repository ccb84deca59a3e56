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
    /// Resources allowed by name beyond those that the scopes belong to (RFC 8707).
    pub resources: Vec<String>,
    /// When it was last given.
    pub granted_at: Timestamp,
}

impl Consent {
    /// Whether everything of `asked` was allowed.
    #[must_use]
    pub fn covers(&self, asked: &Self) -> bool {
        asked.scope.is_subset_of(&self.scope)
            && asked.claims.iter().all(|name| self.claims.contains(name))
            && asked.resources.iter().all(|name| self.resources.contains(name))
    }

    /// What was allowed before and what is allowed by `self`, from now on.
    #[must_use]
    pub fn and(mut self, before: Self) -> Self {
        self.scope = before.scope.union(&self.scope);
        for (own, earlier) in [(&mut self.claims, before.claims), (&mut self.resources, before.resources)] {
            own.extend(earlier);
            own.sort();
            own.dedup();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(scope: &str, claims: &[&str], resources: &[&str]) -> Consent {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Consent {
            scope: ScopeSet::parse(scope).unwrap(),
            claims: texts(claims),
            resources: texts(resources),
            granted_at: Timestamp::from_seconds(5),
        }
    }

    #[test]
    fn what_is_new_is_not_covered() {
        let given = consent("openid email", &["phone_number"], &["https://a"]);
        assert!(given.covers(&consent("email", &[], &["https://a"])));
        assert!(!given.covers(&consent("openid profile", &[], &[])));
        assert!(!given.covers(&consent("openid", &["address"], &[])));
        assert!(!given.covers(&consent("openid", &[], &["https://b"])));
    }

    #[test]
    fn what_was_given_before_stays_given() {
        let both = consent("openid", &["name"], &["https://b"]).and(consent("email", &["name", "address"], &[]));
        assert_eq!(both, consent("email openid", &["address", "name"], &["https://b"]));
    }
}
