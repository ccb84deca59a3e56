//! Client secrets: long, random, and in rows only as a MAC.

use super::super::client_auth;
use super::RegistrationError;
use crate::crypto::encoding::b64u;
use crate::crypto::mac::MacKey;
use crate::crypto::random;
use crate::domain::secret::Secret;

const PREFIX: &str = "fd_cs_";
const SHORTEST: usize = 32;
const LONGEST: usize = 512;

/// A fresh secret: 256 random bits behind a prefix that scanners find.
#[must_use]
pub fn fresh_secret() -> Secret {
    Secret::new(format!("{PREFIX}{}", b64u(random::bytes::<32>())))
}

/// Whether a secret that someone brought may be used.
///
/// # Errors
/// What is wrong with it; never the secret itself.
pub fn check_secret(secret: &Secret) -> Result<(), RegistrationError> {
    let wrong = |problem: &str| {
        Err(RegistrationError {
            member: "client_secret",
            problem: problem.to_owned(),
            remedy: "leave it out, and one is made and shown once".to_owned(),
        })
    };
    let text = secret.expose();
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return wrong("it has 32 to 512 characters");
    }
    if !text.bytes().all(|b| (0x21..0x7f).contains(&b)) {
        return wrong("it has printable ASCII characters without spaces (RFC 6749 appendix A.2)");
    }
    Ok(())
}

/// A client secret as rows hold it, under the key for [`Purpose::ClientSecret`](crate::keys::vault::Purpose::ClientSecret).
#[must_use]
pub fn secret_mac(key: &MacKey, secret: &Secret) -> String {
    client_auth::secret_mac(key, secret.expose())
}
