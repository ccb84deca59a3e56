//! The issuer's public keys (RFC 7517), read once and kept ready.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json;
use crate::token::{MAX_KID, SignedToken};

/// Most keys in a set that is believed.
const MAX_KEYS: usize = 64;

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// All usable keys of an issuer at one moment. A new set replaces the old one whole.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: HashMap<String, Arc<PublicKey>>,
}

impl KeySet {
    /// Reads a JWK set.
    ///
    /// Keys for other purposes and of unknown types are left out (RFC 7517 §5). A set that is
    /// wrong in itself is refused whole: too many keys, private members, weak or malformed keys,
    /// one `kid` twice.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, &'static str> {
        let document = json::object(document).ok_or("the key set is not strict JSON")?;
        let Some(Value::Array(jwks)) = document.get("keys") else {
            return Err("the key set has no array of keys");
        };
        if jwks.len() > MAX_KEYS {
            return Err("the key set has more than 64 keys");
        }
        let mut keys = HashMap::with_capacity(jwks.len());
        for jwk in jwks {
            let jwk = jwk.as_object().ok_or("a key is not an object")?;
            if PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
                return Err("the key set contains private key material");
            }
            let Some(key) = PublicKey::parse(jwk)? else {
                continue;
            };
            let Some(kid) = jwk.get("kid").and_then(Value::as_str) else {
                continue;
            };
            if kid.is_empty() || kid.len() > MAX_KID {
                continue;
            }
            match keys.entry(kid.to_owned()) {
                Entry::Occupied(_) => return Err("two keys have the same kid"),
                Entry::Vacant(place) => place.insert(Arc::new(key)),
            };
        }
        Ok(Self { keys })
    }

    /// Finds a key by exact match.
    pub(crate) fn get(&self, kid: &str) -> Option<Arc<PublicKey>> {
        self.keys.get(kid).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// A public key with the one algorithm it is for (RFC 8725 §3.1).
#[derive(Debug)]
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl PublicKey {
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks a token's signature. ES256 signatures are raw `r‖s` of 64 bytes
    /// (RFC 7518 §3.4); the DER form is refused.
    pub(crate) fn signed(&self, token: &SignedToken<'_>) -> bool {
        let (message, signature) = (token.signed.as_bytes(), &token.signature);
        let algorithm = match self.algorithm {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 if signature.len() == 64 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Es256 => return false,
        };
        // The provider is named, not taken from the process: another crate that turns on another
        // backend of jsonwebtoken must not change what we do.
        let provider = &aws_lc::DEFAULT_PROVIDER;
        (provider.verifier_factory)(&algorithm, &self.key)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// `None` for a key that is fine but not for us.
    fn parse(jwk: &Map<String, Value>) -> Result<Option<Self>, &'static str> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        let (algorithm, key) = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => (Algorithm::Rs256, rsa_key(text("n"), text("e"))?),
            (Some("EC"), Some("P-256")) => (Algorithm::Es256, ec_key(text("x"), text("y"))?),
            (Some(_), _) => return Ok(None),
            (None, _) => return Err("a key has no kty"),
        };
        let for_signatures = jwk.get("use").is_none_or(|purpose| purpose == "sig");
        let may_verify = jwk.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|list| list.iter().any(|name| name == "verify"))
        });
        let fits = jwk.get("alg").is_none_or(|alg| alg == algorithm.name());
        Ok((for_signatures && may_verify && fits).then_some(Self { algorithm, key }))
    }
}

fn rsa_key(n: Option<&str>, e: Option<&str>) -> Result<DecodingKey, &'static str> {
    const MALFORMED: &str = "an RSA key is malformed";
    let n = integer(n).ok_or(MALFORMED)?;
    let e = integer(e).ok_or(MALFORMED)?;
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if bits < 2048 {
        return Err("an RSA key has less than 2048 bits");
    }
    if bits > 8192 {
        return Err("an RSA key has more than 8192 bits");
    }
    // An exponent of 1 makes every message its own signature; an even one is no RSA key.
    let odd = e.last().is_some_and(|byte| byte & 1 == 1);
    if !odd || e.len() > 8 || e == [1] {
        return Err(MALFORMED);
    }
    Ok(DecodingKey::from_rsa_raw_components(&n, &e))
}

/// Base64urlUInt (RFC 7518 §2): minimal big-endian, so no leading zero byte.
fn integer(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    bytes.first().is_some_and(|byte| *byte != 0).then_some(bytes)
}

