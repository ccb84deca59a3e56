//! Everything an admin can change. Each act is audited in its own unit of work, and so is one that a rule forbids.

use crate::accounts::people::{self, Act as By, PeopleError};
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::ADMIN;
use crate::oauth::error::OAuthError;
use crate::oauth::provider::Provider;
use crate::oauth::registration::{House, Registrar, RegistrationError};
use crate::store::audit::{self, Event};
use crate::store::{StoreError, Tx, clients, consents, sessions, users};
use crate::tokens::revoke::{self, What, Whole};

/// An act, and on whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Ends all sessions of a person, and what ends with them.
    SignOut(UserId),
    /// Ends all a person has, also what outlives sessions.
    EndPerson(UserId),
    /// Keeps a person from signing in, and ends all they have.
    Disable(UserId),
    /// Lets a person sign in again.
    Enable(UserId),
    /// Gives a person the role `admin`.
    MakeAdmin(UserId),
    /// Takes the role `admin` back.
    UnmakeAdmin(UserId),
    /// Takes back what a person lets an app have.
    Withdraw(UserId, ClientId),
    /// Ends one session.
    EndSession(SessionId),
    /// Takes an app out of service, and ends all it was granted.
    DisableApp(ClientId),
    /// Puts an app into service again.
    EnableApp(ClientId),
    /// Ends all an app was granted; it stays in service.
    EndApp(ClientId),
}

/// Why an act was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// There is nothing of that identity.
    NotFound,
    /// Nobody would be left to run this house.
    LastAdmin,
    /// Other apps took its place meanwhile.
    InTheWay(Vec<RegistrationError>),
}

/// Does it. False: it was so already.
///
/// # Errors
/// If the database refuses.
pub async fn perform(
    act: Act,
    actor: String,
    provider: &Provider,
    now: Timestamp,
) -> Result<Result<bool, NotDone>, OAuthError> {
    let house = House::of(&provider.config).map_err(OAuthError::fault)?;
    let rest = rest_of(&act);
    let by = actor.clone();
    let done = provider
        .store
        .write(async move |tx| {
            let done = unit(tx, &act, &by, &house, now).await?;
            if let Err(NotDone::LastAdmin | NotDone::InTheWay(_)) = &done {
                super::note(tx, &by, act.subject(), "rule", now).await?;
            }
            Ok(done)
        })
        .await?;
    if let (Ok(true), Some((whole, reason))) = (&done, rest) {
        // All of it is worthless already: these are the rows beyond the first batch.
        revoke::end_rest(&provider.store, &whole, reason, &actor, now).await?;
    }
    Ok(done)
}

impl Act {
    fn subject(&self) -> &str {
        match self {
            Self::SignOut(user)
            | Self::EndPerson(user)
            | Self::Disable(user)
            | Self::Enable(user)
            | Self::MakeAdmin(user)
            | Self::UnmakeAdmin(user)
            | Self::Withdraw(user, _) => user.as_str(),
            Self::EndSession(session) => session.as_str(),
            Self::DisableApp(client) | Self::EnableApp(client) | Self::EndApp(client) => client.as_str(),
        }
    }
}

async fn unit(
    tx: &mut Tx,
    act: &Act,
    actor: &str,
    house: &House,
    now: Timestamp,
) -> Result<Result<bool, NotDone>, StoreError> {
    let by = By { actor, now };
    let registrar = Registrar { house, actor, now };
    Ok(match act {
        Act::SignOut(user) => {
            people::sign_out(tx, user, by).await?.map(|ended| !ended.is_empty()).map_err(|error| why(&error))
        }
        Act::EndPerson(user) => {
            people::end_all(tx, user, by).await?.map(|ended| !ended.is_empty()).map_err(|error| why(&error))
        }
        Act::Disable(user) => people::disable(tx, user, by).await?.map_err(|error| why(&error)),
        Act::Enable(user) => people::enable(tx, user, by).await?.map_err(|error| why(&error)),
        Act::MakeAdmin(user) => people::grant_role(tx, user, ADMIN, by).await?.map_err(|error| why(&error)),
        Act::UnmakeAdmin(user) => people::revoke_role(tx, user, ADMIN, by).await?.map_err(|error| why(&error)),
        Act::Withdraw(user, client) => withdraw(tx, user, client, by).await?,
        Act::EndSession(session) => {
            if sessions::find(tx, session).await?.is_none() {
                return Ok(Err(NotDone::NotFound));
            }
            let ended = revoke::end(tx, What::Session(session), EndReason::Admin, actor, now).await?;
            Ok(!ended.is_empty())
        }
        Act::DisableApp(client) | Act::EnableApp(client) | Act::EndApp(client)
            if clients::find(tx, client).await?.is_none() =>
        {
            Err(NotDone::NotFound)
        }
        Act::DisableApp(client) => Ok(registrar.disable_client(tx, client).await?),
        Act::EnableApp(client) => registrar.enable_client(tx, client).await?.map_err(NotDone::InTheWay),
        Act::EndApp(client) => Ok(registrar.end_all_of(tx, client).await?.is_some()),
    })
}

async fn withdraw(
    tx: &mut Tx,
    user: &UserId,
    client: &ClientId,
    By { actor, now }: By<'_>,
) -> Result<Result<bool, NotDone>, StoreError> {
    if users::find(tx, user).await?.is_none() {
        return Ok(Err(NotDone::NotFound));
    }
    let remembered = consents::find(tx, user, client).await?.is_some();
    let ended = revoke::end(tx, What::Consent { user, client }, EndReason::ConsentWithdrawn, actor, now).await?;
    if ended.is_empty() && remembered {
        let data = serde_json::json!({ "client": client.as_str(), "grants": 0 });
        audit::record(tx, &Event { actor, action: "consent.end", subject: user.as_str(), data }, now).await?;
    }
    Ok(Ok(remembered || !ended.is_empty()))
}

fn why(error: &PeopleError) -> NotDone {
    match error {
        PeopleError::LastAdmin => NotDone::LastAdmin,
        // The others are about what is said of a person, and nothing is said here.
        _ => NotDone::NotFound,
    }
}

/// Where an act may end more grants than one unit of work can.
fn rest_of(act: &Act) -> Option<(Whole, EndReason)> {
    Some(match act {
        Act::EndSession(session) => (Whole::Session(session.clone()), EndReason::Admin),
        Act::SignOut(user) => (Whole::SessionsOf { user: user.clone(), keep: None }, EndReason::Admin),
        Act::EndPerson(user) => (Whole::User(user.clone()), EndReason::Admin),
        Act::Disable(user) => (Whole::User(user.clone()), EndReason::UserDisabled),
        Act::EndApp(client) => (Whole::Client(client.clone()), EndReason::Admin),
        Act::DisableApp(client) => (Whole::Client(client.clone()), EndReason::ClientDisabled),
        _ => return None,
    })
}
