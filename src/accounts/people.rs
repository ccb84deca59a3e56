//! Registering people, disabling and removing them, their roles. All of it works inside a unit of work and is audited. A
//! refusal of one of these has written nothing; whether the unit goes on is the caller's decision.
//!
//! One rule stands above all: somebody who may sign in always has the role `admin`, once somebody has.

use std::fmt;

use serde_json::json;

use super::passwords::PhcHash;
use super::registration::{BadRegistration, Registration, check_role};
use super::sealed_hash;
use crate::domain::grant::EndReason;
use crate::domain::id::{Subject, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::{ADMIN, User};
use crate::keys::vault::Vault;
use crate::store::audit::{self, Event};
use crate::store::{StoreError, Tx, users};
use crate::tokens::revoke::{self, Ended, What};

/// Who does it, and when.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// As in [`Event::actor`].
    pub actor: &'a str,
    /// The moment.
    pub now: Timestamp,
}

/// Why something cannot be done to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeopleError {
    /// There is no such person.
    NotFound,
    /// Nobody would be left to run this house.
    LastAdmin,
    /// The user name belongs to somebody.
    UsernameTaken,
    /// The e-mail address belongs to somebody else.
    EmailTaken,
    /// What is said of the person cannot be.
    Bad(BadRegistration),
}

impl fmt::Display for PeopleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such person"),
            Self::LastAdmin => f.write_str(
                "this is the last person with the role admin who may sign in; give the role to somebody else first",
            ),
            Self::UsernameTaken => f.write_str("the user name belongs to somebody"),
            Self::EmailTaken => f.write_str("the e-mail address belongs to somebody else"),
            Self::Bad(bad) => bad.fmt(f),
        }
    }
}

impl std::error::Error for PeopleError {}

impl From<BadRegistration> for PeopleError {
    fn from(bad: BadRegistration) -> Self {
        Self::Bad(bad)
    }
}

/// An answer of a function here: the database's failure outside, our refusal inside.
pub type Answer<T> = Result<Result<T, PeopleError>, StoreError>;

/// A password to be set.
#[derive(Debug, Clone, Copy)]
pub struct NewPassword<'a> {
    /// Its hash, made before the unit began.
    pub hash: &'a PhcHash,
    /// What seals it.
    pub vault: &'a Vault,
}

/// Registers a new person.
///
/// # Errors
/// If the database refuses.
pub async fn register(
    tx: &mut Tx,
    registration: &Registration,
    password: Option<NewPassword<'_>>,
    act: Act<'_>,
) -> Answer<UserId> {
    if let Err(bad) = registration.check() {
        return Ok(Err(bad.into()));
    }
    if users::by_username_key(tx, &registration.username.key()).await?.is_some() {
        return Ok(Err(PeopleError::UsernameTaken));
    }
    if email_is_taken(tx, registration, None).await? {
        return Ok(Err(PeopleError::EmailTaken));
    }
    create(tx, registration, password, act).await.map(Ok)
}

/// Sets a person's password in an admin's name: all sessions and grants end.
///
/// # Errors
/// If the database refuses.
pub async fn set_password(tx: &mut Tx, id: &UserId, password: NewPassword<'_>, act: Act<'_>) -> Answer<Ended> {
    if !users::touch(tx, id).await? {
        return Ok(Err(PeopleError::NotFound));
    }
    store_password(tx, id, password, act).await.map(Ok)
}

/// Keeps a person from signing in and ends all they have. False: was so already.
///
/// # Errors
/// If the database refuses.
pub async fn disable(tx: &mut Tx, id: &UserId, act: Act<'_>) -> Answer<bool> {
    if let Err(refusal) = may_leave(tx, id).await? {
        return Ok(Err(refusal));
    }
    if !users::disable(tx, id, act.now).await? {
        return Ok(Ok(false));
    }
    revoke::end(tx, What::User(id), EndReason::UserDisabled, act.actor, act.now).await?;
    record(tx, act, "user.disable", id, json!({})).await?;
    Ok(Ok(true))
}

/// Lets a person sign in again. False: could already.
///
/// # Errors
/// If the database refuses.
pub async fn enable(tx: &mut Tx, id: &UserId, act: Act<'_>) -> Answer<bool> {
    if !users::touch(tx, id).await? {
        return Ok(Err(PeopleError::NotFound));
    }
    let enabled = users::enable(tx, id, act.now).await?;
    if enabled {
        record(tx, act, "user.enable", id, json!({})).await?;
    }
    Ok(Ok(enabled))
}

/// Deletes a person and all that hangs on them. The status bits of their grants stay set until `invalid_until`.
///
/// # Errors
/// If the database refuses.
pub async fn remove(tx: &mut Tx, id: &UserId, invalid_until: Timestamp, act: Act<'_>) -> Answer<()> {
    if let Err(refusal) = may_leave(tx, id).await? {
        return Ok(Err(refusal));
    }
    revoke::end(tx, What::User(id), EndReason::UserDisabled, act.actor, act.now).await?;
    users::remove(tx, id, invalid_until).await?;
    record(tx, act, "user.remove", id, json!({})).await?;
    Ok(Ok(()))
}

/// Gives a role. False: had it already.
///
/// # Errors
/// If the database refuses.
pub async fn grant_role(tx: &mut Tx, id: &UserId, role: &str, act: Act<'_>) -> Answer<bool> {
    if let Err(bad) = check_role(role) {
        return Ok(Err(bad.into()));
    }
    users::touch(tx, id).await?;
    let Some(mut user) = users::find(tx, id).await? else { return Ok(Err(PeopleError::NotFound)) };
    if user.roles.iter().any(|own| own == role) {
        return Ok(Ok(false));
    }
    user.roles.push(role.to_owned());
    user.roles = in_order(&user.roles);
    user.updated_at = act.now;
    users::describe(tx, &user).await?;
    record(tx, act, "user.grant_role", id, json!({ "role": role })).await?;
    Ok(Ok(true))
}

