//! Which new passwords are taken: long enough, not too long, not common, not the person's own name.

use std::fmt;

use super::passwords::PasswordPolicy;
use crate::domain::secret::Secret;

/// Common passwords in lower case, sorted by bytes, one a line, after comment lines.
const COMMON: &str = include_str!("common_passwords.txt");

/// The shortest common word that a password may not be built around.
const SHORTEST_STEM: usize = 5;

/// Why a new password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakPassword {
    /// It has fewer characters than asked for.
    TooShort {
        /// How many it must have.
        least: usize,
    },
    /// It has more characters than allowed.
    TooLong {
        /// How many it may have.
        most: usize,
    },
    /// It is among the first that others would try.
    Common,
    /// It is the user name or the e-mail address.
    OwnName,
}

impl fmt::Display for WeakPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { least } => write!(f, "a password has at least {least} characters"),
            Self::TooLong { most } => write!(f, "a password has at most {most} characters"),
            Self::Common => f.write_str("this password is among the first that others would try"),
            Self::OwnName => f.write_str("a password is not the user name or the e-mail address"),
        }
    }
}

impl std::error::Error for WeakPassword {}

/// Checks a new password of the person with this name and address.
///
/// # Errors
/// [`WeakPassword`] says what is wrong with it.
pub fn check(
    policy: &PasswordPolicy,
    password: &Secret,
    username: &str,
    email: Option<&str>,
) -> Result<(), WeakPassword> {
    let text = password.expose();
    if text.chars().count() > policy.max_length {
        return Err(WeakPassword::TooLong { most: policy.max_length });
    }
    if text.chars().count() < policy.min_length {
        return Err(WeakPassword::TooShort { least: policy.min_length });
    }
    let lower = zeroize::Zeroizing::new(text.to_lowercase());
    let local = email.and_then(|email| email.split('@').next());
    if [Some(username), email, local].into_iter().flatten().any(|own| own.to_lowercase() == *lower) {
        return Err(WeakPassword::OwnName);
    }
    if is_common(&lower) || stem(&lower).is_some_and(is_common) { Err(WeakPassword::Common) } else { Ok(()) }
}

/// A password in lower case without the digits and marks around its word, if the word is most of it: `dragon2026!` is
/// `dragon`.
fn stem(lower: &str) -> Option<&str> {
    let stem = lower.trim_matches(|c: char| !c.is_alphabetic());
    (stem.len() >= SHORTEST_STEM && stem.len() * 2 >= lower.len()).then_some(stem)
}

/// Looks a word up in the sorted lines, without an index in memory.
fn is_common(word: &str) -> bool {
    let mut rest = COMMON;
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        let (before, after) = rest.split_at(rest.floor_char_boundary(middle));
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let length = after.find('\n').map_or(rest.len(), |at| before.len() + at) - start;
        let line = rest.get(start..start + length).unwrap_or_default();
        // Comments stand before all words.
        let order = if line.starts_with("# ") { std::cmp::Ordering::Less } else { line.cmp(word) };
        rest = match order {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => rest.get(start + length + 1..).unwrap_or_default(),
            std::cmp::Ordering::Greater => rest.get(..start).unwrap_or_default(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), WeakPassword> {
        let policy = PasswordPolicy {
            memory_kib: 64,
            iterations: 1,
            parallelism: 1,
            threads: 1,
            queue: 1,
            min_length: 10,
            max_length: 1024,
        };
        check(&policy, &Secret::new(text.to_owned()), "Alice-In-Wonderland", Some("liddell.alice@example.com"))
    }

    #[test]
    fn every_line_of_the_list_is_found_and_there_are_thousands() {
        let words: Vec<&str> = COMMON.lines().filter(|line| !line.starts_with("# ")).collect();
        assert!(words.len() >= 3_000);
        assert!(words.is_sorted());
        assert!(words.iter().all(|word| is_common(word)));
        assert!(words.iter().all(|word| word.to_lowercase() == **word));
    }

    #[test]
    fn words_that_are_no_line_are_not_found() {
        for word in ["", "qwertyuio\n", "zzzzzzzzzzzzzzzz", "correct horse", "#", "# From", "!"] {
            assert!(!is_common(word), "{word:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(checked("kvzrtwqpn"), Err(WeakPassword::TooShort { least: 10 }));
        assert_eq!(checked("пароль-пар"), Ok(()));
        assert_eq!(checked(&"ab-".repeat(341)), Ok(()));
        assert_eq!(checked(&"é".repeat(1024)), Ok(()));
        assert_eq!(checked(&"é".repeat(1025)), Err(WeakPassword::TooLong { most: 1024 }));
    }

    #[test]
    fn common_ones_are_refused_however_they_are_written() {
        for text in ["1234567890", "QwertyUiop", "1q2w3e4r5t", "Dragon2026!", "!!sunshine11", "Password123"] {
            assert_eq!(checked(text), Err(WeakPassword::Common), "{text}");
        }
        for text in
            ["correct horse battery", "kV7-zrtwqpn", "dragon-eats-sunshine", "73949201937-abba", "dragon7391846205"]
        {
            assert_eq!(checked(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn the_own_name_is_refused() {
        for text in ["alice-in-wonderland", "LIDDELL.alice@example.com", "liddell.alice"] {
            assert_eq!(checked(text), Err(WeakPassword::OwnName), "{text}");
        }
    }
}
