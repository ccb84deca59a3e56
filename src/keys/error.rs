//! Why the keys are not as they should be.

use std::fmt;

use super::master_key::MasterKeyMismatch;
use super::pair::CannotMake;
use super::rotation::Refused;
use crate::store::StoreError;

/// Why the keys are not ready.
#[derive(Debug, Clone)]
pub enum KeysError {
    /// The master key is not the database's.
    MasterKey(MasterKeyMismatch),
    /// A pair could not be made.
    Pair(CannotMake),
    /// The making of pairs was broken off: the process is ending.
    BrokenOff,
    /// What an admin wanted cannot be done.
    Refused(Refused),
    /// The database refused.
    Store(StoreError),
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MasterKey(error) => error.fmt(f),
            Self::Pair(error) => error.fmt(f),
            Self::BrokenOff => f.write_str("the making of keys was broken off"),
            Self::Refused(why) => why.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeysError {}

impl From<StoreError> for KeysError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refused> for KeysError {
    fn from(why: Refused) -> Self {
        Self::Refused(why)
    }
}
