//! Keys that were parsed once, and compact signatures with them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Result, failure};

/// The algorithms of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Es256,
    Rs256,
}

/// A key of each algorithm.
pub(crate) struct Signatures {
    es256: EcdsaKeyPair,
    rs256: RsaKeyPair,
    public: ParsedPublicKey,
    random: SystemRandom,
}

impl Signatures {
    pub(crate) fn generate() -> Result<Self> {
        let es256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| failure("no ES256 key"))?;
        let rs256 = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| failure("no RS256 key"))?;
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, es256.public_key().as_ref())
            .map_err(|_| failure("an ES256 key that cannot be read"))?;
        Ok(Self { es256, rs256, public, random: SystemRandom::new() })
    }

    /// Appends `.` and the signature over what the text holds so far.
    pub(crate) fn sign(&self, algorithm: Algorithm, token: &mut String) -> Result<()> {
        let refused = |_| failure("signing failed");
        match algorithm {
            Algorithm::Es256 => {
                let signature = self.es256.sign(&self.random, token.as_bytes()).map_err(refused)?;
                append(token, signature.as_ref());
            }
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rs256.public_modulus_len()];
                self.rs256.sign(&RSA_PKCS1_SHA256, &self.random, token.as_bytes(), &mut signature).map_err(refused)?;
                append(token, &signature);
            }
        }
        Ok(())
    }

    /// The claims of an ES256 token of ours, or nothing.
    pub(crate) fn verified(&self, token: &str) -> Option<Vec<u8>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (_, claims) = message.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.public.verify_sig(message.as_bytes(), &signature).ok()?;
        URL_SAFE_NO_PAD.decode(claims).ok()
    }
}

fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}
