//! The key ring, and the master key over it.
//!
//! | file           | says                                                                |
//! |----------------|---------------------------------------------------------------------|
//! | `vault.rs`     | the master key, what is sealed for whom                             |
//! | `macs.rs`      | MAC keys, drawn from the MAC root                                   |
//! | `mac_roots.rs` | the MAC root in the database                                        |
//! | `master_key.rs`| whether the master key is the database's                            |
//! | `rewrap.rs`    | everything sealed anew under a new master key                       |
//! | `state.rs`     | pending, active, retiring, retired, revoked: what each may do       |
//! | `jwk.rs`       | public keys, thumbprint as name                                     |
//! | `pair.rs`      | making RSA and P-256 pairs                                          |
//! | `record.rs`    | a key's row, and whether it is believed                             |
//! | `signer.rs`    | parsed keys held ready; compact JWS                                 |
//! | `ring.rs`      | all keys at one moment; the key set; the handle that is replaced    |
//! | `verify.rs`    | our own tokens when they come back                                  |
//! | `roots.rs`     | what the keys of refresh families are drawn from                    |
//! | `bootstrap.rs` | the first start                                                     |

pub mod bootstrap;
pub mod jwk;
pub mod mac_roots;
pub mod macs;
pub mod master_key;
pub mod pair;
pub mod record;
pub mod rewrap;
pub mod ring;
pub mod roots;
pub mod signer;
pub mod state;
pub mod vault;
pub mod verify;

#[cfg(test)]
mod rewrap_tests;
mod verifier;

pub use bootstrap::{KeyPolicy, KeysError, start};
pub use master_key::{MasterKeyMismatch, check_master_key, is_new_installation};
