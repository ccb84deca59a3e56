//! Userinfo (OIDC Core §5.3).

use serde_json::{Map, Value};

use super::error::{ErrorCode, OAuthError};
use super::pointer::{self, Bearer};
use super::provider::Provider;
use crate::domain::claims;
use crate::domain::id::ClientId;
use crate::domain::time::Timestamp;

/// What an app is told.
#[derive(Debug)]
pub struct Told {
    /// The claims.
    pub claims: Map<String, Value>,
    /// Whose token it was.
    pub client: ClientId,
}

/// The claims of the person behind an access token.
///
/// # Errors
/// `invalid_token`, or `insufficient_scope` without `openid`.
pub async fn userinfo(token: &str, provider: &Provider, now: Timestamp) -> Result<Told, OAuthError> {
    let live = pointer::follow(token, provider, now).await?.ok_or_else(OAuthError::invalid_token)?;
    if !live.pointer.audience.iter().any(|audience| audience == provider.issuer_id()) {
        return Err(OAuthError::invalid_token());
    }
    let no_person = OAuthError::new(ErrorCode::InsufficientScope, "userinfo needs the scope openid");
    let Bearer::Person(standing) = live.bearer else { return Err(no_person) };
    if !live.pointer.scope.contains("openid") {
        return Err(no_person);
    }
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), Value::from(standing.user.sub.as_str()));
    // The token's scope, which is known to be no more than the grant's: who narrowed a token wants it narrow here too.
    claims.extend(claims::released(&standing.user, &live.pointer.scope, &standing.grant.claims.userinfo));
    Ok(Told { claims, client: standing.grant.client_id })
}
