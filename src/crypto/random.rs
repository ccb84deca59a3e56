//! Random bytes from the generator of the operating system.

/// Fresh random bytes.
///
/// # Panics
/// Never in practice: without a random source no secret may be made, so the process stops.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    if aws_lc_rs::rand::fill(&mut out).is_err() {
        // A secret without randomness is worse than no service.
        std::process::abort();
    }
    out
}
