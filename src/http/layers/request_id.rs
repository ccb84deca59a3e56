//! The name of a request, in the answer and in the log.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::random;

/// Names a request: 128 random bits as base64url. Never taken from the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 22]);

impl RequestId {
    pub(super) fn fresh() -> Self {
        let mut text = [b'A'; 22];
        // Sixteen bytes are 22 characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(DRAWN.with_borrow_mut(Drawn::next), &mut text);
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Random bytes drawn for many requests at once: each visit to the generator costs as much as a twentieth of the shortest
/// answer. Ids are no secrets, so they may lie in memory before they are used.
struct Drawn {
    bytes: [u8; 1024],
    left: usize,
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; 1024], left: 0 }) };
}

impl Drawn {
    fn next(&mut self) -> [u8; 16] {
        if self.left == 0 {
            *self = Self { bytes: random::bytes(), left: 1024 / 16 };
        }
        self.left -= 1;
        let (ids, _) = self.bytes.as_chunks::<16>();
        ids.get(self.left).copied().unwrap_or_else(random::bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_repeat() {
        let ids: std::collections::HashSet<String> = (0..1_000).map(|_| RequestId::fresh().to_string()).collect();
        assert_eq!(ids.len(), 1_000);
    }
}
