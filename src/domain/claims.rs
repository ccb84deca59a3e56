//! Claims about people: which scope opens which claim, and claims asked for by name (OIDC Core §5.4, §5.5).

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::scope::ScopeSet;
use super::strict_json;
use super::user::User;

/// Standard claims and the scope that opens each (OIDC Core §5.4).
pub const STANDARD: [(&str, &str); 19] = [
    ("name", "profile"),
    ("family_name", "profile"),
    ("given_name", "profile"),
    ("middle_name", "profile"),
    ("nickname", "profile"),
    ("preferred_username", "profile"),
    ("profile", "profile"),
    ("picture", "profile"),
    ("website", "profile"),
    ("gender", "profile"),
    ("birthdate", "profile"),
    ("zoneinfo", "profile"),
    ("locale", "profile"),
    ("updated_at", "profile"),
    ("email", "email"),
    ("email_verified", "email"),
    ("address", "address"),
    ("phone_number", "phone"),
    ("phone_number_verified", "phone"),
];

/// Scopes of OpenID Connect itself: they belong to no resource.
pub const OIDC_SCOPES: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

/// Whether the scope is one of OpenID Connect's own.
#[must_use]
pub fn is_oidc_scope(word: &str) -> bool {
    OIDC_SCOPES.contains(&word)
}

/// The value of one claim of a person, or `None` if there is none to tell.
#[must_use]
pub fn claim_of(user: &User, name: &str) -> Option<Value> {
    let value = match name {
        "preferred_username" => Value::from(user.username.as_str()),
        "updated_at" => Value::from(user.updated_at.as_seconds()),
        "email" => user.email.clone().map_or(Value::Null, Value::from),
        "email_verified" => user.email.as_ref().map_or(Value::Null, |_| Value::from(user.email_verified)),
        // Only registered standard claims leave the house: a column full of notes must not.
        _ if STANDARD.iter().any(|(claim, _)| *claim == name) => user.claims.get(name).cloned().unwrap_or(Value::Null),
        _ => Value::Null,
    };
    // OIDC Core §5.3.2: a claim without value is left out, never null or empty.
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        other => Some(other),
    }
}

/// The claims that the scopes and the wishes open, with their values.
#[must_use]
pub fn released(user: &User, scope: &ScopeSet, wishes: &Wishes) -> Map<String, Value> {
    STANDARD
        .iter()
        .filter(|(name, opened_by)| scope.contains(opened_by) || wishes.contains_key(*name))
        .filter_map(|(name, _)| claim_of(user, name).map(|value| ((*name).to_owned(), value)))
        .collect()
}

/// What is wished of claims in one place: claim names and what is said of each.
pub type Wishes = BTreeMap<String, Wish>;

/// What a client says of one claim.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Wish {
    /// It cannot do without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The values it would take, best first; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

/// The `claims` parameter: what is wished in the ID token and at userinfo.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ClaimsRequest {
    /// For the ID token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: Wishes,
    /// For userinfo.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: Wishes,
}

/// The `claims` parameter is not what OIDC Core §5.5 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedClaims;

impl fmt::Display for MalformedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims is a JSON object with the members userinfo and id_token (OpenID Connect Core 5.5)")
    }
}

impl std::error::Error for MalformedClaims {}

/// Names that we know but that are no claims of a person.
const PROTOCOL_CLAIMS: [&str; 3] = ["acr", "auth_time", "sub"];

const LONGEST: usize = 8 * 1024;

