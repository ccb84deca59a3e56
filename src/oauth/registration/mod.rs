//! Registration of clients and resources (RFC 7591 §2, OIDC Registration §2, RFC 8707): from what someone wrote to what may
//! stand in the database, or everything that is wrong with it.
//!
//! A client is checked in two steps: by itself ([`check_client`]), and among all others ([`check_together`]). The second is
//! called in the unit of work that writes, after the lock, so that two registrations at once cannot pass each other.

mod client;
mod logout;
mod metadata;
mod registry;
mod resource;
mod secret;
mod together;

#[cfg(test)]
mod registry_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::config::Config;
use crate::domain::alg::Alg;
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::outbound::fetch::Rules;

pub use super::audience::{ADMIN_SCOPE, REVOCATIONS_SCOPE, is_house_scope};
pub use client::{check_client, check_client_id};
pub use metadata::{ClientMetadata, Lifetime};
pub use registry::{Declaration, DeclaredClient, DeclaredSecret, Deed, Item, Outcome, Refused, Registrar};
pub use resource::{ResourceMetadata, check_resource};
pub use secret::{check_secret, fresh_secret, secret_mac};
pub use together::{Listed, check_together};

/// One thing that is wrong with a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationError {
    /// The member that is wrong.
    pub member: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for RegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.member, self.problem, self.remedy)
    }
}

impl std::error::Error for RegistrationError {}

/// What the installation says about registrations.
#[derive(Debug, Clone)]
pub struct House {
    /// Our own origin.
    pub issuer: Origin,
    /// Whether the issuer is plain http on loopback.
    pub development: bool,
    /// Algorithms that have a key.
    pub algorithms: Vec<Alg>,
    /// How long an access token lives unless its client says otherwise.
    pub access_token: Duration,
    /// How long an access token may live at most.
    pub longest_access_token: Duration,
    /// For how long the status bit of what is revoked stays set.
    pub status_bit_kept: Duration,
    /// Which addresses of apps may be called.
    pub outbound: Rules,
}

impl House {
    /// Takes it from the settings.
    ///
    /// # Errors
    /// Never for checked settings: their issuer is an origin.
    pub fn of(config: &Config) -> Result<Self, crate::domain::origin::BadOrigin> {
        Ok(Self {
            issuer: Origin::parse(config.server.issuer.as_str())?,
            development: config.is_development(),
            algorithms: config.keys.algorithms.clone(),
            access_token: config.tokens.access_token_ttl,
            longest_access_token: config.longest_access_token(),
            status_bit_kept: config.status_bit_kept(),
            outbound: Rules::new(&config.outbound.allow),
        })
    }

    /// Until when the bit of a token that is revoked now must stay set.
    #[must_use]
    pub fn invalid_until(&self, now: Timestamp) -> Timestamp {
        now.plus(self.status_bit_kept)
    }
}

/// What was found wrong so far.
#[derive(Debug, Default)]
struct Findings(Vec<RegistrationError>);

impl Findings {
    fn add(&mut self, member: &'static str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(RegistrationError { member, problem: problem.into(), remedy: remedy.into() });
    }

    fn none_or<T>(self, value: T) -> Result<T, Vec<RegistrationError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}
