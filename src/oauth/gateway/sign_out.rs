//! The end of a visit to an app behind a proxy.

use super::{origin_of, visit};
use crate::config::GatewayApp;
use crate::domain::grant::EndReason;
use crate::domain::time::Timestamp;
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
use crate::tokens::id_token::IdClaims;
use crate::tokens::revoke::{self, What};

/// Ends the visit of this cookie, if there is one. Returns where the browser goes on to: the house's own sign-out, with a hint
/// that shows who asks, so that people are not asked twice (OIDC RP-Initiated Logout §2). `own`: the wish comes from a page of the
/// app's or from the person; a page of somebody else's ends nothing, and the house asks.
///
/// # Errors
/// If the database refuses.
pub async fn sign_out(
    app: &GatewayApp,
    cookie: Option<&str>,
    own: bool,
    provider: &Provider,
    now: Timestamp,
) -> Result<String, OAuthError> {
    let found = match cookie.filter(|_| own) {
        Some(cookie) => visit(&mut provider.store.read().await?, cookie, app, provider, now).await?,
        None => None,
    };
    let mut parameters = Vec::new();
    if let Some(client) = provider.client(&app.client_id, now).await? {
        if let Some(found) = found {
            let grant = found.standing.grant;
            let subject = found.standing.user.sub.as_str().to_owned();
            let ttl = provider.config.tokens.id_token_ttl;
            let claims = IdClaims::of(&grant, provider.issuer_id(), &subject, ttl, now);
            let alg = client.settings.id_token_signed_response_alg;
            let hint =
                provider.issuer.sign_id(client.id.as_str(), alg, &claims, now).map_err(OAuthError::unavailable)?;
            parameters.push(("id_token_hint".to_owned(), hint));
            let (id, actor) = (grant.id, format!("user:{}", grant.user_id));
            let ended = async move |tx: &mut crate::store::Tx| {
                revoke::end(tx, What::Grant(&id), EndReason::SignedOut, &actor, now).await.map(drop)
            };
            provider.store.write(ended).await?;
        }
        parameters.push(("client_id".to_owned(), client.id.as_str().to_owned()));
        let front_page = format!("{}/", origin_of(app, provider));
        if client.settings.post_logout_redirect_uri(&front_page).is_some() {
            parameters.push(("post_logout_redirect_uri".to_owned(), front_page));
        }
    }
    Ok(format!("{}?{}", provider.config.issuer_url("/oauth2/logout"), Params::of(parameters).encoded()))
}