/// Takes a role back. False: did not have it.
///
/// # Errors
/// If the database refuses.
pub async fn revoke_role(tx: &mut Tx, id: &UserId, role: &str, act: Act<'_>) -> Answer<bool> {
    if role == ADMIN
        && let Err(refusal) = may_leave(tx, id).await?
    {
        return Ok(Err(refusal));
    }
    users::touch(tx, id).await?;
    let Some(mut user) = users::find(tx, id).await? else { return Ok(Err(PeopleError::NotFound)) };
    let before = user.roles.len();
    user.roles.retain(|own| own != role);
    if user.roles.len() == before {
        return Ok(Ok(false));
    }
    user.updated_at = act.now;
    users::describe(tx, &user).await?;
    record(tx, act, "user.revoke_role", id, json!({ "role": role })).await?;
    Ok(Ok(true))
}

/// Ends all sessions of a person and what ends with them.
///
/// # Errors
/// If the database refuses.
pub async fn sign_out(tx: &mut Tx, id: &UserId, act: Act<'_>) -> Answer<Ended> {
    if !users::touch(tx, id).await? {
        return Ok(Err(PeopleError::NotFound));
    }
    let what = What::SessionsOf { user: id, keep: None };
    revoke::end(tx, what, EndReason::Admin, act.actor, act.now).await.map(Ok)
}

/// Ends all a person has, also what outlives their sessions; they may sign in again.
///
/// # Errors
/// If the database refuses. Inside: no such person.
pub async fn end_all(tx: &mut Tx, id: &UserId, act: Act<'_>) -> Answer<Ended> {
    if !users::touch(tx, id).await? {
        return Ok(Err(PeopleError::NotFound));
    }
    revoke::end(tx, What::User(id), EndReason::Admin, act.actor, act.now).await.map(Ok)
}

/// Whether somebody who may sign in runs this house.
///
/// # Errors
/// If the database refuses.
pub async fn has_admin(tx: &mut Tx) -> Result<bool, StoreError> {
    Ok(!users::other_admins(tx, &UserId::new("")).await?.is_empty())
}

/// Whether an admin would be left without this person. Units that ask of admins wait for each other; whoever is none is not
/// worth a wait.
async fn may_leave(tx: &mut Tx, id: &UserId) -> Answer<()> {
    let seen = users::find(tx, id).await?;
    let others = match &seen {
        Some(user) if user.is_admin() => Some(users::other_admins(tx, id).await?),
        _ => None,
    };
    users::touch(tx, id).await?;
    let Some(user) = users::find(tx, id).await? else { return Ok(Err(PeopleError::NotFound)) };
    match others {
        _ if !is_admin_at_work(&user) => Ok(Ok(())),
        // Became one since we looked, and those who ask of admins lock in the other order.
        None => Err(StoreError::Busy),
        Some(others) if others.is_empty() => Ok(Err(PeopleError::LastAdmin)),
        Some(_) => Ok(Ok(())),
    }
}

pub(super) fn is_admin_at_work(user: &User) -> bool {
    user.is_admin() && user.is_active()
}

pub(super) async fn create(
    tx: &mut Tx,
    registration: &Registration,
    password: Option<NewPassword<'_>>,
    act: Act<'_>,
) -> Result<UserId, StoreError> {
    let user = User {
        id: UserId::fresh(),
        sub: Subject::fresh(),
        username: registration.username.clone(),
        email: registration.email.clone(),
        email_verified: registration.email_verified,
        claims: registration.claims.clone(),
        roles: in_order(&registration.roles),
        created_at: act.now,
        updated_at: act.now,
        disabled_at: None,
        not_before: act.now,
    };
    users::insert(tx, &user).await?;
    if let Some(password) = password {
        sealed_hash::put(tx, password.vault, &user.id, password.hash, act.now).await?;
    }
    record(tx, act, "user.create", &user.id, json!({ "roles": user.roles })).await?;
    Ok(user.id)
}

pub(super) async fn store_password(
    tx: &mut Tx,
    id: &UserId,
    password: NewPassword<'_>,
    act: Act<'_>,
) -> Result<Ended, StoreError> {
    sealed_hash::put(tx, password.vault, id, password.hash, act.now).await?;
    let what = What::SessionsOf { user: id, keep: None };
    let ended = revoke::end(tx, what, EndReason::PasswordChanged, act.actor, act.now).await?;
    record(tx, act, "user.set_password", id, json!({})).await?;
    Ok(ended)
}

async fn email_is_taken(tx: &mut Tx, registration: &Registration, by: Option<&UserId>) -> Result<bool, StoreError> {
    let Some(email) = &registration.email else { return Ok(false) };
    let holder = users::by_email_key(tx, &users::email_key(email)).await?;
    Ok(holder.is_some_and(|holder| Some(&holder.id) != by))
}

pub(super) fn in_order(roles: &[String]) -> Vec<String> {
    let mut roles = roles.to_vec();
    roles.sort();
    roles.dedup();
    roles
}

pub(super) async fn record(
    tx: &mut Tx,
    act: Act<'_>,
    action: &str,
    id: &UserId,
    data: serde_json::Value,
) -> Result<(), StoreError> {
    audit::record(tx, &Event { actor: act.actor, action, subject: id.as_str(), data }, act.now).await
}

#[cfg(test)]
#[path = "people_tests.rs"]
mod tests;
