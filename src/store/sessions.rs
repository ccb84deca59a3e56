//! Sessions: people signed in at browsers.

use std::time::Duration;

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};
use crate::domain::id::{BrowserId, SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenDigest;

macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT id, cookie_digest, user_id, browser_id, created_at, auth_time, acr, amr, last_seen_at, \
             idle_expires_at, expires_at, persistent, direct, device, address, \
             COALESCE(ended_at, (SELECT MAX(at) FROM lost_hosts WHERE at >= auth_time)) AS ended_at FROM sessions ",
            $rest
        )
    };
}

#[derive(FromRow)]
struct Row {
    id: String,
    cookie_digest: String,
    user_id: String,
    browser_id: String,
    created_at: i64,
    auth_time: i64,
    acr: String,
    amr: String,
    last_seen_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    persistent: bool,
    direct: bool,
    device: String,
    address: String,
    ended_at: Option<i64>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            id: SessionId::new(row.id),
            user_id: UserId::new(row.user_id),
            browser_id: BrowserId::new(row.browser_id),
            created_at: Timestamp::from_seconds(row.created_at),
            auth_time: Timestamp::from_seconds(row.auth_time),
            acr: row.acr,
            amr: row.amr,
            last_seen_at: Timestamp::from_seconds(row.last_seen_at),
            idle_expires_at: Timestamp::from_seconds(row.idle_expires_at),
            expires_at: Timestamp::from_seconds(row.expires_at),
            persistent: row.persistent,
            direct: row.direct,
            device: row.device,
            address: row.address,
            ended_at: row.ended_at.map(Timestamp::from_seconds),
        }
    }
}

/// A session, over or not, and the digest of its present cookie.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &SessionId) -> Result<Option<(Session, TokenDigest)>, StoreError> {
    let row: Option<Row> =
        on!(db, |db| sqlx::query_as(select_sessions!("WHERE id = $1")).bind(id.as_str()).fetch_optional(db).await)?;
    Ok(row.map(|row| (TokenDigest::stored(row.cookie_digest.clone()), row)).map(|(digest, row)| (row.into(), digest)))
}

/// The sessions in which a person is signed in, the last used first.
///
/// # Errors
/// If the database refuses.
pub async fn live_of(db: &mut Db, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<Row> = on!(db, |db| sqlx::query_as(select_sessions!(
        "WHERE user_id = $1 AND ended_at IS NULL AND idle_expires_at > $2 AND expires_at > $2 \
         ORDER BY last_seen_at DESC, id DESC"
    ))
    .bind(user.as_str())
    .bind(now.as_seconds())
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// The sessions of a person that were not ended, idle and expired ones too, the last used first.
///
/// # Errors
/// If the database refuses.
pub async fn unended_of(db: &mut Db, user: &UserId) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<Row> = on!(db, |db| sqlx::query_as(select_sessions!(
        "WHERE user_id = $1 AND ended_at IS NULL ORDER BY last_seen_at DESC, id DESC"
    ))
    .bind(user.as_str())
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// A page of the sessions of everybody that were not ended and are not too old, the newest first: those before the identity
/// `before`, where there is one.
///
/// # Errors
/// If the database refuses.
pub async fn page(
    db: &mut Db,
    before: Option<&SessionId>,
    most: u32,
    now: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<Row> = on!(db, |db| sqlx::query_as(select_sessions!(
        "WHERE ended_at IS NULL AND expires_at > $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3"
    ))
    .bind(now.as_seconds())
    .bind(before.map_or("", SessionId::as_str))
    .bind(i64::from(most))
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// In how many sessions somebody is signed in.
///
/// # Errors
/// If the database refuses.
pub async fn count_live(db: &mut Db, now: Timestamp) -> Result<u64, StoreError> {
    let (count,): (i64,) = on!(db, |db| sqlx::query_as(
        "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL AND idle_expires_at > $1 AND expires_at > $1"
    )
    .bind(now.as_seconds())
    .fetch_one(db)
    .await)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The sessions at a browser that were not ended, idle and expired ones too, the oldest first.
///
/// # Errors
/// If the database refuses.
pub async fn at_browser(db: &mut Db, browser: &BrowserId) -> Result<Vec<Session>, StoreError> {
    let rows: Vec<Row> =
        on!(db, |db| sqlx::query_as(select_sessions!("WHERE browser_id = $1 AND ended_at IS NULL ORDER BY id"))
            .bind(browser.as_str())
            .fetch_all(db)
            .await)?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// Records a session. Its person must have been touched in the same unit.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, session: &Session, cookie: &TokenDigest) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO sessions (id, cookie_digest, user_id, browser_id, created_at, auth_time, acr, amr, last_seen_at, \
         idle_expires_at, expires_at, persistent, direct, device, address) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    )
    .bind(session.id.as_str())
    .bind(cookie.as_str())
    .bind(session.user_id.as_str())
    .bind(session.browser_id.as_str())
    .bind(session.created_at.as_seconds())
    .bind(session.auth_time.as_seconds())
    .bind(session.acr.as_str())
    .bind(session.amr.as_str())
    .bind(session.last_seen_at.as_seconds())
    .bind(session.idle_expires_at.as_seconds())
    .bind(session.expires_at.as_seconds())
    .bind(session.persistent)
    .bind(session.direct)
    .bind(session.device.as_str())
    .bind(session.address.as_str())
    .execute(db)
    .await
    .map(drop))
}

/// Writes a new sign-in of the same person into a session: all but the row's identity and birth. The cookie it had is dead
/// with this. False: the session is over.
///
/// # Errors
/// If the database refuses.
pub async fn renew(tx: &mut Tx, session: &Session, cookie: &TokenDigest) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE sessions SET cookie_digest = $2, auth_time = $3, acr = $4, amr = $5, last_seen_at = $6, \
         idle_expires_at = $7, expires_at = $8, persistent = $9, direct = $10, device = $11, address = $12 \
         WHERE id = $1 AND ended_at IS NULL"
    )
    .bind(session.id.as_str())
    .bind(cookie.as_str())
    .bind(session.auth_time.as_seconds())
    .bind(session.acr.as_str())
    .bind(session.amr.as_str())
    .bind(session.last_seen_at.as_seconds())
    .bind(session.idle_expires_at.as_seconds())
    .bind(session.expires_at.as_seconds())
    .bind(session.persistent)
    .bind(session.direct)
    .bind(session.device.as_str())
    .bind(session.address.as_str())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Gives a session a new cookie and nothing else. False: the session is over.
///
/// # Errors
/// If the database refuses.
pub async fn turn_cookie(
    tx: &mut Tx,
    id: &SessionId,
    user: &UserId,
    cookie: &TokenDigest,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE sessions SET cookie_digest = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL \
         AND idle_expires_at > $4 AND expires_at > $4"
    )
    .bind(id.as_str())
    .bind(user.as_str())
    .bind(cookie.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Notes that a session was used, and puts off its idle end. Writes nothing where that would move it by less than a minute,
/// or where the session is over. Whether it wrote.
///
/// # Errors
/// If the database refuses.
pub async fn touch(tx: &mut Tx, id: &SessionId, idle: Duration, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| {
        sqlx::query(
        "UPDATE sessions SET last_seen_at = $2, idle_expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END \
         WHERE id = $1 AND ended_at IS NULL AND idle_expires_at > $2 AND expires_at > $2 \
         AND idle_expires_at <= $3 - 60 AND idle_expires_at < expires_at"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .bind(now.plus(idle).as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected())
    })?;
    Ok(hit == 1)
}
