//! A client's own proof for a token of its own (RFC 6749 §4.4). Touches no database.

use super::Caller;
use crate::domain::claims::is_oidc_scope;
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;
use crate::oauth::audience;
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
use crate::tokens::access::AccessTokenFor;
use crate::tokens::issuer::Granted;

/// A checked request.
#[derive(Debug)]
pub struct ClientCredentialsRequest {
    scope: ScopeSet,
    resources: Vec<String>,
}

impl ClientCredentialsRequest {
    /// Reads the form. Without `scope` everything is asked that the client may have for itself.
    ///
    /// # Errors
    /// `unauthorized_client` for a public client, `invalid_scope`.
    pub fn parse(params: &Params, caller: &Caller) -> Result<Self, OAuthError> {
        let refused = |hint| OAuthError::new(ErrorCode::InvalidScope, hint);
        if caller.authenticated.bound.is_none() {
            return Err(OAuthError::new(
                ErrorCode::UnauthorizedClient,
                "a client that proves nothing cannot act for itself",
            ));
        }
        let allowed = caller.authenticated.client.settings.scope.filter(|word| !is_oidc_scope(word));
        let scope = match params.get("scope") {
            None => allowed,
            Some(text) => {
                let asked =
                    ScopeSet::parse(text).map_err(|_| refused("scope is a list of words apart by single spaces"))?;
                if asked.iter().any(is_oidc_scope) {
                    return Err(refused("scopes about people do not go with client_credentials"));
                }
                if !asked.is_subset_of(&allowed) {
                    return Err(refused("scope holds a value that this client may not have"));
                }
                asked
            }
        };
        Ok(Self { scope, resources: params.all("resource").into_iter().map(str::to_owned).collect() })
    }

    pub(super) fn exchange(self, caller: &Caller, provider: &Provider, now: Timestamp) -> Result<Granted, OAuthError> {
        provider.must_be_fresh_without_database(now)?;
        let client = &caller.authenticated.client;
        let requested: Vec<&str> = self.resources.iter().map(String::as_str).collect();
        let target = audience::decide(&requested, &[], &self.scope, client, provider)?;
        let lifetime = provider.access_token_ttl(client);
        let scope = target.scope.to_string();
        let token = AccessTokenFor {
            issuer: provider.issuer_id(),
            client: &client.id,
            audience: target.audience,
            scope: &target.scope,
            lifetime,
            status: client.status,
        };
        Ok(Granted { access: (target.alg, token.client_itself(now)), lifetime, scope, id: None, refresh: None })
    }
}
