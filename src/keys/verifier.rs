//! Verifying what we signed ourselves, with public keys that are parsed once.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};

use super::jwk::PublicJwk;
use crate::crypto::encoding::from_b64u;
use crate::domain::alg::Alg;

/// A public key held ready. It knows one algorithm; no token can talk it into another.
#[derive(Debug)]
pub(super) struct Verifier(ParsedPublicKey);

impl Verifier {
    /// Parses a public key; `None` if its numbers are no key (a point off the curve, a modulus that is too short).
    pub(super) fn load(public: &PublicJwk) -> Option<Self> {
        let (first, second) = public.numbers();
        let (first, second) = (from_b64u(first)?, from_b64u(second)?);
        let parsed = match public.alg() {
            Alg::RS256 => {
                RsaPublicKeyComponents { n: first, e: second }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            Alg::ES256 => {
                // SEC 1 §2.3.3: an uncompressed point.
                let point = [[4].as_slice(), &first, &second].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            }
        };
        parsed.ok().map(Self)
    }

    /// Whether the signature is this key's over the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        assert!(Verifier::load(&PublicJwk::p256(&[1; 32], &[1; 32])).is_none());
    }
}
