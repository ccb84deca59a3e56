//! The key history: past keys with their times, and why one was revoked, as a signed document (OpenID Federation 1.0 §8.7,
//! historical keys). Who keeps signed things for long can tell later what a key of ours was worth when.

use serde::Serialize;
use serde_json::{Value, json};

use super::record::KeyRecord;
use super::ring::KeyRing;
use super::signer::Typ;
use super::state::KeyState;

/// The media type of the document.
pub const CONTENT_TYPE: &str = "application/jwk-set+jwt";

#[derive(Serialize)]
struct Document<'i> {
    iss: &'i str,
    iat: i64,
    keys: Vec<Value>,
}

/// The document of a ring, signed with ES256 where there is such a key. `None`: nothing signs.
#[must_use]
pub fn document(ring: &KeyRing, issuer: &str) -> Option<String> {
    let signer = ring.house_signer()?;
    let past = ring.records().filter(|key| matches!(key.state, KeyState::Retired | KeyState::Revoked));
    let document = Document { iss: issuer, iat: ring.loaded_at().as_seconds(), keys: past.filter_map(entry).collect() };
    signer.sign(Typ::KeyHistory, &serde_json::to_vec(&document).ok()?).ok()
}

fn entry(key: &KeyRecord) -> Option<Value> {
    let mut entry = serde_json::to_value(&key.public).ok()?;
    let members = entry.as_object_mut()?;
    let signed = key.activate_at <= key.changed_at;
    members.insert("iat".to_owned(), key.published_at.as_seconds().into());
    if signed {
        members.insert("nbf".to_owned(), key.activate_at.as_seconds().into());
    }
    // When it was good for the last time. A key that was revoked was good for nothing from then on.
    let end = if key.state == KeyState::Revoked { key.changed_at } else { key.retire_at.unwrap_or(key.changed_at) };
    members.insert("exp".to_owned(), end.as_seconds().into());
    if key.state == KeyState::Revoked {
        let mut revoked = json!({"revoked_at": key.changed_at.as_seconds(), "reason": "compromised"});
        if let Some(reason) = &key.reason {
            revoked.as_object_mut()?.insert("frontdesk_reason".to_owned(), reason.as_str().into());
        }
        members.insert("revoked".to_owned(), revoked);
    }
    Some(entry)
}
