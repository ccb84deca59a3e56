//! The outside of a token: size, parts and header, before any key is looked at.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::error::Reason;
use crate::json;

/// Longest access token that is read, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// Longest status list token that is read, in bytes: room for a list that does not compress and is
/// encoded twice.
pub(crate) const MAX_STATUS_LIST: usize = 8 * 1024 * 1024;

/// Longest `kid` that is looked up, in bytes. Frontdesk's have 43.
pub(crate) const MAX_KID: usize = 128;

/// What a token is for (RFC 8725 §3.11): one kind never passes as another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// `typ` without `application/`.
    typ: &'static str,
    /// Longest token that is read, in bytes.
    longest: usize,
}

impl Kind {
    /// RFC 9068 §2.1.
    pub(crate) const ACCESS_TOKEN: Self = Self { typ: "at+jwt", longest: MAX_TOKEN };
    /// draft-ietf-oauth-status-list §5.1.
    pub(crate) const STATUS_LIST: Self = Self { typ: "statuslist+jwt", longest: MAX_STATUS_LIST };

    /// Media types are compared without case, `application/` may be left out (RFC 7515 §4.1.9).
    fn is(self, typ: &str) -> bool {
        let (prefix, short) = typ.split_at_checked(APPLICATION.len()).unwrap_or_default();
        typ.eq_ignore_ascii_case(self.typ)
            || (prefix.eq_ignore_ascii_case(APPLICATION) && short.eq_ignore_ascii_case(self.typ))
    }
}

const APPLICATION: &str = "application/";

/// A compact JWS (RFC 7515 §7.1) whose header was checked and whose claims are still sealed.
#[derive(Debug)]
pub(crate) struct SignedToken<'t> {
    /// Header and payload as they were signed.
    pub(crate) signed: &'t str,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    /// Decoded, not yet trusted.
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl<'t> SignedToken<'t> {
    /// Takes a token apart and checks its header (RFC 9068 §4, RFC 8725 §3.1 and §3.11).
    ///
    /// `jku`, `jwk`, `x5u` and `x5c` are ignored: keys come from the issuer only.
    pub(crate) fn parse(token: &'t str, kind: Kind, allowed: &[Algorithm]) -> Result<Self, Reason> {
        if token.len() > kind.longest {
            return Err(Reason::TooLong);
        }
        let parts: Vec<&str> = token.splitn(4, '.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err(Reason::Malformed);
        };
        let signed_length = header.len() + 1 + payload.len();
        let signed = token.get(..signed_length).ok_or(Reason::Malformed)?;
        let (header, payload, signature) = (part(header)?, part(payload)?, part(signature)?);

        let header = json::object(&header).ok_or(Reason::Header)?;
        if !header.get("typ").and_then(Value::as_str).is_some_and(|typ| kind.is(typ)) {
            return Err(Reason::Type);
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Algorithm::from_name)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(Reason::Algorithm)?;
        if header.contains_key("crit") {
            return Err(Reason::Critical);
        }
        let kid = header
            .get("kid")
            .and_then(Value::as_str)
            .filter(|kid| (1..=MAX_KID).contains(&kid.len()))
            .ok_or(Reason::KeyId)?
            .to_owned();
        Ok(Self { signed, algorithm, kid, payload, signature })
    }
}

