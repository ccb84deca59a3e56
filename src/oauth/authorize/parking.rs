//! Requests that wait for a person: kept on our side, carried as an id, bound to one browser.

use crate::domain::id::{BrowserId, ClientId, RequestId};
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
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

/// Finds a parked request again, whosever it is.
///
/// # Errors
/// If the database refuses.
pub async fn find(presented: &str, provider: &Provider, now: Timestamp) -> Result<Option<Parked>, OAuthError> {
    let Some(token) = OpaqueToken::parse(Kind::Request, presented) else { return Ok(None) };
    let id = RequestId::new(token.id());
    let found = authorize_requests::find(&mut provider.store.read().await?, &id, now).await?;
    Ok(found.filter(|parked| parked.digest.matches(&token.digest())))
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
