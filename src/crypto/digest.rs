//! SHA-256.

use super::encoding::b64u;

/// The SHA-256 digest.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    out
}

/// The SHA-256 digest as base64url text: 43 characters.
#[must_use]
pub fn sha256_b64u(bytes: &[u8]) -> String {
    b64u(sha256(bytes))
}

/// The left half of the SHA-256 digest, as `at_hash` and `c_hash` want it (OIDC Core §3.1.3.6).
#[must_use]
pub fn left_half_b64u(bytes: &[u8]) -> String {
    let digest = sha256(bytes);
    let (left, _) = digest.split_at(16);
    b64u(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_hash_of_the_oidc_core_example() {
        assert_eq!(left_half_b64u(b"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn c_hash_of_the_oidc_core_example() {
        let code = b"Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
        assert_eq!(left_half_b64u(code), "LDktKdoQak3Pk0cnXxCltA");
    }
}
