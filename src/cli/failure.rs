//! Why a command did not do what it was asked, and the exit code that says so.

use std::fmt;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::keys::MasterKeyMismatch;
use crate::keys::vault::{MasterKeyError, VaultError};
use crate::store::StoreError;

/// Why a command did not do what it was asked. Its text is for a person and holds no secret.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    Wrong,
    Database,
}

impl Failure {
    /// The operation failed: exit code 1.
    pub fn failed(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Failed, text: text.to_string() }
    }

    /// The arguments, the settings or a file named in them are wrong: exit code 2.
    pub fn wrong(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Wrong, text: text.to_string() }
    }

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Failed => 1,
            Kind::Wrong => 2,
            Kind::Database => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::wrong(format!("the settings are not right\n{error}"))
    }
}

impl From<MasterKeyError> for Failure {
    fn from(error: MasterKeyError) -> Self {
        Self::wrong(error)
    }
}

impl From<MasterKeyMismatch> for Failure {
    fn from(error: MasterKeyMismatch) -> Self {
        match error {
            MasterKeyMismatch::Store(error) => error.into(),
            other => Self::failed(other),
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::failed(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Unavailable(_)
            | StoreError::Busy
            | StoreError::Newer(_)
            | StoreError::Outdated
            | StoreError::Closed => Kind::Database,
            StoreError::Conflict(_)
            | StoreError::Corrupt(_)
            | StoreError::WaitedElsewhere
            | StoreError::HeldTooLong
            | StoreError::Panicked
            | StoreError::IgnoredFailure => Kind::Failed,
        };
        Self { kind, text: error.to_string() }
    }
}
