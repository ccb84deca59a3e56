//! Whether an access token opens the admin API. The token is only a pointer: the person's role, the client's flag and the time
//! of the sign-in are those of the rows, now.

use super::is_fresh;
use crate::domain::time::Timestamp;
use crate::oauth::audience::ADMIN_SCOPE;
use crate::oauth::error::OAuthError;
use crate::oauth::pointer::{self, Bearer};
use crate::oauth::provider::Provider;

/// What a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To look.
    Look,
    /// To change something.
    Change,
}

/// Who calls, as in [`Event::actor`](crate::store::audit::Event::actor).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub String);

/// Why a caller may not.
#[derive(Debug)]
pub enum Denied {
    /// No token of ours that lives and is for us: nobody is known.
    NoToken,
    /// A fault of ours.
    Fault(OAuthError),
    /// The token, its client or its person lacks the right.
    NotAllowed(Caller, Lack),
}

/// What is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The token is for somebody else.
    Audience,
    /// The token lacks the scope.
    Scope,
    /// The client is not flagged for the admin API, or not any more.
    Flag,
    /// The person is no admin, or not any more.
    Role,
    /// The person signed in too long ago (RFC 9470 §3).
    FreshSignIn,
    /// The client's own token is too old for a change.
    FreshToken,
}

impl Lack {
    /// The guard's name in log and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::Scope => "scope",
            Self::Flag => "client",
            Self::Role => "role",
            Self::FreshSignIn => "elevation",
            Self::FreshToken => "token_age",
        }
    }
}

/// Follows a token to who may use the admin API with it.
///
/// # Errors
/// [`Denied`] says what is lacking.
pub async fn enter(token: &str, wish: Wish, provider: &Provider, now: Timestamp) -> Result<Caller, Denied> {
    let live = pointer::follow(token, provider, now).await.map_err(Denied::Fault)?.ok_or(Denied::NoToken)?;
    let (caller, client_id) = match &live.bearer {
        Bearer::Person(standing) => (Caller(format!("user:{}", standing.user.id)), &standing.grant.client_id),
        Bearer::Client(client) => (Caller(format!("client:{}", client.id)), &client.id),
    };
    let client = provider.client(client_id.as_str(), now).await.map_err(Denied::Fault)?;
    let lack = match &live.bearer {
        // For us alone: what another API is sent, too, that API could send on to us.
        _ if live.pointer.audience != [provider.issuer_id()] => Some(Lack::Audience),
        _ if !live.pointer.scope.contains(ADMIN_SCOPE) => Some(Lack::Scope),
        _ if !client.is_some_and(|client| client.settings.admin_api) => Some(Lack::Flag),
        Bearer::Person(standing) if !standing.user.is_admin() => Some(Lack::Role),
        Bearer::Person(standing) if wish == Wish::Change && !is_fresh(standing.grant.auth_time, now) => {
            Some(Lack::FreshSignIn)
        }
        Bearer::Client(_) if wish == Wish::Change && !is_fresh(live.pointer.issued_at, now) => Some(Lack::FreshToken),
        _ => None,
    };
    match lack {
        None => Ok(caller),
        Some(lack) => Err(Denied::NotAllowed(caller, lack)),
    }
}
