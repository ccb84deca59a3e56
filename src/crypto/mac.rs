//! HMAC-SHA-256, and subkeys drawn from one key by HKDF (RFC 5869).

use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

/// A key for HMAC-SHA-256, parsed once. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// Takes the bytes of a key.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The MAC over the parts as they follow each other. The caller sees to it that the parts cannot be read in two
    /// ways: fixed lengths, or [`Framed`].
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        out
    }

    /// Whether `mac` is the MAC over the parts; takes the same time wherever they differ.
    #[must_use]
    pub fn verifies(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        super::equal(&self.sign(parts), mac)
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

/// Fields joined so that no two lists of fields give the same bytes: each is preceded by its length.
#[derive(Debug, Default)]
pub struct Framed(Vec<u8>);

impl Framed {
    /// Joins the fields.
    #[must_use]
    pub fn of(fields: &[&str]) -> Self {
        let mut joined = Self::default();
        for field in fields {
            joined.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
            joined.0.extend_from_slice(field.as_bytes());
        }
        joined
    }

    /// The joined bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A 32-byte subkey of `key` for one purpose. Different purposes give keys that tell nothing of each other.
#[must_use]
pub fn subkey(key: &[u8; 32], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // HKDF fails only where more than 255 blocks are asked for; 32 bytes are one block.
    let filled = hkdf::Salt::new(hkdf::HKDF_SHA256, b"frontdesk")
        .extract(key)
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(out.as_mut_slice()));
    debug_assert!(filled.is_ok());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_keeps_fields_apart() {
        assert_ne!(Framed::of(&["ab", "c"]).as_bytes(), Framed::of(&["a", "bc"]).as_bytes());
        assert_ne!(Framed::of(&["", "a"]).as_bytes(), Framed::of(&["a", ""]).as_bytes());
    }

    #[test]
    fn purposes_give_different_keys() {
        let key = [7; 32];
        assert_ne!(*subkey(&key, b"a"), *subkey(&key, b"b"));
        assert_ne!(*subkey(&key, b"a"), [0; 32]);
    }

    #[test]
    fn a_mac_with_one_bit_changed_is_refused() {
        let key = MacKey::new(&[1; 32]);
        let mut mac = key.sign(&[b"one", b"two"]);
        assert!(key.verifies(&[b"onetwo"], &mac));
        mac[31] ^= 1;
        assert!(!key.verifies(&[b"onetwo"], &mac));
    }
}
