//! The first admin: a one-time link that works until there is an admin, by whatever way, and then never again.

use std::time::Duration;

use super::people::{self, Act, NewPassword, PeopleError};
use super::registration::Registration;
use super::{Accounts, AccountsError};
use crate::accounts::password_rules::{self, WeakPassword};
use crate::accounts::passwords::PasswordError;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::domain::user::ADMIN;
use crate::store::{Store, StoreError, installation, setup_links};

/// How long a link works.
const LINK: Duration = Duration::from_secs(3600);

/// The fact that set-up is done. One-way: it is never taken back.
const COMPLETED: &str = "setup_completed";

/// What came of a try to create the first admin.
#[derive(Debug)]
pub enum SetUp {
    /// There is an admin now.
    Done,
    /// The link was used, is too old, or set-up is done.
    LinkInvalid,
    /// What was said of the person cannot be.
    Refused(PeopleError),
    /// The password is not taken.
    Weak(WeakPassword),
    /// Too many passwords wait to be hashed.
    Busy,
}

/// A fresh link, if set-up is still to be done.
///
/// # Errors
/// If the database refuses.
pub async fn invite(store: &Store, now: Timestamp) -> Result<Option<OpaqueToken>, StoreError> {
    store
        .write(async move |tx| {
            if installation::find(tx, COMPLETED).await?.is_some() {
                return Ok(None);
            }
            if people::has_admin(tx).await? {
                installation::write_once(tx, COMPLETED, "by other means").await?;
                return Ok(None);
            }
            let link = OpaqueToken::mint(Kind::Link);
            setup_links::insert(tx, &link, now.plus(LINK)).await?;
            Ok(Some(link))
        })
        .await
}

/// Whether a link would work now. Looking at it does not use it up.
///
/// # Errors
/// If the database refuses.
pub async fn is_open(store: &Store, link: &OpaqueToken, now: Timestamp) -> Result<bool, StoreError> {
    let link = OpaqueToken::parse(Kind::Link, link.expose());
    let Some(link) = link else { return Ok(false) };
    store
        .write(async move |tx| {
            let done = installation::find(tx, COMPLETED).await?.is_some() || people::has_admin(tx).await?;
            Ok(!done && setup_links::is_good(tx, &link, now).await?)
        })
        .await
}

impl Accounts {
    /// Uses a link up to create the first admin.
    ///
    /// # Errors
    /// A fault of ours, to be answered 503.
    pub async fn create_first_admin(
        &self,
        link: OpaqueToken,
        mut registration: Registration,
        password: Secret,
        now: Timestamp,
    ) -> Result<SetUp, AccountsError> {
        if !is_open(&self.0.store, &link, now).await? {
            return Ok(SetUp::LinkInvalid);
        }
        if let Err(bad) = registration.check() {
            return Ok(SetUp::Refused(bad.into()));
        }
        let policy = self.0.passwords.policy();
        let name = registration.username.as_str().to_owned();
        if let Err(weak) = password_rules::check(policy, &password, &name, registration.email.as_deref()) {
            return Ok(SetUp::Weak(weak));
        }
        let hash = match self.0.passwords.hash(password).await {
            Ok(hash) => hash,
            Err(PasswordError::Busy) => return Ok(SetUp::Busy),
            Err(error) => return Err(error.into()),
        };
        registration.roles = vec![ADMIN.to_owned()];
        let vault = self.0.vault.clone();
        let outcome = self
            .0
            .store
            .write(async move |tx| {
                let done = installation::find(tx, COMPLETED).await?.is_some() || people::has_admin(tx).await?;
                if done || !setup_links::is_good(tx, &link, now).await? {
                    return Ok(SetUp::LinkInvalid);
                }
                let act = Act { actor: "setup", now };
                let password = NewPassword { hash: &hash, vault: &vault };
                if let Err(refused) = people::register(tx, &registration, Some(password), act).await? {
                    // Nothing was written, and the link is still good: the person may try again.
                    return Ok(SetUp::Refused(refused));
                }
                // Of two who use links at the same moment one is the first admin; the other's unit is undone.
                let first = setup_links::consume(tx, &link, now).await?
                    && installation::write_once(tx, COMPLETED, "by link").await?;
                if first { Ok(SetUp::Done) } else { Err(StoreError::Conflict("set-up".into())) }
            })
            .await;
        match outcome {
            Ok(outcome) => Ok(outcome),
            Err(StoreError::Conflict(_)) => Ok(SetUp::LinkInvalid),
            Err(error) => Err(error.into()),
        }
    }
}
