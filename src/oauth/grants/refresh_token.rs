//! A refresh token for new tokens (RFC 6749 §6).

use std::sync::Arc;

use super::Caller;
use super::person::{self, Narrowing};
use crate::domain::client::Delivery;
use crate::domain::refresh_token::RefreshToken;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
use crate::store::grants::Standing;
use crate::store::{StoreError, Tx};
use crate::tokens::issuer::{Granted, GrantedRefresh};
use crate::tokens::refresh::{self, Accepted, Presentation, Presented};

/// A checked request.
#[derive(Debug)]
pub struct RefreshTokenRequest {
    token: Secret,
    delivery: Delivery,
    narrowing: Narrowing,
}

enum Outcome {
    Granted(Box<Granted>),
    Refused(OAuthError),
}

impl RefreshTokenRequest {
    /// Reads the form, and in cookie mode the cookie.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_grant` if a cookie is missing.
    pub fn parse(params: &Params, caller: &Caller) -> Result<Self, OAuthError> {
        let posted = params.get("refresh_token");
        let (token, delivery) = match (&caller.cookies, posted) {
            (Some(_), Some(_)) => {
                return Err(OAuthError::invalid_request("this client's refresh token travels as a cookie only"));
            }
            (Some(cookies), None) => {
                let token = cookies.refresh.as_ref().map(|value| Secret::new(value.to_string()));
                (token.ok_or_else(|| OAuthError::invalid_grant("the refresh cookie is missing"))?, Delivery::Cookie)
            }
            (None, Some(posted)) => (Secret::new(posted.to_owned()), Delivery::Body),
            (None, None) => return Err(OAuthError::invalid_request("refresh_token is missing")),
        };
        Ok(Self { token, delivery, narrowing: Narrowing::parse(params)? })
    }

    pub(super) async fn exchange(
        self,
        caller: Caller,
        provider: &Arc<Provider>,
        now: Timestamp,
    ) -> Result<Granted, OAuthError> {
        provider.must_be_fresh(now)?;
        let Caller { authenticated, cookies, context } = caller;
        let client = authenticated.client;
        let roots = provider.roots.get();
        let recognised = refresh::recognise(self.token.expose(), &client, &roots).map_err(|missing| {
            tracing::error!(alarm = "vault", "a refresh root does not open");
            OAuthError::unavailable(missing)
        })?;
        // A forged token changes nothing, and costs no write.
        let (token, root_id) = recognised.ok_or_else(|| OAuthError::invalid_grant("the refresh token is unknown"))?;
        let presentation = Presentation {
            token,
            root_id,
            bound: authenticated.bound,
            delivery: self.delivery,
            session_cookie: cookies.and_then(|cookies| cookies.session),
            client_grace: provider.refresh_grace(&client),
            idle: provider.refresh_life(&client).1,
            context: context.name(),
            now,
            client,
        };
        let narrowing = self.narrowing;
        let inside = provider.clone();
        let outcome =
            provider.store.write(async move |tx| use_token(tx, &presentation, &narrowing, &inside).await).await?;
        match outcome {
            Outcome::Granted(granted) => Ok(*granted),
            Outcome::Refused(error) => Err(error),
        }
    }
}

async fn use_token(
    tx: &mut Tx,
    from: &Presentation,
    narrowing: &Narrowing,
    provider: &Provider,
) -> Result<Outcome, StoreError> {
    let narrow = |standing: &Standing| narrowing.apply(standing, &from.client, provider);
    let accepted = match refresh::present(tx, from, &provider.grant_keys, &provider.steps, narrow).await? {
        Presented::Accepted(accepted) => accepted,
        Presented::Declined(error) => return Ok(Outcome::Refused(error)),
        Presented::Refused(hint) => return Ok(Outcome::Refused(OAuthError::invalid_grant(hint))),
        Presented::TooSoon(too_soon) => {
            let hint = "this sign-in is refreshed too often";
            return Ok(Outcome::Refused(OAuthError::too_many_requests(hint, too_soon)));
        }
    };
    let Accepted { family, standing, generation, narrowed } = *accepted;
    let roots = provider.roots.get();
    let Ok(Some(root)) = roots.get(&family.root_id) else {
        return Ok(Outcome::Refused(OAuthError::unavailable(refresh::RootsMissing)));
    };
    let refresh = GrantedRefresh {
        token: RefreshToken::of(&family.id, generation, &family.id.key(root), &from.client.id),
        delivery: family.delivery,
        expires_at: family.expires_at,
        persistent: standing.session.as_ref().is_some_and(|session| session.persistent),
    };
    let granted = person::granted(&standing, narrowed, None, &from.client, provider, from.now);
    Ok(Outcome::Granted(Box::new(granted.with_refresh(Some(refresh)))))
}
