//! Sign-out of a browser app in cookie mode: both cookies end the session or the app's grant; the refresh cookie alone still
//! ends its own family.

use std::sync::Arc;

use super::end_session;
use super::error::OAuthError;
use super::grants::BrowserCookies;
use super::provider::Provider;
use crate::domain::client::{Client, Delivery};
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, SessionId};
use crate::domain::time::Timestamp;
use crate::domain::token::OpaqueToken;
use crate::store::grants::Standing;
use crate::store::refresh_families;
use crate::tokens::refresh;
use crate::tokens::revoke::{self, What};

/// How much is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// This app's grant.
    App,
    /// The session with everything in it.
    Session,
}

/// Which cookies the answer has to clear.
#[derive(Debug, Default)]
pub struct Cleared {
    /// The refresh cookies of these clients.
    pub refresh_of: Vec<ClientId>,
    /// The session cookie.
    pub session: bool,
}

/// Ends what the cookies show. Idempotent: where nothing is shown, nothing ends.
///
/// # Errors
/// If the database refuses.
pub async fn sign_out(
    client: &Arc<Client>,
    cookies: &BrowserCookies,
    extent: Extent,
    provider: &Arc<Provider>,
    now: Timestamp,
) -> Result<Cleared, OAuthError> {
    provider.must_be_fresh(now)?;
    let Some(presented) = &cookies.refresh else { return Ok(Cleared::default()) };
    let roots = provider.roots.get();
    let recognised = refresh::recognise(presented, client, &roots).map_err(OAuthError::unavailable)?;
    let Some((token, _)) = recognised else { return Ok(Cleared::default()) };
    let found = refresh_families::find(&mut provider.store.read().await?, token.family()).await?;
    let Some((family, standing)) = found.filter(|(family, standing)| {
        family.client_id == client.id && family.delivery == Delivery::Cookie && provider.grant_keys.is_genuine(standing)
    }) else {
        return Ok(Cleared::default());
    };
    let with_session = cookies.session.as_ref().is_some_and(|cookie| is_cookie_of(cookie, &standing));
    let actor = format!("user:{}", standing.user.id);
    if with_session && extent == Extent::Session {
        let session: SessionId = standing.grant.session_id.clone();
        let ended =
            provider.store.write(async move |tx| end_session::end_session(tx, &session, &actor, now).await).await?;
        return Ok(Cleared { refresh_of: ended.refresh_of, session: true });
    }
    let grant = family.grant_id.clone();
    provider
        .store
        .write(async move |tx| revoke::end(tx, What::Grant(&grant), EndReason::SignedOut, &actor, now).await.map(drop))
        .await?;
    Ok(Cleared { refresh_of: vec![client.id.clone()], session: false })
}

fn is_cookie_of(cookie: &OpaqueToken, standing: &Standing) -> bool {
    cookie.id() == standing.grant.session_id.as_str()
        && standing.session.as_ref().is_some_and(|session| session.cookie.matches(&cookie.digest()))
}
