//! Checking tokens of our own that come back: access tokens at userinfo and introspection, ID tokens as hints.
//!
//! What is checked here is that we made it, as what it claims to be (RFC 8725 §3). Times, audience and everything else the
//! claims say is the caller's to judge.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ring::KeyRing;
use super::signer::Typ;
use super::state::KeyState;
use crate::crypto::encoding::from_b64u;
use crate::domain::alg::Alg;
use crate::domain::id::KeyId;
use crate::domain::strict_json;
use crate::domain::time::Timestamp;

/// No token of ours is longer.
const LONGEST: usize = 8 * 1024;

/// What a token is presented as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyFor {
    /// An access token at one of our endpoints.
    AccessToken,
    /// An ID token as `id_token_hint`: its key may have retired meanwhile.
    IdTokenHint,
    /// A checkpoint of the audit chain that somebody has kept: its key may have retired as well.
    AuditCheckpoint,
}

impl VerifyFor {
    const fn typ(self) -> Typ {
        match self {
            Self::AccessToken => Typ::AccessToken,
            Self::IdTokenHint => Typ::IdToken,
            Self::AuditCheckpoint => Typ::AuditCheckpoint,
        }
    }
}

/// A token that we made.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// What it is.
    pub typ: Typ,
    /// Its algorithm.
    pub alg: Alg,
    /// The key that signed it.
    pub kid: KeyId,
    /// Its claims, not judged.
    pub claims: Map<String, Value>,
}

/// Why a token is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyError {
    /// Longer than any of ours.
    TooLong,
    /// Not three parts of base64url.
    Malformed,
    /// The header has other members than ours, or lacks one.
    Header,
    /// No key has this `kid`.
    UnknownKey,
    /// The `alg` is not the key's.
    WrongAlg,
    /// The `typ` is of something else.
    WrongType,
    /// The key does not vouch for this any more, or not yet.
    KeyNotAccepted,
    /// The signature is not the key's.
    BadSignature,
    /// The claims are no JSON object, or say something twice.
    Claims,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is malformed",
            Self::Header => "the header of the token is not one of ours",
            Self::UnknownKey => "the key of the token is unknown",
            Self::WrongAlg => "the algorithm of the token is not that of its key",
            Self::WrongType => "the token is of another type",
            Self::KeyNotAccepted => "the key of the token is not accepted",
            Self::BadSignature => "the signature of the token is wrong",
            Self::Claims => "the claims of the token are not valid",
        })
    }
}

impl std::error::Error for VerifyError {}

/// The header as we write it. Any other member (`crit`, `jku`, `jwk`, `x5u`, `zip`, `b64`) and any member twice is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'t> {
    #[serde(borrow)]
    typ: Cow<'t, str>,
    #[serde(borrow)]
    alg: Cow<'t, str>,
    #[serde(borrow)]
    kid: Cow<'t, str>,
}

