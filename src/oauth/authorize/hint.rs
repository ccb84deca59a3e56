//! `id_token_hint`: an ID token of ours, told back to us (OIDC Core §3.1.2.1, RP-Initiated Logout §2).

use crate::domain::client::Client;
use crate::domain::id::{ClientId, Sid, Subject};
use crate::domain::time::Timestamp;
use crate::keys::verify::VerifyFor;
use crate::oauth::error::OAuthError;
use crate::oauth::provider::Provider;

/// What an ID token of ours says. Its end does not matter: it is a hint, not a proof.
#[derive(Debug, Clone)]
pub struct IdTokenHint {
    /// The person.
    pub subject: Subject,
    /// The client it was made for.
    pub client: ClientId,
    /// The session it was made in.
    pub sid: Option<Sid>,
}

/// Reads a hint. Keys that were replaced count, revoked ones never.
///
/// # Errors
/// `invalid_request` if it is not an ID token of ours.
pub fn read(token: &str, provider: &Provider, now: Timestamp) -> Result<IdTokenHint, OAuthError> {
    let refused = || OAuthError::invalid_request("id_token_hint is not an ID token of this server");
    let verified = provider.keys.ring().verify(token, VerifyFor::IdTokenHint, now).map_err(|_| refused())?;
    let text = |name: &str| verified.claims.get(name).and_then(serde_json::Value::as_str);
    if text("iss") != Some(provider.issuer_id()) {
        return Err(refused());
    }
    match (text("sub"), text("aud")) {
        (Some(subject), Some(client)) => Ok(IdTokenHint {
            subject: Subject::new(subject),
            client: ClientId::new(client),
            sid: text("sid").map(Sid::new),
        }),
        _ => Err(refused()),
    }
}

/// The person a client means by a hint. The hint must have been made for this client.
///
/// # Errors
/// `invalid_request`.
pub fn subject_of(token: &str, client: &Client, provider: &Provider, now: Timestamp) -> Result<Subject, OAuthError> {
    let hint = read(token, provider, now)?;
    if hint.client != client.id {
        return Err(OAuthError::invalid_request("id_token_hint was made for another app"));
    }
    Ok(hint.subject)
}
