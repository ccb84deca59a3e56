//! The `status` claim of a token (draft-ietf-oauth-status-list §6.1).

use serde_json::{Map, Value};
use url::Url;

use crate::claims::MAX_INTEGER;
use crate::error::Reason;
use crate::issuer::Issuer;

/// Longest address of a list, in bytes.
const MAX_URI: usize = 512;

/// Where a token's status stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'c> {
    /// The list's address, not yet judged.
    pub(crate) uri: &'c str,
    pub(crate) index: u64,
}

impl<'c> Reference<'c> {
    /// Reads the claim, if there is one. A `status` that is not understood is refused: it says that
    /// the token may have ended, and we could not tell.
    pub(crate) fn read(claims: &'c Map<String, Value>) -> Result<Option<Self>, Reason> {
        let Some(status) = claims.get("status") else {
            return Ok(None);
        };
        let list = status.get("status_list").and_then(Value::as_object).ok_or(Reason::Status)?;
        let uri = list.get("uri").and_then(Value::as_str).ok_or(Reason::Status)?;
        let index = list.get("idx").and_then(Value::as_u64).filter(|index| *index <= MAX_INTEGER);
        Ok(Some(Self { uri, index: index.ok_or(Reason::Status)? }))
    }
}

/// The address of a status list of this issuer: below `/status/`, and written in one way only, so
/// that no two texts mean one list.
pub(crate) fn status_list_url(uri: &str, issuer: &Issuer) -> Option<Url> {
    let below = uri.strip_prefix(issuer.as_str().trim_end_matches('/'))?.strip_prefix("/status/")?;
    if below.is_empty() || uri.len() > MAX_URI {
        return None;
    }
    // Dots, backslashes, tabs and the like do not survive this unchanged.
    let url = Url::parse(uri).ok().filter(|url| url.as_str() == uri)?;
    let plain = url.origin() == issuer.url().origin() && url.query().is_none() && url.fragment().is_none();
    plain.then_some(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_claim_is_read_strictly() {
        let read = |status: Value| {
            let claims = json!({ "status": status });
            Reference::read(claims.as_object().unwrap()).map(|found| found.map(|it| (it.uri.to_owned(), it.index)))
        };
        let uri = "https://id.example.com/status/7";
        let good = |index| Ok(Some((uri.to_owned(), index)));
        assert_eq!(Reference::read(&Map::new()), Ok(None));
        assert_eq!(read(json!({"status_list": {"idx": 0, "uri": uri}})), good(0));
        assert_eq!(read(json!({"status_list": {"idx": 5, "uri": uri, "x": 1}, "y": 2})), good(5));
        assert_eq!(read(json!({"status_list": {"idx": MAX_INTEGER, "uri": uri}})), good(MAX_INTEGER));
        for bad in [
            json!(null),
            json!(1),
            json!("x"),
            json!([]),
            json!({}),
            json!({"other_mechanism": {}}),
            json!({"status_list": null}),
            json!({"status_list": []}),
            json!({"status_list": {}}),
            json!({"status_list": {"idx": 1}}),
            json!({"status_list": {"uri": uri}}),
            json!({"status_list": {"idx": -1, "uri": uri}}),
            json!({"status_list": {"idx": 1.5, "uri": uri}}),
            json!({"status_list": {"idx": "1", "uri": uri}}),
            json!({"status_list": {"idx": null, "uri": uri}}),
            json!({"status_list": {"idx": 1_u64 << 53, "uri": uri}}),
            json!({"status_list": {"idx": 1e300, "uri": uri}}),
            json!({"status_list": {"idx": 1, "uri": 7}}),
            json!({"status_list": [{"idx": 1, "uri": uri}]}),
        ] {
            assert_eq!(read(bad.clone()), Err(Reason::Status), "{bad}");
        }
    }

    #[test]
    fn decision_54_a_list_lies_under_the_issuer() {
        let issuer = |text: &str| Issuer::parse(text.to_owned()).unwrap();
        let ours = issuer("https://id.example.com");
        for good in ["https://id.example.com/status/7", "https://id.example.com/status/a/b"] {
            assert_eq!(status_list_url(good, &ours).unwrap().as_str(), good);
            assert!(status_list_url(good, &issuer("https://id.example.com/")).is_some());
        }
        let local = issuer("http://localhost:8080");
        assert!(status_list_url("http://localhost:8080/status/1", &local).is_some());
        assert!(status_list_url("https://a.example/t/status/1", &issuer("https://a.example/t")).is_some());
        assert!(status_list_url("https://a.example/status/1", &issuer("https://a.example/t")).is_none());
        let long = format!("https://id.example.com/status/{}", "1".repeat(500));
        for bad in [
            "",
            "/status/7",
            "https://id.example.com/status",
            "https://id.example.com/status/",
            "https://id.example.com/status7/1",
            "https://id.example.com/jwks",
            "https://id.example.com/status/../jwks",
            "https://id.example.com/status/%2e%2e/jwks",
            "https://id.example.com/status/..\\jwks",
            "https://id.example.com/status/7?x=1",
            "https://id.example.com/status/7?",
            "https://id.example.com/status/7#x",
            "https://id.example.com/status/7 ",
            "https://id.example.com/status/\t7",
            "https://id.example.com:443/status/7",
            "https://id.example.com:8443/status/7",
            "https://ID.example.com/status/7",
            "https://id.example.com.evil.example/status/7",
            "https://id.example.com@evil.example/status/7",
            "https://evil.example/status/7",
            "http://id.example.com/status/7",
            "file:///status/7",
            long.as_str(),
        ] {
            assert!(status_list_url(bad, &ours).is_none(), "{bad}");
        }
    }
}
