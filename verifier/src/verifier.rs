//! The checks, in the order in which they are made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::builder::VerifierBuilder;
use crate::cache::{KeyCache, NoKey};
use crate::challenge::{Challenge, Refusal};
use crate::claims::{self, Expected};
use crate::clock::Clock;
use crate::error::{Reason, VerifyError};
use crate::jwks::PublicKey;
use crate::principal::Principal;
use crate::token::SignedToken;

/// Checks the access tokens (RFC 9068) of one issuer for one API. Cheap to clone; clones share
/// the issuer's keys.
///
/// It accepts access tokens only. ID tokens, logout tokens and other JWTs of the same issuer are
/// signed with the same keys and are refused (RFC 8725 §3.11).
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    rules: Rules,
    keys: KeyCache,
    clock: Arc<dyn Clock>,
    challenge: Arc<Challenge>,
}

/// What a token must fulfil.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    /// In seconds.
    pub(crate) leeway: u64,
}

impl Verifier {
    /// Starts to set up a verifier for an issuer, for example `https://id.example.com`.
    pub fn builder(issuer: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder::new(issuer.into())
    }

    pub(crate) fn new(rules: Rules, keys: KeyCache, clock: Arc<dyn Clock>, challenge: Challenge) -> Self {
        Self { inner: Arc::new(Inner { rules, keys, clock, challenge: Arc::new(challenge) }) }
    }

    /// Checks an access token that came with the scheme `Bearer` and says who is calling.
    ///
    /// Usually this takes some microseconds and asks nobody. It waits for the issuer when there
    /// are no fresh keys yet or the token names a new one. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// [`VerifyError::Invalid`] when the token must be refused, [`VerifyError::Unavailable`] when
    /// the issuer's keys cannot be had. [`refusal`](Self::refusal) turns both into an answer.
    pub async fn verify(&self, token: &str) -> Result<Principal, VerifyError> {
        let verdict = self.check(token).await;
        if let Err(error) = &verdict {
            tracing::debug!(
                issuer = self.inner.keys.issuer().as_str(),
                reason = error.reason(),
                "access token refused"
            );
        }
        verdict
    }

    /// Fetches the issuer's keys, if there are none yet. Call it before you say that you are
    /// ready, so that the first caller does not wait.
    ///
    /// # Errors
    /// [`VerifyError::Unavailable`] when they cannot be had now; the log says why.
    pub async fn warm_up(&self) -> Result<(), VerifyError> {
        self.inner.keys.warm_up().await.map_err(VerifyError::from)
    }

    /// How old the issuer's keys are; `None` before they were fetched. For metrics.
    pub fn key_age(&self) -> Option<Duration> {
        self.inner.keys.age()
    }

    /// The answer for a token that was not accepted: 401 `invalid_token`, or 503.
    pub fn refusal(&self, error: &VerifyError) -> Refusal {
        match error {
            VerifyError::Invalid(_) => self.inner.challenge.invalid_token(),
            VerifyError::Unavailable { retry_after } => Challenge::unavailable(*retry_after),
        }
    }

    /// The answer for a request without a token: 401 without an error code (RFC 6750 §3.1).
    pub fn refuse_missing(&self) -> Refusal {
        self.inner.challenge.no_token()
    }

    /// The answer for a request that is itself wrong, for example with two tokens: 400.
    pub fn refuse_malformed(&self) -> Refusal {
        self.inner.challenge.invalid_request()
    }

    async fn check(&self, token: &str) -> Result<Principal, VerifyError> {
        let Inner { rules, clock, challenge, .. } = &*self.inner;
        let token = SignedToken::parse(token, &rules.algorithms)?;
        let key = self.key_for(&token).await?;
        if key.algorithm() != token.algorithm {
            return Err(Reason::KeyMismatch.into());
        }
        if !key.signed(&token) {
            return Err(Reason::Signature.into());
        }
        let now = clock.unix_time();
        let expected = Expected {
            issuer: self.inner.keys.issuer().as_str(),
            audiences: &rules.audiences,
            leeway: rules.leeway,
            now,
        };
        let claims = claims::check(&token.payload, &expected)?;
        Ok(Principal::new(claims, Arc::clone(challenge), now))
    }

    /// Finds the key by `kid`. Asks the issuer only for tokens that at least claim to be its own.
    async fn key_for(&self, token: &SignedToken<'_>) -> Result<Arc<PublicKey>, VerifyError> {
        let keys = &self.inner.keys;
        if let Some(key) = keys.at_hand(&token.kid) {
            return Ok(key);
        }
        if !claims::claims_issuer(&token.payload, keys.issuer().as_str()) {
            return Err(Reason::UnknownKey.into());
        }
        keys.find(&token.kid).await.map_err(VerifyError::from)
    }
}

impl From<NoKey> for VerifyError {
    fn from(missing: NoKey) -> Self {
        match missing {
            NoKey::Unknown => Self::Invalid(Reason::UnknownKey),
            NoKey::Unavailable { retry_after } => Self::Unavailable { retry_after },
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("rules", &self.inner.rules)
            .field("keys", &self.inner.keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
