//! JSON bodies, read strictly: one object, no name twice, not too deep, no NUL, which PostgreSQL text cannot keep.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::strict_json;

/// The object in a body.
#[must_use]
pub fn object(body: &[u8]) -> Option<Map<String, Value>> {
    strict_json::object(body).filter(|members| !members.iter().any(|(name, value)| has_nul(name, value)))
}

/// What an endpoint takes, out of the object in a body. Members that nobody knows are ignored.
#[must_use]
pub fn read<T: DeserializeOwned>(members: &Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(members.clone())).ok()
}

fn has_nul(name: &str, value: &Value) -> bool {
    name.contains('\0')
        || match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(|item| has_nul("", item)),
            Value::Object(members) => members.iter().any(|(name, value)| has_nul(name, value)),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Login {
        username: String,
    }

    fn login(body: &str) -> Option<String> {
        read(&object(body.as_bytes())?).map(|login: Login| login.username)
    }

    #[test]
    fn only_one_clear_object_is_taken() {
        assert_eq!(login(r#"{"username":"ada","other":[{}]}"#).as_deref(), Some("ada"));
        for body in [
            r#"{"username":1}"#,
            r#"{"username":"a","username":"b"}"#,
            r#"{"username":"a"} {}"#,
            r#"{"username":"a\u0000"}"#,
            r#"{"username":"a","\u0000":1}"#,
            r#"{"username":"a","b":[{"c":"\u0000"}]}"#,
            r#"["a"]"#,
            "",
        ] {
            assert_eq!(login(body), None, "{body}");
        }
    }
}
