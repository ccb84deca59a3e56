//! The public half of a key as a JWK (RFC 7517), and its thumbprint (RFC 7638). There is no place for a private member.

use serde::{Deserialize, Serialize};

use crate::crypto::digest;
use crate::crypto::encoding::{b64u, from_b64u};
use crate::domain::alg::Alg;
use crate::domain::id::KeyId;

/// Bytes of a coordinate of P-256.
const COORDINATE: usize = 32;

/// A public key with its name. Its `kid` is always its thumbprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicJwk {
    kid: KeyId,
    key: PublicKey,
}

/// The numbers of a public key, base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PublicKey {
    Rsa { n: String, e: String },
    P256 { x: String, y: String },
}

/// A text is not the JWK of a key that we could have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOurJwk;

impl PublicJwk {
    /// Takes modulus and exponent, big-endian.
    #[must_use]
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        Self::named(PublicKey::Rsa { n: b64u(without_zeros(modulus)), e: b64u(without_zeros(exponent)) })
    }

    /// Takes the coordinates of a point on P-256.
    #[must_use]
    pub fn p256(x: &[u8; COORDINATE], y: &[u8; COORDINATE]) -> Self {
        Self::named(PublicKey::P256 { x: b64u(x), y: b64u(y) })
    }

    /// Reads the text of a row. The name must be the thumbprint, and nothing may stand there that we do not write.
    ///
    /// # Errors
    /// [`NotOurJwk`].
    pub fn parse(text: &str) -> Result<Self, NotOurJwk> {
        let wire: Wire = serde_json::from_str(text).map_err(|_| NotOurJwk)?;
        let key = match (wire.kty.as_str(), wire.alg, wire.n, wire.e, wire.crv.as_deref(), wire.x, wire.y) {
            ("RSA", Alg::RS256, Some(n), Some(e), None, None, None) => PublicKey::Rsa { n, e },
            ("EC", Alg::ES256, None, None, Some("P-256"), Some(x), Some(y)) => PublicKey::P256 { x, y },
            _ => return Err(NotOurJwk),
        };
        let jwk = Self::named(key);
        let canonical = match &jwk.key {
            PublicKey::Rsa { n, e } => [n, e]
                .iter()
                .all(|number| from_b64u(number).is_some_and(|bytes| bytes.first().is_some_and(|first| *first != 0))),
            PublicKey::P256 { x, y } => {
                [x, y].iter().all(|number| from_b64u(number).is_some_and(|bytes| bytes.len() == COORDINATE))
            }
        };
        if canonical && wire.usage == "sig" && wire.kid == jwk.kid { Ok(jwk) } else { Err(NotOurJwk) }
    }

    /// Its name.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The algorithm it is for.
    #[must_use]
    pub const fn alg(&self) -> Alg {
        match self.key {
            PublicKey::Rsa { .. } => Alg::RS256,
            PublicKey::P256 { .. } => Alg::ES256,
        }
    }

    /// The numbers: modulus and exponent, or both coordinates.
    #[must_use]
    pub fn numbers(&self) -> (&str, &str) {
        match &self.key {
            PublicKey::Rsa { n, e } => (n, e),
            PublicKey::P256 { x, y } => (x, y),
        }
    }

    /// Its text for a row.
    #[must_use]
    pub fn text(&self) -> String {
        // Strings under fixed names always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn named(key: PublicKey) -> Self {
        let kid = KeyId::new(digest::sha256_b64u(
            match &key {
                PublicKey::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
                PublicKey::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            }
            .as_bytes(),
        ));
        Self { kid, key }
    }
}

impl Serialize for PublicJwk {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut wire = Wire {
            kty: String::new(),
            usage: "sig".to_owned(),
            alg: self.alg(),
            kid: self.kid.clone(),
            n: None,
            e: None,
            crv: None,
            x: None,
            y: None,
        };
        match self.key.clone() {
            PublicKey::Rsa { n, e } => (wire.kty, wire.n, wire.e) = ("RSA".to_owned(), Some(n), Some(e)),
            PublicKey::P256 { x, y } => {
                (wire.kty, wire.crv, wire.x, wire.y) = ("EC".to_owned(), Some("P-256".to_owned()), Some(x), Some(y));
            }
        }
        wire.serialize(to)
    }
}

/// The members as they are written, in this order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    kty: String,
    #[serde(rename = "use")]
    usage: String,
    alg: Alg,
    kid: KeyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

fn without_zeros(mut number: &[u8]) -> &[u8] {
    while let Some((0, rest)) = number.split_first() {
        number = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const EC_X: &str = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
    const EC_Y: &str = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";

    fn rsa() -> PublicJwk {
        PublicJwk::rsa(&from_b64u(RSA_N).unwrap(), &[1, 0, 1])
    }

    fn ec() -> PublicJwk {
        let number = |text: &str| <[u8; 32]>::try_from(from_b64u(text).unwrap()).unwrap();
        PublicJwk::p256(&number(EC_X), &number(EC_Y))
    }

    #[test]
    fn thumbprints_of_the_rfcs() {
        assert_eq!(rsa().kid().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(ec().kid().as_str(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn members_are_the_public_ones_in_a_fixed_order() {
        assert_eq!(
            ec().text(),
            format!(
                r#"{{"kty":"EC","use":"sig","alg":"ES256","kid":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I","crv":"P-256","x":"{EC_X}","y":"{EC_Y}"}}"#
            )
        );
        assert_eq!(
            rsa().text(),
            format!(
                r#"{{"kty":"RSA","use":"sig","alg":"RS256","kid":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs","n":"{RSA_N}","e":"AQAB"}}"#
            )
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        for jwk in [rsa(), ec()] {
            assert_eq!(PublicJwk::parse(&jwk.text()), Ok(jwk));
        }
    }

    #[test]
    fn no_other_text_is_a_key() {
        let good = ec().text();
        let with = |member: &str| good.replace("\"kty\"", &format!("{member},\"kty\""));
        let stripped = format!(r#""x":"{}""#, b64u(&from_b64u(EC_X).unwrap()[1..]));
        let padded = rsa().text().replace("\"AQAB\"", "\"AAEAAQ\"");
        for text in [
            with(r#""d":"AAAA""#),
            with(r#""p":"AAAA""#),
            with(r#""k":"AAAA""#),
            with(r#""kty":"EC""#),
            with(r#""n":"AQAB""#),
            good.replace("sig", "enc"),
            good.replace("ES256", "RS256"),
            good.replace("ES256", "none"),
            good.replace("P-256", "P-384"),
            good.replace("0ZcO", "0ZcP"),
            good.replace(&format!(r#""x":"{EC_X}""#), &stripped),
            padded,
            String::new(),
            "[]".to_owned(),
        ] {
            assert_eq!(PublicJwk::parse(&text), Err(NotOurJwk), "{text}");
        }
    }

    #[test]
    fn integers_are_minimal_and_coordinates_are_padded() {
        assert_eq!(PublicJwk::rsa(&[0, 0, 5], &[0, 1, 0, 1]).numbers(), ("BQ", "AQAB"));
        let mut x = [7; 32];
        x[0] = 0;
        let jwk = PublicJwk::p256(&x, &[9; 32]);
        assert_eq!(from_b64u(jwk.numbers().0).unwrap(), x);
    }
}
