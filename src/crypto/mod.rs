//! Thin and boring names over aws-lc-rs. No algorithm is written here.
//!
//! | file         | says                                        |
//! |--------------|---------------------------------------------|
//! | `digest.rs`  | SHA-256, and its base64url text             |
//! | `mac.rs`     | HMAC-SHA-256 and HKDF subkeys               |
//! | `random.rs`  | bytes from the operating system's generator |
//! | `seal.rs`    | AES-256-GCM with bound context              |
//! | `encoding.rs`| base64url without padding                   |

pub mod digest;
pub mod encoding;
pub mod mac;
pub mod random;
pub mod seal;

/// Compares two byte strings without telling by its duration where they differ.
#[must_use]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left, right).is_ok()
}
