//! Revocation (RFC 7009).

use super::client_auth::AuthenticatedClient;
use super::error::{ErrorCode, OAuthError};
use super::params::Params;
use super::pointer::{self, Bearer, LiveToken};
use super::provider::Provider;
use crate::domain::grant::EndReason;
use crate::domain::refresh_token;
use crate::domain::time::Timestamp;
use crate::store::{Tx, changes, refresh_families};
use crate::tokens::refresh;
use crate::tokens::revoke::{self, AccessTokens, What};

/// Takes a token back. A token that nobody knows is no error: the client's aim is reached (RFC 7009 §2.2).
///
/// # Errors
/// `invalid_request` without a token, `unauthorized_client` for another client's, `temporarily_unavailable` if it could not be
/// stored: then the token still lives.
pub async fn revoke(
    caller: &AuthenticatedClient,
    params: &Params,
    provider: &Provider,
    now: Timestamp,
) -> Result<(), OAuthError> {
    let token = params.require("token", "token is missing")?;
    if token.starts_with(refresh_token::PREFIX) {
        return revoke_refresh_token(token, caller, provider, now).await;
    }
    let late = provider.config.keys.clock_skew;
    let Some(live) = pointer::follow_late(token, provider, late, now).await? else { return Ok(()) };
    if live.pointer.client != caller.client.id {
        return Err(foreign());
    }
    revoke_access_token(&live, provider, now).await
}

/// A genuine token of any generation ends its grant, and so everything that came from it.
async fn revoke_refresh_token(
    token: &str,
    caller: &AuthenticatedClient,
    provider: &Provider,
    now: Timestamp,
) -> Result<(), OAuthError> {
    provider.must_be_fresh(now)?;
    let Some(parsed) = refresh_token::RefreshToken::parse(token) else { return Ok(()) };
    let found = refresh_families::find(&mut provider.store.read().await?, parsed.family()).await?;
    let Some((family, standing)) = found else { return Ok(()) };
    if family.client_id != caller.client.id {
        let owner = provider.client(family.client_id.as_str(), now).await?;
        let roots = provider.roots.get();
        let genuine = owner.map(|owner| refresh::recognise(token, &owner, &roots)).transpose();
        // A forged token of another client is an unknown token.
        return match genuine.map_err(OAuthError::unavailable)?.flatten() {
            Some(_) => Err(foreign()),
            None => Ok(()),
        };
    }
    let roots = provider.roots.get();
    let recognised = refresh::recognise(token, &caller.client, &roots).map_err(OAuthError::unavailable)?;
    if recognised.is_none() {
        return Ok(());
    }
    let actor = format!("client:{}", caller.client.id);
    provider
        .store
        .write(async move |tx| {
            revoke::end(tx, What::Grant(&standing.grant.id), EndReason::Revoked, &actor, now).await.map(drop)
        })
        .await?;
    Ok(())
}

/// Takes back the access tokens that carry this one's place; the grant, or the client, goes on with a fresh place.
async fn revoke_access_token(live: &LiveToken, provider: &Provider, now: Timestamp) -> Result<(), OAuthError> {
    let tokens = match &live.bearer {
        Bearer::Person(standing) => {
            let fresh = provider.status.draw(&provider.store, standing.grant.expires_at, now).await?;
            AccessTokens::OfGrant { grant: standing.grant.id.clone(), at: standing.grant.status, fresh }
        }
        Bearer::Client(client) => AccessTokens::OfClient(client.id.clone()),
    };
    let of_client = matches!(tokens, AccessTokens::OfClient(_));
    let until = now.plus(provider.config.status_bit_kept());
    let actor = format!("client:{}", live.pointer.client);
    let unit = async move |tx: &mut Tx| revoke::end_access_tokens(tx, &tokens, until, &actor, now).await;
    provider.store.write(unit).await?;
    if of_client {
        let counters = changes::read(&mut provider.store.read().await?).await?;
        provider.directory.refresh(&provider.store, counters, now).await?;
    }
    Ok(())
}

const fn foreign() -> OAuthError {
    OAuthError::new(ErrorCode::UnauthorizedClient, "the token was given to another client")
}
