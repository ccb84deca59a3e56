//! Whole tokens against whole verifiers: good ones, forged ones and those meant for others.

mod security;

use serde_json::{Value, json};

use super::*;
use crate::error::Reason;
use crate::testing::{AUDIENCE, ISSUER, Log, START, TestClock, TestIssuer, TestKey, b64, claims};

struct World {
    verifier: Verifier,
    issuer: TestIssuer,
    clock: TestClock,
}

impl World {
    fn new(keys: &[&TestKey]) -> Self {
        Self::with(keys, |builder| builder)
    }

    fn with(keys: &[&TestKey], change: impl Fn(VerifierBuilder) -> VerifierBuilder) -> Self {
        let (issuer, clock) = (TestIssuer::new(keys), TestClock::default());
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE).fetch(issuer.clone()).clock(clock.clone());
        Self { verifier: change(builder).build().unwrap(), issuer, clock }
    }

    async fn verdict(&self, token: &str) -> Result<(), Reason> {
        match self.verifier.verify(token).await {
            Ok(_) => Ok(()),
            Err(VerifyError::Invalid(reason)) => Err(reason),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn good_tokens_of_both_algorithms_pass() {
    let (rsa, ec) = (TestKey::rsa("r"), TestKey::ec("e"));
    let world = World::new(&[&rsa, &ec]);
    for key in [&rsa, &ec] {
        let principal = world.verifier.verify(&key.token(&claims())).await.unwrap();
        assert_eq!(principal.subject(), "user-1");
        assert_eq!(principal.client_id(), "app-1");
        assert_eq!(principal.scope(), "notes:read profile");
        assert_eq!(principal.session_id(), Some("session-1"));
        assert_eq!(principal.token_id(), "token-1");
        assert_eq!((principal.issued_at(), principal.expires_at()), (START, START + 900));
    }
    assert_eq!(world.issuer.requests(), 2);
}

#[tokio::test]
async fn a_client_that_calls_for_itself_is_told_from_a_person() {
    let key = TestKey::ec("e");
    let world = World::new(&[&key]);
    let token = key.token(&with(&claims(), "sub", json!("app-1")));
    assert!(world.verifier.verify(&token).await.unwrap().is_client());
    assert!(!world.verifier.verify(&key.token(&claims())).await.unwrap().is_client());
}

#[tokio::test]
async fn a_changed_token_does_not_pass() {
    let (rsa, ec) = (TestKey::rsa("r"), TestKey::ec("e"));
    let world = World::new(&[&rsa, &ec]);
    for key in [&rsa, &ec] {
        let token = key.token(&claims());
        let parts: Vec<&str> = token.split('.').collect();
        let other = b64(with(&claims(), "sub", json!("admin")).to_string());
        let header = b64(with(&key.header(), "x", json!(1)).to_string());
        let signature = key.sign(b"something else");
        for forged in [
            format!("{}.{other}.{}", parts[0], parts[2]),
            format!("{header}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], b64(signature)),
            format!("{}.{}.{}", parts[0], parts[1], b64([0])),
            format!("{}.{}.{}", parts[0], parts[1], b64([0; 64])),
            format!("{}.{}.{}", parts[0], parts[1], b64([0; 256])),
            format!("{}.{}.{}AAAA", parts[0], parts[1], &parts[2][..parts[2].len() / 4 * 4]),
        ] {
            assert_eq!(world.verdict(&forged).await, Err(Reason::Signature), "{forged}");
        }
    }
}

#[tokio::test]
async fn es256_signatures_are_exactly_64_bytes() {
    let key = TestKey::ec("e");
    let world = World::new(&[&key]);
    let signed = format!("{}.{}", b64(key.header().to_string()), b64(claims().to_string()));
    let raw = key.sign(signed.as_bytes());
    assert_eq!(world.verdict(&format!("{signed}.{}", b64(&raw))).await, Ok(()));
    let (r, s) = raw.split_at(32);
    let padded = [&[0], r, &[0], s].concat();
    for wrong in [der(r, s), raw[..63].to_vec(), [raw.as_slice(), &[0]].concat(), padded] {
        let token = format!("{signed}.{}", b64(wrong));
        assert_eq!(world.verdict(&token).await, Err(Reason::Signature));
    }
}

/// The ASN.1 form of an ECDSA signature.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for integer in [r, s] {
        // A zero byte in front is always allowed here: it keeps the integer positive.
        body.extend([0x02, 33, 0]);
        body.extend(integer);
    }
    [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
}

#[tokio::test]
async fn each_key_is_for_its_own_algorithm() {
    let (rsa, ec) = (TestKey::rsa("r"), TestKey::ec("e"));
    let world = World::new(&[&rsa, &ec]);
    for (signer, alg) in [(&rsa, "ES256"), (&ec, "RS256")] {
        let header = with(&signer.header(), "alg", json!(alg)).to_string();
        let token = signer.token_of(&header, &claims().to_string());
        assert_eq!(world.verdict(&token).await, Err(Reason::KeyMismatch));
    }
    for (signer, named) in [(&rsa, &ec), (&ec, &rsa)] {
        let header = with(&signer.header(), "kid", json!(named.kid)).to_string();
        let token = signer.token_of(&header, &claims().to_string());
        assert_eq!(world.verdict(&token).await, Err(Reason::KeyMismatch));
    }
    let only_es256 = World::with(&[&rsa, &ec], |builder| builder.algorithms([Algorithm::Es256]));
    assert_eq!(only_es256.verdict(&ec.token(&claims())).await, Ok(()));
    assert_eq!(only_es256.verdict(&rsa.token(&claims())).await, Err(Reason::Algorithm));
}

#[tokio::test]
async fn only_tokens_that_claim_to_be_the_issuers_make_it_work() {
    let (ours, evil) = (TestKey::ec("ours"), TestKey::ec("evil"));
    let world = World::new(&[&ours]);
    let foreign = with(&claims(), "iss", json!("https://evil.example"));
    let long = with(&evil.header(), "kid", json!("k".repeat(129))).to_string();
    for (token, reason) in [
        (evil.token(&foreign), Reason::UnknownKey),
        (evil.token(&json!({})), Reason::UnknownKey),
        (evil.token_of(&evil.header().to_string(), "no json"), Reason::UnknownKey),
        (
            evil.token_of(
                &evil.header().to_string(),
                &format!("{{\"iss\":\"https://evil.example\",\"iss\":\"{ISSUER}\"}}"),
            ),
            Reason::UnknownKey,
        ),
        (evil.token_of(&long, &claims().to_string()), Reason::KeyId),
        ("not.a.token".into(), Reason::Malformed),
    ] {
        assert_eq!(world.verdict(&token).await, Err(reason), "{token}");
    }
    assert_eq!(world.issuer.requests(), 0);
    assert_eq!(world.verdict(&evil.token(&claims())).await, Err(Reason::UnknownKey));
    assert_eq!(world.issuer.key_requests(), 1);
    // The key is the issuer's, the token says it is somebody else's.
    assert_eq!(world.verdict(&ours.token(&foreign)).await, Err(Reason::Issuer));
}

#[tokio::test]
async fn claims_are_checked_after_the_signature() {
    let key = TestKey::ec("e");
    let world = World::new(&[&key]);
    world.verifier.warm_up().await.unwrap();
    for (name, value, expected) in [
        ("iss", json!("https://id.example.com/"), Reason::Issuer),
        ("aud", json!([]), Reason::Audience),
        ("aud", json!("https://other.example.com"), Reason::Audience),
        ("exp", json!((START + 900).to_string()), Reason::Claims),
        ("exp", json!(START - 31), Reason::Expired),
        ("nbf", json!(START + 31), Reason::NotYetValid),
        ("iat", json!(START + 31), Reason::NotYetValid),
        ("jti", json!(""), Reason::MissingClaim),
        ("cnf", json!({"jkt": "x"}), Reason::SenderConstrained),
        ("scope", json!(["a"]), Reason::Claims),
    ] {
        let token = key.token(&with(&claims(), name, value.clone()));
        assert_eq!(world.verdict(&token).await, Err(expected), "{name}: {value}");
        let forged = format!("{}AAAAAA", &token[..token.len() - 6]);
        assert_eq!(world.verdict(&forged).await, Err(Reason::Signature), "{name}");
    }
    let doubled = claims().to_string().replacen('{', "{\"iss\":\"https://evil.example\",", 1);
    let token = key.token_of(&key.header().to_string(), &doubled);
    assert_eq!(world.verdict(&token).await, Err(Reason::Claims));
    let crit = with(&key.header(), "crit", json!(["b64"])).to_string();
    let token = key.token_of(&crit, &claims().to_string());
    assert_eq!(world.verdict(&token).await, Err(Reason::Critical));
    let big = key.token(&with(&claims(), "x", json!("x".repeat(9 * 1024))));
    assert_eq!(world.verdict(&big).await, Err(Reason::TooLong));
    let deep = claims().to_string().replacen('{', &format!("{{\"x\":{}{},", "[".repeat(100), "]".repeat(100)), 1);
    let token = key.token_of(&key.header().to_string(), &deep);
    assert_eq!(world.verdict(&token).await, Err(Reason::Claims));
    let five_parts = format!("{}.AAAA.AAAA", key.token(&claims()));
    assert_eq!(world.verdict(&five_parts).await, Err(Reason::Malformed));
}

#[tokio::test]
async fn a_removed_key_no_longer_passes() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    assert_eq!(world.verdict(&old.token(&claims())).await, Ok(()));
    world.issuer.publish(&[&new]);
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.verdict(&new.token(&claims())).await, Ok(()));
    assert_eq!(world.verdict(&old.token(&claims())).await, Err(Reason::UnknownKey));
}

