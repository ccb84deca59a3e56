//! The guarded updates by which sessions, grants and families end. [`crate::tokens::revoke`] calls them in the right order,
//! parents before children.

use super::{StoreError, Tx, on};
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, GrantId, SessionId, UserId};
use crate::domain::time::Timestamp;

/// Which grants, with their families.
#[derive(Debug, Clone, Copy)]
pub enum Grants<'a> {
    /// Those that end with a session.
    LinkedTo(&'a SessionId),
    /// Those of a person that end with their session, but for one session's.
    LinkedOf {
        /// The person.
        user: &'a UserId,
        /// The session whose grants stay.
        keep: Option<&'a SessionId>,
    },
    /// All of a person.
    User(&'a UserId),
    /// All of a client.
    Client(&'a ClientId),
    /// All of a person for a client.
    Consent {
        /// The person.
        user: &'a UserId,
        /// The client.
        client: &'a ClientId,
    },
    /// This one.
    One(&'a GrantId),
}

/// Ends a session. False: it was over, or there is none of that id.
///
/// # Errors
/// If the database refuses.
pub async fn end_session(tx: &mut Tx, id: &SessionId, reason: EndReason, now: Timestamp) -> Result<bool, StoreError> {
    let hit =
        on!(tx, |db| sqlx::query("UPDATE sessions SET ended_at = $1, reason = $2 WHERE id = $3 AND ended_at IS NULL")
            .bind(now.as_seconds())
            .bind(reason.as_str())
            .bind(id.as_str())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Ends the sessions of a person but one. Which it ended.
///
/// # Errors
/// If the database refuses.
pub async fn end_sessions_of(
    tx: &mut Tx,
    user: &UserId,
    keep: Option<&SessionId>,
    reason: EndReason,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let rows: Vec<(String,)> = on!(tx, |db| {
        sqlx::query_as(
        "UPDATE sessions SET ended_at = $1, reason = $2 WHERE user_id = $3 AND id <> $4 AND ended_at IS NULL RETURNING id"
    )
    .bind(now.as_seconds())
    .bind(reason.as_str())
    .bind(user.as_str())
    .bind(keep.map_or("", SessionId::as_str))
    .fetch_all(db)
    .await
    })?;
    Ok(rows.into_iter().map(|(id,)| SessionId::new(id)).collect())
}

/// Ends grants, then their families. Which grants it ended.
///
/// # Errors
/// If the database refuses.
pub async fn end_grants(
    tx: &mut Tx,
    which: Grants<'_>,
    reason: EndReason,
    now: Timestamp,
) -> Result<Vec<GrantId>, StoreError> {
    let (grants, families) = texts(which);
    let (first, second) = keys(which);
    let rows: Vec<(String,)> = on!(tx, |db| sqlx::query_as(grants)
        .bind(now.as_seconds())
        .bind(reason.as_str())
        .bind(first)
        .bind(second)
        .fetch_all(db)
        .await)?;
    on!(tx, |db| sqlx::query(families)
        .bind(now.as_seconds())
        .bind(reason.as_str())
        .bind(first)
        .bind(second)
        .execute(db)
        .await
        .map(drop))?;
    Ok(rows.into_iter().map(|(id,)| GrantId::new(id)).collect())
}

/// Touches a client so that all its grants may be ended: none that was given before now counts any more.
///
/// # Errors
/// If the database refuses.
pub async fn raise_client_not_before(tx: &mut Tx, id: &ClientId, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "UPDATE clients SET not_before = CASE WHEN not_before < $2 THEN $2 ELSE not_before END WHERE client_id = $1"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// The two statements for a choice of grants. Both take the moment, the reason and two keys; a choice with one key repeats it.
fn texts(which: Grants<'_>) -> (&'static str, &'static str) {
    macro_rules! both {
        ($choice:literal) => {
            (
                concat!(
                    "UPDATE grants SET ended_at = $1, reason = $2 WHERE ",
                    $choice,
                    " AND ended_at IS NULL RETURNING id"
                ),
                concat!(
                    "UPDATE refresh_families SET ended_at = $1, reason = $2 WHERE ended_at IS NULL AND grant_id IN \
                     (SELECT id FROM grants WHERE ",
                    $choice,
                    " AND ended_at IS NOT NULL)"
                ),
            )
        };
    }
    match which {
        Grants::LinkedTo(_) => both!("session_id = $3 AND session_id = $4 AND session_linked"),
        Grants::LinkedOf { .. } => both!("user_id = $3 AND session_id <> $4 AND session_linked"),
        Grants::User(_) => both!("user_id = $3 AND user_id = $4"),
        Grants::Client(_) => both!("client_id = $3 AND client_id = $4"),
        Grants::Consent { .. } => both!("user_id = $3 AND client_id = $4"),
        Grants::One(_) => both!("id = $3 AND id = $4"),
    }
}

fn keys(which: Grants<'_>) -> (&str, &str) {
    match which {
        Grants::LinkedTo(session) => (session.as_str(), session.as_str()),
        Grants::LinkedOf { user, keep } => (user.as_str(), keep.map_or("", SessionId::as_str)),
        Grants::User(user) => (user.as_str(), user.as_str()),
        Grants::Client(client) => (client.as_str(), client.as_str()),
        Grants::Consent { user, client } => (user.as_str(), client.as_str()),
        Grants::One(grant) => (grant.as_str(), grant.as_str()),
    }
}
