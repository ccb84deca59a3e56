//! One status list: what its token must say (draft-ietf-oauth-status-list §5.1) and what stands in it.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::inflate::{Packed, inflate};
use crate::claims::{self, Expected};
use crate::error::Reason;
use crate::json;
use crate::token::MAX_KID;

/// Largest list as it is sent, packed.
const MAX_PACKED: usize = 4 * 1024 * 1024;

/// Largest list in memory: 2^27 places of one bit.
const MAX_UNPACKED: usize = 16 * 1024 * 1024;

/// Most compromised keys that one list names.
const MAX_DENIED: usize = 256;

/// A list whose token passed every check. Its memory is exactly that of its places.
pub(crate) struct StatusList {
    bits: u8,
    bytes: Box<[u8]>,
    /// Grows with each content.
    version: u64,
    /// Seconds since 1970.
    pub(crate) issued_at: u64,
    /// Seconds since 1970.
    pub(crate) expires_at: u64,
    pub(crate) ttl: Option<Duration>,
    /// Keys that the issuer revoked within the last 48 hours.
    pub(crate) denied_kids: Vec<String>,
    /// The key that signed it.
    pub(crate) signer: String,
}

/// Why a list is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// As with any token.
    Token(Reason),
    /// `sub` is not the address it was fetched from.
    Subject,
    /// `status_list` is not what the draft says.
    List,
    /// It is larger than lists may be.
    TooLarge,
    /// It names the key that signed it as compromised.
    DeniesItself,
    /// It is older than the one we have.
    Older,
}

impl From<Reason> for Flaw {
    fn from(reason: Reason) -> Self {
        Self::Token(reason)
    }
}

impl Flaw {
    /// A short stable code for logs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Token(reason) => reason.code(),
            Self::Subject => "subject",
            Self::List => "status_list",
            Self::TooLarge => "too_large",
            Self::DeniesItself => "denies_itself",
            Self::Older => "older",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the status list is refused: {}", self.code())
    }
}

impl StatusList {
    /// Reads the claims of a list token whose signature is good. `signer` is its `kid`.
    pub(crate) fn read(payload: &[u8], uri: &str, signer: &str, expected: &Expected<'_>) -> Result<Self, Flaw> {
        let all = json::object(payload).ok_or(Reason::Claims)?;
        if claims::text(&all, "iss")? != Some(expected.issuer) {
            return Err(Reason::Issuer.into());
        }
        if claims::text(&all, "sub")? != Some(uri) {
            return Err(Flaw::Subject);
        }
        let (issued_at, expires_at) = claims::times(&all, expected)?;
        let ttl = ttl(&all)?;
        let version = version(&all)?;
        let denied_kids = denied_kids(&all)?;
        if denied_kids.iter().any(|kid| kid == signer) {
            return Err(Flaw::DeniesItself);
        }
        let (bits, bytes) = content(all.get("status_list"))?;
        Ok(Self { bits, bytes, version, issued_at, expires_at, ttl, denied_kids, signer: signer.to_owned() })
    }

    /// The status at a place: 0 is valid, anything else is not. `None` beyond the end.
    pub(crate) fn get(&self, index: u64) -> Option<u8> {
        let place = index.checked_mul(self.bits.into())?;
        let byte = *self.bytes.get(usize::try_from(place / 8).ok()?)?;
        let mask = u8::MAX >> (8 - self.bits);
        Some((byte >> (place % 8)) & mask)
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> (u8, &[u8]) {
        (self.bits, &self.bytes)
    }

    /// How much memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Is this list older than `other`? The issuer's version of the content decides, not `iat`: several
    /// processes of an issuer sign lists.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        self.version < other.version
    }
}

/// How soon it is worth asking again: a positive number of seconds.
fn ttl(all: &Map<String, Value>) -> Result<Option<Duration>, Reason> {
    let Some(ttl) = claims::date(all, "ttl")? else {
        return Ok(None);
    };
    if ttl > 0.0 { Ok(Some(Duration::from_secs_f64(ttl))) } else { Err(Reason::Claims) }
}

fn version(all: &Map<String, Value>) -> Result<u64, Reason> {
    let version = all.get("frontdesk_version").ok_or(Reason::MissingClaim)?;
    version.as_u64().filter(|version| *version <= claims::MAX_INTEGER).ok_or(Reason::Claims)
}

fn denied_kids(all: &Map<String, Value>) -> Result<Vec<String>, Reason> {
    let kids = match all.get("denied_kids") {
        None => return Ok(Vec::new()),
        Some(Value::Array(kids)) if kids.len() <= MAX_DENIED => kids,
        Some(_) => return Err(Reason::Claims),
    };
    let kid = |kid: &Value| {
        let kid = kid.as_str().filter(|kid| (1..=MAX_KID).contains(&kid.len()));
        kid.map(str::to_owned).ok_or(Reason::Claims)
    };
    kids.iter().map(kid).collect()
}

/// The `status_list` object: bits per place and the unpacked places.
fn content(list: Option<&Value>) -> Result<(u8, Box<[u8]>), Flaw> {
    let list = list.and_then(Value::as_object).ok_or(Flaw::List)?;
    let bits = match list.get("bits").and_then(Value::as_u64) {
        Some(1) => 1,
        Some(2) => 2,
        Some(4) => 4,
        Some(8) => 8,
        _ => return Err(Flaw::List),
    };
    let text = list.get("lst").and_then(Value::as_str).ok_or(Flaw::List)?;
    if text.len() > MAX_PACKED / 3 * 4 {
        return Err(Flaw::TooLarge);
    }
    let packed = URL_SAFE_NO_PAD.decode(text).map_err(|_| Flaw::List)?;
    match inflate(&packed, MAX_UNPACKED) {
        Ok(bytes) if !bytes.is_empty() => Ok((bits, bytes)),
        Ok(_) | Err(Packed::Malformed) => Err(Flaw::List),
        Err(Packed::TooLarge) => Err(Flaw::TooLarge),
    }
}

#[cfg(test)]
mod tests;