#[tokio::test]
async fn a_key_with_the_same_kid_is_taken_from_the_new_set() {
    let (old, new) = (TestKey::ec("same"), TestKey::ec("same"));
    let world = World::new(&[&old]);
    assert_eq!(world.verdict(&new.token(&claims())).await, Err(Reason::Signature));
    world.issuer.publish(&[&new]);
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(world.verdict(&new.token(&claims())).await, Ok(()));
    assert_eq!(world.verdict(&old.token(&claims())).await, Err(Reason::Signature));
}

#[tokio::test]
async fn without_keys_the_answer_is_503() {
    let key = TestKey::ec("e");
    let world = World::new(&[&key]);
    world.issuer.break_down();
    let error = world.verifier.verify(&key.token(&claims())).await.unwrap_err();
    assert_eq!(error.reason(), "no_keys");
    assert_eq!(error.to_string(), "access tokens cannot be checked at the moment");
    let refusal = world.verifier.refusal(&error);
    assert_eq!((refusal.status(), refusal.retry_after()), (503, Some(1)));
    assert!(world.verifier.warm_up().await.is_err());
    assert_eq!(world.verifier.key_age(), None);
}

#[tokio::test]
async fn every_reason_gives_the_same_answer() {
    let world = World::new(&[]);
    let answers = [
        Reason::TooLong,
        Reason::Malformed,
        Reason::UnknownKey,
        Reason::Signature,
        Reason::Audience,
        Reason::Expired,
        Reason::SenderConstrained,
    ]
    .map(|reason| {
        let error = VerifyError::Invalid(reason);
        (world.verifier.refusal(&error), error.to_string())
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(answers[0].0.status(), 401);
}

#[tokio::test]
async fn the_log_says_why_and_never_shows_the_token() {
    let log = Log::default();
    let _guard = log.listen();
    let key = TestKey::ec("e");
    let world = World::new(&[&key]);
    let good = key.token(&claims());
    let expired = key.token(&with(&claims(), "exp", json!(START - 100)));
    world.verifier.verify(&good).await.unwrap();
    world.verifier.verify(&expired).await.unwrap_err();
    world.issuer.break_down();
    world.clock.advance(Duration::from_secs(300));
    world.verifier.verify(&good).await.unwrap();
    let text = log.text();
    for part in ["expired", "fetched the issuer's keys", "could not fetch", "status 500"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    for token in [good, expired] {
        for part in token.split('.') {
            assert!(!text.contains(part), "{text}");
        }
    }
}
