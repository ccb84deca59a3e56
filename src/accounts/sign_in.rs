//! Signing in with a password (protocol 2.3). The same person at the same browser keeps the session's row and gets a new
//! cookie value; for another person the old session ends and a new row begins. So no value that was there before signing in
//! is worth anything after it.

use std::net::IpAddr;

use super::proof::{Claimed, Proof, Refused, Try};
use super::{Accounts, AccountsError, sealed_hash};
use crate::domain::grant::EndReason;
use crate::domain::id::{BrowserId, SessionId, UserId};
use crate::domain::secret::Secret;
use crate::domain::session::{ACR_PASSWORD, AMR_PASSWORD, Session};
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::domain::user::User;
use crate::store::audit::{self, Event};
use crate::store::{StoreError, Tx, browsers, passwords, sessions, users};
use crate::tokens::revoke::{self, What};

/// How much of a browser's description of itself is kept, in characters.
const LONGEST_DEVICE: usize = 200;

/// A wish to sign in.
#[derive(Debug)]
pub struct SignIn {
    /// What was typed: a user name or a verified e-mail address.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// At which browser.
    pub browser: BrowserId,
    /// From which address.
    pub address: IpAddr,
    /// The browser's own description of itself.
    pub device: String,
    /// "Keep me signed in".
    pub keep: bool,
    /// Through `/auth/login`: the session opens nothing but its client, unless it was more before.
    pub direct: bool,
    /// The session cookie that came along.
    pub cookie: Option<OpaqueToken>,
    /// Who it must be, where someone must prove again who they are.
    pub expected_user: Option<UserId>,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The person is signed in.
    SignedIn(Box<SignedIn>),
    /// No such person, not the password, disabled: nobody learns which.
    WrongCredentials,
    /// Right, but another person than expected. Nobody is signed in by it.
    OtherPerson,
    /// Too many wrong tries.
    Throttled {
        /// When the next may be made.
        retry_after_seconds: u64,
    },
    /// Too many passwords wait to be checked: 503, try again shortly.
    Busy,
    /// The password is longer than any may be: 400.
    TooLong,
}

/// A person who signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its cookie's value; with `Max-Age` if the session is persistent.
    pub cookie: OpaqueToken,
    /// The person.
    pub user: User,
    /// Sessions of other people at this browser, which ended with this.
    pub ended: Vec<SessionId>,
}

/// A right password, and the session it is to open. Nobody is signed in by it yet.
#[derive(Debug)]
pub struct Proven {
    proof: Proof,
    wanted: Session,
    came_with: Option<OpaqueToken>,
}

impl Accounts {
    /// Signs a person in.
    ///
    /// # Errors
    /// A fault of ours, to be answered 503.
    pub async fn sign_in(&self, wish: SignIn, now: Timestamp) -> Result<Outcome, AccountsError> {
        let proven = match self.prove_sign_in(wish, now).await? {
            Ok(proven) => proven,
            Err(refused) => return Ok(refused),
        };
        let opened = self.open_and(proven, async |_: &mut Tx, _: &SignedIn| Ok(()), now).await?;
        Ok(opened.map_or(Outcome::WrongCredentials, |(signed_in, ())| Outcome::SignedIn(Box::new(signed_in))))
    }

    /// The first step of a sign-in: whether the password is right, and the person who is expected. If not, the outcome.
    ///
    /// # Errors
    /// A fault of ours, to be answered 503.
    pub async fn prove_sign_in(&self, wish: SignIn, now: Timestamp) -> Result<Result<Proven, Outcome>, AccountsError> {
        let SignIn { username, password, browser, address, device, keep, direct, cookie, expected_user } = wish;
        let attempt = Try { claimed: Claimed::Name(username), password, browser: browser.clone(), address };
        let proof = match self.prove(attempt, now).await? {
            Ok(proof) => proof,
            Err(Refused::Wrong) => return Ok(Err(Outcome::WrongCredentials)),
            Err(Refused::Throttled { retry_after_seconds }) => {
                return Ok(Err(Outcome::Throttled { retry_after_seconds }));
            }
            Err(Refused::Busy) => return Ok(Err(Outcome::Busy)),
            Err(Refused::TooLong) => return Ok(Err(Outcome::TooLong)),
        };
        if expected_user.is_some_and(|expected| expected != proof.user.id) {
            self.0.store.write(async move |tx| proof.permits.refund(tx).await).await?;
            return Ok(Err(Outcome::OtherPerson));
        }
        let (idle_expires_at, expires_at) = self.0.sessions.ends(keep, now);
        let wanted = Session {
            id: SessionId::new(""),
            user_id: proof.user.id.clone(),
            browser_id: browser,
            created_at: now,
            auth_time: now,
            acr: ACR_PASSWORD.to_owned(),
            amr: AMR_PASSWORD.to_owned(),
            last_seen_at: now,
            idle_expires_at,
            expires_at,
            persistent: keep,
            direct,
            device: device.chars().filter(|c| !c.is_control()).take(LONGEST_DEVICE).collect(),
            address: address.to_canonical().to_string(),
            ended_at: None,
        };
        Ok(Ok(Proven { proof, wanted, came_with: cookie }))
    }

