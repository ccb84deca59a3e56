//! People: signing in and staying signed in.
//!
//! | file                 | says                                                            |
//! |----------------------|-----------------------------------------------------------------|
//! | `sign_in.rs`         | proving who one is, and the session that follows                |
//! | `change_password.rs` | a new password, and what ends with the old one                  |
//! | `proof.rs`           | the steps both share: permits, the stored hash, the comparison  |
//! | `throttle.rs`        | permits: how often a password may be tried                      |
//! | `passwords.rs`       | Argon2id off the async threads, bounded                         |
//! | `password_rules.rs`  | which new passwords are taken                                   |
//! | `sealed_hash.rs`     | how a hash goes into its row and out of it                      |
//! | `browsers.rs`        | which browser it is                                             |
//! | `sessions.rs`        | which session it is; keeping it awake, ending it                |
//! | `registration.rs`    | what is said of a person, and whether it can be                 |
//! | `people.rs`          | registering, disabling, removing people; their roles            |
//! | `declared.rs`        | people as a file declares them, all together                    |

pub mod browsers;
pub mod change_password;
pub mod declared;
pub mod first_admin;
pub mod password_rules;
pub mod passwords;
pub mod people;
pub mod registration;
pub mod sessions;
pub mod sign_in;
pub mod throttle;

mod proof;
mod sealed_hash;

use std::fmt;
use std::sync::Arc;

use crate::keys::macs::{Macs, Purpose};
use crate::keys::vault::{Vault, VaultError};
use crate::store::{Store, StoreError};
use passwords::{PasswordError, Passwords};
use sessions::SessionPolicy;
use throttle::{Throttle, ThrottlePolicy};

/// Everything that signing in needs. Clones share it.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<House>);

#[derive(Debug)]
struct House {
    store: Store,
    vault: Arc<Vault>,
    passwords: Passwords,
    throttle: Throttle,
    sessions: SessionPolicy,
    /// Names and networks in the audit stand as MACs under this key.
    commitments: Macs,
}

impl Accounts {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        store: Store,
        vault: Arc<Vault>,
        passwords: Passwords,
        throttle: ThrottlePolicy,
        sessions: SessionPolicy,
    ) -> Self {
        let throttle = Throttle::new(&vault, throttle);
        let commitments = vault.macs(Purpose::Audit);
        Self(Arc::new(House { store, vault, passwords, throttle, sessions, commitments }))
    }

    /// The pool that hashes.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// How long people stay signed in.
    #[must_use]
    pub fn session_policy(&self) -> &SessionPolicy {
        &self.0.sessions
    }
}

/// A fault of ours: nothing was decided about the person, and the answer is 503.
#[derive(Debug, Clone)]
pub enum AccountsError {
    /// The database.
    Store(StoreError),
    /// A sealed hash does not open: an alarm, never a wrong password.
    Vault(VaultError),
    /// The pool for hashing.
    Passwords(PasswordError),
}

impl fmt::Display for AccountsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Vault(error) => error.fmt(f),
            Self::Passwords(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AccountsError {}

impl From<StoreError> for AccountsError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<VaultError> for AccountsError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

impl From<PasswordError> for AccountsError {
    fn from(error: PasswordError) -> Self {
        Self::Passwords(error)
    }
}

#[cfg(test)]
mod testing;
