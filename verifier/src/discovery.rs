//! The issuer's metadata: where its keys are, its status lists and its stream.

use serde_json::{Map, Value};
use url::Url;

use crate::issuer::Issuer;
use crate::json;

/// Addresses on the issuer's own origin.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    pub(crate) jwks_uri: Url,
    /// Names all status lists (draft-ietf-oauth-status-list §9).
    pub(crate) status_lists: Option<Url>,
    pub(crate) token_endpoint: Option<Url>,
    pub(crate) revocation_stream: Option<Url>,
}

impl Metadata {
    /// Reads a discovery document.
    ///
    /// The document's `issuer` must equal ours byte for byte (OpenID Connect Discovery §4.3), and the
    /// keys must lie on the issuer's own origin, so that the document cannot send us elsewhere. What
    /// we can do without counts as missing when it lies elsewhere.
    pub(crate) fn parse(document: &[u8], issuer: &Issuer) -> Result<Self, &'static str> {
        let document = json::object(document).ok_or("the discovery document is not strict JSON")?;
        if document.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
            return Err("the discovery document names another issuer");
        }
        let jwks_uri = url(&document, "jwks_uri").ok_or("the discovery document has no jwks_uri")?;
        if jwks_uri.origin() != issuer.url().origin() {
            return Err("jwks_uri does not lie on the issuer's origin");
        }
        if carries_user(&jwks_uri) {
            return Err("jwks_uri carries a user name or password");
        }
        let own = |name| url(&document, name).filter(|url| url.origin() == issuer.url().origin() && !carries_user(url));
        Ok(Self {
            jwks_uri,
            status_lists: own("status_list_aggregation_endpoint"),
            token_endpoint: own("token_endpoint"),
            revocation_stream: own("frontdesk_revocation_stream_endpoint"),
        })
    }
}

fn url(document: &Map<String, Value>, name: &str) -> Option<Url> {
    document.get(name).and_then(Value::as_str).and_then(|uri| Url::parse(uri).ok())
}

fn carries_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_must_be_equal_and_the_keys_its_own() {
        let issuer = Issuer::parse("https://id.example.com".to_owned()).unwrap();
        let read = |text: &str| Metadata::parse(text.as_bytes(), &issuer).map(|metadata| metadata.jwks_uri);
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

    #[test]
    fn what_lies_elsewhere_counts_as_missing() {
        let issuer = Issuer::parse("https://id.example.com".to_owned()).unwrap();
        let read = |lists: &str, stream: &str| {
            let text = format!(
                r#"{{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com/k",
                   "status_list_aggregation_endpoint":{lists},"token_endpoint":"https://id.example.com/token",
                   "frontdesk_revocation_stream_endpoint":{stream}}}"#
            );
            Metadata::parse(text.as_bytes(), &issuer).unwrap()
        };
        let good = read(r#""https://id.example.com/status""#, r#""https://id.example.com/revocations/stream""#);
        assert_eq!(good.status_lists.unwrap().path(), "/status");
        assert_eq!(good.revocation_stream.unwrap().path(), "/revocations/stream");
        assert_eq!(good.token_endpoint.unwrap().path(), "/token");
        for elsewhere in [
            "1",
            "null",
            r#""/status""#,
            r#""https://evil.example/status""#,
            r#""http://id.example.com/s""#,
            r#""https://a:b@id.example.com/s""#,
        ] {
            let metadata = read(elsewhere, elsewhere);
            assert!(metadata.status_lists.is_none() && metadata.revocation_stream.is_none(), "{elsewhere}");
        }
    }
}
