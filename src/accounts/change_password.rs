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
use crate::tokens::revoke::{self, Ended, What, Whole};

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
        let whole = Whole::SessionsOf { user: proof.user.id.clone(), keep: Some(session.id.clone()) };
        let actor = format!("user:{}", proof.user.id);
        let (accounts, user, stored, by) = (self.clone(), proof.user.id, proof.stored, actor.clone());
        let work = async move |tx: &mut Tx| {
            if !users::touch_active(tx, &user).await? {
                return Ok(None);
            }
            let unchanged = passwords::find(tx, &user).await?.is_some_and(|now| now.changed_at == stored.changed_at);
            if !unchanged || !sessions::turn_cookie(tx, &session.id, &user, &digest, now).await? {
                return Ok(None);
            }
            sealed_hash::put(tx, &accounts.0.vault, &user, &hash, now).await?;
            let what = What::SessionsOf { user: &user, keep: Some(&session.id) };
            let ended = revoke::end(tx, what, EndReason::PasswordChanged, &by, now).await?;
            let data = proof.origin.data().into();
            let event = Event { actor: &by, action: "user.change_password", subject: user.as_str(), data };
            audit::record(tx, &event, now).await?;
            Ok(Some(ended))
        };
        let Some(ended) = self.0.store.write(work).await? else { return Ok(Changed::Gone) };
        if ended.more {
            revoke::end_rest(&self.0.store, &whole, EndReason::PasswordChanged, &actor, now).await?;
        }
        Ok(Changed::Changed { cookie, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::sign_in::Outcome;
    use crate::accounts::testing::{House, NOW, PASSWORD, secret};

    const NEW: &str = "another fine password";

    fn wish(session: &Session, current: &str, new: &str) -> ChangePassword {
        ChangePassword {
            session: session.clone(),
            browser: session.browser_id.clone(),
            address: "192.0.2.1".parse().unwrap(),
            current: secret(current),
            new: secret(new),
        }
    }

    #[tokio::test]
    async fn the_session_stays_with_another_cookie_and_the_others_end() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        house.person("bob", &[]).await;
        let here = house.signed_in("alice", &house.browser().await).await;
        let there = house.signed_in("alice", &house.browser().await).await;
        let bob = house.signed_in("bob", &house.browser().await).await;
        let changed = house.accounts.change_password(wish(&here.session, PASSWORD, NEW), NOW).await.unwrap();
        let Changed::Changed { cookie, ended } = changed else { panic!("{changed:?}") };
        assert_eq!(ended.sessions, [there.session.id]);
        assert!(house.session_of(here.cookie.expose(), NOW).await.is_none());
        assert!(house.session_of(there.cookie.expose(), NOW).await.is_none());
        assert_eq!(house.session_of(cookie.expose(), NOW).await.unwrap().id, here.session.id);
        assert!(house.session_of(bob.cookie.expose(), NOW).await.is_some());
        let browser = house.browser().await;
        assert!(matches!(house.sign_in("alice", PASSWORD, &browser).await, Outcome::WrongCredentials));
        assert!(matches!(house.sign_in("alice", NEW, &browser).await, Outcome::SignedIn(_)));
    }

    #[tokio::test]
    async fn refusals_change_nothing() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        let signed_in = house.signed_in("alice", &house.browser().await).await;
        let before = house.store.texts("SELECT sealed FROM passwords").await;
        let change = async |current: &str, new: &str| {
            house.accounts.change_password(wish(&signed_in.session, current, new), NOW).await.unwrap()
        };
        assert!(matches!(change(PASSWORD, "short").await, Changed::Weak(WeakPassword::TooShort { least: 10 })));
        assert!(matches!(change(PASSWORD, "password1234").await, Changed::Weak(WeakPassword::Common)));
        assert!(matches!(change(PASSWORD, "alice@example.com").await, Changed::Weak(WeakPassword::OwnName)));
        assert!(matches!(change(PASSWORD, &"x".repeat(1025)).await, Changed::Weak(WeakPassword::TooLong { .. })));
        assert!(matches!(change(&"x".repeat(1025), NEW).await, Changed::WrongPassword));
        for _ in 0..5 {
            assert!(matches!(change("wrong", NEW).await, Changed::WrongPassword));
        }
        assert!(matches!(change(PASSWORD, NEW).await, Changed::Throttled { .. }));
        assert_eq!(house.store.texts("SELECT sealed FROM passwords").await, before);
        assert!(house.session_of(signed_in.cookie.expose(), NOW).await.is_some());
    }

    #[tokio::test]
    async fn a_session_that_ended_meanwhile_changes_nothing() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        let signed_in = house.signed_in("alice", &house.browser().await).await;
        let before = house.store.texts("SELECT sealed FROM passwords").await;
        house.store.run("UPDATE sessions SET ended_at = 1, reason = 'admin'").await;
        let changed = house.accounts.change_password(wish(&signed_in.session, PASSWORD, NEW), NOW).await.unwrap();
        assert!(matches!(changed, Changed::Gone), "{changed:?}");
        assert_eq!(house.store.texts("SELECT sealed FROM passwords").await, before);
    }

    #[tokio::test]
    async fn of_two_changes_at_once_one_wins() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        let signed_in = house.signed_in("alice", &house.browser().await).await;
        let wishes = (0..4).map(|number| {
            let (house, session) = (house.clone(), signed_in.session.clone());
            async move {
                let wish = wish(&session, PASSWORD, &format!("{NEW} {number}"));
                house.accounts.change_password(wish, NOW).await.unwrap()
            }
        });
        let outcomes = crate::store::testing::all_at_once(wishes).await;
        let won = outcomes.iter().filter(|outcome| matches!(outcome, Changed::Changed { .. })).count();
        assert_eq!(won, 1, "{outcomes:?}");
        // The cookie that was given last is the one that counts.
        for outcome in outcomes {
            if let Changed::Changed { cookie, .. } = outcome {
                assert!(house.session_of(cookie.expose(), NOW).await.is_some());
            }
        }
    }
}
