//! Sessions: finding the one of a cookie, keeping it awake, ending it.

use std::time::Duration;

use crate::domain::grant::EndReason;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::store::{Db, Store, StoreError, Tx, sessions};
use crate::tokens::revoke::{self, Ended, What, Whole};

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
    if !session.is_live(now) {
        return Ok(());
    }
    let ends = (session.idle_expires_at, session.expires_at);
    keep_awake(store, &session.id, policy.idle(session.persistent), ends, now).await
}

/// The same of a session of which no more is known than how long it may stay unused, when it goes idle and when it ends.
///
/// # Errors
/// If the database refuses.
pub async fn keep_awake(
    store: &Store,
    id: &SessionId,
    idle: Duration,
    (idle_expires_at, expires_at): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<(), StoreError> {
    if now.plus(idle).min(expires_at).seconds_since(idle_expires_at) < 60 {
        return Ok(());
    }
    let id = id.clone();
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
pub async fn end_others(store: &Store, user: &UserId, present: &SessionId, now: Timestamp) -> Result<(), StoreError> {
    let (whose, keep, actor) = (user.clone(), present.clone(), format!("user:{user}"));
    let by = actor.clone();
    let ended = store
        .write(async move |tx| {
            let what = What::SessionsOf { user: &whose, keep: Some(&keep) };
            revoke::end(tx, what, EndReason::SignedOut, &by, now).await
        })
        .await?;
    if ended.more {
        let whole = Whole::SessionsOf { user: user.clone(), keep: Some(present.clone()) };
        revoke::end_rest(store, &whole, EndReason::SignedOut, &actor, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::sign_in::{Outcome, SignIn};
    use crate::accounts::testing::{House, NOW, PASSWORD, SESSIONS, later, wish};

    const HOUR: u64 = 3600;

    #[tokio::test]
    async fn a_session_is_found_by_its_whole_cookie_only() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        let signed_in = house.signed_in("alice", &house.browser().await).await;
        let forged = OpaqueToken::renew(Kind::Session, signed_in.cookie.id()).unwrap();
        for other in [forged.expose(), OpaqueToken::mint(Kind::Session).expose(), "", "fd_ss_", signed_in.cookie.id()] {
            assert!(house.session_of(other, NOW).await.is_none(), "{other}");
        }
        assert!(house.session_of(signed_in.cookie.expose(), NOW).await.is_some());
    }

    #[tokio::test]
    async fn unused_it_goes_idle_and_used_it_lives_to_its_absolute_end() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        let cookie = house.signed_in("alice", &house.browser().await).await.cookie;
        assert!(house.session_of(cookie.expose(), later(8 * HOUR - 1)).await.is_some());
        assert!(house.session_of(cookie.expose(), later(8 * HOUR)).await.is_none());
        let mut db = house.store.read().await.unwrap();
        assert!(find_even_idle(&mut db, cookie.expose()).await.unwrap().is_some());
        let mut hours = 7;
        while let Some(session) = house.session_of(cookie.expose(), later(hours * HOUR)).await {
            touch(&house.store, &session, &SESSIONS, later(hours * HOUR)).await.unwrap();
            hours += 7;
        }
        assert_eq!(hours, 168);
        assert!(house.session_of(cookie.expose(), later(7 * 24 * HOUR - 1)).await.is_some());
        assert!(house.session_of(cookie.expose(), later(7 * 24 * HOUR)).await.is_none());
    }

    #[tokio::test]
    async fn kept_people_stay_longer() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        let browser = house.browser().await;
        let wish = SignIn { keep: true, ..wish("alice", PASSWORD, &browser, "192.0.2.1") };
        let Outcome::SignedIn(signed_in) = house.accounts.sign_in(wish, NOW).await.unwrap() else { panic!("refused") };
        let cookie = signed_in.cookie.expose();
        assert!(house.session_of(cookie, later(3 * 24 * HOUR - 1)).await.is_some());
        assert!(house.session_of(cookie, later(3 * 24 * HOUR)).await.is_none());
    }

    #[tokio::test]
    async fn use_is_noted_once_a_minute_and_wakes_nothing() {
        let house = House::open().await;
        house.person("alice", &[]).await;
        let cookie = house.signed_in("alice", &house.browser().await).await.cookie;
        for (after, seen) in [(59, 0), (60, 60), (100, 60), (120, 120)] {
            let session = house.session_of(cookie.expose(), later(after)).await.unwrap();
            touch(&house.store, &session, &SESSIONS, later(after)).await.unwrap();
            let session = house.session_of(cookie.expose(), later(after)).await.unwrap();
            assert_eq!(session.last_seen_at, later(seen), "{after}");
        }
        // Read while it lived, touched when it was over.
        let session = house.session_of(cookie.expose(), later(500)).await.unwrap();
        let id = session.id.clone();
        house
            .store
            .write(async move |tx| sessions::touch(tx, &id, SESSIONS.idle, later(20 * HOUR)).await)
            .await
            .unwrap();
        assert!(house.session_of(cookie.expose(), later(20 * HOUR)).await.is_none());
        house.store.run("UPDATE sessions SET ended_at = 1").await;
        touch(&house.store, &session, &SESSIONS, later(500)).await.unwrap();
        assert_eq!(house.store.number("SELECT last_seen_at FROM sessions").await, later(120).as_seconds());
    }

    #[tokio::test]
    async fn people_end_their_own_sessions_and_nobody_elses() {
        let house = House::open().await;
        let alice = house.person("alice", &[]).await;
        let bob = house.person("bob", &[]).await;
        let mut sessions = Vec::new();
        for name in ["alice", "alice", "alice", "bob"] {
            sessions.push(house.signed_in(name, &house.browser().await).await.session.id);
        }
        let live = async |user: &UserId| {
            let listed = live_of(&mut house.store.read().await.unwrap(), user, NOW).await.unwrap();
            listed.into_iter().map(|session| session.id).collect::<Vec<_>>()
        };
        let end = async |user: &UserId, id: &SessionId| {
            let (user, id) = (user.clone(), id.clone());
            let work = async move |tx: &mut Tx| end_one(tx, &user, &id, EndReason::SignedOut, NOW).await;
            house.store.write(work).await.unwrap()
        };
        assert_eq!(end(&bob, &sessions[0]).await, None);
        assert_eq!(end(&alice, &SessionId::new("none")).await, None);
        assert_eq!(live(&alice).await.len(), 3);
        assert_eq!(end(&alice, &sessions[0]).await.unwrap().sessions, sessions[..1]);
        assert_eq!(end(&alice, &sessions[0]).await, None);
        let (user, present) = (alice.clone(), sessions[1].clone());
        end_others(&house.store, &user, &present, NOW).await.unwrap();
        assert_eq!(live(&alice).await, sessions[1..2]);
        assert_eq!(live(&bob).await, sessions[3..]);
    }
}