fn ec_key(x: Option<&str>, y: Option<&str>) -> Result<DecodingKey, &'static str> {
    const MALFORMED: &str = "an EC key is malformed";
    let (x, y) = (x.ok_or(MALFORMED)?, y.ok_or(MALFORMED)?);
    for coordinate in [x, y] {
        // Full length (RFC 7518 §6.2.1.2): a stripped leading zero is a broken key.
        let bytes = URL_SAFE_NO_PAD.decode(coordinate).map_err(|_| MALFORMED)?;
        if bytes.len() != 32 {
            return Err(MALFORMED);
        }
    }
    DecodingKey::from_ec_components(x, y).map_err(|_| MALFORMED)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::TestKey;

    fn parse(keys: &Value) -> Result<KeySet, &'static str> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn changed(jwk: &Value, name: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    }

    fn b64(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn keys_of_the_issuer_are_read() {
        let (rsa, ec) = (TestKey::rsa("r").jwk(), TestKey::ec("e").jwk());
        let set = parse(&json!([rsa, ec])).unwrap();
        assert_eq!(set.get("r").unwrap().algorithm(), Algorithm::Rs256);
        assert_eq!(set.get("e").unwrap().algorithm(), Algorithm::Es256);
        assert!(set.get("R").is_none() && set.get("").is_none());
        assert_eq!(parse(&json!([])).unwrap().len(), 0);
    }

    #[test]
    fn keys_for_something_else_are_left_out() {
        let (rsa, ec) = (TestKey::rsa("r").jwk(), TestKey::ec("e").jwk());
        let others = [
            changed(&rsa, "use", json!("enc")),
            changed(&rsa, "alg", json!("RS512")),
            changed(&rsa, "alg", json!("HS256")),
            changed(&rsa, "alg", json!("ES256")),
            changed(&rsa, "key_ops", json!(["encrypt"])),
            changed(&rsa, "key_ops", json!("verify")),
            changed(&rsa, "kid", json!("")),
            changed(&rsa, "kid", json!(1)),
            changed(&rsa, "kid", json!("k".repeat(129))),
            changed(&ec, "alg", json!("RS256")),
            changed(&ec, "crv", json!("P-384")),
            changed(&ec, "use", json!(["sig"])),
            json!({"kty":"OKP","crv":"Ed25519","x":"AA","kid":"o"}),
            json!({"kty":"AKP","alg":"ML-DSA-44","pub":"AA","kid":"m"}),
        ];
        for other in others {
            assert_eq!(parse(&json!([other])).unwrap().len(), 0, "{other}");
            assert_eq!(parse(&json!([other, ec])).map(|set| set.get("e").is_some()), Ok(true));
        }
        let verify = changed(&rsa, "key_ops", json!(["verify"]));
        assert_eq!(parse(&json!([verify])).unwrap().len(), 1);
    }

    #[test]
    fn a_wrong_set_is_refused_whole() {
        let (rsa, ec) = (TestKey::rsa("r").jwk(), TestKey::ec("e").jwk());
        let n = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
        let x = URL_SAFE_NO_PAD.decode(ec["x"].as_str().unwrap()).unwrap();
        let padded = [[0_u8].as_slice(), &n].concat();
        let mut bad = vec![
            json!("key"),
            json!({"kid":"x"}),
            json!({"kty":"oct","k":"AAAA","kid":"x"}),
            // 2040 bits, 2047 bits, 8200 bits.
            changed(&rsa, "n", json!(b64(&n[1..]))),
            changed(&rsa, "n", json!(b64(&[&[0x7f], &n[1..]].concat()))),
            changed(&rsa, "n", json!(b64(&[0xff; 1025]))),
            changed(&rsa, "n", json!(b64(&padded))),
            changed(&rsa, "n", json!("")),
            changed(&rsa, "n", json!("a b")),
            changed(&rsa, "n", json!(17)),
            changed(&rsa, "e", json!("AQ")),
            changed(&rsa, "e", json!("Ag")),
            changed(&rsa, "e", json!("")),
            changed(&rsa, "e", json!("AAEAAQ")),
            changed(&rsa, "e", json!(b64(&[0xff; 9]))),
            changed(&ec, "x", json!(b64(&x[1..]))),
            changed(&ec, "y", json!(b64(&x[1..]))),
            changed(&ec, "x", json!(b64(&[&[0], x.as_slice()].concat()))),
            changed(&ec, "y", json!(null)),
            changed(&ec, "x", json!(format!("{}=", ec["x"].as_str().unwrap()))),
        ];
        for member in PRIVATE_MEMBERS {
            bad.push(changed(&rsa, member, json!("AAAA")));
            bad.push(changed(&ec, member, json!("AAAA")));
            // Even in a key that we would not use.
            bad.push(json!({"kty":"OKP","crv":"Ed25519","x":"AA","kid":"o", member: "AA"}));
        }
        let other = TestKey::ec("other").jwk();
        for key in bad {
            assert!(parse(&json!([other, key])).is_err(), "{key}");
        }
        let twice = changed(&rsa, "kid", json!("e"));
        assert!(parse(&json!([ec, twice])).is_err(), "one kid for two keys");
        assert!(parse(&json!({ "0": ec })).is_err());
        for text in ["", "{}", "[]", "null", "{\"keys\":[],\"keys\":[]}", "{\"keys\":{}}"] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn sixty_four_keys_are_the_most() {
        let ec = TestKey::ec("e").jwk();
        let many = |count: usize| -> Vec<Value> {
            (0..count).map(|index| changed(&ec, "kid", json!(index.to_string()))).collect()
        };
        assert_eq!(parse(&json!(many(64))).unwrap().len(), 64);
        assert!(parse(&json!(many(65))).is_err());
    }
}
