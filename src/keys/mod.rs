//! The key ring, and the master key over it.

pub mod jwk;
pub mod pair;
pub mod record;
pub mod ring;
pub mod signer;
pub mod state;
pub mod vault;
pub mod verify;

mod strict_json;
mod verifier;
