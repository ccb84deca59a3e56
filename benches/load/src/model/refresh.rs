//! Refresh tokens of the product's format: family, generation and a MAC under a key drawn for the family.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const PREFIX: &str = "fd_rt_";

/// A refresh token whose MAC was made or checked.
pub(super) struct RefreshToken {
    /// The family's row.
    pub(super) family: String,
    /// Its generation.
    pub(super) generation: u32,
}

impl RefreshToken {
    /// Reads a token and checks its MAC.
    pub(super) fn read(presented: &str, root: &hmac::Key, client: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(presented.strip_prefix(PREFIX)?).ok()?;
        let (family, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, mac) = rest.split_first_chunk::<4>()?;
        let generation = u32::from_be_bytes(*generation);
        hmac::verify(&key(root, family), &message(family, generation, client), mac).ok()?;
        Some(Self { family: URL_SAFE_NO_PAD.encode(family), generation })
    }

    /// The text of the token.
    pub(super) fn text(&self, root: &hmac::Key, client: &str) -> Option<String> {
        let family: [u8; 16] = URL_SAFE_NO_PAD.decode(&self.family).ok()?.try_into().ok()?;
        let mac = hmac::sign(&key(root, &family), &message(&family, self.generation, client));
        let mut bytes = family.to_vec();
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(mac.as_ref());
        Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }
}

fn key(root: &hmac::Key, family: &[u8; 16]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(root, family).as_ref())
}

fn message(family: &[u8; 16], generation: u32, client: &str) -> Vec<u8> {
    let mut message = b"rt1".to_vec();
    message.extend_from_slice(family);
    message.extend_from_slice(&generation.to_be_bytes());
    message.extend_from_slice(client.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_76_characters_and_genuine_for_its_client_only() {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let made = RefreshToken { family: URL_SAFE_NO_PAD.encode([1; 16]), generation: 3 };
        let text = made.text(&root, "a").unwrap();
        assert_eq!(text.len(), 76);
        let read = RefreshToken::read(&text, &root, "a").unwrap();
        assert_eq!((read.family, read.generation), (made.family, 3));
        assert!(RefreshToken::read(&text, &root, "b").is_none());
    }
}
