//! The answer: record the grant, mint the code.

use super::Checked;
use super::decide::SignedIn;
use crate::domain::client::{ApplicationType, Client};
use crate::domain::code::{AuthorizationCode, CodeState};
use crate::domain::grant::Grant;
use crate::domain::id::{CodeId, GrantId, RequestId};
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::gateway;
use crate::oauth::provider::Provider;
use crate::store::{audit, authorize_requests, codes, consents, grants};

const OFFLINE_ACCESS: &str = "offline_access";

/// What the person decided on the consent page, if it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentGiven {
    /// It was not shown: nothing to remember.
    Earlier,
    /// The person said yes just now.
    Now,
}

/// Records the grant and its code, remembers the consent and closes the parked request: one unit of work, parents before
/// children. `None`: the request was answered already, by a click a moment ago.
///
/// # Errors
/// `login_required` if the session ended meanwhile; `consent_required` if the consent was withdrawn meanwhile.
pub async fn grant_code(
    checked: &Checked,
    at: &SignedIn,
    given: ConsentGiven,
    parked: Option<RequestId>,
    provider: &Provider,
    now: Timestamp,
) -> Result<Option<OpaqueToken>, OAuthError> {
    let asked = checked.request.as_consent(now);
    let first_party = checked.client.settings.first_party;
    let mut grant = new_grant(checked, at, provider, now).await?;
    // Use without the person is what outlives a sign-out, so it must have been allowed in so many words, also to the operator's
    // own apps, which are asked nothing else (OIDC Core §11).
    let allowed_offline =
        given == ConsentGiven::Now || at.consent.as_ref().is_some_and(|consent| consent.scope.contains(OFFLINE_ACCESS));
    grant.session_linked |= !allowed_offline;
    let mac = provider.grant_keys.mac(&grant);
    let token = OpaqueToken::mint(Kind::Code);
    let code = AuthorizationCode {
        id: CodeId::new(token.id()),
        digest: token.digest(),
        grant_id: grant.id.clone(),
        client_id: checked.client.id.clone(),
        redirect_uri: checked.to.uri().as_str().to_owned(),
        nonce: checked.request.nonce.clone(),
        challenge: checked.request.challenge.clone(),
        state: CodeState::Issued { until: now.plus(provider.config.tokens.authorization_code_ttl) },
    };
    let recorded = provider
        .store
        .write(async move |tx| {
            if let Some(parked) = &parked
                && !authorize_requests::close(tx, parked).await?
            {
                return Ok(Ok(None));
            }
            if !grants::touch_session(tx, &grant.session_id, now).await? {
                return Ok(Err(OAuthError::new(ErrorCode::LoginRequired, "the session has ended")));
            }
            // The consent is a parent like the session: touched first, so that who withdraws it ends this grant with it.
            let before = consents::touch(tx, &grant.user_id, &grant.client_id).await?;
            if given == ConsentGiven::Earlier && !first_party && !before.as_ref().is_some_and(|own| own.covers(&asked))
            {
                return Ok(Err(OAuthError::new(ErrorCode::ConsentRequired, "the consent was withdrawn")));
            }
            grants::insert(tx, &grant, &mac).await?;
            codes::insert(tx, &code).await?;
            if given == ConsentGiven::Now {
                let consent = match before {
                    Some(before) => asked.and(before),
                    None => asked,
                };
                consents::remember(tx, &grant.user_id, &grant.client_id, &consent).await?;
                let event = audit::Event {
                    actor: &format!("user:{}", grant.user_id),
                    action: "consent.give",
                    subject: grant.client_id.as_str(),
                    data: serde_json::json!({
                        "scope": consent.scope, "claims": consent.claims, "resources": consent.resources,
                    }),
                };
                audit::record(tx, &event, now).await?;
            }
            Ok(Ok(Some(())))
        })
        .await?;
    recorded.map(|first| first.map(|()| token))
}

async fn new_grant(checked: &Checked, at: &SignedIn, provider: &Provider, now: Timestamp) -> Result<Grant, OAuthError> {
    let client = &checked.client;
    // A visit to an app behind a proxy lasts as long as the session at the house, and never longer.
    let at_gateway = gateway::is_callback(client, checked.to.uri().as_str(), provider);
    let expires_at = if at_gateway { at.session.expires_at } else { now.plus(life(checked, provider)) };
    let offline = checked.request.scope.contains(OFFLINE_ACCESS)
        && client.settings.application_type != ApplicationType::Browser
        && !at_gateway;
    Ok(Grant {
        id: GrantId::fresh(),
        user_id: at.user.id.clone(),
        client_id: client.id.clone(),
        session_id: at.session.id.clone(),
        sid: provider.grant_keys.sid(&at.session.id, &client.id),
        session_linked: !offline,
        scope: checked.request.scope.clone(),
        resources: checked.request.resources.clone(),
        claims: checked.request.claims.clone(),
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

/// A grant lives as long as its refresh token, or else as long as its last access token may.
fn life(checked: &Checked, provider: &Provider) -> std::time::Duration {
    let client: &Client = &checked.client;
    if Provider::gives_refresh_token(client, &checked.request.scope) {
        provider.refresh_life(client).0
    } else {
        provider.config.tokens.authorization_code_ttl + provider.access_token_ttl(client)
    }
}
