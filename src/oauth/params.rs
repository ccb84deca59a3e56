//! Request parameters: each at most once, empty means absent (RFC 6749 §3.1, §3.2).

use std::borrow::Cow;

use super::error::OAuthError;

/// Parameters that their specifications let occur more than once (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// More parameters than any request of ours has, and few enough to compare each with each.
const MOST: usize = 128;

/// The parameters of one request.
#[derive(Default, Clone)]
pub struct Params(Vec<(String, String)>);

/// Names only: values may be secrets.
impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Params {
    /// Reads a query or a form body. Empty values count as absent.
    #[must_use]
    pub fn parse(encoded: &[u8]) -> Self {
        Self(
            url::form_urlencoded::parse(encoded)
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// Takes pairs as they are: for requests that were kept.
    #[must_use]
    pub fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The value of a parameter, the first one where it was sent twice.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` with the hint.
    pub fn require(&self, name: &str, hint: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(hint))
    }

    /// All values of a repeatable parameter.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a parameter was sent.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Refuses a parameter sent twice, and more parameters than a request can need.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn refuse_duplicates(&self) -> Result<(), OAuthError> {
        self.refuse_duplicates_among(|name| !REPEATABLE.contains(&name))
    }

    /// Refuses a parameter sent twice, among those that `which` names.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn refuse_duplicates_among(&self, which: impl Fn(&str) -> bool) -> Result<(), OAuthError> {
        if self.0.len() > MOST {
            return Err(OAuthError::invalid_request("there are too many parameters"));
        }
        let twice = self
            .0
            .iter()
            .enumerate()
            .any(|(at, (name, _))| which(name) && self.0.iter().skip(at + 1).any(|(other, _)| other == name));
        if twice { Err(OAuthError::invalid_request("a parameter was sent twice")) } else { Ok(()) }
    }

    /// Refuses what no parameter may hold: NUL bytes, which PostgreSQL text cannot keep.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn refuse_nul(&self) -> Result<(), OAuthError> {
        let held = self.0.iter().any(|(name, value)| name.contains('\0') || value.contains('\0'));
        if held { Err(OAuthError::invalid_request("a parameter holds a NUL character")) } else { Ok(()) }
    }

    /// The pairs as a form body, for keeping a request.
    #[must_use]
    pub fn encoded(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(self.0.iter().map(|(name, value)| (Cow::from(name), Cow::from(value))));
        form.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_absent_and_a_second_one_refused() {
        let params = Params::parse(b"scope=&state=a%20b+c&resource=x&resource=y");
        assert!(!params.has("scope"));
        assert_eq!(params.get("state"), Some("a b c"));
        assert_eq!(params.all("resource"), ["x", "y"]);
        assert!(params.refuse_duplicates().is_ok());
        assert!(Params::parse(b"a=1&a=1").refuse_duplicates().is_err());
        assert!(Params::parse(b"a=1&b=2&a=").refuse_duplicates().is_ok(), "an empty value is no value");
        let many = |count| -> String { (0..count).map(|n| format!("p{n}=1&")).collect() };
        assert!(Params::parse(many(MOST).as_bytes()).refuse_duplicates().is_ok());
        assert!(Params::parse(many(MOST + 1).as_bytes()).refuse_duplicates().is_err());
        assert!(Params::parse(b"a=%00").refuse_nul().is_err());
        assert_eq!(Params::parse(params.encoded().as_bytes()).get("state"), Some("a b c"));
    }

    #[test]
    fn debug_shows_names_only() {
        assert_eq!(format!("{:?}", Params::parse(b"client_secret=hush")), "[\"client_secret\"]");
    }
}
