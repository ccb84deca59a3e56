//! Sign-out that an app starts (OIDC RP-Initiated Logout 1.0), and what it ends.

use std::sync::Arc;

use super::authorize::hint::{self, IdTokenHint};
use super::authorize::return_address;
use super::error::OAuthError;
use super::params::Params;
use super::provider::Provider;
use crate::domain::client::Client;
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, SessionId, Sid};
use crate::domain::redirect_uri::RedirectUri;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::web_uri::WebUri;
use crate::store::{StoreError, Tx, grants, outbox};
use crate::tokens::revoke::{self, What};

/// A checked request.
#[derive(Debug, Default)]
pub struct EndSessionRequest {
    hint: Option<IdTokenHint>,
    /// The app that asks, if it is known.
    pub client: Option<Arc<Client>>,
    /// Where to go afterwards.
    pub back_to: Option<RedirectUri>,
    state: Option<String>,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// End the session and go back.
    EndNow,
    /// Ask the person.
    Confirm,
    /// Nobody is signed in, and the app showed that it knew someone who was: go back.
    GoBack,
    /// Nobody is signed in, and the request shows nothing: our own page.
    ShowSignedOut,
}

impl EndSessionRequest {
    /// Checks the parameters. Failures are pages: without proof nobody is redirected anywhere.
    ///
    /// # Errors
    /// `invalid_request`.
    pub async fn check(params: &Params, provider: &Provider, now: Timestamp) -> Result<Self, OAuthError> {
        params.refuse_nul()?;
        params.refuse_duplicates()?;
        let hint = params.get("id_token_hint").map(|token| hint::read(token, provider, now)).transpose()?;
        let named = params.get("client_id");
        if let (Some(hint), Some(named)) = (&hint, named)
            && hint.client.as_str() != named
        {
            return Err(OAuthError::invalid_request("id_token_hint was made for another app than client_id"));
        }
        let id = named.or_else(|| hint.as_ref().map(|hint| hint.client.as_str()));
        let client =
            match id {
                Some(id) => Some(provider.client(id, now).await?.ok_or_else(|| {
                    OAuthError::invalid_request("this app is not known here, or it was switched off")
                })?),
                None => None,
            };
        let back_to = match (params.get("post_logout_redirect_uri"), &client) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(OAuthError::invalid_request("post_logout_redirect_uri needs id_token_hint or client_id"));
            }
            (Some(presented), Some(client)) => {
                Some(client.settings.post_logout_redirect_uri(presented).ok_or_else(|| {
                    OAuthError::invalid_request("post_logout_redirect_uri is not registered for this app")
                })?)
            }
        };
        Ok(Self { hint, client, back_to, state: params.get("state").map(str::to_owned) })
    }

    /// Decides. Only the operator's own app, with a hint that names exactly this session, is not asked about: a link on a
    /// foreign page must not sign anybody out.
    #[must_use]
    pub fn decide(&self, session: Option<&Session>, provider: &Provider) -> Decision {
        let Some(session) = session else {
            return if self.hint.is_some() && self.back_to.is_some() {
                Decision::GoBack
            } else {
                Decision::ShowSignedOut
            };
        };
        let knows = match (&self.hint, &self.client) {
            (Some(hint), Some(client)) => {
                client.settings.first_party
                    && hint.sid.as_ref() == Some(&provider.grant_keys.sid(&session.id, &client.id))
            }
            _ => false,
        };
        if knows { Decision::EndNow } else { Decision::Confirm }
    }

    /// The address to go back to, with the state.
    #[must_use]
    pub fn location(&self) -> Option<String> {
        let back_to = self.back_to.as_ref()?;
        let state = self.state.clone().map(|state| vec![("state", state)]).unwrap_or_default();
        Some(return_address::append(back_to.as_str(), &state))
    }
}

/// What a browser has to hear of a session that was ended in it.
#[derive(Debug, Default)]
pub struct EndedHere {
    /// The clients whose refresh cookies it may hold: computed from the session's families, since Strict cookies do not come along
    /// when a cross-site app starts a sign-out.
    pub refresh_of: Vec<ClientId>,
    /// The clients that were given something in the session, and what they call it.
    pub clients: Vec<(ClientId, Sid)>,
}

/// Ends a session and all grants linked to it.
///
/// # Errors
/// If the database refuses.
pub async fn end_session(
    tx: &mut Tx,
    session: &SessionId,
    actor: &str,
    now: Timestamp,
) -> Result<EndedHere, StoreError> {
    let refresh_of = grants::cookie_clients_of(tx, session).await?;
    let clients = outbox::clients_of(tx, session).await?;
    revoke::end(tx, What::Session(session), EndReason::SignedOut, actor, now).await?;
    Ok(EndedHere { refresh_of, clients })
}

/// The addresses that the browser shall load so that these apps forget the person there too (OpenID Connect Front-Channel
/// Logout 1.0 §2).
#[must_use]
pub fn frames(clients: &[(ClientId, Sid)], provider: &Provider) -> Vec<WebUri> {
    let directory = provider.directory.snapshot();
    let frame = |(id, sid): &(ClientId, Sid)| {
        let uri = directory.client(id.as_str())?.settings.frontchannel_logout_uri.clone()?;
        Some(uri.with(&[("iss", provider.issuer_id()), ("sid", sid.as_str())]))
    };
    clients.iter().filter_map(frame).collect()
}
