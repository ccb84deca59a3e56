//! One list token after the other, each with one thing wrong.

use serde_json::json;

use super::*;
use crate::testing::{ISSUER, START, b64, list_claims, list_uri, lst};

fn read(payload: &str) -> Result<StatusList, Flaw> {
    let expected = Expected { issuer: ISSUER, audiences: &[], leeway: 30, now: START };
    StatusList::read(payload.as_bytes(), &list_uri(7), "signer", &expected)
}

fn verdict(claims: &Value) -> Option<Flaw> {
    read(&claims.to_string()).err()
}

fn good() -> Value {
    list_claims(7, START, 3, &[0, 9, 1023])
}

#[test]
fn a_good_list_is_read() {
    let list = read(&good().to_string()).unwrap();
    let set: Vec<_> = (0..1024).filter(|index| list.get(*index) == Some(1)).collect();
    assert_eq!(set, [0, 9, 1023]);
    assert_eq!((list.get(1), list.get(1024), list.get(u64::MAX)), (Some(0), None, None));
    assert_eq!((list.issued_at, list.expires_at, list.size()), (START, START + 300, 128));
    assert_eq!((list.ttl, list.version, list.denied_kids.len()), (Some(Duration::from_secs(10)), 3, 0));
    assert_eq!(list.signer, "signer");
}

#[test]
fn every_claim_is_judged() {
    use Reason::{Claims, Expired, Issuer, MissingClaim, NotYetValid};
    let token = |reason| Some(Flaw::Token(reason));
    let gone = Value::Null; // Null stands for "left out" in this table.
    for (name, value, expected) in [
        ("iss", gone.clone(), token(Issuer)),
        ("iss", json!("https://id.example.com/"), token(Issuer)),
        ("iss", json!(1), token(Claims)),
        ("sub", gone.clone(), Some(Flaw::Subject)),
        ("sub", json!(list_uri(8)), Some(Flaw::Subject)),
        ("sub", json!("https://id.example.com:443/status/7"), Some(Flaw::Subject)),
        ("sub", json!([list_uri(7)]), token(Claims)),
        ("iat", gone.clone(), token(MissingClaim)),
        ("iat", json!(START + 30), None),
        ("iat", json!(START + 31), token(NotYetValid)),
        ("iat", json!("1800000000"), token(Claims)),
        ("nbf", json!(START + 31), token(NotYetValid)),
        ("exp", gone.clone(), token(MissingClaim)),
        ("exp", json!(START - 29), None),
        ("exp", json!(START - 30), token(Expired)),
        ("exp", json!(true), token(Claims)),
        ("ttl", gone.clone(), None),
        ("ttl", json!(0.5), None),
        ("ttl", json!(0), token(Claims)),
        ("ttl", json!(-1), token(Claims)),
        ("ttl", json!("10"), token(Claims)),
        ("ttl", json!(1e300), token(Claims)),
        ("frontdesk_version", gone.clone(), token(MissingClaim)),
        ("frontdesk_version", json!(1_u64 << 53), token(Claims)),
        ("frontdesk_version", json!(0), None),
        ("frontdesk_version", json!(-1), token(Claims)),
        ("frontdesk_version", json!(1.5), token(Claims)),
        ("frontdesk_version", json!("3"), token(Claims)),
        ("denied_kids", json!([]), None),
        ("denied_kids", json!(["a", "b"]), None),
        ("denied_kids", json!(["a", "signer"]), Some(Flaw::DeniesItself)),
        ("denied_kids", json!("a"), token(Claims)),
        ("denied_kids", json!([""]), token(Claims)),
        ("denied_kids", json!([1]), token(Claims)),
        ("denied_kids", json!(["k".repeat(129)]), token(Claims)),
        ("denied_kids", json!(vec!["k"; 257]), token(Claims)),
        ("status_list", gone, Some(Flaw::List)),
        ("status_list", json!([]), Some(Flaw::List)),
        ("anything", json!({"else": 1}), None),
    ] {
        let mut claims = good();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
        assert_eq!(verdict(&claims), expected, "{name}: {value}");
    }
}

