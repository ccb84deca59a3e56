//! What is said of a person, and whether it can be.

use std::fmt;

use serde_json::{Map, Value};

use crate::domain::claims::STANDARD;
use crate::domain::secret::Secret;
use crate::domain::user::{Username, is_email};

/// What is said of a person.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The name to sign in with.
    pub username: Username,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address was shown to be this person's.
    pub email_verified: bool,
    /// Standard claims of OIDC Core §5.1 beyond the address.
    pub claims: Map<String, Value>,
    /// Roles in this house.
    pub roles: Vec<String>,
    /// The password, if one is given.
    pub password: Option<Secret>,
}

/// Something said of a person that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRegistration {
    /// Not an e-mail address.
    Email,
    /// A verified address was said of a person without one.
    VerifiedNothing,
    /// A role that is no word.
    Role(String),
    /// A claim that nobody registers: it comes from elsewhere, or OpenID Connect does not know it.
    UnknownClaim(String),
    /// A claim of the wrong kind.
    Claim {
        /// Its name.
        name: String,
        /// What it must be.
        expected: &'static str,
    },
    /// All claims together are too long.
    TooMuch,
}

impl fmt::Display for BadRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email => f.write_str("email is not an e-mail address"),
            Self::VerifiedNothing => f.write_str("email_verified needs an email"),
            Self::Role(role) => {
                write!(f, "the role {role:?} is not a word of 1 to 64 letters, digits, and the marks - _ . :")
            }
            Self::UnknownClaim(name) => write!(
                f,
                "the claim {name:?} cannot be registered; these can: {}",
                registered().collect::<Vec<_>>().join(", ")
            ),
            Self::Claim { name, expected } => write!(f, "the claim {name:?} must be {expected}"),
            Self::TooMuch => write!(f, "the claims have more than {LONGEST_CLAIMS} bytes"),
        }
    }
}

impl std::error::Error for BadRegistration {}

const LONGEST_CLAIMS: usize = 16 * 1024;

/// Claims that come from the person's row and not from what is registered.
const DERIVED: [&str; 4] = ["preferred_username", "updated_at", "email", "email_verified"];

/// Members of the claim `address` (OIDC Core §5.1.1).
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];

impl Registration {
    /// Whether all of it can be, the password apart.
    ///
    /// # Errors
    /// [`BadRegistration`] names the first that cannot.
    pub fn check(&self) -> Result<(), BadRegistration> {
        match &self.email {
            Some(email) if !is_email(email) => return Err(BadRegistration::Email),
            None if self.email_verified => return Err(BadRegistration::VerifiedNothing),
            _ => {}
        }
        for role in &self.roles {
            check_role(role)?;
        }
        for (name, value) in &self.claims {
            check_claim(name, value)?;
        }
        if Value::Object(self.claims.clone()).to_string().len() > LONGEST_CLAIMS {
            return Err(BadRegistration::TooMuch);
        }
        Ok(())
    }
}

/// Whether a role is a word.
///
/// # Errors
/// [`BadRegistration::Role`].
pub fn check_role(role: &str) -> Result<(), BadRegistration> {
    let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if (1..=64).contains(&role.len()) && role.chars().all(proper) {
        Ok(())
    } else {
        Err(BadRegistration::Role(role.to_owned()))
    }
}

fn registered() -> impl Iterator<Item = &'static str> {
    STANDARD.iter().map(|(name, _)| *name).filter(|name| !DERIVED.contains(name))
}

fn check_claim(name: &str, value: &Value) -> Result<(), BadRegistration> {
    let bad = |expected| Err(BadRegistration::Claim { name: name.to_owned(), expected });
    if !registered().any(|claim| claim == name) {
        return Err(BadRegistration::UnknownClaim(name.to_owned()));
    }
    match (name, value) {
        ("phone_number_verified", Value::Bool(_)) => Ok(()),
        ("phone_number_verified", _) => bad("true or false"),
        ("address", Value::Object(members)) if members.iter().all(|(name, value)| is_address_part(name, value)) => {
            Ok(())
        }
        ("address", _) => {
            bad("a table with texts named formatted, street_address, locality, region, postal_code, country")
        }
        ("profile" | "picture" | "website", Value::String(text)) if !is_web_address(text) => {
            bad("an address that begins with https:// or http://")
        }
        ("birthdate", Value::String(text)) if !is_birthdate(text) => {
            bad("a date like 1865-11-26, 0000-11-26 without the year, or 1865")
        }
        (_, Value::String(text)) if text.chars().any(|c| c.is_control() && c != '\n') => {
            bad("a text without control characters")
        }
        (_, Value::String(_)) => Ok(()),
        _ => bad("a text"),
    }
}

