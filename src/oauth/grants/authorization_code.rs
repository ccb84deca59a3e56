//! A code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.6).

use std::sync::Arc;

use super::Caller;
use super::person::{self, Narrowing};
use crate::domain::client::Delivery;
use crate::domain::code::{AuthorizationCode, CodeState};
use crate::domain::grant::EndReason;
use crate::domain::id::{CodeId, FamilyId};
use crate::domain::refresh_family::{RefreshFamily, Retries};
use crate::domain::refresh_token::RefreshToken;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
use crate::store::grants::Standing;
use crate::store::{StoreError, Tx, audit, codes, grants, refresh_families};
use crate::tokens::issuer::{Granted, GrantedRefresh};
use crate::tokens::revoke::{self, What};

/// A checked request.
#[derive(Debug)]
pub struct AuthorizationCodeRequest {
    code: OpaqueToken,
    redirect_uri: String,
    verifier: Option<Secret>,
    narrowing: Narrowing,
}

/// What became of a code.
enum Outcome {
    Granted(Box<Granted>),
    Refused(OAuthError),
}

impl AuthorizationCodeRequest {
    /// Reads the form.
    ///
    /// # Errors
    /// `invalid_request` if a parameter is missing, `invalid_grant` if the code is none of ours.
    pub fn parse(params: &Params) -> Result<Self, OAuthError> {
        let code = params.require("code", "code is missing")?;
        Ok(Self {
            code: OpaqueToken::parse(Kind::Code, code)
                .ok_or_else(|| OAuthError::invalid_grant("the code is unknown"))?,
            redirect_uri: params.require("redirect_uri", "redirect_uri is missing")?.to_owned(),
            verifier: params.get("code_verifier").map(|text| Secret::new(text.to_owned())),
            narrowing: Narrowing::parse(params)?,
        })
    }

    pub(super) async fn exchange(
        self,
        caller: Caller,
        provider: &Arc<Provider>,
        now: Timestamp,
    ) -> Result<Granted, OAuthError> {
        provider.must_be_fresh(now)?;
        let inside = provider.clone();
        let outcome = provider.store.write(async move |tx| self.redeem(tx, &caller, &inside, now).await).await?;
        match outcome {
            Outcome::Granted(granted) => Ok(*granted),
            Outcome::Refused(error) => Err(error),
        }
    }

    /// The body of the RFC, in its order, in one unit of work.
    async fn redeem(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let client = &caller.authenticated.client;
        let (code, standing) = match self.look(tx, caller, provider, now).await? {
            Ok(found) => found,
            Err(error) => return Ok(Outcome::Refused(error)),
        };
        let target = match self.narrowing.apply(&standing, client, provider) {
            Ok(target) => target,
            Err(error) => return Ok(Outcome::Refused(error)),
        };
        if let Err(error) = self.spend(tx, &code, &standing, caller, now).await? {
            return Ok(Outcome::Refused(error));
        }
        let refresh = open_family(tx, &standing, caller, provider, now).await?;
        let granted = person::granted(&standing, target, code.nonce, client, provider, now);
        Ok(Outcome::Granted(Box::new(granted.with_refresh(refresh))))
    }