impl ClaimsRequest {
    /// Reads the parameter. Members and claims that nobody knows are dropped.
    ///
    /// # Errors
    /// [`MalformedClaims`] if it is over 8 KiB, not JSON, or of another shape.
    pub fn parse(text: &str) -> Result<Self, MalformedClaims> {
        if text.len() > LONGEST {
            return Err(MalformedClaims);
        }
        let members = strict_json::object(text.as_bytes()).ok_or(MalformedClaims)?;
        Ok(Self { id_token: wishes(members.get("id_token"))?, userinfo: wishes(members.get("userinfo"))? })
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// [`MalformedClaims`] if the row was damaged.
    pub fn stored(text: &str) -> Result<Self, MalformedClaims> {
        if text.is_empty() { Ok(Self::default()) } else { serde_json::from_str(text).map_err(|_| MalformedClaims) }
    }

    /// The text for a row; empty if nothing is wished.
    #[must_use]
    pub fn to_text(&self) -> String {
        if self.id_token.is_empty() && self.userinfo.is_empty() {
            String::new()
        } else {
            serde_json::to_string(self).unwrap_or_default()
        }
    }

    /// Without the claims of a person that no scope of `allowed` opens: asking by name gets nobody more than asking by scope.
    #[must_use]
    pub fn within(mut self, allowed: &ScopeSet) -> Self {
        let open = |name: &str| {
            STANDARD.iter().find(|(claim, _)| *claim == name).is_none_or(|(_, opened_by)| allowed.contains(opened_by))
        };
        self.id_token.retain(|name, _| open(name));
        self.userinfo.retain(|name, _| open(name));
        self
    }

    /// The claims of a person that are wished by name anywhere: what consent has to speak of.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .id_token
            .keys()
            .chain(self.userinfo.keys())
            .filter(|name| !PROTOCOL_CLAIMS.contains(&name.as_str()))
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The values of `sub` that were asked for, in each place where some were: whoever is meant is among all of them.
    #[must_use]
    pub fn wanted_subjects(&self) -> Vec<Vec<&str>> {
        [&self.id_token, &self.userinfo]
            .into_iter()
            .filter_map(|wishes| wishes.get("sub"))
            .filter(|wish| !wish.values.is_empty())
            .map(|wish| wish.values.iter().filter_map(Value::as_str).collect())
            .collect()
    }

    /// The classes of which the client cannot do without one (`acr` with `essential`); empty if there is no such wish.
    #[must_use]
    pub fn essential_acr(&self) -> Vec<&str> {
        self.id_token
            .get("acr")
            .filter(|wish| wish.essential)
            .map(|wish| wish.values.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }
}

fn wishes(member: Option<&Value>) -> Result<Wishes, MalformedClaims> {
    let members = match member {
        None | Some(Value::Null) => return Ok(Wishes::new()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(MalformedClaims),
    };
    let mut wishes = Wishes::new();
    for (name, said) in members {
        let known = STANDARD.iter().any(|(claim, _)| claim == name) || PROTOCOL_CLAIMS.contains(&name.as_str());
        let wish = match said {
            Value::Null => Wish::default(),
            Value::Object(said) => wish(said)?,
            _ => return Err(MalformedClaims),
        };
        if known {
            wishes.insert(name.clone(), wish);
        }
    }
    Ok(wishes)
}

fn wish(said: &Map<String, Value>) -> Result<Wish, MalformedClaims> {
    let essential = match said.get("essential") {
        None => false,
        Some(Value::Bool(essential)) => *essential,
        Some(_) => return Err(MalformedClaims),
    };
    let values = match (said.get("value"), said.get("values")) {
        (None, None) => Vec::new(),
        (Some(value), None) => vec![value.clone()],
        (None, Some(Value::Array(values))) => values.clone(),
        _ => return Err(MalformedClaims),
    };
    Ok(Wish { essential, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_wishes_and_drops_the_unknown() {
        let claims = ClaimsRequest::parse(
            r#"{"userinfo":{"email":null,"colour":{"essential":true}},"id_token":{"auth_time":{"essential":true},"acr":{"essential":true,"values":["a","b"]},"sub":{"value":"u1"}},"other":5}"#,
        )
        .unwrap();
        assert_eq!(claims.names(), ["email"]);
        assert_eq!(claims.essential_acr(), ["a", "b"]);
        assert_eq!(claims.wanted_subjects(), [["u1"]]);
        assert!(claims.id_token["auth_time"].essential);
        assert_eq!(ClaimsRequest::stored(&claims.to_text()).unwrap(), claims);
        assert_eq!(ClaimsRequest::stored("").unwrap(), ClaimsRequest::default());
    }

    #[test]
    fn a_wish_opens_no_more_than_the_scopes_of_the_client() {
        let text = r#"{"userinfo":{"email":null,"phone_number":null},"id_token":{"name":null,"acr":null,"sub":null}}"#;
        let allowed = ScopeSet::parse("openid email").unwrap();
        let claims = ClaimsRequest::parse(text).unwrap().within(&allowed);
        assert_eq!(claims.names(), ["email"]);
        assert_eq!(claims.id_token.keys().collect::<Vec<_>>(), ["acr", "sub"]);
    }

    #[test]
    fn refuses_other_shapes() {
        let long = format!(r#"{{"userinfo":{{"email":{{"value":"{}"}}}}}}"#, "x".repeat(9000));
        let deep = format!(r#"{{"userinfo":{{"email":{{"value":{}{}}}}}}}"#, "[".repeat(14), "]".repeat(14));
        for text in [
            "",
            "null",
            "[]",
            "5",
            "{",
            "\"x\"",
            r#"{"userinfo":5}"#,
            r#"{"userinfo":[]}"#,
            r#"{"id_token":"x"}"#,
            r#"{"userinfo":{"email":5}}"#,
            r#"{"userinfo":{"email":[]}}"#,
            r#"{"userinfo":{"email":{"essential":"yes"}}}"#,
            r#"{"userinfo":{"email":{"values":"x"}}}"#,
            r#"{"userinfo":{"email":{"value":1,"values":[1]}}}"#,
            r#"{"userinfo":{"email":null,"email":{"essential":true}}}"#,
            r#"{"userinfo":{},"userinfo":{}}"#,
            &deep,
            &long,
        ] {
            assert_eq!(ClaimsRequest::parse(text), Err(MalformedClaims), "{text}");
        }
    }
}
