//! What a signed token must say about itself (RFC 9068 §2.2 and §4, RFC 7519 §4.1).

use serde_json::{Map, Value};

use crate::error::Reason;
use crate::json;

/// Greatest integer that every JSON number holds exactly (RFC 8259 §6).
pub(crate) const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Greatest NumericDate that is read: above it a JSON number is no longer exact.
const MAX_DATE: f64 = 9_007_199_254_740_992.0;

/// What the claims are held against.
#[derive(Debug)]
pub(crate) struct Expected<'v> {
    pub(crate) issuer: &'v str,
    /// The names of this API; `aud` must contain one.
    pub(crate) audiences: &'v [String],
    /// Seconds by which clocks may differ.
    pub(crate) leeway: u64,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

/// The claims of a token that passed every check.
#[derive(Debug)]
pub(crate) struct CheckedClaims {
    pub(crate) all: Map<String, Value>,
    pub(crate) subject: String,
    pub(crate) client_id: String,
    pub(crate) token_id: String,
    pub(crate) scope: String,
    /// Seconds since 1970.
    pub(crate) issued_at: u64,
    /// Seconds since 1970.
    pub(crate) expires_at: u64,
    /// Seconds since 1970.
    pub(crate) auth_time: Option<u64>,
}

/// Says whether a token that nobody has checked yet claims to come from `issuer`.
///
/// Only good for deciding whether its `kid` is worth a question to the issuer.
pub(crate) fn claims_issuer(payload: &[u8], issuer: &str) -> bool {
    json::object(payload).is_some_and(|claims| text(&claims, "iss") == Ok(Some(issuer)))
}

/// Checks the claims of a token whose signature is good.
pub(crate) fn check(payload: &[u8], expected: &Expected<'_>) -> Result<CheckedClaims, Reason> {
    let all = json::object(payload).ok_or(Reason::Claims)?;
    if text(&all, "iss")? != Some(expected.issuer) {
        return Err(Reason::Issuer);
    }
    if !names_us(all.get("aud"), expected.audiences)? {
        return Err(Reason::Audience);
    }
    let (issued_at, expires_at) = times(&all, expected)?;
    let subject = required(&all, "sub")?;
    let client_id = required(&all, "client_id")?;
    let token_id = required(&all, "jti")?;
    // A bound token without proof is a stolen one. Proofs (DPoP, mTLS) are not understood yet, so
    // every bound token is refused (RFC 9449 §7.2, RFC 8705 §3).
    if all.contains_key("cnf") {
        return Err(Reason::SenderConstrained);
    }
    let scope = text(&all, "scope")?.unwrap_or_default().to_owned();
    let auth_time = date(&all, "auth_time")?.map(seconds);
    check_types(&all)?;
    Ok(CheckedClaims { subject, client_id, token_id, scope, issued_at, expires_at, auth_time, all })
}

/// `iat` and `exp` in seconds since 1970; both must be there, and the time between them be now.
pub(crate) fn times(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(u64, u64), Reason> {
    let (earliest, latest) = limits(expected);
    let expires_at = date(claims, "exp")?.ok_or(Reason::MissingClaim)?;
    if expires_at <= earliest {
        return Err(Reason::Expired);
    }
    let issued_at = date(claims, "iat")?.ok_or(Reason::MissingClaim)?;
    if issued_at > latest || date(claims, "nbf")?.is_some_and(|not_before| not_before > latest) {
        return Err(Reason::NotYetValid);
    }
    Ok((seconds(issued_at), seconds(expires_at)))
}

/// The oldest `exp` that is too old, and the latest `iat` and `nbf` that are good.
///
/// Seconds since 1970 are far below 2^53, so `f64` holds them exactly.
fn limits(expected: &Expected<'_>) -> (f64, f64) {
    let earliest = expected.now.saturating_sub(expected.leeway);
    let latest = expected.now.saturating_add(expected.leeway);
    (earliest as f64, latest as f64)
}

/// Does `aud`, a string or an array of strings, contain one of our names?
fn names_us(aud: Option<&Value>, ours: &[String]) -> Result<bool, Reason> {
    match aud {
        None => Ok(false),
        Some(Value::String(name)) => Ok(ours.contains(name)),
        Some(Value::Array(names)) => {
            if !names.iter().all(Value::is_string) {
                return Err(Reason::Claims);
            }
            Ok(names.iter().any(|name| ours.iter().any(|our| name == our)))
        }
        Some(_) => Err(Reason::Claims),
    }
}

/// Claims that a service may read must have the type their specification gives them.
fn check_types(claims: &Map<String, Value>) -> Result<(), Reason> {
    text(claims, "acr")?;
    text(claims, "sid")?;
    let fits = |name: &str, test: fn(&Value) -> bool| claims.get(name).is_none_or(test);
    let strings = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    if fits("amr", strings) && fits("act", Value::is_object) { Ok(()) } else { Err(Reason::Claims) }
}

fn required(claims: &Map<String, Value>, name: &str) -> Result<String, Reason> {
    match text(claims, name)? {
        None | Some("") => Err(Reason::MissingClaim),
        Some(value) => Ok(value.to_owned()),
    }
}

pub(crate) fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<Option<&'c str>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(Reason::Claims),
    }
}

/// A NumericDate (RFC 7519 §2): a JSON number, perhaps with a fraction, never a string.
pub(crate) fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Reason> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let Value::Number(number) = value else {
        return Err(Reason::Claims);
    };
    number.as_f64().filter(|seconds| (0.0..=MAX_DATE).contains(seconds)).map(Some).ok_or(Reason::Claims)
}

