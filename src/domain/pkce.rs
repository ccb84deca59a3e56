//! Proof Key for Code Exchange, S256 only (RFC 7636, RFC 9700 §2.1.1).

use crate::crypto::{digest, equal};

/// A code challenge: 43 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Reads an S256 challenge, or `None` if it is not exactly 43 characters of base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let proper = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        proper.then(|| Self(text.to_owned()))
    }

    /// The text for the row.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the verifier is well-formed (43 to 128 unreserved characters) and its digest is this challenge.
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let proper = (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
        proper && equal(digest::sha256_b64u(verifier.as_bytes()).as_bytes(), self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn rfc7636_appendix_b() {
        let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
        assert!(challenge.is_met_by(VERIFIER));
        assert!(!challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
        assert!(!challenge.is_met_by(&VERIFIER[..42]));
        assert!(!challenge.is_met_by(CHALLENGE));
    }

    #[test]
    fn a_challenge_has_43_characters_of_base64url() {
        let long = "A".repeat(129);
        for text in [
            "",
            &CHALLENGE[..42],
            &format!("{CHALLENGE}A"),
            &long,
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c=",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw.cM",
        ] {
            assert_eq!(CodeChallenge::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for (verifier, good) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("~".repeat(128), true),
            ("a".repeat(129), false),
            (format!("{}+", "a".repeat(50)), false),
        ] {
            let challenge = CodeChallenge::parse(&digest::sha256_b64u(verifier.as_bytes())).unwrap();
            assert_eq!(challenge.is_met_by(&verifier), good, "{verifier}");
        }
    }
}
