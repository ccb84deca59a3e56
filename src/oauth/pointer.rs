//! At our own endpoints a JWT is only a pointer: its signature and type are checked, then the rows it points to are read, and
//! everything is taken from them. A stolen signing key makes nobody an admin.

use super::error::OAuthError;
use super::provider::Provider;
use crate::domain::client::Client;
use crate::domain::time::Timestamp;
use crate::keys::verify::VerifyFor;
use crate::store::grants::{self, Standing};
use crate::tokens::access::AccessPointer;
use std::sync::Arc;
use std::time::Duration;

/// Whom a living access token stands for.
#[derive(Debug)]
pub enum Bearer {
    /// A person, through a grant.
    Person(Box<Standing>),
    /// A client, for itself.
    Client(Arc<Client>),
}

/// An access token of ours that lives, with what it points to.
#[derive(Debug)]
pub struct LiveToken {
    /// What the token itself says.
    pub pointer: AccessPointer,
    /// Whom it stands for.
    pub bearer: Bearer,
}

/// Follows an access token to its rows; `None` if it is not ours, or not alive any more.
///
/// # Errors
/// If the database refuses, or the picture of the keys is too old.
pub async fn follow(token: &str, provider: &Provider, now: Timestamp) -> Result<Option<LiveToken>, OAuthError> {
    follow_late(token, provider, Duration::ZERO, now).await
}

/// The same, also for so long after the token's end: those who check tokens allow for clocks that differ.
///
/// # Errors
/// As [`follow`].
pub async fn follow_late(
    token: &str,
    provider: &Provider,
    late: Duration,
    now: Timestamp,
) -> Result<Option<LiveToken>, OAuthError> {
    provider.must_be_fresh(now)?;
    let Ok(verified) = provider.keys.ring().verify(token, VerifyFor::AccessToken, now) else { return Ok(None) };
    let read = |now| AccessPointer::read(&verified.claims, provider.issuer_id(), now);
    let Some(pointer) = read(now).or_else(|| read(now.minus(late))) else { return Ok(None) };
    let bearer = match &pointer.grant {
        Some(id) => {
            let found = grants::standing_of(&mut provider.store.read().await?, id).await?;
            found
                .filter(|standing| fits(standing, &pointer, provider, now))
                .map(|found| Bearer::Person(Box::new(found)))
        }
        None => provider
            .client(pointer.client.as_str(), now)
            .await?
            .filter(|client| client_stands(client, &pointer))
            .map(Bearer::Client),
    };
    Ok(bearer.map(|bearer| LiveToken { pointer, bearer }))
}

/// Whether a client's own token says what is registered of it.
#[must_use]
pub fn client_stands(client: &Client, pointer: &AccessPointer) -> bool {
    pointer.subject == client.id.as_str()
        && pointer.scope.is_subset_of(&client.settings.scope)
        && client.not_before <= pointer.issued_at
        && pointer.stands_at(client.status)
}

/// Whether the rows say what the token says: any difference is a forgery.
fn fits(standing: &Standing, pointer: &AccessPointer, provider: &Provider, now: Timestamp) -> bool {
    standing.grant.client_id == pointer.client
        && standing.user.sub.as_str() == pointer.subject
        && pointer.scope.is_subset_of(&standing.grant.scope)
        && pointer.stands_at(standing.grant.status)
        && provider.grant_keys.is_genuine(standing)
        && standing.is_alive(now)
}
