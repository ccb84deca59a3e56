//! Changing one's own password: the present one is proved like at signing in, and all that rests on it ends.

use std::net::IpAddr;

use super::password_rules::{self, WeakPassword};
use super::passwords::PasswordError;
use super::proof::{Claimed, Refused, Try};
use super::sign_in::renewed;
use super::{Accounts, AccountsError, sealed_hash};
use crate::domain::grant::EndReason;
use crate::domain::id::BrowserId;
use crate::domain::secret::Secret;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::token::OpaqueToken;
use crate::store::audit::{self, Event};
use crate::store::{Tx, passwords, sessions, users};
use crate::tokens::revoke::{self, Ended, What};

/// A wish for another password.
#[derive(Debug)]
pub struct ChangePassword {
    /// The session it is asked in. It stays, with a new cookie value.
    pub session: Session,
    /// The browser it is asked at.
    pub browser: BrowserId,
    /// From which address.
    pub address: IpAddr,
    /// The present password.
    pub current: Secret,
    /// The new one.
    pub new: Secret,
}

/// What came of it.
#[derive(Debug)]
pub enum Changed {
    /// The password is another. All other sessions and all grants are over.
    Changed {
        /// The new value of the present session's cookie.
        cookie: OpaqueToken,
        /// What ended.
        ended: Ended,
    },
    /// The present password was not right.
    WrongPassword,
    /// The new one is not taken.
    Weak(WeakPassword),
    /// Too many wrong tries.
    Throttled {
        /// When the next may be made.
        retry_after_seconds: u64,
    },
    /// Too many passwords wait to be checked: 503, try again shortly.
    Busy,
    /// Meanwhile the session ended or the password was changed elsewhere: sign in again.
    Gone,
}

impl Accounts {
    /// Changes a person's own password.
    ///
    /// # Errors
    /// A fault of ours, to be answered 503.
    pub async fn change_password(&self, wish: ChangePassword, now: Timestamp) -> Result<Changed, AccountsError> {
        let ChangePassword { session, browser, address, current, new } = wish;
        let attempt = Try { claimed: Claimed::Person(session.user_id.clone()), password: current, browser, address };
        let proof = match self.prove(attempt, now).await? {
            Ok(proof) => proof,
            Err(Refused::Wrong | Refused::TooLong) => return Ok(Changed::WrongPassword),
            Err(Refused::Throttled { retry_after_seconds }) => return Ok(Changed::Throttled { retry_after_seconds }),
            Err(Refused::Busy) => return Ok(Changed::Busy),
        };
        // The proof was right whatever follows, so it is not counted.
        let permits = proof.permits;
        self.0.store.write(async move |tx| permits.refund(tx).await).await?;
        let policy = self.0.passwords.policy();
        if let Err(weak) =
            password_rules::check(policy, &new, proof.user.username.as_str(), proof.user.email.as_deref())
        {
            return Ok(Changed::Weak(weak));
        }
        let hash = match self.0.passwords.hash(new).await {
            Ok(hash) => hash,
            Err(PasswordError::Busy) => return Ok(Changed::Busy),
            Err(error) => return Err(error.into()),
        };
        let cookie = renewed(&session.id)?;
        let digest = cookie.digest();
        let (accounts, user, stored) = (self.clone(), proof.user.id, proof.stored);
        let work = async move |tx: &mut Tx| {
            if !users::touch_active(tx, &user).await? {
                return Ok(None);
            }
            let unchanged = passwords::find(tx, &user).await?.is_some_and(|now| now.changed_at == stored.changed_at);
            if !unchanged || !sessions::turn_cookie(tx, &session.id, &user, &digest, now).await? {
                return Ok(None);
            }
            sealed_hash::put(tx, &accounts.0.vault, &user, &hash, now).await?;
            let actor = format!("user:{user}");
            let what = What::SessionsOf { user: &user, keep: Some(&session.id) };
            let ended = revoke::end(tx, what, EndReason::PasswordChanged, &actor, now).await?;
            let data = proof.origin.data().into();
            let event = Event { actor: &actor, action: "user.change_password", subject: user.as_str(), data };
            audit::record(tx, &event, now).await?;
            Ok(Some(ended))
        };
        Ok(self.0.store.write(work).await?.map_or(Changed::Gone, |ended| Changed::Changed { cookie, ended }))
    }
}
