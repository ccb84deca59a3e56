//! Scopes (RFC 6749 §3.3).

use std::fmt;

/// Scope values in the order they were asked for, without duplicates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet(Vec<String>);

/// More scopes than any request means, and few enough to compare each with each.
const MOST: usize = 256;

/// The text is not `scope-token *( SP scope-token )`, or has too many words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedScope;

impl fmt::Display for MalformedScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope is a list of printable ASCII words, apart by single spaces, without quotes or backslashes, 256 words at most")
    }
}

impl std::error::Error for MalformedScope {}

impl ScopeSet {
    /// Reads a scope parameter. An empty text is the empty set.
    ///
    /// # Errors
    /// [`MalformedScope`] if a character is outside RFC 6749's grammar or words are apart by more than one space, or if there
    /// are more than 256.
    pub fn parse(text: &str) -> Result<Self, MalformedScope> {
        let mut set = Self::default();
        if text.is_empty() {
            return Ok(set);
        }
        for word in text.split(' ') {
            let proper = word.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
            if word.is_empty() || !proper || set.0.len() == MOST {
                return Err(MalformedScope);
            }
            set.insert(word);
        }
        Ok(set)
    }

    /// Adds a value unless it is there.
    pub fn insert(&mut self, word: &str) {
        if !self.contains(word) {
            self.0.push(word.to_owned());
        }
    }

    /// Whether the value is in the set. Case matters.
    #[must_use]
    pub fn contains(&self, word: &str) -> bool {
        self.0.iter().any(|own| own == word)
    }

    /// The values that `allowed` holds too, in the order of this set. It can only shrink.
    #[must_use]
    pub fn narrow(&self, allowed: &Self) -> Self {
        self.filter(|word| allowed.contains(word))
    }

    /// The values for which `keep` says yes.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|word| keep(word)).cloned().collect())
    }

    /// Whether `other` holds every value of this set.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().all(|word| other.contains(word))
    }

    /// This set and what `other` has more.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        other.iter().for_each(|word| both.insert(word));
        both
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl serde::Serialize for ScopeSet {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ScopeSet {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_drops_duplicates() {
        let set = ScopeSet::parse("openid notes:read openid email").unwrap();
        assert_eq!(set.to_string(), "openid notes:read email");
        assert!(set.contains("email") && !set.contains("Email"));
    }

    #[test]
    fn narrowing_only_shrinks() {
        let asked = ScopeSet::parse("c a b").unwrap();
        let allowed = ScopeSet::parse("b c d").unwrap();
        assert_eq!(asked.narrow(&allowed).to_string(), "c b");
        assert!(asked.narrow(&allowed).is_subset_of(&asked));
    }

    #[test]
    fn refuses_what_the_grammar_does_not_know() {
        for text in ["a  b", " a", "a ", "a\"b", "a\\b", "a\tb", "a\nb", "ä", "a\u{0}b", "\u{7f}", " "] {
            assert_eq!(ScopeSet::parse(text), Err(MalformedScope), "{text:?}");
        }
        assert!(ScopeSet::parse("").unwrap().is_empty());
        let words = |many: usize| (0..many).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert!(ScopeSet::parse(&words(MOST)).is_ok());
        assert!(ScopeSet::parse(&words(MOST + 1)).is_err());
    }
}
