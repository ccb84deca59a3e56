//! Making key pairs. The crates `rsa` and `p256` are used here and nowhere else, and only to make and to encode: what signs
//! and verifies is aws-lc-rs.

use std::fmt;

use p256::elliptic_curve::Generate as _;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use zeroize::Zeroizing;

use super::jwk::PublicJwk;
use crate::domain::alg::Alg;

/// A pair as it was made.
pub struct KeyPair {
    /// The public half.
    pub public: PublicJwk,
    /// The private half: PKCS#8, DER.
    pub private: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public.kid())
    }
}

/// A pair could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotMake(Alg);

impl fmt::Display for CannotMake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} key could be made", self.0)
    }
}

impl std::error::Error for CannotMake {}

/// Makes a pair. RSA takes up to half a second: call it where that holds up nobody.
///
/// Its name does not begin with a dash, as one in 64 would: whoever has to throw the key out in a hurry types the name in a
/// command, where it would be taken for an option.
///
/// # Errors
/// [`CannotMake`] if there is no randomness, or `rsa_bits` is no size for a key.
pub fn make(alg: Alg, rsa_bits: u32) -> Result<KeyPair, CannotMake> {
    loop {
        let pair = match alg {
            Alg::RS256 => make_rsa(rsa_bits),
            Alg::ES256 => make_p256(),
        };
        let pair = pair.ok_or(CannotMake(alg))?;
        if !pair.public.kid().as_str().starts_with('-') {
            return Ok(pair);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "rsa asks for a generator of this kind; the thread's is seeded by the system"
)]
fn make_rsa(bits: u32) -> Option<KeyPair> {
    let key = rsa::RsaPrivateKey::new(&mut rand::rng(), usize::try_from(bits).ok()?).ok()?;
    let private = Zeroizing::new(key.to_pkcs8_der().ok()?.as_bytes().to_vec());
    Some(KeyPair { public: PublicJwk::rsa(&key.n_bytes(), &key.e_bytes()), private })
}

fn make_p256() -> Option<KeyPair> {
    p256_pair(&p256::SecretKey::try_generate().ok()?)
}

fn p256_pair(key: &p256::SecretKey) -> Option<KeyPair> {
    let private = Zeroizing::new(key.to_pkcs8_der().ok()?.as_bytes().to_vec());
    // SEC 1 §2.3.3, uncompressed: 04, x, y, both at full length.
    let point = key.public_key().to_sec1_bytes();
    let (4, rest) = point.split_first()? else { return None };
    let (x, y) = rest.split_at_checked(32)?;
    Some(KeyPair { public: PublicJwk::p256(x.try_into().ok()?, y.try_into().ok()?), private })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::encoding::from_b64u;

    #[test]
    fn pairs_are_of_the_asked_kind_and_size() {
        let rsa = make(Alg::RS256, 2048).unwrap();
        assert_eq!(rsa.public.alg(), Alg::RS256);
        let (n, e) = rsa.public.numbers();
        assert_eq!((from_b64u(n).unwrap().len(), e), (256, "AQAB"));
        let ec = make(Alg::ES256, 2048).unwrap();
        assert_eq!(ec.public.alg(), Alg::ES256);
        assert_ne!(make(Alg::ES256, 2048).unwrap().public.kid(), ec.public.kid());
        assert_eq!(make(Alg::RS256, 512).unwrap_err(), CannotMake(Alg::RS256));
    }

    #[test]
    fn no_name_begins_with_a_dash() {
        // A thousand without one are there by chance once in seven million times.
        assert!((0..1_000).all(|_| !make(Alg::ES256, 2048).unwrap().public.kid().as_str().starts_with('-')));
    }

    #[test]
    fn a_coordinate_that_begins_with_zero_keeps_its_zero() {
        // Of the multiples of the base point these are the first with a zero in front of x and of y.
        for (scalar, of_x) in [(379_u16, true), (43, false)] {
            let mut bytes = [0; 32];
            bytes[30..].copy_from_slice(&scalar.to_be_bytes());
            let pair = p256_pair(&p256::SecretKey::from_slice(&bytes).unwrap()).unwrap();
            let (x, y) = pair.public.numbers();
            let (x, y) = (from_b64u(x).unwrap(), from_b64u(y).unwrap());
            assert_eq!((x.len(), y.len()), (32, 32));
            assert_eq!(if of_x { x[0] } else { y[0] }, 0);
        }
    }

    #[test]
    fn what_is_published_holds_the_public_members_only() {
        for alg in Alg::ALL {
            let pair = make(alg, 2048).unwrap();
            let json = serde_json::to_value(&pair.public).unwrap();
            let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
            let expected: &[&str] = match alg {
                Alg::RS256 => &["alg", "e", "kid", "kty", "n", "use"],
                Alg::ES256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            };
            assert_eq!(members, expected);
            assert_eq!(format!("{pair:?}"), format!("KeyPair({})", pair.public.kid()));
        }
    }
}
