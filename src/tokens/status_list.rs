//! The signed list (draft-ietf-oauth-status-list): which places are set, in a form that every API can keep.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

use crate::crypto::{digest, encoding};
use crate::domain::id::KeyId;
use crate::domain::status::{self, StatusIndex};
use crate::domain::time::Timestamp;
use crate::keys::signer::{SignError, Signer, Typ};

/// The media type (section 5.1).
pub const CONTENT_TYPE: &str = "application/statuslist+jwt";

/// After how long an API asks again, in seconds.
const TTL: u64 = 10;
/// How long a list may be trusted where a newer one cannot be had.
pub const LIFE: Duration = Duration::from_secs(300);
/// After how long the same content is signed again.
pub const SIGNED_AGAIN: Duration = Duration::from_secs(120);

/// What a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// How many places it has.
    capacity: usize,
    /// Those that are set.
    set: BTreeSet<usize>,
    /// Keys whose tokens count no more, whatever the key set in somebody's memory says.
    denied: BTreeSet<KeyId>,
}

/// A list cannot be put together: it would say less than it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange(StatusIndex);

impl std::fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status list {} has no place {}", self.0.list, self.0.index)
    }
}

impl std::error::Error for OutOfRange {}

#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    sub: String,
    iat: i64,
    exp: i64,
    ttl: u64,
    /// Our private claim. It orders the contents of a list, which `iat` does not.
    frontdesk_version: i64,
    status_list: StatusList,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    denied_kids: Vec<&'c str>,
}

#[derive(Serialize)]
struct StatusList {
    bits: u8,
    lst: String,
    aggregation_uri: String,
}

impl Content {
    /// Of a list with so many places.
    ///
    /// # Errors
    /// [`OutOfRange`] if a place lies outside of it.
    pub fn new(
        capacity: i64,
        set: impl IntoIterator<Item = StatusIndex>,
        denied: BTreeSet<KeyId>,
    ) -> Result<Self, OutOfRange> {
        let capacity = usize::try_from(capacity).unwrap_or(0);
        let inside = |place: StatusIndex| {
            usize::try_from(place.index).ok().filter(|index| *index < capacity).ok_or(OutOfRange(place))
        };
        let set = set.into_iter().map(inside).collect::<Result<_, _>>()?;
        Ok(Self { capacity, set, denied })
    }

    /// What tells two contents apart.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut text = format!("{}", self.capacity);
        for index in &self.set {
            text.push_str(&format!(" {index}"));
        }
        for kid in &self.denied {
            text.push_str(&format!(" {kid}"));
        }
        digest::sha256_b64u(text.as_bytes())
    }

    /// One bit a place, from the least significant upward (section 4.1), compressed in the ZLIB format, base64url.
    fn lst(&self) -> std::io::Result<String> {
        let mut bytes = vec![0_u8; self.capacity.div_ceil(8)];
        for index in &self.set {
            if let Some(byte) = bytes.get_mut(index / 8) {
                *byte |= 1 << (index % 8);
            }
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        Ok(encoding::b64u(encoder.finish()?))
    }

    /// The token of this content (section 5.1).
    ///
    /// # Errors
    /// [`SignError`] if it cannot be signed.
    pub fn sign(
        &self,
        list: i64,
        version: i64,
        issuer: &str,
        signer: &Signer,
        now: Timestamp,
    ) -> Result<String, SignError> {
        let claims = Claims {
            iss: issuer,
            sub: status::list_uri(issuer, list),
            iat: now.as_seconds(),
            exp: now.plus(LIFE).as_seconds(),
            ttl: TTL,
            frontdesk_version: version,
            status_list: StatusList {
                bits: 1,
                lst: self.lst().map_err(|_| SignError::Refused)?,
                aggregation_uri: status::lists_uri(issuer),
            },
            denied_kids: self.denied.iter().map(KeyId::as_str).collect(),
        };
        signer.sign(Typ::StatusList, &serde_json::to_vec(&claims).map_err(|_| SignError::Refused)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(capacity: i64, set: &[i64]) -> Content {
        let places = set.iter().map(|index| StatusIndex { list: 1, index: *index });
        Content::new(capacity, places, BTreeSet::new()).unwrap()
    }

    /// Section 4.1 of the draft: two bytes 0xb9 0xa3 for the statuses of its example.
    #[test]
    fn bits_stand_from_the_least_significant_upward() {
        let set = [0, 3, 4, 5, 7, 8, 9, 13, 15];
        assert_eq!(content(16, &set).lst().unwrap(), "eNrbuRgAAhcBXQ");
        assert_ne!(content(16, &set[1..]).lst().unwrap(), "eNrbuRgAAhcBXQ");
    }

    /// What an API downloads for a million grants; zlib itself packs a tenth better. The places are drawn by a generator that always draws the same.
    #[test]
    fn a_million_grants_cost_some_kilobytes() {
        for (share, most) in [(0, 200), (100, 720), (1_000, 3_700), (10_000, 23_500)] {
            let mut state = 88_172_645_463_325_252_u64;
            let mut draw = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                i64::try_from(state % 1_000_000).unwrap()
            };
            let mut set = BTreeSet::new();
            while set.len() < share {
                set.insert(draw());
            }
            let set: Vec<i64> = set.into_iter().collect();
            let lst = content(1 << 20, &set).lst().unwrap();
            assert!(lst.len() <= most, "{share} of a million: {} characters", lst.len());
            assert!(lst.len() >= most / 2, "{share} of a million: {} characters", lst.len());
        }
    }

    #[test]
    fn a_digest_tells_contents_apart() {
        let one = content(1 << 20, &[1, 2]);
        assert_eq!(one.digest(), content(1 << 20, &[2, 1]).digest());
        for other in [content(1 << 20, &[12]), content(1 << 20, &[1, 2, 3]), content(1 << 19, &[1, 2])] {
            assert_ne!(other.digest(), one.digest());
        }
        let denied = Content { denied: [KeyId::new("k")].into(), ..one.clone() };
        assert_ne!(denied.digest(), one.digest());
    }

    #[test]
    fn a_place_outside_is_not_dropped() {
        for index in [-1, 16, i64::MAX] {
            let place = StatusIndex { list: 3, index };
            let error = Content::new(16, [place], BTreeSet::new()).unwrap_err();
            assert_eq!(error.to_string(), format!("status list 3 has no place {index}"));
        }
    }
}
