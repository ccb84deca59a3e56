//! Where a grant's bit stands in the Token Status Lists (draft-ietf-oauth-status-list), and under which addresses they are.

use serde::Serialize;
use serde_json::Value;

/// A position in a status list. Given to each grant at its birth, and to each client for `client_credentials`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusIndex {
    /// The list's number.
    pub list: i64,
    /// The position in it.
    pub index: i64,
}

impl StatusIndex {
    /// The claim `status` of a token with this place.
    #[must_use]
    pub fn claim(self, issuer: &str) -> StatusClaim {
        StatusClaim { status_list: StatusReference { idx: self.index, uri: list_uri(issuer, self.list) } }
    }
}

impl StatusIndex {
    /// The place that a claim `status` of ours names.
    #[must_use]
    pub fn claimed(claim: &Value, issuer: &str) -> Option<Self> {
        let reference = claim.get("status_list")?;
        let uri = reference.get("uri")?.as_str()?;
        Some(Self { list: list_at(uri.strip_prefix(issuer)?)?, index: reference.get("idx")?.as_i64()? })
    }
}

/// The claim `status` (section 6.2 of the draft).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusClaim {
    status_list: StatusReference,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct StatusReference {
    idx: i64,
    uri: String,
}

/// Path of the aggregation (section 9.1 of the draft); each list lies under it.
pub const PATH: &str = "/status";

/// The address of a list.
#[must_use]
pub fn list_uri(issuer: &str, list: i64) -> String {
    format!("{issuer}{PATH}/{list}")
}

/// The address that names all lists.
#[must_use]
pub fn lists_uri(issuer: &str) -> String {
    format!("{issuer}{PATH}")
}

/// The number of the list at a path, in the one spelling that we give out.
#[must_use]
pub fn list_at(path: &str) -> Option<i64> {
    let number = path.strip_prefix(PATH)?.strip_prefix('/')?;
    number.parse().ok().filter(|list: &i64| *list >= 0 && list.to_string() == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_address() {
        assert_eq!(list_uri("https://id.example.com", 7), "https://id.example.com/status/7");
        assert_eq!(list_at("/status/7"), Some(7));
        for other in [
            "/status",
            "/status/",
            "/status/07",
            "/status/+7",
            "/status/-7",
            "/status/7/",
            "/status/99999999999999999999",
        ] {
            assert_eq!(list_at(other), None, "{other}");
        }
    }

    #[test]
    fn the_claim_names_place_and_list() {
        let claim = StatusIndex { list: 7, index: 5 }.claim("https://id.example.com");
        let json = serde_json::to_value(claim).unwrap();
        assert_eq!(StatusIndex::claimed(&json, "https://id.example.com"), Some(StatusIndex { list: 7, index: 5 }));
        assert_eq!(StatusIndex::claimed(&json, "https://id.example.org"), None);
        assert_eq!(json, serde_json::json!({"status_list": {"idx": 5, "uri": "https://id.example.com/status/7"}}));
    }
}
