//! People.

use std::fmt;

use serde_json::{Map, Value};

use super::id::{Subject, UserId};
use super::time::Timestamp;

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// The row.
    pub id: UserId,
    /// The `sub` of this person in tokens.
    pub sub: Subject,
    /// The name to sign in with, as it was given.
    pub username: Username,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address was shown to be this person's.
    pub email_verified: bool,
    /// Standard claims of OIDC Core §5.1 beyond the address, as registered.
    pub claims: Map<String, Value>,
    /// Roles in this house, such as `admin`.
    pub roles: Vec<String>,
    /// When the person was registered.
    pub created_at: Timestamp,
    /// When something about the person last changed: the claim `updated_at`.
    pub updated_at: Timestamp,
    /// Since when the person may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// Grants given before this moment count no more.
    pub not_before: Timestamp,
}

/// The role that opens the admin rooms.
pub const ADMIN: &str = "admin";

impl User {
    /// Whether the person may sign in and hold tokens.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }

    /// Whether the person runs this house.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == ADMIN)
    }

    /// What to call the person on a page.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.claims
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .unwrap_or(self.username.as_str())
    }
}

/// A name to sign in with: 1 to 128 characters, none of them a control character or at the ends a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

/// The text cannot be a name to sign in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadUsername;

impl fmt::Display for BadUsername {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user name has 1 to 128 characters, no control characters, and no space at its ends")
    }
}

impl std::error::Error for BadUsername {}

impl Username {
    /// Reads a name.
    ///
    /// # Errors
    /// [`BadUsername`] says the rule.
    pub fn parse(text: &str) -> Result<Self, BadUsername> {
        let length = text.chars().count();
        let proper = (1..=128).contains(&length) && text.trim() == text && !text.chars().any(char::is_control);
        if proper { Ok(Self(text.to_owned())) } else { Err(BadUsername) }
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two names are compared: case does not matter.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text looks like an e-mail address: one `@` with something on both sides, no spaces, at most 254 bytes. Only a
/// message that arrives shows more.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let parts: Vec<&str> = text.split('@').collect();
    text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && matches!(parts.as_slice(), [local, domain] if !local.is_empty() && !domain.is_empty() && !domain.starts_with('.') && !domain.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_short_and_printable() {
        for good in ["alice", "Alice Liddell", "ålice", "a", "alice@example.com"] {
            assert!(Username::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " alice", "alice ", "a\nb", "a\u{0}b", &"x".repeat(129)] {
            assert!(Username::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Username::parse("ÄLICE").unwrap().key(), Username::parse("älice").unwrap().key());
    }

    #[test]
    fn addresses_have_two_sides() {
        for (text, good) in [
            ("a@b", true),
            ("a@b.example", true),
            ("a", false),
            ("@b", false),
            ("a@", false),
            ("a@b@c", false),
            ("a b@c", false),
            ("a@.c", false),
        ] {
            assert_eq!(is_email(text), good, "{text}");
        }
    }
}
