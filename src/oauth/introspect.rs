//! Introspection (RFC 7662).

use serde::Serialize;
use serde_json::{Value, json};

use super::client_auth::AuthenticatedClient;
use super::error::OAuthError;
use super::params::Params;
use super::pointer::{self, Bearer, LiveToken};
use super::provider::Provider;
use crate::domain::refresh_token;
use crate::domain::time::Timestamp;
use crate::keys::signer::Typ;
use crate::store::{grants, refresh_families};
use crate::tokens::refresh;

/// The answer. For everything that is not alive, or not for the caller, it is `{"active":false}` and nothing else.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Introspection(Value);

impl Introspection {
    fn inactive() -> Self {
        Self(json!({ "active": false }))
    }
}

/// The media type of a signed answer (RFC 9701 §4).
pub const SIGNED: &str = "application/token-introspection+jwt";

/// A signed answer. What it says of the token stands inside, so that nobody can take it for the token itself.
#[derive(Serialize)]
struct Signed<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    token_introspection: &'a Value,
}

impl Introspection {
    /// Signs the answer for the caller (RFC 9701 §5).
    ///
    /// # Errors
    /// `temporarily_unavailable` if no key signs.
    pub fn sign(
        &self,
        caller: &AuthenticatedClient,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<String, OAuthError> {
        let caller = &caller.client;
        let alg = provider.introspection_alg(caller);
        let signed = Signed {
            iss: provider.issuer_id(),
            aud: caller.id.as_str(),
            iat: now.as_seconds(),
            token_introspection: &self.0,
        };
        let body = serde_json::to_vec(&signed).map_err(OAuthError::unavailable)?;
        let ring = provider.keys.ring();
        let signer = ring.signer(alg).ok_or_else(|| OAuthError::unavailable("no key signs an introspection"))?;
        signer.sign(Typ::Introspection, &body).map_err(OAuthError::unavailable)
    }
}

/// Tells a caller about a token.
///
/// # Errors
/// `invalid_client` if the caller proved nothing, `invalid_request` without a token.
pub async fn introspect(
    caller: &AuthenticatedClient,
    params: &Params,
    provider: &Provider,
    now: Timestamp,
) -> Result<Introspection, OAuthError> {
    if caller.bound.is_none() {
        return Err(OAuthError::invalid_client());
    }
    let token = params.require("token", "token is missing")?;
    // token_type_hint is a hint: the prefix tells the kind for sure.
    if token.starts_with(refresh_token::PREFIX) {
        return refresh_token(token, caller, provider, now).await;
    }
    let Some(live) = pointer::follow(token, provider, now).await? else { return Ok(Introspection::inactive()) };
    let own = live.pointer.client == caller.client.id;
    if !own && !may_introspect(caller, &live, provider) {
        return Ok(Introspection::inactive());
    }
    Ok(active(&live, provider))
}

/// Whether a resource in the token's audience names the caller.
fn may_introspect(caller: &AuthenticatedClient, live: &LiveToken, provider: &Provider) -> bool {
    let snapshot = provider.directory.snapshot();
    live.pointer
        .audience
        .iter()
        .filter_map(|audience| snapshot.resource_named(audience))
        .any(|resource| resource.disabled_at.is_none() && resource.introspected_by.contains(&caller.client.id))
}

fn active(live: &LiveToken, provider: &Provider) -> Introspection {
    let pointer = &live.pointer;
    let mut told = json!({
        "active": true,
        "iss": provider.issuer_id(),
        "sub": pointer.subject,
        "aud": if let [one] = pointer.audience.as_slice() { Value::from(one.as_str()) } else { Value::from(pointer.audience.clone()) },
        "client_id": pointer.client,
        "scope": pointer.scope,
        "token_type": "Bearer",
        "exp": pointer.expires_at,
        "iat": pointer.issued_at,
        "jti": pointer.jti,
    });
    if let (Bearer::Person(standing), Some(members)) = (&live.bearer, told.as_object_mut()) {
        members.insert("username".to_owned(), Value::from(standing.user.username.as_str()));
        members.insert("acr".to_owned(), Value::from(standing.grant.acr.as_str()));
        members.insert("auth_time".to_owned(), Value::from(standing.grant.auth_time.as_seconds()));
        members.insert("sid".to_owned(), Value::from(standing.grant.sid.as_str()));
    }
    Introspection(told)
}

/// Only its own client learns about a refresh token, never a resource.
async fn refresh_token(
    token: &str,
    caller: &AuthenticatedClient,
    provider: &Provider,
    now: Timestamp,
) -> Result<Introspection, OAuthError> {
    provider.must_be_fresh(now)?;
    let roots = provider.roots.get();
    let recognised = refresh::recognise(token, &caller.client, &roots).map_err(OAuthError::unavailable)?;
    let Some((token, _)) = recognised else { return Ok(Introspection::inactive()) };
    let found = refresh_families::find(&mut provider.store.read().await?, token.family()).await?;
    let alive = found.filter(|(family, standing)| {
        family.client_id == caller.client.id
            && family.generation == token.generation()
            && family.ended_at.is_none()
            && !family.expires_at.has_passed(now)
            && !family.idle_expires_at.has_passed(now)
            && provider.grant_keys.is_genuine(standing)
            && standing.is_alive(now)
    });
    Ok(alive.map_or_else(Introspection::inactive, |(family, standing)| {
        let grants::Standing { grant, user, .. } = standing;
        Introspection(json!({
            "active": true,
            "iss": provider.issuer_id(),
            "sub": user.sub,
            "username": user.username.as_str(),
            "client_id": grant.client_id,
            "scope": grant.scope,
            "exp": family.expires_at,
            "iat": grant.created_at,
        }))
    }))
}
