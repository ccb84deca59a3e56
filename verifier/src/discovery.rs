//! The issuer's metadata, of which only the place of its keys is used.

use serde_json::Value;
use url::Url;

use crate::issuer::Issuer;
use crate::json;

/// Reads the `jwks_uri` from a discovery document.
///
/// The document's `issuer` must equal ours byte for byte (OpenID Connect Discovery §4.3), and the
/// keys must lie on the issuer's own origin, so that the document cannot send us elsewhere.
pub(crate) fn jwks_uri(document: &[u8], issuer: &Issuer) -> Result<Url, &'static str> {
    let document = json::object(document).ok_or("the discovery document is not strict JSON")?;
    if document.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err("the discovery document names another issuer");
    }
    let uri = document
        .get("jwks_uri")
        .and_then(Value::as_str)
        .and_then(|uri| Url::parse(uri).ok())
        .ok_or("the discovery document has no jwks_uri")?;
    if uri.origin() != issuer.url().origin() {
        return Err("jwks_uri does not lie on the issuer's origin");
    }
    if !uri.username().is_empty() || uri.password().is_some() {
        return Err("jwks_uri carries a user name or password");
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_must_be_equal_and_the_keys_its_own() {
        let issuer = Issuer::parse("https://id.example.com".to_owned()).unwrap();
        let read = |text: &str| jwks_uri(text.as_bytes(), &issuer);
        assert_eq!(
            read(r#"{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com/k"}"#).unwrap().as_str(),
            "https://id.example.com/k"
        );
        for bad in [
            "",
            "[]",
            "<html>",
            "{}",
            r#"{"issuer":"https://id.example.com"}"#,
            r#"{"jwks_uri":"https://id.example.com/k"}"#,
            r#"{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/k"}"#,
            r#"{"issuer":"https://ID.example.com","jwks_uri":"https://id.example.com/k"}"#,
            r#"{"issuer":"http://id.example.com","jwks_uri":"https://id.example.com/k"}"#,
            r#"{"issuer":"https://id.example.com:443","jwks_uri":"https://id.example.com/k"}"#,
            r#"{"issuer":"https://evil.example","jwks_uri":"https://id.example.com/k"}"#,
            r#"{"issuer":["https://id.example.com"],"jwks_uri":"https://id.example.com/k"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":"https://evil.example/k"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":"http://id.example.com/k"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com:8443/k"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":"https://u:p@id.example.com/k"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":"/k"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":"file:///k"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":"data:,x"}"#,
            r#"{"issuer":"https://id.example.com","jwks_uri":1}"#,
            r#"{"issuer":"x","issuer":"https://id.example.com","jwks_uri":"https://id.example.com/k"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
