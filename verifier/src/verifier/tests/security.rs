//! Rows 76 to 85 of the security design: what an attacker could put into a token. Row 88, one answer for all of it, is
//! `bearer::tests::a_bad_token_is_401_invalid_token_whatever_is_wrong`.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn row_76_no_token_chooses_its_algorithm() {
    let (rsa, ec) = (TestKey::rsa("r"), TestKey::ec("e"));
    let world = World::new(&[&rsa, &ec]);
    for (key, other) in [(&rsa, "ES256"), (&ec, "RS256")] {
        for alg in [
            json!("none"),
            json!("None"),
            json!("NONE"),
            json!("nOnE"),
            json!("none "),
            json!(""),
            json!("HS256"),
            json!("HS384"),
            json!("HS512"),
            json!("hs256"),
            json!("es256"),
            json!("rs256"),
            json!("RS256 "),
            json!("RS1"),
            json!("RS384"),
            json!("PS256"),
            json!("ES384"),
            json!("ES256K"),
            json!("EdDSA"),
            json!("RSA1_5"),
            json!("dir"),
            json!(null),
            json!(256),
            json!([key.alg()]),
        ] {
            let header = with(&key.header(), "alg", alg).to_string();
            let token = key.token_of(&header, &claims().to_string());
            assert_eq!(world.verdict(&token).await, Err(Reason::Algorithm), "{header}");
            let unsigned = format!("{}.{}.", b64(&header), b64(claims().to_string()));
            assert_eq!(world.verdict(&unsigned).await, Err(Reason::Malformed), "{header}");
        }
        let crossed = with(&key.header(), "alg", json!(other)).to_string();
        let token = key.token_of(&crossed, &claims().to_string());
        assert_eq!(world.verdict(&token).await, Err(Reason::KeyMismatch));
        assert_eq!(world.verdict(&key.token(&claims())).await, Ok(()));
    }
}

/// The DER of a SubjectPublicKeyInfo, as `openssl` writes a public key.
fn der(jwk: &Value) -> Vec<u8> {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    if jwk["kty"] == "EC" {
        // id-ecPublicKey, prime256v1, an uncompressed point.
        let head = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
        ];
        [head.as_slice(), &number("x"), &number("y")].concat()
    } else {
        let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
        let der: PublicKeyX509Der<'_> = key.as_der().unwrap();
        der.as_ref().to_vec()
    }
}

