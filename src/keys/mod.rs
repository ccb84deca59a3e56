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
//! | `policy.rs`    | the settings of the ring and the times that follow from them        |
//! | `rotation.rs`  | what is to be done now: a pure function                             |
//! | `history.rs`   | past keys as a signed document                                     |
//! | `journal.rs`   | revoked keys beside the database, for a restore                    |
//! | `error.rs`     | why the keys are not as they should be                              |
//! | `sightings.rs` | who fetches the key set, gathered in memory                        |
//! | `propagation.rs` | which apps were seen to have which key, who lags                 |
//! | `canary.rs`    | the waiting key signs for one app                                  |
//! | `turning.rs`   | what was decided, done in one unit of work                          |

pub mod bootstrap;
pub mod canary;
pub mod history;
pub mod journal;
pub mod jwk;
pub mod lost_host;
pub mod mac_roots;
pub mod macs;
pub mod master_key;
pub mod pair;
pub mod policy;
pub mod propagation;
pub mod record;
pub mod rewrap;
pub mod ring;
pub mod roots;
pub mod rotation;
pub mod sightings;
pub mod signer;
pub mod state;
pub mod turning;
pub mod vault;
pub mod verify;

mod error;
#[cfg(test)]
mod rewrap_tests;
mod verifier;

pub use bootstrap::start;
pub use error::KeysError;
pub use master_key::{MasterKeyMismatch, check_master_key, is_new_installation};
