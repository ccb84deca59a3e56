//! Signing. Keys are parsed once and held ready: jsonwebtoken reads an RSA key anew for each signature, which takes longer
//! than the signature. The JWS is put together here (RFC 7515 §7.1), byte for byte as jsonwebtoken does it.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};

use super::jwk::PublicJwk;
use crate::crypto::encoding::b64u;
use crate::domain::alg::Alg;
use crate::domain::id::KeyId;

/// What a token is, as its header says (RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typ {
    /// An access token (RFC 9068 §2.1).
    AccessToken,
    /// An ID token (OIDC Core §2).
    IdToken,
    /// A status list (draft-ietf-oauth-status-list §5.1).
    StatusList,
    /// A logout token (OpenID Connect Back-Channel Logout 1.0 §2.4).
    LogoutToken,
    /// The key history (OpenID Federation §8.7).
    KeyHistory,
    /// A checkpoint of the audit chain: no token, and nobody's but ours to read.
    AuditCheckpoint,
}

impl Typ {
    /// All of them, in the order of the enum.
    const ALL: [Self; 6] = [
        Self::AccessToken,
        Self::IdToken,
        Self::LogoutToken,
        Self::StatusList,
        Self::KeyHistory,
        Self::AuditCheckpoint,
    ];

    /// The value of the header's `typ`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::StatusList => "statuslist+jwt",
            Self::LogoutToken => "logout+jwt",
            Self::KeyHistory => "jwk-set+jwt",
            Self::AuditCheckpoint => "audit-checkpoint+jwt",
        }
    }

    /// The kind with this `typ`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|typ| typ.as_str() == text)
    }
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignError {
    /// The private half is not of the kind that the public half says, or cannot be read.
    Unreadable,
    /// The probe that was signed does not verify: the halves do not belong together.
    ProbeFailed,
    /// The library refused to sign.
    Refused,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the private half of the key cannot be read",
            Self::ProbeFailed => "what the key signs does not verify with its public half",
            Self::Refused => "signing failed",
        })
    }
}

impl std::error::Error for SignError {}

/// A key that signs, held ready.
pub struct Signer {
    kid: KeyId,
    alg: Alg,
    pair: Pair,
    random: SystemRandom,
    /// Header and dot for each [`Typ`].
    headers: Vec<(Typ, String)>,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl Signer {
    /// Parses a private key (PKCS#8, DER) and proves with a probe that it belongs to the public half.
    ///
    /// # Errors
    /// [`SignError`] if it cannot be read or is another's.
    pub fn load(public: &PublicJwk, pkcs8: &[u8]) -> Result<Self, SignError> {
        let pair = match public.alg() {
            Alg::RS256 => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
            Alg::ES256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::P256),
        }
        .map_err(|_| SignError::Unreadable)?;
        let header = |typ: Typ| {
            let text = format!(r#"{{"typ":"{}","alg":"{}","kid":"{}"}}"#, typ.as_str(), public.alg(), public.kid());
            (typ, format!("{}.", b64u(text)))
        };
        let headers = Typ::ALL.map(header).into();
        let signer = Self { kid: public.kid().clone(), alg: public.alg(), pair, random: SystemRandom::new(), headers };
        signer.probe(public)?;
        Ok(signer)
    }

    /// The name of the key.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// Its algorithm.
    #[must_use]
    pub const fn alg(&self) -> Alg {
        self.alg
    }

    /// Signs claims, which are JSON, as a compact JWS.
    ///
    /// # Errors
    /// [`SignError::Refused`], to be answered 503.
    pub fn sign(&self, typ: Typ, claims: &[u8]) -> Result<String, SignError> {
        let (_, header) = self.headers.iter().find(|(own, _)| *own == typ).ok_or(SignError::Refused)?;
        // Base64 makes 4 of 3; a signature is 64 bytes, or as long as the modulus.
        let mut token = String::with_capacity(header.len() + claims.len() * 4 / 3 + 700);
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, token.as_bytes(), &mut signature)
                    .map_err(|_| SignError::Refused)?;
                append(&mut token, &signature);
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&self.random, token.as_bytes()).map_err(|_| SignError::Refused)?;
                append(&mut token, signature.as_ref());
            }
        }
        Ok(token)
    }

    /// Signs something and has it checked by another library, as relying apps will.
    fn probe(&self, public: &PublicJwk) -> Result<(), SignError> {
        let token = self.sign(Typ::IdToken, br#"{"probe":true}"#)?;
        let (message, signature) = token.rsplit_once('.').ok_or(SignError::ProbeFailed)?;
        let (first, second) = public.numbers();
        let (key, algorithm) = match self.alg {
            Alg::RS256 => (DecodingKey::from_rsa_components(first, second), Algorithm::RS256),
            Alg::ES256 => (DecodingKey::from_ec_components(first, second), Algorithm::ES256),
        };
        let verified = key.and_then(|key| jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm));
        if verified.unwrap_or(false) { Ok(()) } else { Err(SignError::ProbeFailed) }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} {})", self.alg, self.kid)
    }
}

fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::{EncodingKey, Header, Validation};
    use serde_json::{Value, json};

    use super::*;
    use crate::keys::pair;

    fn header(typ: Typ, alg: Algorithm, kid: &KeyId) -> Header {
        Header { typ: Some(typ.as_str().to_owned()), kid: Some(kid.to_string()), ..Header::new(alg) }
    }

    #[test]
    fn rs256_is_byte_equal_to_jsonwebtoken() {
        let pair = pair::make(Alg::RS256, 2048).unwrap();
        let signer = Signer::load(&pair.public, &pair.private).unwrap();
        let claims = json!({"iss": "https://id.example.com", "aud": ["a", "ä"], "exp": 1_795_000_000});
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&*pair.private));
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        for typ in Typ::ALL {
            let theirs = jsonwebtoken::encode(&header(typ, Algorithm::RS256, signer.kid()), &claims, &key).unwrap();
            assert_eq!(signer.sign(typ, &serde_json::to_vec(&claims).unwrap()).unwrap(), theirs);
        }
    }

    #[test]
    fn es256_has_the_same_header_and_claims_and_verifies() {
        let pair = pair::make(Alg::ES256, 2048).unwrap();
        let signer = Signer::load(&pair.public, &pair.private).unwrap();
        let claims = json!({"sub": "s", "exp": 4_000_000_000_u64});
        let ours = signer.sign(Typ::AccessToken, &serde_json::to_vec(&claims).unwrap()).unwrap();
        let key = EncodingKey::from_ec_der(&pair.private);
        let theirs =
            jsonwebtoken::encode(&header(Typ::AccessToken, Algorithm::ES256, signer.kid()), &claims, &key).unwrap();
        assert_eq!(ours.rsplit_once('.').unwrap().0, theirs.rsplit_once('.').unwrap().0);
        // Raw r and s, not DER (RFC 7518 §3.4).
        assert_eq!(URL_SAFE_NO_PAD.decode(ours.rsplit_once('.').unwrap().1).unwrap().len(), 64);
        let (x, y) = pair.public.numbers();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_aud = false;
        let key = DecodingKey::from_ec_components(x, y).unwrap();
        let read = jsonwebtoken::decode::<Value>(&ours, &key, &validation).unwrap();
        assert_eq!(read.claims, claims);
        assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
    }

    #[test]
    fn halves_that_do_not_belong_together_are_refused() {
        let (rsa, ec) = (pair::make(Alg::RS256, 2048).unwrap(), pair::make(Alg::ES256, 2048).unwrap());
        let other = pair::make(Alg::ES256, 2048).unwrap();
        assert_eq!(Signer::load(&ec.public, &other.private).unwrap_err(), SignError::ProbeFailed);
        assert_eq!(Signer::load(&ec.public, &rsa.private).unwrap_err(), SignError::Unreadable);
        assert_eq!(Signer::load(&rsa.public, &ec.private).unwrap_err(), SignError::Unreadable);
        assert_eq!(Signer::load(&ec.public, b"nonsense").unwrap_err(), SignError::Unreadable);
    }
}
