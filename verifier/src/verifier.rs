//! The checks, in the order in which they are made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::builder::VerifierBuilder;
use crate::challenge::{Challenge, Refusal};
use crate::claims::{self, Expected};
use crate::clock::Clock;
use crate::error::VerifyError;
use crate::metrics::{Metrics, Verdicts};
use crate::principal::Principal;
use crate::status::{StatusCache, StatusPolicy};
use crate::stream::RevocationStream;
use crate::token::{Kind, SignedToken};
use crate::trust::Trust;

/// Checks the access tokens (RFC 9068) of one issuer for one API. Cheap to clone; clones share
/// the issuer's keys and status lists. What goes on in the background ends with the last clone.
///
/// It accepts access tokens only. ID tokens, logout tokens and other JWTs of the same issuer are
/// signed with the same keys and are refused (RFC 8725 §3.11).
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    rules: Rules,
    trust: Arc<Trust>,
    status: StatusCache,
    stream: Option<RevocationStream>,
    clock: Arc<dyn Clock>,
    challenge: Arc<Challenge>,
    verdicts: Verdicts,
}

/// What a verifier is put together from.
pub(crate) struct Parts {
    pub(crate) rules: Rules,
    pub(crate) trust: Arc<Trust>,
    pub(crate) status: StatusCache,
    pub(crate) stream: Option<RevocationStream>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) challenge: Challenge,
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

    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { rules, trust, status, stream, clock, challenge } = parts;
        let (challenge, verdicts) = (Arc::new(challenge), Verdicts::default());
        Self { inner: Arc::new(Inner { rules, trust, status, stream, clock, challenge, verdicts }) }
    }

    /// Checks an access token that came with the scheme `Bearer` and says who is calling.
    ///
    /// Usually this takes some microseconds and asks nobody. It waits for the issuer when there
    /// are no fresh keys yet or the token names a new one, and when it is the first that names its
    /// status list. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// [`VerifyError::Invalid`] when the token must be refused, [`VerifyError::Unavailable`] when
    /// the issuer's keys or the token's status list cannot be had. [`refusal`](Self::refusal) turns both into an answer.
    pub async fn verify(&self, token: &str) -> Result<Principal, VerifyError> {
        self.listen();
        let verdict = self.check(token).await;
        if let Err(error) = &verdict {
            self.inner.verdicts.refused(error);
            tracing::debug!(
                issuer = self.inner.trust.keys.issuer().as_str(),
                reason = error.reason(),
                "access token refused"
            );
        } else {
            self.inner.verdicts.accepted();
        }
        verdict
    }

    /// Fetches the issuer's keys and status lists, as far as they are not here yet. Call it before
    /// you say that you are ready, so that the first caller does not wait.
    ///
    /// # Errors
    /// [`VerifyError::Unavailable`] when they cannot be had now; the log says why.
    pub async fn warm_up(&self) -> Result<(), VerifyError> {
        self.listen();
        self.inner.trust.keys.warm_up().await?;
        match self.inner.status.policy() {
            StatusPolicy::Off => Ok(()),
            StatusPolicy::IfPresent | StatusPolicy::Required => self.inner.status.preload().await,
        }
    }

    /// How old the issuer's keys are; `None` before they were fetched. For metrics.
    pub fn key_age(&self) -> Option<Duration> {
        self.inner.trust.keys.age()
    }

    /// Figures for your monitoring, as they are now.
    pub fn metrics(&self) -> Metrics {
        let Inner { trust, status, stream, verdicts, .. } = &*self.inner;
        Metrics {
            accepted: verdicts.accepted_so_far(),
            refused: verdicts.refused_so_far(),
            key_age: trust.keys.age(),
            key_fetches: trust.keys.fetches().counts(),
            lists: status.lists(),
            list_fetches: status.fetches().counts(),
            denied_kids: trust.denied.count(trust.keys.now()),
            stream_connected: stream.as_ref().map(RevocationStream::is_connected),
        }
    }

    /// The answer for a token that was not accepted: 401 `invalid_token`, or 503.
    pub fn refusal(&self, error: &VerifyError) -> Refusal {
        match error {
            VerifyError::Invalid(_) => self.inner.challenge.invalid_token(),
            VerifyError::Unavailable { retry_after, .. } => Challenge::unavailable(*retry_after),
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

    fn listen(&self) {
        if let Some(stream) = &self.inner.stream {
            stream.listen();
        }
    }

    async fn check(&self, token: &str) -> Result<Principal, VerifyError> {
        let Inner { rules, trust, status, clock, challenge, .. } = &*self.inner;
        let token = SignedToken::parse(token, Kind::ACCESS_TOKEN, &rules.algorithms)?;
        trust.authenticate(&token).await?;
        let now = clock.unix_time();
        let expected =
            Expected { issuer: trust.keys.issuer().as_str(), audiences: &rules.audiences, leeway: rules.leeway, now };
        let claims = claims::check(&token.payload, &expected)?;
        status.check(&claims.all).await?;
        // The list that was just fetched may have said so.
        trust.must_not_be_denied(&token)?;
        Ok(Principal::new(claims, Arc::clone(challenge), now))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("rules", &self.inner.rules)
            .field("trust", &self.inner.trust)
            .field("status", &self.inner.status)
            .field("stream", &self.inner.stream)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