    /// The second step: the session, and in the same unit of work what shall be there with it or not at all. `None`: meanwhile
    /// the person was disabled or the password changed, which is told like a wrong password.
    ///
    /// # Errors
    /// A fault of ours, to be answered 503.
    pub async fn open_and<T: Send + 'static>(
        &self,
        proven: Proven,
        with_it: impl AsyncFnOnce(&mut Tx, &SignedIn) -> Result<T, StoreError> + Send + 'static,
        now: Timestamp,
    ) -> Result<Option<(SignedIn, T)>, AccountsError> {
        let (subject, origin) = (proven.proof.user.id.as_str().to_owned(), proven.proof.origin.clone());
        let accounts = self.clone();
        let work = async move |tx: &mut Tx| {
            let Some(signed_in) = accounts.open_session(tx, proven, now).await? else { return Ok(None) };
            let more = with_it(tx, &signed_in).await?;
            Ok(Some((signed_in, more)))
        };
        let opened = self.0.store.write(work).await?;
        if opened.is_none() {
            self.note_refusal(subject, origin, now).await?;
        }
        Ok(opened)
    }

    /// One unit: the person and the password are still what they were when they were compared, and the session is there.
    async fn open_session(
        &self,
        tx: &mut Tx,
        Proven { proof, mut wanted, came_with }: Proven,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError> {
        let user = proof.user;
        if !users::touch_active(tx, &user.id).await? {
            return Ok(None);
        }
        let unchanged =
            passwords::find(tx, &user.id).await?.is_some_and(|now| now.changed_at == proof.stored.changed_at);
        if !unchanged {
            return Ok(None);
        }
        if let Some(stronger) = &proof.stronger {
            sealed_hash::strengthen(tx, &self.0.vault, &user.id, &proof.stored, stronger).await?;
        }
        // Sign-ins at one browser wait here for each other, so that it has one session.
        let browser_stays = browsers::touch(tx, &wanted.browser_id, now).await?;
        let actor = format!("user:{}", user.id);
        let mut ended = Vec::new();
        let mut cookie = None;
        for old in sessions::at_browser(tx, &wanted.browser_id).await? {
            if old.user_id == user.id && cookie.is_none() {
                let token = renewed(&old.id)?;
                // A form of an app takes nothing away from who signed in at the page, in this very browser.
                let more = !old.direct && old.is_live(now) && is_held(tx, &old.id, came_with.as_ref()).await?;
                let direct = wanted.direct && !more;
                let renewal = Session { id: old.id, created_at: old.created_at, direct, ..wanted.clone() };
                if sessions::renew(tx, &renewal, &token.digest()).await? {
                    wanted = renewal;
                    cookie = Some(token);
                }
                continue;
            }
            let reason = if old.user_id == user.id { EndReason::Replaced } else { EndReason::OtherPerson };
            ended.extend(revoke::end(tx, What::Session(&old.id), reason, &actor, now).await?.sessions);
        }
        let cookie = match cookie {
            Some(cookie) => cookie,
            None => {
                let token = OpaqueToken::mint(Kind::Session);
                wanted.id = SessionId::new(token.id());
                sessions::insert(tx, &wanted, &token.digest()).await?;
                token
            }
        };
        if browser_stays {
            browsers::know(tx, &wanted.browser_id, &user.id, now).await?;
        }
        let mut data = proof.origin.data();
        data.insert("session".to_owned(), wanted.id.as_str().into());
        data.insert("direct".to_owned(), wanted.direct.into());
        let event = Event { actor: &actor, action: "sign_in.ok", subject: user.id.as_str(), data: data.into() };
        audit::record(tx, &event, now).await?;
        proof.permits.refund(tx).await?;
        Ok(Some(SignedIn { session: wanted, cookie, user, ended }))
    }
}

/// Whether the cookie that came along is this session's present one.
async fn is_held(tx: &mut Tx, session: &SessionId, cookie: Option<&OpaqueToken>) -> Result<bool, StoreError> {
    let Some(cookie) = cookie.filter(|cookie| cookie.id() == session.as_str()) else { return Ok(false) };
    Ok(sessions::find(tx, session).await?.is_some_and(|(_, digest)| digest.matches(&cookie.digest())))
}

/// A new cookie for a session that is there.
pub(super) fn renewed(session: &SessionId) -> Result<OpaqueToken, StoreError> {
    OpaqueToken::renew(Kind::Session, session.as_str()).ok_or_else(|| StoreError::corrupt("sessions.id"))
}

#[cfg(test)]
#[path = "sign_in_tests.rs"]
mod tests;