#[test]
fn the_claims_are_one_strict_object() {
    let doubled = good().to_string().replacen('{', "{\"frontdesk_version\":9,", 1);
    let within = good().to_string().replacen("\"bits\":1", "\"bits\":1,\"bits\":2", 1);
    assert!(within.contains("\"bits\":2"));
    for text in ["", "[]", "null", doubled.as_str(), within.as_str()] {
        assert_eq!(read(text).err(), Some(Flaw::Token(Reason::Claims)), "{text}");
    }
}

#[test]
fn the_list_itself_is_judged() {
    let text = lst(&[0; 128]);
    for (list, expected) in [
        (json!({"bits": 1, "lst": text}), None),
        (json!({"bits": 1, "lst": lst(&[])}), Some(Flaw::List)),
        (json!({"lst": text}), Some(Flaw::List)),
        (json!({"bits": 1}), Some(Flaw::List)),
        (json!({"bits": 0, "lst": text}), Some(Flaw::List)),
        (json!({"bits": 3, "lst": text}), Some(Flaw::List)),
        (json!({"bits": 16, "lst": text}), Some(Flaw::List)),
        (json!({"bits": "1", "lst": text}), Some(Flaw::List)),
        (json!({"bits": 1.5, "lst": text}), Some(Flaw::List)),
        (json!({"bits": 1, "lst": ""}), Some(Flaw::List)),
        (json!({"bits": 1, "lst": [text]}), Some(Flaw::List)),
        (json!({"bits": 1, "lst": format!("{text}=")}), Some(Flaw::List)),
        (json!({"bits": 1, "lst": format!(" {text}")}), Some(Flaw::List)),
        (json!({"bits": 1, "lst": b64([0; 128])}), Some(Flaw::List)),
        (json!({"bits": 1, "lst": "A".repeat(6 << 20)}), Some(Flaw::TooLarge)),
        (json!({"bits": 1, "lst": lst(&vec![0; 16 << 20])}), None),
        // Row 85: a zip bomb.
        (json!({"bits": 1, "lst": lst(&vec![0; (16 << 20) + 1])}), Some(Flaw::TooLarge)),
        (json!({"bits": 1, "lst": lst(&vec![0; 64 << 20])}), Some(Flaw::TooLarge)),
    ] {
        let mut claims = good();
        claims["status_list"] = list;
        assert_eq!(verdict(&claims), expected, "{:.200}", claims["status_list"].to_string());
    }
}

#[test]
fn the_places_are_those_of_the_draft() {
    // Section 4.1 of the draft, its two examples.
    let one = json!({"bits": 1, "lst": "eNrbuRgAAhcBXQ"});
    let two = json!({"bits": 2, "lst": "eNo76fITAAPfAgc"});
    for (content, expected) in
        [(one, &[1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1][..]), (two, &[1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3])]
    {
        let mut claims = good();
        claims["status_list"] = content;
        let list = read(&claims.to_string()).unwrap();
        let places: Vec<u8> = (0..).map_while(|index| list.get(index)).collect();
        assert_eq!(places, expected);
    }
    for (bits, expected) in [(4, &[0x1, 0xa, 0xf, 0x0][..]), (8, &[0xa1, 0x0f])] {
        let mut claims = good();
        claims["status_list"] = json!({"bits": bits, "lst": lst(&[0xa1, 0x0f])});
        let list = read(&claims.to_string()).unwrap();
        let places: Vec<u8> = (0..).map_while(|index| list.get(index)).collect();
        assert_eq!(places, expected, "{bits} bits");
    }
}

#[test]
fn decision_53_the_version_orders_lists_and_not_the_time() {
    let list = |version, iat| read(&list_claims(7, iat, version, &[]).to_string()).unwrap();
    assert!(list(3, START).is_older_than(&list(4, START - 9)));
    assert!(!list(4, START - 9).is_older_than(&list(3, START)));
    assert!(!list(3, START - 9).is_older_than(&list(3, START)), "equal is not older");
}
