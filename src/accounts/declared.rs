//! People as a file declares them: all together, so that the order in which they stand does not matter.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::people::{
    Act, Answer, NewPassword, PeopleError, create, in_order, is_admin_at_work, record, store_password,
};
use super::registration::Registration;
use crate::domain::id::UserId;
use crate::domain::user::User;
use crate::store::{StoreError, Tx, users};

/// A person as they shall be.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'a> {
    /// What is said of them.
    pub registration: &'a Registration,
    /// The password: set at creation, and later only where that was asked for.
    pub password: Option<NewPassword<'a>>,
}

/// What a declaration came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The person is new.
    Created(UserId),
    /// Something is other than it was.
    Changed(UserId),
    /// All was so.
    Unchanged(UserId),
}

/// Somebody who cannot be as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which of the declared.
    pub position: usize,
    /// Why.
    pub error: PeopleError,
}

/// Makes people be as declared; creates those whose user names are new. With `reset_passwords` the passwords of the others are
/// set too, which ends all sessions. Disabled people stay disabled. Where nothing differs nothing is written and nobody waits.
/// Inside: for each of the declared what it came to, or everything that is wrong, and then nothing was written.
///
/// # Errors
/// If the database refuses.
pub async fn declare(
    tx: &mut Tx,
    declared: &[Declared<'_>],
    reset_passwords: bool,
    act: Act<'_>,
) -> Result<Result<Vec<Applied>, Vec<Refused>>, StoreError> {
    let mut refused: Vec<Refused> = declared
        .iter()
        .enumerate()
        .filter_map(|(position, one)| Some(Refused { position, error: one.registration.check().err()?.into() }))
        .collect();
    let mut plans = plan(tx, declared, reset_passwords, act).await?;
    if refused.is_empty() && plans.iter().any(Plan::writes) {
        // Whoever changes something reads again under the locks: admins first, then the people.
        let admins = users::other_admins(tx, &UserId::new("")).await?;
        for present in plans.iter().filter(|plan| plan.writes()).filter_map(|plan| plan.present.as_ref()) {
            users::touch(tx, &present.id).await?;
        }
        plans = plan(tx, declared, reset_passwords, act).await?;
        refused.extend(without_admin(&plans, &admins));
    }
    refused.extend(taken_addresses(tx, &plans).await?);
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    // Addresses may move from one person to another: all are let go before any is taken.
    for present in plans.iter().filter(|plan| plan.gives_up_address()).filter_map(|plan| plan.present.as_ref()) {
        users::release_email(tx, &present.id).await?;
    }
    let mut applied = Vec::new();
    for plan in &plans {
        applied.push(plan.write(tx, act).await?);
    }
    Ok(Ok(applied))
}

/// The same for one person.
///
/// # Errors
/// If the database refuses.
pub async fn declare_one(tx: &mut Tx, one: Declared<'_>, reset_password: bool, act: Act<'_>) -> Answer<Applied> {
    Ok(match declare(tx, &[one], reset_password, act).await? {
        Ok(applied) => applied.into_iter().next().ok_or(PeopleError::NotFound),
        Err(refused) => Err(refused.into_iter().next().map_or(PeopleError::NotFound, |refused| refused.error)),
    })
}

/// What is to be done about one person.
struct Plan<'a> {
    declared: &'a Declared<'a>,
    present: Option<User>,
    wanted: Option<User>,
    differences: Vec<&'static str>,
    resets_password: bool,
}

async fn plan<'a>(
    tx: &mut Tx,
    declared: &'a [Declared<'a>],
    reset_passwords: bool,
    act: Act<'_>,
) -> Result<Vec<Plan<'a>>, StoreError> {
    let mut plans = Vec::new();
    for declared in declared {
        let registration = declared.registration;
        let present = users::by_username_key(tx, &registration.username.key()).await?;
        let wanted = present.as_ref().map(|present| User {
            username: registration.username.clone(),
            email: registration.email.clone(),
            email_verified: registration.email_verified,
            claims: registration.claims.clone(),
            roles: in_order(&registration.roles),
            updated_at: act.now,
            ..present.clone()
        });
        let differences = present.as_ref().zip(wanted.as_ref()).map(|(is, shall)| differences(is, shall));
        plans.push(Plan {
            resets_password: reset_passwords && present.is_some() && declared.password.is_some(),
            declared,
            present,
            wanted,
            differences: differences.unwrap_or_default(),
        });
    }
    Ok(plans)
}

