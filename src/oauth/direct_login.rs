//! The first-party JSON flow: a site's own sign-in form, its own session, and the same cookies as cookie mode. Not an OAuth
//! grant, and off unless the client is registered for it.

use std::sync::Arc;
use std::time::Duration;

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
use crate::domain::time::Timestamp;
use crate::store::grants;
use crate::tokens::issuer::Issued;

use super::audience;

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
    /// The password is longer than any may be; nothing was tried.
    TooLong,
}

/// Signs a person in for a client. First the session, in the unit of work of the sign-in; then its grant and family in one more.
/// A process that dies in between leaves a session without a grant, which opens nothing.
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
    let signed_in = match accounts.sign_in(wish, now).await.map_err(fault)? {
        Outcome::SignedIn(signed_in) => *signed_in,
        Outcome::WrongCredentials | Outcome::OtherPerson => return Ok(DirectLogin::WrongCredentials),
        Outcome::TooLong => return Ok(DirectLogin::TooLong),
        Outcome::Throttled { retry_after_seconds } => return Ok(DirectLogin::Throttled(retry_after_seconds)),
        Outcome::Busy => return Ok(DirectLogin::Busy),
    };
    let grant = new_grant(&signed_in, &client, provider, now).await?;
    let mac = provider.grant_keys.mac(&grant);
    let inside = provider.clone();
    let granted = provider
        .store
        .write(async move |tx| {
            if !grants::touch_session(tx, &grant.session_id, now).await? {
                return Ok(Err(OAuthError::new(ErrorCode::LoginRequired, "the session has ended")));
            }
            grants::insert(tx, &grant, &mac).await?;
            let Some(standing) = grants::standing_of(tx, &grant.id).await? else {
                return Ok(Err(OAuthError::new(ErrorCode::LoginRequired, "the session has ended")));
            };
            let target = match audience::decide(&[], &[], &standing.grant.scope, &caller.authenticated.client, &inside)
            {
                Ok(target) => target,
                Err(error) => return Ok(Err(error)),
            };
            let refresh = open_family(tx, &standing, &caller, &inside, now).await?;
            let granted = person::granted(&standing, target, None, &caller.authenticated.client, &inside, now);
            Ok(Ok(granted.with_refresh(refresh)))
        })
        .await??;
    let issued = provider.issuer.sign(granted, now).map_err(OAuthError::unavailable)?;
    Ok(DirectLogin::SignedIn { session: Box::new(signed_in), issued: Box::new(issued) })
}

/// Default scopes only: what the client is registered for, but nothing that outlives the session and no admin rights.
fn default_scope(client: &Client) -> ScopeSet {
    client.settings.scope.filter(|word| word != "offline_access" && word != audience::ADMIN_SCOPE)
}

async fn new_grant(at: &SignedIn, client: &Client, provider: &Provider, now: Timestamp) -> Result<Grant, OAuthError> {
    let life: Duration = provider.refresh_life(client).0;
    let expires_at = now.plus(life);
    Ok(Grant {
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
        status: provider.status.draw(&provider.store, expires_at, now).await?,
        created_at: now,
        expires_at,
        ended_at: None,
    })
}

fn fault(error: AccountsError) -> OAuthError {
    match error {
        AccountsError::Store(error) => error.into(),
        AccountsError::Vault(error) => error.into(),
        AccountsError::Passwords(error) => OAuthError::unavailable(error),
    }
}
