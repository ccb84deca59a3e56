//! Refresh tokens: `fd_rt_` and `b64u(family id ‖ generation ‖ MAC)`. Nothing is stored per token; any generation can be
//! recognised as genuine, and the successor of a generation is always the same (protocol: families and rotation).

use std::fmt;

use zeroize::Zeroizing;

use super::id::{ClientId, FamilyId};
use crate::crypto::encoding;
use crate::crypto::mac::MacKey;

/// What a refresh token begins with.
pub const PREFIX: &str = "fd_rt_";

const ID: usize = 16;
const GENERATION: usize = 4;
const MAC: usize = 32;

impl FamilyId {
    /// A fresh identity: 16 bytes ordered by time, as base64url.
    #[must_use]
    pub fn fresh() -> Self {
        Self::new(encoding::b64u(uuid::Uuid::now_v7().into_bytes()))
    }

    fn bytes(&self) -> Vec<u8> {
        encoding::from_b64u(self.as_str()).unwrap_or_default()
    }

    /// The key that MACs this family's tokens, drawn from a refresh root.
    #[must_use]
    pub fn key(&self, root: &MacKey) -> MacKey {
        MacKey::new(&root.sign(&[&self.bytes()]))
    }
}

/// A refresh token in clear.
pub struct RefreshToken {
    family: FamilyId,
    generation: u32,
    mac: [u8; MAC],
}

impl RefreshToken {
    /// The token of a generation.
    #[must_use]
    pub fn of(family: &FamilyId, generation: u32, key: &MacKey, client: &ClientId) -> Self {
        let mac = mac(key, family, generation, client);
        Self { family: family.clone(), generation, mac }
    }

    /// Reads a presented token; `None` if it is none. It may still be forged: ask [`Self::is_genuine`].
    #[must_use]
    pub fn parse(presented: &str) -> Option<Self> {
        let bytes = Zeroizing::new(encoding::from_b64u(presented.strip_prefix(PREFIX)?)?);
        if bytes.len() != ID + GENERATION + MAC {
            return None;
        }
        let (id, rest) = bytes.split_at_checked(ID)?;
        let (generation, mac) = rest.split_at_checked(GENERATION)?;
        Some(Self {
            family: FamilyId::new(encoding::b64u(id)),
            generation: u32::from_be_bytes(generation.try_into().ok()?),
            mac: mac.try_into().ok()?,
        })
    }

    /// The family it names.
    #[must_use]
    pub fn family(&self) -> &FamilyId {
        &self.family
    }

    /// The generation it claims to be.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether we made it, for this client.
    #[must_use]
    pub fn is_genuine(&self, key: &MacKey, client: &ClientId) -> bool {
        key.verifies(&parts(&self.family.bytes(), self.generation, client).each_ref().map(Vec::as_slice), &self.mac)
    }

    /// The text, for the one who shall carry it.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(self.family.bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.mac);
        Zeroizing::new(format!("{PREFIX}{}", encoding::b64u(bytes.as_slice())))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({}, generation {})", self.family, self.generation)
    }
}

fn mac(key: &MacKey, family: &FamilyId, generation: u32, client: &ClientId) -> [u8; MAC] {
    key.sign(&parts(&family.bytes(), generation, client).each_ref().map(Vec::as_slice))
}

/// Fixed lengths but for the last, so that the parts cannot be read in two ways.
fn parts(family: &[u8], generation: u32, client: &ClientId) -> [Vec<u8>; 4] {
    [b"rt1".to_vec(), family.to_vec(), generation.to_be_bytes().to_vec(), client.as_str().as_bytes().to_vec()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector() -> (FamilyId, MacKey, ClientId) {
        let id: Vec<u8> = (0x00..=0x0f).collect();
        let key: Vec<u8> = (0x20..=0x3f).collect();
        (FamilyId::new(encoding::b64u(id)), MacKey::new(&key), ClientId::new("spa-1"))
    }

    #[test]
    fn the_published_vectors() {
        let (family, key, client) = vector();
        let expected = [
            "fd_rt_AAECAwQFBgcICQoLDA0ODwAAAAD3KDWxw-gUodxp1SVc3xpFMIbsqoyGqwy2JvBMHL5wKg",
            "fd_rt_AAECAwQFBgcICQoLDA0ODwAAAAF1D_d2IGCnX2xQxO6LYI2sBIORL-JA450RdygRFZ0ZvA",
            "fd_rt_AAECAwQFBgcICQoLDA0ODwAAAAJua_RQE479ZUd3jr6TlXZUlwPhPYG-wlUoDWkZ4C9vwQ",
        ];
        for (generation, text) in (0u32..).zip(expected) {
            let token = RefreshToken::of(&family, generation, &key, &client);
            assert_eq!(token.expose().as_str(), text);
            assert_eq!(text.len(), 76);
            let read = RefreshToken::parse(text).unwrap();
            assert_eq!((read.family(), read.generation()), (&family, generation));
            assert!(read.is_genuine(&key, &client));
        }
    }

    #[test]
    fn a_changed_byte_another_client_or_another_key_is_no_token_of_ours() {
        let (family, key, client) = vector();
        let token = RefreshToken::of(&family, 7, &key, &client);
        assert!(!token.is_genuine(&key, &ClientId::new("spa-2")));
        assert!(!token.is_genuine(&MacKey::new(&[9; 32]), &client));
        let text = token.expose();
        for at in 6..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(RefreshToken::parse(&changed).is_none_or(|read| !read.is_genuine(&key, &client)), "{changed}");
        }
    }

    #[test]
    fn nonsense_is_no_token() {
        for text in
            ["", "fd_rt_", "fd_ac_AAAA", &format!("fd_rt_{}", "A".repeat(69)), &format!("fd_rt_{}", "A".repeat(71))]
        {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
