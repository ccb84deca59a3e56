//! The signature algorithms this crate can check.

/// A JWS signature algorithm (RFC 7518 §3.1). Only public-key algorithms exist here: there is no
/// way to say `none` or `HS256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a key of at least 2048 bits.
    Rs256,
    /// ECDSA with P-256 and SHA-256; the signature is exactly 64 bytes.
    Es256,
}

impl Algorithm {
    /// The `alg` value, as registered.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// Finds an algorithm by its `alg` value, which is case-sensitive.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256].into_iter().find(|algorithm| algorithm.name() == name)
    }
}