fn is_address_part(name: &str, value: &Value) -> bool {
    let printable = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n' && c != '\r');
    ADDRESS.contains(&name) && value.as_str().is_some_and(printable)
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
}

/// `YYYY-MM-DD`, with the year 0000 where it is not told, or `YYYY` (OIDC Core §5.1).
fn is_birthdate(text: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] => digits(year, 4),
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => {
            // Without a year any day of a leap year may be meant.
            let date = if *year == "0000" { format!("2000-{month}-{day}") } else { text.to_owned() };
            date.parse::<jiff::civil::Date>().is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(name: &str, value: Value) -> Result<(), BadRegistration> {
        let claims = Map::from_iter([(name.to_owned(), value)]);
        registration(claims).check()
    }

    fn registration(claims: Map<String, Value>) -> Registration {
        Registration {
            username: Username::parse("alice").unwrap(),
            email: Some("alice@example.com".to_owned()),
            email_verified: true,
            claims,
            roles: vec!["admin".to_owned()],
            password: None,
        }
    }

    #[test]
    fn standard_claims_of_the_right_kind_are_taken() {
        for (name, value) in [
            ("name", json!("Alice Liddell")),
            ("address", json!({"locality": "Oxford", "formatted": "1 High St\nOxford"})),
            ("address", json!({"formatted": "1 High St\r\nOxford"})),
            ("birthdate", json!("1852-05-04")),
            ("birthdate", json!("0000-02-29")),
            ("birthdate", json!("1852")),
            ("picture", json!("https://example.com/alice.png")),
            ("phone_number_verified", json!(true)),
        ] {
            assert_eq!(with(name, value.clone()), Ok(()), "{name} {value}");
        }
    }

    #[test]
    fn all_claims_together_have_at_most_16_kib_as_json() {
        let of = |bytes: usize| with("name", json!("x".repeat(bytes - r#"{"name":""}"#.len())));
        assert_eq!(of(16 * 1024), Ok(()));
        assert_eq!(of(16 * 1024 + 1), Err(BadRegistration::TooMuch));
    }

    #[test]
    fn other_claims_and_other_kinds_are_refused_by_name() {
        for (name, value) in [
            ("name", json!(5)),
            ("name", json!("a\u{0}b")),
            ("address", json!("Oxford")),
            ("address", json!({"planet": "Earth"})),
            ("address", json!({"locality": 5})),
            ("address", json!({"locality": "Ox\u{7}ford"})),
            ("birthdate", json!("1851-02-29")),
            ("birthdate", json!("yesterday")),
            ("birthdate", json!("18520504")),
            ("birthdate", json!("+001852-05-04")),
            ("birthdate", json!("1852-05-04T10:00")),
            ("picture", json!("javascript:alert(1)")),
            ("picture", json!("ftp://example.com/alice.png")),
            ("phone_number_verified", json!("yes")),
        ] {
            let refused = with(name, value.clone());
            assert!(
                matches!(refused, Err(BadRegistration::Claim { name: ref own, .. }) if own == name),
                "{name} {value}"
            );
        }
        for name in ["sub", "email", "email_verified", "preferred_username", "updated_at", "shoe_size"] {
            assert_eq!(with(name, json!("x")), Err(BadRegistration::UnknownClaim(name.to_owned())));
        }
        assert_eq!(with("name", json!("x".repeat(17_000))), Err(BadRegistration::TooMuch));
    }

    #[test]
    fn addresses_and_roles_are_checked() {
        let proper = registration(Map::new());
        let bad = [
            (Registration { email: Some("alice".to_owned()), ..proper.clone() }, BadRegistration::Email),
            (Registration { email: None, ..proper.clone() }, BadRegistration::VerifiedNothing),
            (Registration { roles: vec!["a b".to_owned()], ..proper.clone() }, BadRegistration::Role("a b".to_owned())),
            (Registration { roles: vec![String::new()], ..proper.clone() }, BadRegistration::Role(String::new())),
        ];
        for (registration, expected) in bad {
            assert_eq!(registration.check(), Err(expected));
        }
        assert_eq!(proper.check(), Ok(()));
    }
}
