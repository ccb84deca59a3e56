//! What a living grant of a person gives: the claims of its access token and ID token.

use std::sync::Arc;

use crate::domain::claims;
use crate::domain::client::Client;
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;
use crate::oauth::audience::{self, Target};
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
use crate::store::grants::Standing;
use crate::tokens::access::AccessTokenFor;
use crate::tokens::id_token::IdClaims;
use crate::tokens::issuer::{Granted, GrantedRefresh};

/// What a token request asks of a grant: less scope, one resource.
#[derive(Debug, Clone, Default)]
pub struct Narrowing {
    /// The scope, if it names one.
    scope: Option<ScopeSet>,
    /// The resources it names.
    resources: Vec<String>,
}

impl Narrowing {
    /// Reads `scope` and `resource`.
    ///
    /// # Errors
    /// `invalid_scope`.
    pub fn parse(params: &Params) -> Result<Self, OAuthError> {
        let scope = match params.get("scope") {
            Some(text) => Some(ScopeSet::parse(text).map_err(|_| {
                OAuthError::new(ErrorCode::InvalidScope, "scope is a list of words apart by single spaces")
            })?),
            None => None,
        };
        Ok(Self { scope, resources: params.all("resource").into_iter().map(str::to_owned).collect() })
    }

    /// The scope and audience of the token. The grant itself keeps everything.
    ///
    /// # Errors
    /// `invalid_scope` if more is asked than was granted, `invalid_target`.
    pub fn apply(&self, standing: &Standing, client: &Client, provider: &Provider) -> Result<Target, OAuthError> {
        let granted = &standing.grant.scope;
        let scope = match &self.scope {
            Some(asked) if asked.is_subset_of(granted) => asked,
            Some(_) => {
                return Err(OAuthError::new(ErrorCode::InvalidScope, "scope asks for more than was granted"));
            }
            None => granted,
        };
        let requested: Vec<&str> = self.resources.iter().map(String::as_str).collect();
        audience::decide(&requested, &standing.grant.resources, scope, client, provider)
    }
}

/// Puts together what is to be signed.
#[must_use]
pub fn granted(
    standing: &Standing,
    target: Target,
    nonce: Option<String>,
    client: &Arc<Client>,
    provider: &Provider,
    now: Timestamp,
) -> Granted {
    let grant = &standing.grant;
    let subject = standing.user.sub.as_str();
    let lifetime = provider.access_token_ttl(client);
    let told = target.scope.to_string();
    let id = grant.scope.contains("openid").then(|| {
        let person = claims::released(&standing.user, &ScopeSet::default(), &grant.claims.id_token);
        let ttl = provider.config.tokens.id_token_ttl;
        let claims = IdClaims::of(grant, provider.issuer_id(), subject, ttl, now).with_nonce(nonce).with_person(person);
        (client.settings.id_token_signed_response_alg, claims)
    });
    let token = AccessTokenFor {
        issuer: provider.issuer_id(),
        client: &client.id,
        audience: target.audience,
        scope: &target.scope,
        lifetime,
        status: grant.status,
    };
    Granted { access: (target.alg, token.grant(grant, subject, now)), lifetime, scope: told, id, refresh: None }
}

impl Granted {
    /// Adds the refresh token.
    #[must_use]
    pub fn with_refresh(mut self, refresh: Option<GrantedRefresh>) -> Self {
        self.refresh = refresh;
        self
    }
}
