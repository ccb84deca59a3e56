//! Why a command did not do what it was asked, and the exit code that says so.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::app::StartError;
use crate::config::ConfigError;
use crate::http::server::ServerError;
use crate::keys::KeysError;
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

impl Error for Failure {}

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

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        StartError::Keys(error).into()
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) | StartError::Keys(KeysError::Store(error)) => error.into(),
            StartError::Keys(KeysError::MasterKey(error)) => error.into(),
            other => Self::failed(other),
        }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Certificate(_) => Self::wrong(error),
            other => Self::failed(other),
        }
    }
}

/// For those that collect errors of all kinds: each keeps the exit code it has elsewhere.
impl From<Box<dyn Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        fn known<E: Error + Into<Failure> + 'static>(
            error: Box<dyn Error + Send + Sync>,
        ) -> Result<Failure, Box<dyn Error + Send + Sync>> {
            error.downcast::<E>().map(|error| (*error).into())
        }
        known::<StoreError>(error)
            .or_else(known::<StartError>)
            .or_else(known::<ServerError>)
            .or_else(known::<MasterKeyError>)
            .or_else(known::<MasterKeyMismatch>)
            .unwrap_or_else(Self::failed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_start_fails_at_has_its_exit_code() {
        let gone = || StoreError::Unavailable("no answer".into());
        let mismatch = || MasterKeyMismatch::ProbeMissing;
        let errors: [(Box<dyn Error + Send + Sync>, Kind); 6] = [
            (Box::new(gone()), Kind::Database),
            (Box::new(StartError::Store(StoreError::Newer(9))), Kind::Database),
            (Box::new(StartError::Keys(KeysError::Store(gone()))), Kind::Database),
            (Box::new(StartError::Keys(KeysError::MasterKey(MasterKeyMismatch::Store(gone())))), Kind::Database),
            (Box::new(mismatch()), Kind::Failed),
            ("anything else".into(), Kind::Failed),
        ];
        for (error, kind) in errors {
            let text = error.to_string();
            let failure = Failure::from(error);
            assert_eq!((failure.kind, failure.to_string()), (kind, text));
        }
    }
}
