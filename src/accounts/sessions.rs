//! Sessions: finding the one of a cookie, keeping it awake, ending it.

use std::time::Duration;

use crate::domain::grant::EndReason;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::store::{Db, Store, StoreError, Tx, sessions};
use crate::tokens::revoke::{self, Ended, What};

pub use crate::store::sessions::live_of;

/// How long people stay signed in.
#[derive(Debug, Clone, Copy)]
pub struct SessionPolicy {
    /// How long a session may stay unused.
    pub idle: Duration,
    /// How long it may stay unused after "keep me signed in".
    pub keep_signed_in: Duration,
    /// When it ends in any case.
    pub absolute: Duration,
}

impl SessionPolicy {
    /// How long a session may stay unused.
    #[must_use]
    pub fn idle(&self, persistent: bool) -> Duration {
        if persistent { self.keep_signed_in } else { self.idle }
    }

    /// Since when an unused session is over, and when any is, for a sign-in at `now`.
    #[must_use]
    pub fn ends(&self, persistent: bool, now: Timestamp) -> (Timestamp, Timestamp) {
        let end = now.plus(self.absolute);
        (now.plus(self.idle(persistent)).min(end), end)
    }
}

/// The live session of this cookie value.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, cookie: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
    Ok(find_even_idle(db, cookie).await?.filter(|session| session.is_live(now)))
}

/// The session of this cookie value that nobody ended, although it may be idle or too old to open anything new: refreshing
/// and signing out ask for no more.
///
/// # Errors
/// If the database refuses.
pub async fn find_even_idle(db: &mut Db, cookie: &str) -> Result<Option<Session>, StoreError> {
    let Some(token) = OpaqueToken::parse(Kind::Session, cookie) else { return Ok(None) };
    let found = sessions::find(db, &SessionId::new(token.id())).await?;
    Ok(found
        .filter(|(session, digest)| digest.matches(&token.digest()) && session.ended_at.is_none())
        .map(|(session, _)| session))
}

/// Notes that a live session was used, which puts off its idle end; at most once a minute.
///
/// # Errors
/// If the database refuses.
pub async fn touch(store: &Store, session: &Session, policy: &SessionPolicy, now: Timestamp) -> Result<(), StoreError> {
    let idle = policy.idle(session.persistent);
    let target = now.plus(idle).min(session.expires_at);
    if !session.is_live(now) || target.seconds_since(session.idle_expires_at) < 60 {
        return Ok(());
    }
    let id = session.id.clone();
    store.write(async move |tx| sessions::touch(tx, &id, idle, now).await.map(drop)).await
}

/// Ends a session of this person. `None`: it is not theirs, or it was over.
///
/// # Errors
/// If the database refuses.
pub async fn end_one(
    tx: &mut Tx,
    user: &UserId,
    id: &SessionId,
    reason: EndReason,
    now: Timestamp,
) -> Result<Option<Ended>, StoreError> {
    let own = sessions::find(tx, id).await?.is_some_and(|(session, _)| session.user_id == *user);
    if !own {
        return Ok(None);
    }
    let ended = revoke::end(tx, What::Session(id), reason, &format!("user:{user}"), now).await?;
    Ok((!ended.sessions.is_empty()).then_some(ended))
}

/// Ends all sessions of this person but the present one.
///
/// # Errors
/// If the database refuses.
pub async fn end_others(tx: &mut Tx, user: &UserId, present: &SessionId, now: Timestamp) -> Result<Ended, StoreError> {
    let what = What::SessionsOf { user, keep: Some(present) };
    revoke::end(tx, what, EndReason::SignedOut, &format!("user:{user}"), now).await
}
