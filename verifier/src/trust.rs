//! Whose signature counts: the issuer's published keys, less those that it says are compromised.

use std::sync::Arc;

use crate::cache::{KeyCache, NoKey};
use crate::claims;
use crate::denied::DeniedKids;
use crate::error::{Missing, Reason, VerifyError};
use crate::jwks::PublicKey;
use crate::token::SignedToken;

/// What signatures are checked with, for access tokens and status lists alike.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) keys: KeyCache,
    pub(crate) denied: DeniedKids,
}

impl Trust {
    /// Checks that the issuer signed this.
    pub(crate) async fn authenticate(&self, token: &SignedToken<'_>) -> Result<(), VerifyError> {
        self.must_not_be_denied(token)?;
        let key = self.key_for(token).await?;
        if key.algorithm() != token.algorithm {
            return Err(Reason::KeyMismatch.into());
        }
        if !key.signed(token) {
            return Err(Reason::Signature.into());
        }
        Ok(())
    }

    /// Refuses what a compromised key has signed.
    pub(crate) fn must_not_be_denied(&self, token: &SignedToken<'_>) -> Result<(), Reason> {
        if self.denied.contains(&token.kid, self.keys.now()) { Err(Reason::DeniedKey) } else { Ok(()) }
    }

    /// Finds the key by `kid`. Asks the issuer only for tokens that at least claim to be its own.
    async fn key_for(&self, token: &SignedToken<'_>) -> Result<Arc<PublicKey>, VerifyError> {
        if let Some(key) = self.keys.at_hand(&token.kid) {
            return Ok(key);
        }
        if !claims::claims_issuer(&token.payload, self.keys.issuer().as_str()) {
            return Err(Reason::UnknownKey.into());
        }
        self.keys.find(&token.kid).await.map_err(VerifyError::from)
    }
}

impl From<NoKey> for VerifyError {
    fn from(missing: NoKey) -> Self {
        match missing {
            NoKey::Unknown => Self::Invalid(Reason::UnknownKey),
            NoKey::Unavailable { retry_after } => Self::Unavailable { missing: Missing::Keys, retry_after },
        }
    }
}