/// Whole seconds of what [`date`] let pass, 0 to 2^53.
fn seconds(date: f64) -> u64 {
    date as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn good() -> Value {
        json!({
            "iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "u1",
            "client_id": "app", "jti": "t1", "iat": NOW, "exp": NOW + 900,
        })
    }

    fn verdict(claims: &str) -> Option<Reason> {
        let audiences = ["https://api.example.com".to_owned(), "urn:old-name".to_owned()];
        let expected = Expected { issuer: "https://id.example.com", audiences: &audiences, leeway: 30, now: NOW };
        check(claims.as_bytes(), &expected).err()
    }

    #[test]
    fn every_claim_is_judged() {
        use Reason::{Audience, Claims, Expired, Issuer, MissingClaim, NotYetValid, SenderConstrained};
        let gone = Value::Null; // Null stands for "left out" in this table.
        let cases = [
            ("iss", json!("https://id.example.com"), None),
            ("iss", gone.clone(), Some(Issuer)),
            ("iss", json!("https://id.example.com/"), Some(Issuer)),
            ("iss", json!("https://ID.example.com"), Some(Issuer)),
            ("iss", json!("https://evil.example"), Some(Issuer)),
            ("iss", json!(["https://id.example.com"]), Some(Claims)),
            ("aud", json!(["https://api.example.com"]), None),
            ("aud", json!(["other", "https://api.example.com"]), None),
            ("aud", json!("urn:old-name"), None),
            ("aud", gone.clone(), Some(Audience)),
            ("aud", json!([]), Some(Audience)),
            ("aud", json!(""), Some(Audience)),
            ("aud", json!("app"), Some(Audience)),
            ("aud", json!("https://api.example.com/"), Some(Audience)),
            ("aud", json!("https://api.example.com.evil.example"), Some(Audience)),
            ("aud", json!(["https://api.example.com", 1]), Some(Claims)),
            ("aud", json!([["https://api.example.com"]]), Some(Claims)),
            ("aud", json!({"https://api.example.com": true}), Some(Claims)),
            ("exp", gone.clone(), Some(MissingClaim)),
            ("exp", json!(NOW - 29), None),
            ("exp", json!(NOW - 30), Some(Expired)),
            ("exp", json!(NOW - 31), Some(Expired)),
            ("exp", json!(0), Some(Expired)),
            ("exp", json!(f64::from(1_800_000_900_u32) + 0.5), None),
            ("exp", json!((NOW + 900).to_string()), Some(Claims)),
            ("exp", json!(true), Some(Claims)),
            ("exp", json!([NOW + 900]), Some(Claims)),
            ("exp", json!(-1), Some(Claims)),
            ("exp", json!(1e300), Some(Claims)),
            ("iat", gone.clone(), Some(MissingClaim)),
            ("iat", json!(NOW + 30), None),
            ("iat", json!(NOW + 31), Some(NotYetValid)),
            ("iat", json!("1800000000"), Some(Claims)),
            ("nbf", json!(NOW + 30), None),
            ("nbf", json!(NOW + 31), Some(NotYetValid)),
            ("nbf", json!("0"), Some(Claims)),
            ("sub", gone.clone(), Some(MissingClaim)),
            ("sub", json!(""), Some(MissingClaim)),
            ("sub", json!(1), Some(Claims)),
            ("client_id", gone.clone(), Some(MissingClaim)),
            ("client_id", json!(["app"]), Some(Claims)),
            ("jti", gone.clone(), Some(MissingClaim)),
            ("jti", json!(7), Some(Claims)),
            ("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}), Some(SenderConstrained)),
            ("cnf", json!({"x5t#S256": "x"}), Some(SenderConstrained)),
            ("cnf", json!({}), Some(SenderConstrained)),
            ("scope", json!("notes:read notes:write"), None),
            ("scope", json!(["notes:read"]), Some(Claims)),
            ("auth_time", json!(NOW - 5), None),
            ("auth_time", json!("now"), Some(Claims)),
            ("acr", json!(1), Some(Claims)),
            ("sid", json!({}), Some(Claims)),
            ("amr", json!(["pwd"]), None),
            ("amr", json!("pwd"), Some(Claims)),
            ("amr", json!([1]), Some(Claims)),
            ("act", json!({"sub": "admin"}), None),
            ("act", json!("admin"), Some(Claims)),
            ("status", json!({"status_list": {"idx": 1, "uri": "x"}}), None),
            ("anything", json!({"else": [1, 2, 3]}), None),
        ];
        for (name, value, expected) in cases {
            let mut claims = good();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
            assert_eq!(verdict(&claims.to_string()), expected, "{name}: {value}");
        }
    }

    #[test]
    fn null_is_not_the_same_as_left_out() {
        for name in ["iss", "aud", "exp", "iat", "nbf", "sub", "client_id", "jti", "scope", "acr"] {
            let mut claims = good();
            claims[name] = Value::Null;
            assert_eq!(verdict(&claims.to_string()), Some(Reason::Claims), "{name}");
        }
    }

    #[test]
    fn the_claims_are_one_strict_object() {
        let doubled = good().to_string().replacen('{', "{\"iss\":\"https://evil.example\",", 1);
        for claims in ["", "[]", "null", "\"x\"", "{", doubled.as_str()] {
            assert_eq!(verdict(claims), Some(Reason::Claims), "{claims}");
        }
    }

    #[test]
    fn a_time_near_the_beginning_does_not_overflow() {
        let audiences = ["https://api.example.com".to_owned()];
        let expected = Expected { issuer: "https://id.example.com", audiences: &audiences, leeway: 60, now: 1 };
        let mut claims = good();
        claims["iat"] = json!(0);
        assert!(check(claims.to_string().as_bytes(), &expected).is_ok());
        claims["iat"] = json!(62);
        let late = check(claims.to_string().as_bytes(), &expected).err();
        assert_eq!(late, Some(Reason::NotYetValid));
    }
}
