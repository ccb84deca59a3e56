//! What every decision of the protocol needs at hand: settings, store, directory, keys. Built once.

use std::sync::Arc;
use std::time::Duration;

use super::error::OAuthError;
use super::gateway::Gateway;
use crate::config::Config;
use crate::domain::alg::Alg;
use crate::domain::client::{ApplicationType, Client, Delivery, GrantType, RefreshIssuance};
use crate::domain::id::ClientId;
use crate::domain::rate_limit::RateLimit;
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;
use crate::keys::macs::Macs;
use crate::keys::ring::Keys;
use crate::keys::roots::Roots;
use crate::keys::vault::{Purpose, Vault};
use crate::store::directory::Directory;
use crate::store::{Store, StoreError};
use crate::tokens::grant_mac::GrantKeys;
use crate::tokens::issuer::TokenIssuer;
use crate::tokens::status_index::StatusIndices;

/// How old what a process remembers may be where it issues tokens without asking the database.
const STALE_WITHOUT_DATABASE: Duration = Duration::from_secs(10);

const HOUR: Duration = Duration::from_secs(3600);

/// What the protocol's decisions are made with.
#[derive(Debug)]
pub struct Provider {
    /// The settings.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// Clients and resources in memory.
    pub directory: Arc<Directory>,
    /// The key ring.
    pub keys: Arc<Keys>,
    /// What refresh tokens are MACed under.
    pub roots: Arc<Roots>,
    /// What guards the rows of grants.
    pub grant_keys: GrantKeys,
    /// What client secrets are MACed with.
    pub secret_keys: Macs,
    /// Places in the status lists.
    pub status: StatusIndices,
    /// How often one refresh family may step.
    pub steps: RateLimit,
    /// Apps behind a proxy.
    pub gateway: Gateway,
    /// Signs.
    pub issuer: TokenIssuer,
}

impl Provider {
    /// Over what was read of keys and roots. Reads clients and resources.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn over(
        config: Arc<Config>,
        store: Store,
        vault: &Vault,
        keys: Arc<Keys>,
        roots: Arc<Roots>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            directory: Arc::new(Directory::load(&store, now).await?),
            issuer: TokenIssuer::new(keys.clone()),
            keys,
            roots,
            grant_keys: GrantKeys::from_vault(vault),
            secret_keys: vault.macs(Purpose::ClientSecret),
            status: StatusIndices::default(),
            gateway: Gateway::new(vault.macs(Purpose::Gateway)),
            steps: RateLimit::new(config.limits.refreshes_per_family, HOUR),
            config,
            store,
        })
    }

    /// Our issuer identifier.
    #[must_use]
    pub fn issuer_id(&self) -> &str {
        self.config.server.issuer.as_str()
    }

    /// Refuses to go on with a picture of keys and clients that is too old.
    ///
    /// # Errors
    /// `temporarily_unavailable`.
    pub fn must_be_fresh(&self, now: Timestamp) -> Result<(), OAuthError> {
        self.must_be_younger(self.config.limits.stale_stop, now)
    }

    /// The same where the database is not asked at all.
    ///
    /// # Errors
    /// `temporarily_unavailable`.
    pub fn must_be_fresh_without_database(&self, now: Timestamp) -> Result<(), OAuthError> {
        self.must_be_younger(STALE_WITHOUT_DATABASE.min(self.config.limits.stale_stop), now)
    }

    fn must_be_younger(&self, age: Duration, now: Timestamp) -> Result<(), OAuthError> {
        let oldest = self.keys.confirmed_at().min(self.directory.confirmed_at());
        if now.seconds_since(oldest) > age.as_secs() {
            return Err(OAuthError::unavailable("the database has not been reached for too long"));
        }
        Ok(())
    }

    /// A client that may act, asking the database once if it is not in memory.
    ///
    /// # Errors
    /// If the database had to be asked and refuses.
    pub async fn client(&self, id: &str, now: Timestamp) -> Result<Option<Arc<Client>>, OAuthError> {
        if id.is_empty() || id.len() > 256 || id.contains('\0') {
            return Ok(None);
        }
        let found = self.directory.client_or_ask(&self.store, &ClientId::new(id), now).await?;
        Ok(found.filter(|client| client.is_active()))
    }

    /// How long refresh tokens of a client live, and how long they may lie idle.
    #[must_use]
    pub fn refresh_life(&self, client: &Client) -> (Duration, Duration) {
        let tokens = &self.config.tokens;
        let (absolute, idle) = match client.settings.application_type {
            ApplicationType::Browser => (tokens.refresh_lifetime_browser, tokens.refresh_lifetime_browser),
            ApplicationType::Native => (tokens.refresh_lifetime_native, tokens.refresh_idle_native),
            // Without a secret a copied token works anywhere, so it does not get the long life of those that have one.
            ApplicationType::Web | ApplicationType::Service if client.settings.is_public() => {
                (tokens.refresh_lifetime_browser, tokens.refresh_lifetime_browser)
            }
            ApplicationType::Web | ApplicationType::Service => {
                (tokens.refresh_lifetime_confidential, tokens.refresh_idle_confidential)
            }
        };
        let absolute = client.settings.refresh_lifetime.map_or(absolute, Duration::from_secs);
        (absolute, idle.min(absolute))
    }

    /// The grace of a client's retry rule in seconds.
    #[must_use]
    pub fn refresh_grace(&self, client: &Client) -> u64 {
        let (tokens, own) = (&self.config.tokens, client.settings.refresh_grace);
        match client.settings.refresh_token_delivery {
            Delivery::Body => own.unwrap_or(tokens.refresh_grace_body.as_secs()),
            // The house's default life of access tokens may have changed since the client was registered.
            Delivery::Cookie => own
                .unwrap_or(tokens.refresh_grace_cookie.as_secs())
                .min(Client::longest_cookie_grace(self.access_token_ttl(client)).as_secs()),
        }
    }

    /// Whether a grant of this scope comes with a refresh token.
    #[must_use]
    pub fn gives_refresh_token(client: &Client, scope: &ScopeSet) -> bool {
        client.may(GrantType::RefreshToken)
            && (client.settings.refresh_token_issuance == RefreshIssuance::Always || scope.contains("offline_access"))
    }

    /// How introspections are signed for a client: as it was registered, else with RS256 (RFC 9701 §6) where that is enabled.
    #[must_use]
    pub fn introspection_alg(&self, client: &Client) -> Alg {
        let enabled = &self.config.keys.algorithms;
        let wanted = client.settings.introspection_signed_response_alg.unwrap_or(Alg::RS256);
        if enabled.contains(&wanted) { wanted } else { enabled.first().copied().unwrap_or(wanted) }
    }

    /// How long access tokens of a client live.
    #[must_use]
    pub fn access_token_ttl(&self, client: &Client) -> Duration {
        client.access_token_ttl(self.config.tokens.access_token_ttl)
    }
}
