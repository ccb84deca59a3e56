//! The first-party JSON flow: a site's own sign-in form, its own session, and the same cookies as cookie mode. Not an OAuth
//! grant, and off unless the client is registered for it.

use std::sync::Arc;

use super::audience;
use super::error::{ErrorCode, OAuthError};
use super::grants::Caller;
use super::grants::authorization_code::open_family;
use super::grants::person;
use super::provider::Provider;
use crate::accounts::sign_in::{Outcome, SignIn, SignedIn};
use crate::accounts::{Accounts, AccountsError};
use crate::domain::claims::ClaimsRequest;
use crate::domain::client::Client;
use crate::domain::grant::Grant;
use crate::domain::id::GrantId;
use crate::domain::scope::ScopeSet;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;
use crate::store::{StoreError, Tx, grants};
use crate::tokens::issuer::Issued;

/// What a sign-in led to.
#[derive(Debug)]
pub enum DirectLogin {
    /// The person is signed in.
    SignedIn {
        /// The session and its cookie.
        session: Box<SignedIn>,
        /// The tokens.
        issued: Box<Issued>,
    },
    /// Name and password do not fit: one answer for all causes.
    WrongCredentials,
    /// Too many tries: seconds until the next may be made.
    Throttled(u64),
    /// The pool that hashes is full.
    Busy,
}

/// Signs a person in for a client: session, grant and family in one unit of work (protocol 4.11), so that nobody is signed in
/// for nothing. What can be refused without a password is refused before one is looked at.
///
/// # Errors
/// If the client may not do this, or the database refuses.
pub async fn sign_in(
    wish: SignIn,
    caller: Caller,
    accounts: &Accounts,
    provider: &Arc<Provider>,
    now: Timestamp,
) -> Result<DirectLogin, OAuthError> {
    provider.must_be_fresh(now)?;
    let client = caller.authenticated.client.clone();
    if !client.settings.direct_login {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client is not registered for direct login"));
    }
    let target = audience::decide(&[], &[], &default_scope(&client), &client, provider)?;
    let proven = match accounts.prove_sign_in(wish, now).await.map_err(fault)? {
        Ok(proven) => proven,
        Err(Outcome::Throttled { retry_after_seconds }) => return Ok(DirectLogin::Throttled(retry_after_seconds)),
        Err(Outcome::Busy) => return Ok(DirectLogin::Busy),
        Err(Outcome::TooLong) => {
            return Err(OAuthError::invalid_request("the password is longer than any may be"));
        }
        Err(_) => return Ok(DirectLogin::WrongCredentials),
    };
    let expires_at = now.plus(provider.refresh_life(&client).0);
    // Drawn only now: wrong passwords shall not use up places. It may write, so it cannot be done inside the unit.
    let status = provider.status.draw(&provider.store, expires_at, now).await?;
    let inside = provider.clone();
    let with_it = async move |tx: &mut Tx, at: &SignedIn| {
        let client = &caller.authenticated.client;
        let grant = new_grant(at, client, status, &inside, now);
        grants::insert(tx, &grant, &inside.grant_keys.mac(&grant)).await?;
        let standing = grants::standing_of(tx, &grant.id).await?.filter(|standing| standing.is_alive(now));
        // Session and person are held by this unit; only the client may have been switched off a moment ago.
        let standing = standing.ok_or_else(|| StoreError::Unavailable("the client was switched off".into()))?;
        let refresh = open_family(tx, &standing, &caller, &inside, now).await?;
        Ok(person::granted(&standing, target, None, client, &inside, now).with_refresh(refresh))
    };
    let Some((session, granted)) = accounts.open_and(proven, with_it, now).await.map_err(fault)? else {
        return Ok(DirectLogin::WrongCredentials);
    };
    let issued = provider.issuer.sign(granted, now).map_err(OAuthError::unavailable)?;
    Ok(DirectLogin::SignedIn { session: Box::new(session), issued: Box::new(issued) })
}

/// Default scopes only: what the client is registered for, but nothing that outlives the session and no admin rights.
fn default_scope(client: &Client) -> ScopeSet {
    client.settings.scope.filter(|word| word != "offline_access" && !audience::is_house_scope(word))
}

fn new_grant(at: &SignedIn, client: &Client, status: StatusIndex, provider: &Provider, now: Timestamp) -> Grant {
    Grant {
        id: GrantId::fresh(),
        user_id: at.user.id.clone(),
        client_id: client.id.clone(),
        session_id: at.session.id.clone(),
        sid: provider.grant_keys.sid(&at.session.id, &client.id),
        session_linked: true,
        scope: default_scope(client),
        resources: Vec::new(),
        claims: ClaimsRequest::default(),
        auth_time: at.session.auth_time,
        acr: at.session.acr.clone(),
        amr: at.session.amr.clone(),
        delivery: client.settings.refresh_token_delivery,
        status,
        created_at: now,
        expires_at: now.plus(provider.refresh_life(client).0),
        ended_at: None,
    }
}

fn fault(error: AccountsError) -> OAuthError {
    match error {
        AccountsError::Store(error) => error.into(),
        AccountsError::Vault(error) => error.into(),
        AccountsError::Passwords(error) => OAuthError::unavailable(error),
    }
}