impl KeyRing {
    /// Checks that a token was made by us, as what it is presented as. The key is found by its exact name in memory, and the
    /// key says which algorithm it is for.
    ///
    /// # Errors
    /// [`VerifyError`]; the reason is for the log.
    pub fn verify(&self, token: &str, purpose: VerifyFor, now: Timestamp) -> Result<Verified, VerifyError> {
        if token.len() > LONGEST {
            return Err(VerifyError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(VerifyError::Malformed)?;
        let [header, claims, signature] =
            [header, claims, signature].map(from_b64u).map(|part| part.ok_or(VerifyError::Malformed));
        let (header, claims, signature) = (header?, claims?, signature?);
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| VerifyError::Header)?;
        let key =
            self.keys.iter().find(|key| key.record.kid().as_str() == header.kid).ok_or(VerifyError::UnknownKey)?;
        let record = &key.record;
        if header.alg != record.alg().as_str() {
            return Err(VerifyError::WrongAlg);
        }
        let typ = Typ::parse(&header.typ).filter(|typ| *typ == purpose.typ()).ok_or(VerifyError::WrongType)?;
        let accepted = match purpose {
            VerifyFor::AccessToken => record.state.accepts_own_tokens(record.activate_at, self.skew, now),
            VerifyFor::IdTokenHint | VerifyFor::AuditCheckpoint => {
                record.state.accepts_hint(record.activate_at, self.skew, now)
            }
        };
        // What a waiting key signed for a canary is as good as what an active one signs.
        let accepted = accepted || (record.state == KeyState::Pending && self.signed_ahead(record.kid()));
        if !accepted {
            return Err(VerifyError::KeyNotAccepted);
        }
        if !key.verifier.verifies(message.as_bytes(), &signature) {
            return Err(VerifyError::BadSignature);
        }
        let claims = strict_json::object(&claims).ok_or(VerifyError::Claims)?;
        Ok(Verified { typ, alg: record.alg(), kid: record.kid().clone(), claims })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::LazyLock;

    use super::*;
    use crate::crypto::encoding::b64u;
    use crate::crypto::mac::MacKey;
    use crate::keys::pair::{self, KeyPair};
    use crate::keys::ring::tests::{NOW, SKEW, row, vault};
    use crate::keys::signer::Signer;
    use crate::keys::state::KeyState;

    /// One active key of each algorithm, and the ring over them.
    struct House {
        rsa: KeyPair,
        ec: KeyPair,
        ring: KeyRing,
    }

    static HOUSE: LazyLock<House> = LazyLock::new(|| {
        let (rsa, ec) = (pair::make(Alg::RS256, 2048).unwrap(), pair::make(Alg::ES256, 2048).unwrap());
        let rows = [row(&rsa, KeyState::Active, 0), row(&ec, KeyState::Active, 0)];
        House { ring: KeyRing::build(&rows.to_vec().into(), &vault(), SKEW, NOW), rsa, ec }
    });

    fn claims() -> Vec<u8> {
        json!({"sub": "anna", "aud": ["a"]}).to_string().into_bytes()
    }

    fn check(token: &str) -> Result<Verified, VerifyError> {
        HOUSE.ring.verify(token, VerifyFor::AccessToken, NOW)
    }

    /// A token with any header, really signed by one of our keys.
    fn signed(pair: &KeyPair, header: &str, claims: &str) -> String {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
        let message = format!("{}.{}", b64u(header), b64u(claims));
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signature = match pair.public.alg() {
            Alg::RS256 => {
                let key = RsaKeyPair::from_pkcs8(&pair.private).unwrap();
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Alg::ES256 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.private).unwrap();
                key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{message}.{}", b64u(signature))
    }

    fn header(pair: &KeyPair, typ: &str) -> String {
        json!({"typ": typ, "alg": pair.public.alg(), "kid": pair.public.kid()}).to_string()
    }

    #[test]
    fn what_we_sign_we_accept_as_what_it_is() {
        for (alg, pair) in [(Alg::RS256, &HOUSE.rsa), (Alg::ES256, &HOUSE.ec)] {
            let signer = HOUSE.ring.signer(alg).unwrap();
            let access = signer.sign(Typ::AccessToken, &claims()).unwrap();
            let id = signer.sign(Typ::IdToken, &claims()).unwrap();
            let read = check(&access).unwrap();
            assert_eq!((read.typ, read.alg, &read.kid), (Typ::AccessToken, alg, pair.public.kid()));
            assert_eq!(Value::Object(read.claims), json!({"sub": "anna", "aud": ["a"]}));
            assert_eq!(HOUSE.ring.verify(&id, VerifyFor::IdTokenHint, NOW).unwrap().typ, Typ::IdToken);
            assert_eq!(check(&id), Err(VerifyError::WrongType));
            assert_eq!(HOUSE.ring.verify(&access, VerifyFor::IdTokenHint, NOW), Err(VerifyError::WrongType));
        }
    }

    #[test]
    fn each_state_accepts_what_the_table_says() {
        let pair = pair::make(Alg::ES256, 2048).unwrap();
        let signer = Signer::load(&pair.public, &pair.private).unwrap();
        let access = signer.sign(Typ::AccessToken, &claims()).unwrap();
        let id = signer.sign(Typ::IdToken, &claims()).unwrap();
        // state, activation in seconds from now, access token accepted, hint accepted
        let table = [
            (KeyState::Pending, 61, false, false),
            (KeyState::Pending, 60, true, true),
            (KeyState::Active, 0, true, true),
            (KeyState::Retiring, -9, true, true),
            (KeyState::Retired, -9, false, true),
            (KeyState::Revoked, -9, false, false),
        ];
        for (state, activate_in, own, hint) in table {
            let ring = KeyRing::build(&vec![row(&pair, state, activate_in)].into(), &vault(), SKEW, NOW);
            for (token, purpose, accepted) in
                [(&access, VerifyFor::AccessToken, own), (&id, VerifyFor::IdTokenHint, hint)]
            {
                let outcome = ring.verify(token, purpose, NOW).map(drop);
                assert_eq!(outcome, if accepted { Ok(()) } else { Err(VerifyError::KeyNotAccepted) }, "{state}");
            }
        }
    }

    #[test]
    fn row_76_no_token_chooses_its_algorithm() {
        for pair in [&HOUSE.rsa, &HOUSE.ec] {
            let kid = pair.public.kid().as_str();
            let other = if pair.public.alg() == Alg::RS256 { "ES256" } else { "RS256" };
            let algs = [
                "none",
                "None",
                "NONE",
                "nOnE",
                "none ",
                "",
                "HS256",
                "hs256",
                "HS512",
                "rs256",
                "es256",
                "RS256 ",
                "RS384",
                "RS512",
                "PS256",
                "ES384",
                "ES256K",
                "EdDSA",
                "Ed25519",
                "RSA1_5",
                "dir",
                "RS256\u{0}",
                other,
            ];
            for alg in algs {
                let header = json!({"typ": "at+jwt", "alg": alg, "kid": kid}).to_string();
                let token = signed(pair, &header, "{}");
                assert_eq!(check(&token), Err(VerifyError::WrongAlg), "{alg}");
                let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
                assert_eq!(check(&unsigned), Err(VerifyError::WrongAlg), "{alg}");
            }
            for header in [
                json!({"typ": "at+jwt", "kid": kid}),
                json!({"typ": "at+jwt", "kid": kid, "alg": null}),
                json!({"typ": "at+jwt", "kid": kid, "alg": 256}),
                json!({"typ": "at+jwt", "kid": kid, "alg": ["RS256"]}),
                json!({"typ": "at+jwt", "kid": kid, "alg": {"RS256": 1}}),
            ] {
                assert_eq!(check(&signed(pair, &header.to_string(), "{}")), Err(VerifyError::Header), "{header}");
            }
        }
    }

    #[test]
    fn row_77_a_public_key_is_no_secret_for_hmac() {
        use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
        let rsa = rsa::RsaPrivateKey::from_pkcs8_der(&HOUSE.rsa.private).unwrap().to_public_key();
        let ec = p256::SecretKey::from_pkcs8_der(&HOUSE.ec.private).unwrap().public_key();
        let secrets = |jwk: String, pem: String, der: Vec<u8>| {
            let trimmed = pem.trim_end().as_bytes().to_vec();
            [jwk.into_bytes(), pem.into_bytes(), trimmed, der, Vec::new()]
        };
        let of_rsa = secrets(
            HOUSE.rsa.public.text(),
            rsa.to_public_key_pem(LineEnding::LF).unwrap(),
            rsa.to_public_key_der().unwrap().into_vec(),
        );
        let of_ec = secrets(
            HOUSE.ec.public.text(),
            ec.to_public_key_pem(LineEnding::LF).unwrap(),
            ec.to_public_key_der().unwrap().into_vec(),
        );
        for (pair, secrets) in [(&HOUSE.rsa, of_rsa), (&HOUSE.ec, of_ec)] {
            for secret in secrets {
                for (alg, refusal) in
                    [("HS256", VerifyError::WrongAlg), (pair.public.alg().as_str(), VerifyError::BadSignature)]
                {
                    let header = json!({"typ": "at+jwt", "alg": alg, "kid": pair.public.kid()}).to_string();
                    let message = format!("{}.{}", b64u(header), b64u("{}"));
                    let mac = MacKey::new(&secret).sign(&[message.as_bytes()]);
                    assert_eq!(check(&format!("{message}.{}", b64u(mac))), Err(refusal));
                }
            }
        }
    }

    #[test]
    fn row_78_a_kid_is_only_a_name() {
        let own = HOUSE.ec.public.kid().as_str();
        let stranger = pair::make(Alg::ES256, 2048).unwrap();
        let kids = [
            String::new(),
            " ".to_owned(),
            "unknown".to_owned(),
            "../../etc/passwd".to_owned(),
            "..\\..\\windows".to_owned(),
            "/dev/null".to_owned(),
            "file:///dev/null".to_owned(),
            "https://evil.test/jwks".to_owned(),
            "' OR '1'='1".to_owned(),
            "x' UNION SELECT 'a".to_owned(),
            "1; DROP TABLE signing_keys".to_owned(),
            "$(id)".to_owned(),
            "%2e%2e%2f".to_owned(),
            "*".to_owned(),
            "\u{0}".to_owned(),
            "ä".to_owned(),
            format!("{own} "),
            format!(" {own}"),
            format!("{own}\u{0}"),
            format!("{own}="),
            own.to_lowercase(),
            own.to_uppercase(),
            own[..42].to_owned(),
            own.chars().rev().collect(),
            "A".repeat(5_000),
            stranger.public.kid().to_string(),
        ];
        for kid in kids {
            for pair in [&HOUSE.ec, &stranger] {
                let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}).to_string();
                assert_eq!(check(&signed(pair, &header, "{}")), Err(VerifyError::UnknownKey), "{kid}");
            }
        }
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": "A".repeat(10_240)}).to_string();
        assert_eq!(check(&signed(&HOUSE.ec, &header, "{}")), Err(VerifyError::TooLong));
        for header in [
            r#"{"typ":"at+jwt","alg":"ES256"}"#.to_owned(),
            r#"{"typ":"at+jwt","alg":"ES256","kid":null}"#.to_owned(),
            r#"{"typ":"at+jwt","alg":"ES256","kid":1}"#.to_owned(),
            format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":["{own}"]}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"x","kid":"{own}"}}"#),
            format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{own}","\u006bid":"{own}"}}"#),
        ] {
            assert_eq!(check(&signed(&HOUSE.ec, &header, "{}")), Err(VerifyError::Header), "{header}");
        }
        // Right name, another's signature; and our other key's name.
        let forged = signed(&stranger, &header_of_ours(), "{}");
        assert_eq!(check(&forged), Err(VerifyError::BadSignature));
        let crossed = json!({"typ": "at+jwt", "alg": "ES256", "kid": HOUSE.rsa.public.kid()}).to_string();
        assert_eq!(check(&signed(&HOUSE.ec, &crossed, "{}")), Err(VerifyError::WrongAlg));
    }

    fn header_of_ours() -> String {
        header(&HOUSE.ec, "at+jwt")
    }

    #[test]
    fn row_79_no_header_brings_a_key_or_asks_for_more_than_we_write() {
        let stranger = pair::make(Alg::ES256, 2048).unwrap();
        let members = [
            ("jwk", json!(stranger.public)),
            ("jku", json!("https://evil.test/jwks")),
            ("x5u", json!("https://evil.test/cert")),
            ("x5c", json!(["MIIB"])),
            ("x5t", json!("AAAA")),
            ("x5t#S256", json!("AAAA")),
            ("crit", json!(["b64"])),
            ("crit", json!([])),
            ("crit", json!(["exp"])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("enc", json!("A256GCM")),
            ("p2c", json!(2_000_000_000)),
            ("cty", json!("JWT")),
            ("epk", json!({})),
            ("apu", json!("a")),
            ("url", json!("a")),
            ("nonce", json!("a")),
            ("iat", json!(1)),
            ("ALG", json!("none")),
            ("", json!("")),
        ];
        for (name, value) in members {
            let mut header = json!({"typ": "at+jwt", "alg": "ES256", "kid": HOUSE.ec.public.kid()});
            header[name] = value;
            for pair in [&HOUSE.ec, &stranger] {
                assert_eq!(check(&signed(pair, &header.to_string(), "{}")), Err(VerifyError::Header), "{name}");
            }
        }
    }

    #[test]
    fn a_type_of_something_else_is_refused() {
        for typ in ["JWT", "jwt", "", "AT+JWT", "at+jwt ", "application/at+jwt", "logout+jwt", "dpop+jwt", "JOSE"] {
            let token = signed(&HOUSE.ec, &header(&HOUSE.ec, typ), "{}");
            assert_eq!(check(&token), Err(VerifyError::WrongType), "{typ}");
        }
        let none = json!({"alg": "ES256", "kid": HOUSE.ec.public.kid()}).to_string();
        assert_eq!(check(&signed(&HOUSE.ec, &none, "{}")), Err(VerifyError::Header));
    }

    #[test]
    fn row_85_other_shapes_are_refused_before_any_signature_is_looked_at() {
        let good = HOUSE.ring.signer(Alg::ES256).unwrap().sign(Typ::AccessToken, &claims()).unwrap();
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (head, body) = message.split_once('.').unwrap();
        let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let malformed = [
            String::new(),
            ".".to_owned(),
            "a.b".to_owned(),
            "%%%.%%%.%%%".to_owned(),
            head.to_owned(),
            message.to_owned(),
            format!("{good}."),
            format!("{good}.{signature}"),
            format!("{good}.{signature}.{signature}"),
            format!(".{good}"),
            format!(" {good}"),
            format!("{good} "),
            format!("{good}\n"),
            format!("{good}="),
            format!("{good}=="),
            format!("{head}=.{body}.{signature}"),
            format!("{head}. {body}.{signature}"),
            format!("{head}.{body}.{}+", &signature[1..]),
            format!("{head}.{body}.{}/", &signature[1..]),
            format!("{head}.{body}.{signature}A=="),
            good.replace('.', ".."),
            good.replace('.', ","),
        ];
        for token in malformed {
            assert_eq!(check(&token), Err(VerifyError::Malformed), "{token}");
        }
        for header in ["", "{}", "[]", "null", "\"at+jwt\"", nested.as_str(), "\u{feff}{}", "{\"typ\":"] {
            assert_eq!(check(&signed(&HOUSE.ec, header, "{}")), Err(VerifyError::Header), "{header}");
        }
        assert_eq!(check(&format!("..{signature}")), Err(VerifyError::Header));
        let long = json!({"a": "a".repeat(9 * 1024)}).to_string();
        assert_eq!(check(&signed(&HOUSE.ec, &header_of_ours(), &long)), Err(VerifyError::TooLong));
    }

    #[test]
    fn claims_say_each_thing_once() {
        for claims in [r#"{"iss":"a","iss":"b"}"#, r#"{"a":{"b":1,"b":1}}"#, "[]", "1", "", "{} {}"] {
            assert_eq!(check(&signed(&HOUSE.ec, &header_of_ours(), claims)), Err(VerifyError::Claims), "{claims}");
        }
    }

    #[test]
    fn a_signature_in_der_is_refused() {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &HOUSE.ec.private).unwrap();
        let message = format!("{}.{}", b64u(header_of_ours()), b64u("{}"));
        let signature = key.sign(&aws_lc_rs::rand::SystemRandom::new(), message.as_bytes()).unwrap();
        assert_eq!(check(&format!("{message}.{}", b64u(signature.as_ref()))), Err(VerifyError::BadSignature));
        let zeros = format!("{message}.{}", b64u([0; 64]));
        assert_eq!(check(&zeros), Err(VerifyError::BadSignature));
    }

    proptest! {
        #[test]
        fn any_changed_character_is_refused(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.=-]", es: bool) {
            let alg = if es { Alg::ES256 } else { Alg::RS256 };
            let good = HOUSE.ring.signer(alg).unwrap().sign(Typ::AccessToken, &claims()).unwrap();
            let at = at.index(good.len());
            let mut changed = good.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != good);
            prop_assert!(check(&changed).is_err());
        }

        #[test]
        fn no_text_is_a_token(text in ".{0,200}") {
            prop_assert!(check(&text).is_err());
        }

        #[test]
        fn no_header_without_our_signature_is_a_token(
            typ in "at\\+jwt|JWT|", alg in "ES256|RS256|none|HS256", claims in ".{0,40}",
            signature in prop::collection::vec(any::<u8>(), 0..300), es: bool,
        ) {
            let pair = if es { &HOUSE.ec } else { &HOUSE.rsa };
            let header = json!({"typ": typ, "alg": alg, "kid": pair.public.kid()}).to_string();
            let token = format!("{}.{}.{}", b64u(header), b64u(claims), b64u(signature));
            prop_assert!(check(&token).is_err());
        }
    }
}
