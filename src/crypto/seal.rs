//! Sealing: AES-256-GCM under a fresh random nonce, bound to a context that must be named again to open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

const NONCE: usize = 12;

/// The sealed text could not be opened: another key, another context, or a changed byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotOpen;

/// Seals `plain` under `key`, bound to `context`. The answer is nonce, ciphertext and tag in one.
#[must_use]
pub fn seal(key: &[u8; 32], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    let sealed = RandomizedNonceKey::new(&AES_256_GCM, key)
        .and_then(|key| key.seal_in_place_append_tag(Aad::from(context), &mut body));
    match sealed {
        Ok(nonce) => {
            let mut out = nonce.as_ref().to_vec();
            out.append(&mut body);
            out
        }
        // The key has the right length and the text is far below the limit of GCM: only a broken library gets here.
        Err(_) => std::process::abort(),
    }
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`CannotOpen`] if the key or the context is another, or a byte was changed.
pub fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(CannotOpen)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CannotOpen)?;
    let mut body = Zeroizing::new(body.to_vec());
    let length = RandomizedNonceKey::new(&AES_256_GCM, key)
        .and_then(|key| key.open_in_place(nonce, Aad::from(context), &mut body).map(|plain| plain.len()))
        .map_err(|_| CannotOpen)?;
    body.truncate(length);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_key_context_and_bytes() {
        let key = [1; 32];
        let sealed = seal(&key, b"row 1", b"secret");
        assert_eq!(open(&key, b"row 1", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(open(&key, b"row 2", &sealed), Err(CannotOpen));
        assert_eq!(open(&[2; 32], b"row 1", &sealed), Err(CannotOpen));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"row 1", &changed), Err(CannotOpen));
        }
        assert_eq!(open(&key, b"row 1", &sealed[..5]), Err(CannotOpen));
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        assert_ne!(seal(&[1; 32], b"", b"x"), seal(&[1; 32], b"", b"x"));
    }
}
