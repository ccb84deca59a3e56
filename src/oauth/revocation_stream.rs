//! Who may listen to what is revoked: a client with a secret, by a token of its own, for us alone.

use super::audience::REVOCATIONS_SCOPE;
use super::error::{ErrorCode, OAuthError};
use super::pointer::{self, Bearer};
use super::provider::Provider;
use crate::domain::id::ClientId;
use crate::domain::time::Timestamp;
use crate::tokens::access::AccessPointer;

/// Someone who may listen.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The client.
    pub client: ClientId,
    /// Until when: a token is good for no longer.
    pub until: Timestamp,
    token: AccessPointer,
}

impl Listener {
    /// Whether the token still stands: its client is in service, was not revoked, and may have the scope.
    #[must_use]
    pub fn may_go_on(&self, provider: &Provider, now: Timestamp) -> bool {
        let snapshot = provider.directory.snapshot();
        let client = snapshot.client(self.client.as_str()).filter(|client| client.is_active());
        !self.until.has_passed(now) && client.is_some_and(|client| pointer::client_stands(client, &self.token))
    }
}

/// Follows a token to who may listen with it.
///
/// # Errors
/// `invalid_token`, `insufficient_scope`, or a fault of ours.
pub async fn enter(token: &str, provider: &Provider, now: Timestamp) -> Result<Listener, OAuthError> {
    let live = pointer::follow(token, provider, now).await?.ok_or_else(OAuthError::invalid_token)?;
    let Bearer::Client(client) = &live.bearer else {
        return Err(OAuthError::new(ErrorCode::InsufficientScope, "the access token is a person's"));
    };
    // What another API is sent, too, that API could send on to us.
    if live.pointer.audience != [provider.issuer_id()] {
        return Err(OAuthError::new(ErrorCode::InvalidToken, "the access token is not for this service alone"));
    }
    if !live.pointer.scope.contains(REVOCATIONS_SCOPE) {
        return Err(OAuthError::new(ErrorCode::InsufficientScope, "the access token lacks a scope"));
    }
    Ok(Listener { client: client.id.clone(), until: live.pointer.expires_at, token: live.pointer })
}
