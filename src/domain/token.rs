//! Opaque tokens: random values that someone carries and whose digest we keep.

use std::fmt;

use zeroize::Zeroizing;

use crate::crypto::{digest, encoding, random};

/// What a token is for. Its prefix tells secret scanners, and us, what they have found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An authorization code.
    Code,
    /// A session cookie.
    Session,
    /// A browser cookie.
    Browser,
    /// A parked authorization request.
    Request,
    /// A one-time link.
    Link,
    /// The session cookie of an app behind a proxy.
    AppSession,
    /// The cookie of a browser that is on its way to sign in at such an app.
    AppState,
    /// `state` of such a sign-in.
    AppFlow,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "fd_ac_",
            Self::Session => "fd_ss_",
            Self::Browser => "fd_br_",
            Self::Request => "fd_pr_",
            Self::Link => "fd_ln_",
            Self::AppSession => "fd_fa_",
            Self::AppState => "fd_fs_",
            Self::AppFlow => "fd_ff_",
        }
    }
}

const ID: usize = 16;
const RANDOM: usize = 32;

/// A token in clear: prefix and `b64u(row id ‖ 32 random bytes)`. It goes out once; the [`TokenDigest`] stays.
pub struct OpaqueToken {
    text: Zeroizing<String>,
    id: String,
}

impl OpaqueToken {
    /// A fresh token. Its row id is ordered by time, its secret half is 256 random bits.
    #[must_use]
    pub fn mint(kind: Kind) -> Self {
        Self::over(kind, uuid::Uuid::now_v7())
    }

    /// A fresh token for a row that is there: the identity stays, the secret half is new. `None` if `id` is not the identity
    /// of a row that a token was minted for.
    #[must_use]
    pub fn renew(kind: Kind, id: &str) -> Option<Self> {
        uuid::Uuid::try_parse(id).ok().map(|id| Self::over(kind, id))
    }

    fn over(kind: Kind, id: uuid::Uuid) -> Self {
        let mut bytes = Zeroizing::new(id.into_bytes().to_vec());
        bytes.extend_from_slice(&random::bytes::<RANDOM>());
        Self {
            text: Zeroizing::new(format!("{}{}", kind.prefix(), encoding::b64u(bytes.as_slice()))),
            id: id.simple().to_string(),
        }
    }

    /// Reads a presented token, or `None` if it is not one of this kind.
    #[must_use]
    pub fn parse(kind: Kind, presented: &str) -> Option<Self> {
        let body = presented.strip_prefix(kind.prefix())?;
        let bytes = Zeroizing::new(encoding::from_b64u(body)?);
        if bytes.len() != ID + RANDOM {
            return None;
        }
        let id = uuid::Uuid::from_slice(bytes.get(..ID)?).ok()?;
        Some(Self { text: Zeroizing::new(presented.to_owned()), id: id.simple().to_string() })
    }

    /// The identity of the row that knows this token.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the row keeps of it.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(digest::sha256_b64u(self.text.as_bytes()))
    }

    /// The text, for the one who shall carry it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpaqueToken({})", self.id)
    }
}

/// SHA-256 of an opaque token as base64url: the only form of it that a database sees.
#[derive(Debug, Clone)]
pub struct TokenDigest(String);

impl TokenDigest {
    /// Takes a digest as it stands in a row.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text for the row.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        crate::crypto::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_reads_back_and_no_other_kind_takes_it() {
        let token = OpaqueToken::mint(Kind::Code);
        assert_eq!(token.expose().len(), 6 + 64);
        let read = OpaqueToken::parse(Kind::Code, token.expose()).unwrap();
        assert_eq!(read.id(), token.id());
        assert!(read.digest().matches(&token.digest()));
        assert!(OpaqueToken::parse(Kind::Session, token.expose()).is_none());
    }

    #[test]
    fn a_renewed_token_names_the_same_row_by_another_secret() {
        let token = OpaqueToken::mint(Kind::Session);
        let renewed = OpaqueToken::renew(Kind::Session, token.id()).unwrap();
        assert_eq!(renewed.id(), token.id());
        assert!(!renewed.digest().matches(&token.digest()));
        assert!(OpaqueToken::renew(Kind::Session, "no row").is_none());
    }

    #[test]
    fn nonsense_is_no_token() {
        for text in ["", "fd_ac_", "fd_ac_AAAA", "fd_ac_%%%", &format!("fd_ac_{}", "A".repeat(65))] {
            assert!(OpaqueToken::parse(Kind::Code, text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = OpaqueToken::mint(Kind::Session);
        assert!(!format!("{token:?}").contains(&token.expose()[28..]));
    }
}