#[tokio::test]
async fn row_77_the_public_key_is_no_shared_secret() {
    let (rsa, ec) = (TestKey::rsa("r"), TestKey::ec("e"));
    let world = World::new(&[&rsa, &ec]);
    let mut tried = 0;
    for key in [&rsa, &ec] {
        let jwk = key.jwk();
        let der = der(&jwk);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        let first = jwk["n"].as_str().or(jwk["x"].as_str()).unwrap();
        for secret in [
            jwk.to_string().into_bytes(),
            json!({ "keys": [jwk] }).to_string().into_bytes(),
            pem.trim_end().as_bytes().to_vec(),
            pem.into_bytes(),
            der,
            first.as_bytes().to_vec(),
            URL_SAFE_NO_PAD.decode(first).unwrap(),
            key.kid.clone().into_bytes(),
            Vec::new(),
        ] {
            for (alg, digest) in
                [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
            {
                // Named as what it is, and as what the key is for.
                for (named, refusal) in [(alg, Reason::Algorithm), (key.alg(), Reason::Signature)] {
                    let header = with(&key.header(), "alg", json!(named)).to_string();
                    let signed = format!("{}.{}", b64(header), b64(claims().to_string()));
                    let mac = hmac::sign(&hmac::Key::new(digest, &secret), signed.as_bytes());
                    assert_eq!(world.verdict(&format!("{signed}.{}", b64(mac))).await, Err(refusal));
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, 108);
}

#[tokio::test]
async fn row_78_a_kid_is_only_looked_up() {
    let (ours, other) = (TestKey::ec("ours"), TestKey::ec("of-another-issuer"));
    let world = World::new(&[&ours]);
    world.verifier.warm_up().await.unwrap();
    let long = "k".repeat(128);
    for kid in [
        "unknown",
        " ",
        "../../etc/passwd",
        "..\\..\\win.ini",
        "/dev/null",
        "file:///dev/null",
        "https://evil.example/jwks",
        "' OR 1=1 --",
        "x' UNION SELECT 'a",
        "$(id)",
        "%2e%2e%2f",
        "*",
        ".*",
        "\0",
        "ä",
        "OURS",
        "Ours",
        "ours ",
        " ours",
        "ours\0",
        "ours=",
        "our",
        "ourss",
        "o%75rs",
        "of-another-issuer",
        long.as_str(),
    ] {
        for key in [&ours, &other] {
            let header = with(&key.header(), "kid", json!(kid)).to_string();
            let token = key.token_of(&header, &claims().to_string());
            assert_eq!(world.verdict(&token).await, Err(Reason::UnknownKey), "{kid}");
        }
    }
    for kid in
        [json!(null), json!(""), json!(1), json!(["ours"]), json!({}), json!("k".repeat(129)), json!("k".repeat(5_000))]
    {
        let header = with(&ours.header(), "kid", kid).to_string();
        let token = ours.token_of(&header, &claims().to_string());
        assert_eq!(world.verdict(&token).await, Err(Reason::KeyId), "{header}");
    }
    let absent = ours.token_of(r#"{"typ":"at+jwt","alg":"ES256"}"#, &claims().to_string());
    assert_eq!(world.verdict(&absent).await, Err(Reason::KeyId));
    let twice = r#"{"typ":"at+jwt","alg":"ES256","kid":"x","kid":"ours"}"#;
    assert_eq!(world.verdict(&ours.token_of(twice, &claims().to_string())).await, Err(Reason::Header));
    let long = ours.token_of(&with(&ours.header(), "kid", json!("k".repeat(10_240))).to_string(), "{}");
    assert_eq!(world.verdict(&long).await, Err(Reason::TooLong));
    // Nobody is asked for them more than the cool-down lets through, and nobody but the issuer.
    assert_eq!(world.issuer.requests(), 2);
    assert_eq!(world.verdict(&ours.token(&claims())).await, Ok(()));
}

#[tokio::test]
async fn row_79_no_token_brings_its_key_along() {
    let (ours, evil) = (TestKey::ec("ours"), TestKey::ec("evil"));
    let world = World::new(&[&ours]);
    world.verifier.warm_up().await.unwrap();
    let members = [
        ("jwk", evil.jwk()),
        ("jwk", ours.jwk()),
        ("jwk", json!({})),
        ("jwk", json!("x")),
        ("jwk", json!(null)),
        ("jku", json!("https://evil.example/jwks")),
        ("jku", json!("http://127.0.0.1/jwks")),
        ("jku", json!("file:///etc/passwd")),
        ("jku", json!(format!("{ISSUER}/jwks"))),
        ("jku", json!(["https://evil.example/jwks"])),
        ("x5u", json!("https://evil.example/x5u")),
        ("x5u", json!("http://169.254.169.254/")),
        ("x5u", json!(1)),
        ("x5c", json!(["AAAA"])),
        ("x5c", json!([])),
        ("x5c", json!("AAAA")),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("iss", json!("https://evil.example")),
        ("url", json!("https://evil.example")),
    ];
    for (name, value) in members {
        let unknown = with(&evil.header(), name, value.clone()).to_string();
        let token = evil.token_of(&unknown, &claims().to_string());
        assert_eq!(world.verdict(&token).await, Err(Reason::UnknownKey), "{name}");
        let borrowed = with(&with(&evil.header(), "kid", json!("ours")), name, value.clone());
        let token = evil.token_of(&borrowed.to_string(), &claims().to_string());
        assert_eq!(world.verdict(&token).await, Err(Reason::Signature), "{name}");
        // Whoever has the real key may write what he likes: it is not looked at.
        let harmless = with(&ours.header(), name, value).to_string();
        let token = ours.token_of(&harmless, &claims().to_string());
        assert_eq!(world.verdict(&token).await, Ok(()), "{name}");
    }
    assert_eq!(world.issuer.requests(), 2, "nobody else is asked, and the issuer once");
}

#[tokio::test]
async fn row_82_a_token_counts_within_its_time_and_the_leeway() {
    let key = TestKey::ec("e");
    for leeway in [0, 1, 30, 60] {
        let world = World::with(&[&key], |builder| builder.leeway(Duration::from_secs(leeway)));
        let now = START;
        for (name, value, expected) in [
            ("exp", now + 1, Ok(())),
            ("exp", now + 1 - leeway, Ok(())),
            ("exp", now - leeway, Err(Reason::Expired)),
            ("exp", now - leeway - 1, Err(Reason::Expired)),
            ("exp", 0, Err(Reason::Expired)),
            ("nbf", now, Ok(())),
            ("nbf", now + leeway, Ok(())),
            ("nbf", now + leeway + 1, Err(Reason::NotYetValid)),
            ("nbf", now + 3_600, Err(Reason::NotYetValid)),
            ("iat", now + leeway, Ok(())),
            ("iat", now + leeway + 1, Err(Reason::NotYetValid)),
        ] {
            let token = key.token(&with(&claims(), name, json!(value)));
            assert_eq!(world.verdict(&token).await, expected, "leeway {leeway}, {name} {value}");
        }
        let token = key.token(&claims());
        world.clock.advance(Duration::from_secs(899 + leeway));
        assert_eq!(world.verdict(&token).await, Ok(()), "leeway {leeway}");
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(world.verdict(&token).await, Err(Reason::Expired), "leeway {leeway}");
    }
    let too_lax = Verifier::builder(ISSUER).audience(AUDIENCE).leeway(Duration::from_secs(61)).build();
    assert!(too_lax.is_err());
}

#[tokio::test]
async fn row_83_other_tokens_of_the_same_issuer_do_not_pass() {
    let key = TestKey::ec("e");
    let world = World::new(&[&key]);
    for typ in [
        json!("JWT"),
        json!("jwt"),
        json!("JOSE"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!("statuslist+jwt"),
        json!("oauth-authz-req+jwt"),
        json!("client-authentication+jwt"),
        json!("secevent+jwt"),
        json!("token-introspection+jwt"),
        json!("entity-statement+jwt"),
        json!("kb+jwt"),
        json!("vc+sd-jwt"),
        json!("at+jwt "),
        json!("at+jwt+x"),
        json!("xat+jwt"),
        json!("at"),
        json!("text/at+jwt"),
        json!(""),
        json!(["at+jwt"]),
        Value::Null,
    ] {
        let header = with(&key.header(), "typ", typ).to_string();
        let token = key.token_of(&header, &claims().to_string());
        assert_eq!(world.verdict(&token).await, Err(Reason::Type), "{header}");
    }
    let absent = json!({ "alg": key.alg(), "kid": key.kid }).to_string();
    assert_eq!(world.verdict(&key.token_of(&absent, &claims().to_string())).await, Err(Reason::Type));
    // Under a borrowed type they still fail, by whom they are for or by what they lack.
    let id_token = json!({"iss": ISSUER, "aud": "app-1", "sub": "user-1", "iat": START,
                          "exp": START + 900, "nonce": "n"});
    assert_eq!(world.verdict(&key.token(&id_token)).await, Err(Reason::Audience));
    let logout = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": START, "exp": START + 120,
                        "jti": "l", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
    assert_eq!(world.verdict(&key.token(&logout)).await, Err(Reason::MissingClaim));
    let assertion = json!({"iss": "app-1", "aud": AUDIENCE, "sub": "app-1", "iat": START, "exp": START + 60,
                           "jti": "a", "client_id": "app-1"});
    assert_eq!(world.verdict(&key.token(&assertion)).await, Err(Reason::Issuer));
    assert_eq!(world.verdict(&key.token(&claims())).await, Ok(()));
}

#[tokio::test]
async fn row_85_strange_shapes_are_refused_before_anybody_is_asked() {
    let key = TestKey::ec("e");
    let world = World::new(&[&key]);
    let good = key.token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!("{good}") };
    let encrypted = |alg: &str, more: Value| {
        let header = json!({"alg": alg, "enc": "A256GCM", "kid": "e", "typ": "at+jwt", "x": more}).to_string();
        format!("{}.AAAA.AAAA.AAAA.AAAA", b64(header))
    };
    let crit = |value: Value| key.token_of(&with(&key.header(), "crit", value).to_string(), &claims().to_string());
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (token, reason) in [
        (encrypted("RSA1_5", json!(1)), Reason::Malformed),
        (encrypted("RSA-OAEP", json!(1)), Reason::Malformed),
        (encrypted("dir", json!({"zip": "DEF"})), Reason::Malformed),
        (encrypted("PBES2-HS256+A128KW", json!({"p2c": 2_000_000_000})), Reason::Malformed),
        (encrypted("ECDH-ES", json!({"epk": {}})), Reason::Malformed),
        (format!("{good}.AAAA.AAAA"), Reason::Malformed),
        (format!("{good}.AAAA"), Reason::Malformed),
        (format!("{good}."), Reason::Malformed),
        (format!(".{good}"), Reason::Malformed),
        (format!("{head}.{body}"), Reason::Malformed),
        (format!("{head}.{body}."), Reason::Malformed),
        (format!("{head}..{signature}"), Reason::Malformed),
        (format!("{good}="), Reason::Malformed),
        (format!(" {good}"), Reason::Malformed),
        (format!("{good}\n"), Reason::Malformed),
        (good.replace('.', ".."), Reason::Malformed),
        ("..".to_owned(), Reason::Malformed),
        (String::new(), Reason::Malformed),
        ("a".repeat(9 * 1024), Reason::TooLong),
        (key.token_of(&nested, &claims().to_string()), Reason::Header),
        (key.token_of("[]", &claims().to_string()), Reason::Header),
        (key.token_of("", &claims().to_string()), Reason::Malformed),
        (crit(json!(["b64"])), Reason::Critical),
        (crit(json!([])), Reason::Critical),
        (crit(json!("exp")), Reason::Critical),
    ] {
        assert_eq!(world.verdict(&token).await, Err(reason), "{token}");
    }
    assert_eq!(world.issuer.requests(), 0);
    assert_eq!(world.verdict(&good).await, Ok(()));
    // What only the signature vouches for comes after it.
    let deep = format!("{{\"x\":{nested}}}");
    assert_eq!(world.verdict(&key.token_of(&key.header().to_string(), &deep)).await, Err(Reason::Claims));
}
