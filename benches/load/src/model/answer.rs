//! Answers of the product as patterns: the same members with the same values, and slots for what is new in each answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Result, failure};

/// What the product answered once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// The status.
    pub(crate) status: u16,
    /// Names in lower case, in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

impl Sample {
    /// The headers, but for those that the HTTP library writes by itself.
    pub(super) fn header_map(&self) -> Result<HeaderMap> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            if !matches!(name.as_str(), "content-length" | "date" | "connection") {
                map.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
            }
        }
        Ok(map)
    }
}

/// JSON text with slots.
pub(super) struct Pattern(Vec<Piece>);

enum Piece {
    Text(String),
    Slot(Slot),
}

#[derive(Clone, Copy)]
enum Slot {
    Access,
    Id,
    Refresh,
    IssuedAt,
    /// So many seconds after the first.
    ExpiresAt(i64),
    TokenName,
    Grant,
    AccessDigest,
}

/// What goes into the slots.
#[derive(Default)]
pub(super) struct Filling<'a> {
    pub(super) access: &'a str,
    pub(super) id: &'a str,
    pub(super) refresh: &'a str,
    pub(super) issued_at: i64,
    pub(super) token_name: &'a str,
    pub(super) grant: &'a str,
    pub(super) access_digest: &'a str,
}

impl Pattern {
    /// From the body of an answer; an empty body stays empty.
    pub(super) fn of_body(body: &str) -> Result<Self> {
        if body.is_empty() {
            return Ok(Self(Vec::new()));
        }
        Self::of(&serde_json::from_str(body)?)
    }

    /// From an object.
    pub(super) fn of(members: &Map<String, Value>) -> Result<Self> {
        let number = |name: &str| members.get(name).and_then(Value::as_i64);
        let mut pieces = Vec::new();
        let mut text = String::from("{");
        for (at, (name, value)) in members.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(&serde_json::to_string(name)?);
            text.push(':');
            let slot = match name.as_str() {
                "access_token" => Some(Slot::Access),
                "id_token" => Some(Slot::Id),
                "refresh_token" => Some(Slot::Refresh),
                "iat" => Some(Slot::IssuedAt),
                "exp" => match (number("iat"), number("exp")) {
                    (Some(from), Some(to)) => Some(Slot::ExpiresAt(to - from)),
                    _ => return Err(failure("exp without iat")),
                },
                "jti" => Some(Slot::TokenName),
                "gid" => Some(Slot::Grant),
                "at_hash" => Some(Slot::AccessDigest),
                _ => None,
            };
            match slot {
                None => text.push_str(&value.to_string()),
                Some(Slot::IssuedAt | Slot::ExpiresAt(_)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.extend(slot.map(Piece::Slot));
                }
                Some(slot) => {
                    text.push('"');
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Slot(slot));
                    text.push('"');
                }
            }
        }
        text.push('}');
        pieces.push(Piece::Text(text));
        Ok(Self(pieces))
    }

    /// The text with the slots filled.
    pub(super) fn fill(&self, with: &Filling<'_>) -> String {
        use std::fmt::Write as _;
        let mut out = String::with_capacity(512 + with.access.len() + with.id.len() + with.refresh.len());
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Slot(Slot::Access) => out.push_str(with.access),
                Piece::Slot(Slot::Id) => out.push_str(with.id),
                Piece::Slot(Slot::Refresh) => out.push_str(with.refresh),
                Piece::Slot(Slot::TokenName) => out.push_str(with.token_name),
                Piece::Slot(Slot::Grant) => out.push_str(with.grant),
                Piece::Slot(Slot::AccessDigest) => out.push_str(with.access_digest),
                // Writing into a String cannot fail.
                Piece::Slot(Slot::IssuedAt) => drop(write!(out, "{}", with.issued_at)),
                Piece::Slot(Slot::ExpiresAt(life)) => drop(write!(out, "{}", with.issued_at + life)),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_pattern_has_the_members_of_its_sample() {
        let sample = r#"{"access_token":"old","expires_in":900,"scope":"a \"b\"","refresh_token":"r"}"#;
        let filled =
            Pattern::of_body(sample).unwrap().fill(&Filling { access: "new", refresh: "s", ..Filling::default() });
        let read: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(
            read,
            serde_json::json!({"access_token": "new", "expires_in": 900, "scope": "a \"b\"", "refresh_token": "s"})
        );
    }

    #[test]
    fn times_move_together() {
        let members = serde_json::json!({"iat": 100, "exp": 1_000, "jti": "x", "sub": "s"});
        let pattern = Pattern::of(members.as_object().unwrap()).unwrap();
        let filled = pattern.fill(&Filling { issued_at: 7, token_name: "y", ..Filling::default() });
        let read: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(read, serde_json::json!({"iat": 7, "exp": 907, "jti": "y", "sub": "s"}));
    }

    #[test]
    fn an_empty_body_stays_empty() {
        assert_eq!(Pattern::of_body("").unwrap().fill(&Filling::default()), "");
    }
}
