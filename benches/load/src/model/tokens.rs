//! JWTs with the header and the claims of a sample.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::answer::{Filling, Pattern};
use super::signing::{Algorithm, Signatures};
use crate::{Result, failure};

/// A token to be minted again and again.
pub(super) struct TokenPattern {
    header: String,
    algorithm: Algorithm,
    claims: Pattern,
}

impl TokenPattern {
    /// From the token in a member of an answer's body, if it is there.
    pub(super) fn of_member(body: &str, member: &str) -> Result<Option<Self>> {
        let members: Map<String, Value> = serde_json::from_str(body)?;
        members.get(member).and_then(Value::as_str).map(Self::of).transpose()
    }

    fn of(token: &str) -> Result<Self> {
        let (header, rest) = token.split_once('.').ok_or_else(|| failure("a token that is no JWT"))?;
        let (claims, _) = rest.split_once('.').ok_or_else(|| failure("a token that is no JWT"))?;
        let said: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
        let algorithm = match said.get("alg").and_then(Value::as_str) {
            Some("ES256") => Algorithm::Es256,
            Some("RS256") => Algorithm::Rs256,
            _ => return Err(failure("a token of another algorithm")),
        };
        let claims = Pattern::of(&serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?)?;
        Ok(Self { header: format!("{header}."), algorithm, claims })
    }

    /// One token, signed.
    pub(super) fn mint(&self, signatures: &Signatures, with: &Filling<'_>) -> Result<String> {
        let claims = self.claims.fill(with);
        let mut token = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 400);
        token.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        signatures.sign(self.algorithm, &mut token)?;
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_verifies_and_says_what_the_sample_said() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"at+jwt","alg":"ES256","kid":"k"}"#);
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"s","iat":1,"exp":901,"gid":"g","jti":"j"}"#);
        let body = format!(r#"{{"access_token":"{header}.{claims}.c2ln"}}"#);
        let pattern = TokenPattern::of_member(&body, "access_token").unwrap().unwrap();
        assert!(TokenPattern::of_member(&body, "id_token").unwrap().is_none());
        let signatures = Signatures::generate().unwrap();
        let with = Filling { issued_at: 10, grant: "h", token_name: "n", ..Filling::default() };
        let token = pattern.mint(&signatures, &with).unwrap();
        assert!(token.starts_with(&header));
        let read: Value = serde_json::from_slice(&signatures.verified(&token).unwrap()).unwrap();
        assert_eq!(read, serde_json::json!({"sub": "s", "iat": 10, "exp": 910, "gid": "h", "jti": "n"}));
        assert!(signatures.verified(&token.replace('.', "A.")).is_none());
    }
}