    /// Takes the code for a sign-in at an app of the gateway's: no token leaves, so none is made. Inside: the refusal.
    pub(in crate::oauth) async fn take(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<Result<Standing, OAuthError>, StoreError> {
        let (code, standing) = match self.look(tx, caller, provider, now).await? {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        Ok(self.spend(tx, &code, &standing, caller, now).await?.map(|()| standing))
    }

    /// Finds the code, and checks all that must be right before it is spent. Inside: the refusal.
    async fn look(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<Result<(AuthorizationCode, Standing), OAuthError>, StoreError> {
        let client = &caller.authenticated.client;
        let refused = |hint| Ok(Err(OAuthError::invalid_grant(hint)));
        let found = codes::find(tx, &CodeId::new(self.code.id())).await?;
        let Some((code, standing)) = found.filter(|(code, _)| code.digest.matches(&self.code.digest())) else {
            return refused("the code is unknown");
        };
        if code.client_id != client.id {
            // It is not this client's to spoil.
            return refused("the code was given to another client");
        }
        match code.state {
            CodeState::Used { .. } => {
                self.reuse(tx, &code, &standing, caller, now).await?;
                return refused("the code was used before");
            }
            CodeState::Burnt { .. } => return refused("the code was presented wrongly before"),
            CodeState::Issued { until } if until.has_passed(now) => return refused("the code has expired"),
            CodeState::Issued { .. } => {}
        }
        if let Some(hint) = self.misfit(&code, &standing, caller) {
            codes::burn(tx, &code.id, now).await?;
            return refused(hint);
        }
        if !provider.grant_keys.is_genuine(&standing) || !standing.is_alive(now) {
            return refused("the authorization is over");
        }
        if standing.grant.delivery != client.settings.refresh_token_delivery {
            // Registered anew in between: a refresh token must not leave by the way of before.
            return refused("the app's registration changed, ask for a new code");
        }
        Ok(Ok((code, standing)))
    }

    /// Spends a code that was looked at, once. Inside: the refusal.
    async fn spend(
        &self,
        tx: &mut Tx,
        code: &AuthorizationCode,
        standing: &Standing,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Result<(), OAuthError>, StoreError> {
        let refused = |hint| Ok(Err(OAuthError::invalid_grant(hint)));
        if !hold_parents(tx, standing, now).await? {
            return refused("the authorization is over");
        }
        if !codes::redeem(tx, &code.id, now).await? {
            // Someone was faster. Only who used it makes this a second use; one who came with a wrong verifier spoilt it.
            let spoilt =
                codes::find(tx, &code.id).await?.is_some_and(|(code, _)| matches!(code.state, CodeState::Burnt { .. }));
            if spoilt {
                return refused("the code was presented wrongly before");
            }
            self.reuse(tx, code, standing, caller, now).await?;
            return refused("the code was used before");
        }
        Ok(Ok(()))
    }

    /// What does not fit between the code and this request, if anything: redirect URI, PKCE, the browser.
    fn misfit(&self, code: &AuthorizationCode, standing: &Standing, caller: &Caller) -> Option<&'static str> {
        // OAuth 2.1 drops this check; RFC 6749 §4.1.3 has it, and it harms nobody.
        if self.redirect_uri != code.redirect_uri {
            return Some("redirect_uri differs from the one of the authorization request");
        }
        if !self.meets_challenge(code) {
            return Some("code_verifier does not meet the code_challenge");
        }
        let cookie_mode = caller.authenticated.client.settings.is_cookie_mode();
        if cookie_mode && !comes_from_its_browser(standing, caller) {
            return Some("the code belongs to another browser");
        }
        None
    }

    /// RFC 9700 §2.1.1: a verifier without a challenge is refused as well as a challenge without a verifier.
    fn meets_challenge(&self, code: &AuthorizationCode) -> bool {
        match (&code.challenge, &self.verifier) {
            (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier.expose()),
            (None, None) => true,
            _ => false,
        }
    }

    /// A second use. It ends the grant only where the caller shows that the code is its own: by authentication or by the
    /// verifier. Otherwise anyone who saw a code could end grants.
    async fn reuse(
        &self,
        tx: &mut Tx,
        code: &AuthorizationCode,
        standing: &Standing,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let verifier_fits = code.challenge.is_some() && self.meets_challenge(code);
        let proven = caller.authenticated.bound.is_some() || verifier_fits;
        let actor = format!("client:{}", code.client_id);
        let event = audit::Event {
            actor: &actor,
            action: "code.reuse",
            subject: standing.grant.id.as_str(),
            data: serde_json::json!({ "proven": proven }),
        };
        audit::record(tx, &event, now).await?;
        if proven {
            tracing::warn!(alarm = "code_reuse", grant = %standing.grant.id, client = %code.client_id, "a code was used twice");
            revoke::end(tx, What::Grant(&standing.grant.id), EndReason::CodeReuse, &actor, now).await?;
        }
        Ok(())
    }
}

/// Whether the request carries the cookie of exactly the session the code belongs to. Script that runs in the page may obtain a
/// code, but it cannot read this cookie, so it cannot take the code elsewhere.
fn comes_from_its_browser(standing: &Standing, caller: &Caller) -> bool {
    let cookie = caller.cookies.as_ref().and_then(|cookies| cookies.session.as_ref());
    match (cookie, &standing.session) {
        (Some(cookie), Some(session)) => {
            cookie.id() == standing.grant.session_id.as_str()
                && session.ended_at.is_none()
                && session.cookie.matches(&cookie.digest())
        }
        _ => false,
    }
}

/// Touches what the family will hang on, the session first. In cookie mode two codes of one session would else both find no
/// family to replace, and open two. False: it is over.
async fn hold_parents(tx: &mut Tx, standing: &Standing, now: Timestamp) -> Result<bool, StoreError> {
    let grant = &standing.grant;
    if grant.delivery != Delivery::Cookie {
        return grants::touch(tx, &grant.id, now).await;
    }
    if !grants::touch_session(tx, &grant.session_id, now).await? {
        return Ok(false);
    }
    // The grant that will be replaced is held as well, and the older of the two first: so do those who end all grants of a
    // person or a client, and PostgreSQL would break one of us off if we met them in the other order.
    let replaced = grants::with_cookie_family(tx, &grant.session_id, &grant.client_id).await?;
    let mut held = [Some(&grant.id), replaced.as_ref().filter(|replaced| **replaced != grant.id)];
    held.sort();
    let mut lives = true;
    for id in held.into_iter().flatten() {
        lives &= grants::touch(tx, id, now).await? || *id != grant.id;
    }
    Ok(lives)
}

/// Opens the family of a grant, if its client gets refresh tokens. In cookie mode an older living family of the same session
/// and client is replaced. The session and the grant must have been touched in the same unit.
pub(in crate::oauth) async fn open_family(
    tx: &mut Tx,
    standing: &Standing,
    caller: &Caller,
    provider: &Provider,
    now: Timestamp,
) -> Result<Option<GrantedRefresh>, StoreError> {
    let client = &caller.authenticated.client;
    let grant = &standing.grant;
    if !Provider::gives_refresh_token(client, &grant.scope) {
        return Ok(None);
    }
    if grant.delivery == Delivery::Cookie
        && let Some(older) = grants::with_cookie_family(tx, &grant.session_id, &client.id).await?
    {
        revoke::end(tx, What::Grant(&older), EndReason::Replaced, "system", now).await?;
    }
    let (_, idle) = provider.refresh_life(client);
    let roots = provider.roots.get();
    // A root that does not open is a fault of ours: it undoes the unit, so that the code can be presented again.
    let (root_id, root) =
        roots.current().ok_or_else(|| StoreError::Unavailable("the refresh root does not open".into()))?;
    let family = RefreshFamily {
        id: FamilyId::fresh(),
        grant_id: grant.id.clone(),
        client_id: client.id.clone(),
        session_id: grant.session_id.clone(),
        root_id: root_id.to_owned(),
        delivery: grant.delivery,
        retry: (client.settings.refresh_retry, provider.refresh_grace(client)),
        generation: 0,
        rotated_at: now,
        expires_at: grant.expires_at,
        idle_expires_at: now.plus(idle).min(grant.expires_at),
        retries: Retries::default().stepped(&caller.context.name()),
        ended_at: None,
    };
    refresh_families::insert(tx, &family, now).await?;
    let token = RefreshToken::of(&family.id, 0, &family.id.key(root), &client.id);
    let persistent = standing.session.as_ref().is_some_and(|session| session.persistent);
    Ok(Some(GrantedRefresh { token, delivery: grant.delivery, expires_at: family.expires_at, persistent }))
}
