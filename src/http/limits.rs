//! How often may be asked: by network, and by client once it has proven who it is (RFC 6749 §10.10, RFC 9700 §2.5).
//!
//! Every request takes permits from the bucket of its network before anything costs work. One that proves who sends it
//! gives them back, so that a bucket counts failures and strangers only: a busy back end has one address, and so has an
//! office. What a client has proven counts against the client itself. A public client proves nothing, so nobody can use
//! up its permits for all its users.
//!
//! At an app behind a proxy each picture is a request, and the guests of a whole office share a network with whoever fails there.
//! So what passed lately is not held up by its network; what has gone bad is counted like everybody else's.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::layers::Visit;
use crate::config;
use crate::domain::client::Client;
use crate::domain::familiar::Familiar;
use crate::domain::rate_limit::RateLimit;
use crate::domain::time::Timestamp;
use crate::oauth::error::OAuthError;

const MINUTE: Duration = Duration::from_secs(60);
/// Requests may leave rows behind, as large as they are themselves: a large one takes as many permits as so many small ones.
const BYTES_PER_PERMIT: u32 = 4_096;

/// The limits of this process.
#[derive(Debug)]
pub struct Limits {
    networks: RateLimit,
    clients: RateLimit,
    guests: Familiar,
}

/// What a request took from the bucket of its network.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Permit {
    /// Where the request comes from.
    pub address: IpAddr,
    network: IpNet,
    permits: u32,
}

impl Limits {
    /// Takes the limits from the settings.
    #[must_use]
    pub fn new(settings: &config::Limits) -> Self {
        Self {
            networks: RateLimit::new(settings.requests_per_network, MINUTE),
            clients: RateLimit::new(settings.requests_per_client, MINUTE),
            guests: Familiar::default(),
        }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// 429 if its network has asked too much.
    pub fn enter(&self, visit: &Visit, now: Timestamp) -> Result<Permit, OAuthError> {
        let permit = Permit {
            address: visit.address.ip(),
            network: visit.address.network(),
            permits: 1 + visit.size / BYTES_PER_PERMIT,
        };
        match self.networks.take(permit.network, permit.permits, now) {
            Ok(()) => Ok(permit),
            Err(too_soon) => Err(OAuthError::too_many_requests("too many requests from this network", too_soon)),
        }
    }

    /// Lets a request of a guest in, with what it shows. `None`: that passed lately, so nothing was taken.
    ///
    /// # Errors
    /// 429 if it is a stranger's, and its network has asked too much.
    pub fn enter_guest(&self, shown: &str, visit: &Visit, now: Timestamp) -> Result<Option<Permit>, OAuthError> {
        if self.guests.knows(shown, now) { Ok(None) } else { self.enter(visit, now).map(Some) }
    }

    /// What the guest showed is good.
    pub fn welcome(&self, shown: &str, permit: Option<Permit>, now: Timestamp) {
        self.guests.keep(shown, now);
        if let Some(permit) = permit {
            self.give_back(permit, now);
        }
    }

    /// What the guest showed is not good, or not any more: then it takes now what it did not before.
    ///
    /// # Errors
    /// 429 if its network has asked too much.
    pub fn turn_away(
        &self,
        shown: &str,
        permit: Option<Permit>,
        visit: &Visit,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        self.guests.forget(shown);
        if permit.is_none() { self.enter(visit, now).map(drop) } else { Ok(()) }
    }

    /// The request has proven who sends it.
    pub fn give_back(&self, permit: Permit, now: Timestamp) {
        self.networks.give_back(permit.network, permit.permits, now);
    }

    /// Counts a request of a client that has proven who it is.
    ///
    /// # Errors
    /// 429 if the client has asked too much.
    pub fn count(&self, client: &Client, now: Timestamp) -> Result<(), OAuthError> {
        self.clients
            .take(client.id.as_str(), 1, now)
            .map_err(|too_soon| OAuthError::too_many_requests("too many requests by this client", too_soon))
    }
}