/// Decodes one part: base64url without padding, white space or stray bits (RFC 7515 §2).
fn part(text: &str) -> Result<Vec<u8>, Reason> {
    if text.is_empty() {
        return Err(Reason::Malformed);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Reason::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Algorithm] = &[Algorithm::Rs256, Algorithm::Es256];

    fn with_header(header: &str) -> String {
        format!("{}.{}.{}", encode(header), encode("{}"), encode("signature"))
    }

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn refusal(token: &str) -> Option<Reason> {
        SignedToken::parse(token, Kind::ACCESS_TOKEN, BOTH).err()
    }

    #[test]
    fn parts_must_be_three_and_strict_base64url() {
        let header = encode(r#"{"typ":"at+jwt","alg":"ES256","kid":"k"}"#);
        let good = format!("{header}.e30.AAAA");
        assert_eq!(refusal(&good), None);
        for token in [
            String::new(),
            ".".into(),
            "..".into(),
            "...".into(),
            header.clone(),
            format!("{header}.e30"),
            format!("{header}.e30."),
            format!("{header}..AAAA"),
            ".e30.AAAA".into(),
            format!("{good}."),
            format!("{good}.AAAA"),
            // Five parts are a JWE.
            format!("{good}.AAAA.AAAA"),
            format!(" {good}"),
            format!("{good} "),
            format!("{good}\n"),
            format!("{header}.e30=.AAAA"),
            format!("{header}.e30.AAA="),
            format!("{header}.e3 0.AAAA"),
            format!("{header}.e30.A+AA"),
            format!("{header}.e30.A/AA"),
            // One character, or bits after the last byte.
            format!("{header}.e30.A"),
            format!("{header}.e30.AB"),
            format!("{header}.e31.AAAA"),
            format!("{header}.é.AAAA"),
            format!("{header}.e30.AA\0A"),
        ] {
            assert_eq!(refusal(&token), Some(Reason::Malformed), "{token:?}");
        }
    }

    #[test]
    fn nine_kibibytes_are_too_long_and_eight_are_not() {
        let head = format!("{}.", encode(r#"{"typ":"at+jwt","alg":"ES256","kid":"k"}"#));
        let payload = "A".repeat((MAX_TOKEN - head.len() - 5) / 4 * 4);
        let longest = format!("{head}{payload}.AAAA");
        assert!(longest.len() > MAX_TOKEN - 8);
        assert_eq!(refusal(&longest), None);
        assert_eq!(refusal(&format!("{longest}{}", "A".repeat(12))), Some(Reason::TooLong));
        assert_eq!(refusal(&"A".repeat(9 * 1024)), Some(Reason::TooLong));
    }

    #[test]
    fn every_header_is_judged() {
        let long_kid = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, "k".repeat(129));
        let fits = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, "k".repeat(128));
        let huge = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, "k".repeat(5000));
        let cases: &[(&str, Option<Reason>)] = &[
            (r#"{"typ":"at+jwt","alg":"ES256","kid":"k"}"#, None),
            (r#"{"typ":"AT+JWT","alg":"RS256","kid":"k"}"#, None),
            (r#"{"typ":"application/at+jwt","alg":"ES256","kid":"k"}"#, None),
            (r#"{"typ":"Application/At+Jwt","alg":"ES256","kid":"../../etc/passwd"}"#, None),
            (r#"{"typ":"at+jwt","alg":"ES256","kid":"k","jku":"https://evil.example"}"#, None),
            (&fits, None),
            ("", Some(Reason::Malformed)),
            ("[]", Some(Reason::Header)),
            ("not json", Some(Reason::Header)),
            (r#"{"typ":"at+jwt","alg":"ES256","kid":"k","kid":"l"}"#, Some(Reason::Header)),
            (r#"{"typ":"at+jwt","alg":"none","alg":"ES256","kid":"k"}"#, Some(Reason::Header)),
            (r#"{"alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"JWT","alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"jwt","alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"logout+jwt","alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"dpop+jwt","alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"statuslist+jwt","alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"oauth-authz-req+jwt","alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"at+jwt ","alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":["at+jwt"],"alg":"ES256","kid":"k"}"#, Some(Reason::Type)),
            (r#"{"typ":"at+jwt","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"none","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"None","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"nOnE","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"HS256","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"es256","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"PS256","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"RS1","kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":null,"kid":"k"}"#, Some(Reason::Algorithm)),
            (r#"{"typ":"at+jwt","alg":"ES256","kid":"k","crit":["b64"]}"#, Some(Reason::Critical)),
            (r#"{"typ":"at+jwt","alg":"ES256","kid":"k","crit":[]}"#, Some(Reason::Critical)),
            (r#"{"typ":"at+jwt","alg":"ES256"}"#, Some(Reason::KeyId)),
            (r#"{"typ":"at+jwt","alg":"ES256","kid":""}"#, Some(Reason::KeyId)),
            (r#"{"typ":"at+jwt","alg":"ES256","kid":1}"#, Some(Reason::KeyId)),
            (&long_kid, Some(Reason::KeyId)),
            (&huge, Some(Reason::KeyId)),
        ];
        for (header, expected) in cases {
            assert_eq!(refusal(&with_header(header)), *expected, "{header}");
        }
    }

    #[test]
    fn only_the_allowed_algorithms_pass() {
        let rs256 = with_header(r#"{"typ":"at+jwt","alg":"RS256","kid":"k"}"#);
        assert!(SignedToken::parse(&rs256, Kind::ACCESS_TOKEN, &[Algorithm::Rs256]).is_ok());
        let refused = SignedToken::parse(&rs256, Kind::ACCESS_TOKEN, &[Algorithm::Es256]).err();
        assert_eq!(refused, Some(Reason::Algorithm));
    }
}
