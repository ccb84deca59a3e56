//! Requests that wait for a person: kept on our side, carried as an id, bound to one browser.

use crate::domain::id::{BrowserId, ClientId, RequestId};
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
use crate::store::Tx;
use crate::store::authorize_requests::{self, Parked};

/// The parameters worth keeping. All others are ignored anyway.
const KEPT: [&str; 19] = [
    "client_id",
    "response_type",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "acr_values",
    "ui_locales",
    "claims_locales",
    "display",
    "claims",
    "resource",
];

/// Parks a request; the answer's token rides in the links of our pages.
///
/// # Errors
/// If the database refuses.
pub async fn park(
    params: &Params,
    client: &ClientId,
    browser: Option<BrowserId>,
    provider: &Provider,
    now: Timestamp,
) -> Result<OpaqueToken, OAuthError> {
    let token = OpaqueToken::mint(Kind::Request);
    let kept =
        KEPT.iter().flat_map(|name| params.all(name).into_iter().map(|value| ((*name).to_owned(), value.to_owned())));
    let parked = Parked {
        id: RequestId::new(token.id()),
        digest: token.digest(),
        client_id: client.clone(),
        browser_id: browser,
        parameters: Params::of(kept.collect()).encoded(),
        created_at: now,
        expires_at: now.plus(provider.config.sessions.authorize_request_ttl),
        authenticated_user: None,
        chosen_user: None,
    };
    provider.store.write(async move |tx| authorize_requests::insert(tx, &parked).await).await?;
    Ok(token)
}

/// Closes a parked request: it was answered. False: it was before.
///
/// # Errors
/// If the database refuses.
pub async fn close(id: RequestId, provider: &Provider) -> Result<bool, OAuthError> {
    Ok(provider.store.write(async move |tx| authorize_requests::close(tx, &id).await).await?)
}

/// What became of a parked request.
#[derive(Debug)]
pub enum Found {
    /// It waits.
    Waiting(Box<Parked>, Params),
    /// The client was answered.
    Answered(ClientId),
    /// It waited for too long, or it belongs to another browser.
    Over(ClientId),
    /// There is none, or none any more.
    Unknown,
}

/// Finds a parked request again, whosever it is.
///
/// # Errors
/// If the database refuses.
pub async fn find(presented: &str, provider: &Provider, now: Timestamp) -> Result<Found, OAuthError> {
    let Some(parked) = look_up(presented, provider).await? else { return Ok(Found::Unknown) };
    if parked.is_answered() {
        return Ok(Found::Answered(parked.client_id));
    }
    if parked.expires_at.has_passed(now) {
        return Ok(Found::Over(parked.client_id));
    }
    let params = Params::parse(parked.parameters.as_bytes());
    Ok(Found::Waiting(Box::new(parked), params))
}

/// Whether the request is this browser's. One that no browser has shown up with yet becomes so.
///
/// # Errors
/// If the database refuses.
pub async fn claim(parked: &Parked, browser: &BrowserId, provider: &Provider) -> Result<bool, OAuthError> {
    if let Some(owner) = &parked.browser_id {
        return Ok(owner == browser);
    }
    let (id, browser) = (parked.id.clone(), browser.clone());
    Ok(provider.store.write(async move |tx| authorize_requests::bind(tx, &id, &browser).await).await?)
}

/// Gives a parked request to this browser. Two tabs that came first at the same moment were given two identities, and the
/// cookie of one has won; `stood_at` says whether a form of ours shows that it stood in a tab of the other.
///
/// # Errors
/// If the database refuses.
pub async fn adopt(
    presented: &str,
    browser: &BrowserId,
    stood_at: impl FnOnce(&BrowserId) -> bool,
    provider: &Provider,
) -> Result<(), OAuthError> {
    let Some(parked) = look_up(presented, provider).await? else { return Ok(()) };
    let Some(owner) = parked.browser_id.filter(|owner| owner != browser && stood_at(owner)) else { return Ok(()) };
    let browser = browser.clone();
    let work = async move |tx: &mut Tx| authorize_requests::rebind(tx, &parked.id, &owner, &browser).await.map(drop);
    Ok(provider.store.write(work).await?)
}

async fn look_up(presented: &str, provider: &Provider) -> Result<Option<Parked>, OAuthError> {
    let Some(token) = OpaqueToken::parse(Kind::Request, presented) else { return Ok(None) };
    let found = authorize_requests::find(&mut provider.store.read().await?, &RequestId::new(token.id())).await?;
    Ok(found.filter(|parked| parked.digest.matches(&token.digest())))
}