impl Plan<'_> {
    fn writes(&self) -> bool {
        self.present.is_none() || !self.differences.is_empty() || self.resets_password
    }

    fn address(&self) -> Option<String> {
        self.declared.registration.email.as_deref().map(users::email_key)
    }

    fn gives_up_address(&self) -> bool {
        let present = self.present.as_ref().and_then(|user| user.email.as_deref()).map(users::email_key);
        present.is_some() && present != self.address()
    }

    async fn write(&self, tx: &mut Tx, act: Act<'_>) -> Result<Applied, StoreError> {
        let Some((present, wanted)) = self.present.as_ref().zip(self.wanted.as_ref()) else {
            return Ok(Applied::Created(create(tx, self.declared.registration, self.declared.password, act).await?));
        };
        if !self.differences.is_empty() {
            users::describe(tx, wanted).await?;
            record(tx, act, "user.update", &present.id, json!({ "changed": self.differences })).await?;
        }
        if let Some(password) = self.declared.password.filter(|_| self.resets_password) {
            store_password(tx, &present.id, password, act).await?;
        }
        let id = present.id.clone();
        Ok(if self.writes() { Applied::Changed(id) } else { Applied::Unchanged(id) })
    }
}

/// Those who may not lose the role admin, since nobody would have it in the end. `admins`: who has it now and may sign in.
fn without_admin(plans: &[Plan<'_>], admins: &[UserId]) -> Vec<Refused> {
    let declared: HashMap<&UserId, bool> = plans
        .iter()
        .filter_map(|plan| Some((&plan.present.as_ref()?.id, plan.wanted.as_ref().is_some_and(is_admin_at_work))))
        .collect();
    let stays = admins.iter().any(|admin| declared.get(admin).copied().unwrap_or(true));
    let comes = plans.iter().any(|plan| match &plan.wanted {
        Some(wanted) => is_admin_at_work(wanted),
        None => plan.declared.registration.roles.iter().any(|role| role == crate::domain::user::ADMIN),
    });
    if stays || comes {
        return Vec::new();
    }
    let loses = |plan: &Plan<'_>| plan.present.as_ref().is_some_and(is_admin_at_work);
    let losers = plans.iter().enumerate().filter(|(_, plan)| loses(plan));
    losers.map(|(position, _)| Refused { position, error: PeopleError::LastAdmin }).collect()
}

/// Those whose addresses belong to somebody who keeps them, or who was declared before.
async fn taken_addresses(tx: &mut Tx, plans: &[Plan<'_>]) -> Result<Vec<Refused>, StoreError> {
    let leaving: HashSet<UserId> = plans
        .iter()
        .filter(|plan| plan.gives_up_address())
        .filter_map(|plan| plan.present.as_ref().map(|user| user.id.clone()))
        .collect();
    let mut claimed = HashSet::new();
    let mut refused = Vec::new();
    for (position, plan) in plans.iter().enumerate() {
        let Some(address) = plan.address() else { continue };
        let own = plan.present.as_ref().map(|user| &user.id);
        let keeps = plan.present.is_some() && !plan.differences.contains(&"email");
        let foreign = if keeps { None } else { users::by_email_key(tx, &address).await? };
        let is_foreign = foreign.is_some_and(|holder| Some(&holder.id) != own && !leaving.contains(&holder.id));
        if is_foreign || !claimed.insert(address) {
            refused.push(Refused { position, error: PeopleError::EmailTaken });
        }
    }
    Ok(refused)
}

/// Which members differ, by name. Values stay out of the audit.
fn differences(present: &User, wanted: &User) -> Vec<&'static str> {
    [
        ("username", present.username == wanted.username),
        ("email", present.email == wanted.email),
        ("email_verified", present.email_verified == wanted.email_verified),
        ("claims", present.claims == wanted.claims),
        ("roles", present.roles == wanted.roles),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(name, _)| name)
    .collect()
}

#[cfg(test)]
#[path = "declared_tests.rs"]
mod tests;
