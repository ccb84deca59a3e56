//! The guarded updates by which sessions, grants and families end. [`crate::tokens::revoke`] calls them in the right order,
//! parents before children.

use super::{StoreError, Tx, on};
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, GrantId, SessionId, UserId};
use crate::domain::time::Timestamp;

/// The statements that delete a batch of grants: which, their bits, the rows.
macro_rules! deletions {
    ($of:literal) => {
        (
            concat!("SELECT id FROM grants WHERE ", $of, " ORDER BY id LIMIT $2"),
            concat!(
                "INSERT INTO retired_indices (status_list, status_index, invalid_until, retired_at) \
                 SELECT status_list, status_index, $3, COALESCE(ended_at, 0) FROM grants WHERE ",
                $of,
                " AND id <= $2 ON CONFLICT (status_list, status_index) DO NOTHING"
            ),
            concat!("DELETE FROM grants WHERE ", $of, " AND id <= $2"),
        )
    };
}
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

/// Grants ended in one unit of work at most. A unit may not hold the writer for long, and a client may have any number.
pub const BATCH: usize = 2_000;

/// Which part of a choice of grants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part<'a> {
    /// Those with ids after this one.
    pub after: Option<&'a GrantId>,
    /// Those that were born by this moment; `None`: all.
    pub born_by: Option<Timestamp>,
}

/// The grants that were ended.
#[derive(Debug)]
pub struct EndedGrants {
    /// Which.
    pub ids: Vec<GrantId>,
    /// After which id to go on, if there were more than a batch.
    pub go_on_after: Option<GrantId>,
}

/// Ends grants, then their families; of a session, a person or a client a [`BATCH`] of living ones at a time. Whoever ends more than one grant makes them worthless by
/// their parent in the same unit, so nothing is lost if the rest is left for further units.
///
/// # Errors
/// If the database refuses.
pub async fn end_grants(
    tx: &mut Tx,
    which: Grants<'_>,
    part: Part<'_>,
    reason: EndReason,
    now: Timestamp,
) -> Result<EndedGrants, StoreError> {
    let born_by = part.born_by.map_or(i64::MAX, Timestamp::as_seconds);
    let (living, grants, families) = texts(which);
    let (first, second) = keys(which);
    let after = part.after.map_or("", GrantId::as_str);
    let mut go_on_after = None;
    if let Some(living) = living {
        let found: Vec<(String,)> = on!(tx, |db| sqlx::query_as(living)
            .bind(first)
            .bind(second)
            .bind(after)
            .bind(now.as_seconds())
            .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
            .bind(born_by)
            .fetch_all(db)
            .await)?;
        go_on_after = found.into_iter().nth(BATCH - 1).map(|(last,)| GrantId::new(last));
    }
    let until = go_on_after.as_ref().map_or(LAST, GrantId::as_str);
    let rows: Vec<(String,)> = on!(tx, |db| sqlx::query_as(grants)
        .bind(now.as_seconds())
        .bind(reason.as_str())
        .bind(first)
        .bind(second)
        .bind(after)
        .bind(until)
        .bind(born_by)
        .fetch_all(db)
        .await)?;
    on!(tx, |db| sqlx::query(families)
        .bind(now.as_seconds())
        .bind(reason.as_str())
        .bind(first)
        .bind(second)
        .bind(after)
        .bind(until)
        .execute(db)
        .await
        .map(drop))?;
    if let (Grants::One(id), true) = (which, reason.is_alarm()) {
        set_for_good(tx, id, now).await?;
    }
    Ok(EndedGrants { ids: rows.into_iter().map(|(id,)| GrantId::new(id)).collect(), go_on_after })
}

/// The bit of a grant whose tokens are in foreign hands stays set until its list retires.
async fn set_for_good(tx: &mut Tx, id: &GrantId, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO retired_indices (status_list, status_index, invalid_until, retired_at) \
         SELECT status_list, status_index, NULL, $2 FROM grants WHERE id = $1 ON CONFLICT (status_list, status_index) DO NOTHING"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop)
    })
}

/// Deletes a batch of the grants of a person or a client, with their codes and families. Their status bits stay set until
/// `invalid_until`. False: no more are there.
///
/// # Errors
/// If the database refuses.
pub async fn delete_grants(tx: &mut Tx, which: Grants<'_>, invalid_until: Timestamp) -> Result<bool, StoreError> {
    let (some, bits, rows) = match which {
        Grants::User(_) => deletions!("user_id = $1"),
        Grants::Client(_) => deletions!("client_id = $1"),
        _ => return Ok(false),
    };
    let (of, _) = keys(which);
    let found: Vec<(String,)> =
        on!(tx, |db| sqlx::query_as(some).bind(of).bind(i64::try_from(BATCH).unwrap_or(i64::MAX)).fetch_all(db).await)?;
    let Some((last,)) = found.last() else { return Ok(false) };
    on!(tx, |db| sqlx::query(bits).bind(of).bind(last).bind(invalid_until.as_seconds()).execute(db).await.map(drop))?;
    on!(tx, |db| sqlx::query(rows).bind(of).bind(last).execute(db).await.map(drop))?;
    Ok(true)
}

/// Ends the sessions of all people who proved who they are by a moment, a [`BATCH`] at a time, those with ids after `after`. How
/// many, and after which id to go on.
///
/// # Errors
/// If the database refuses.
pub async fn end_all_sessions(
    tx: &mut Tx,
    after: &str,
    reason: EndReason,
    now: Timestamp,
) -> Result<(u64, Option<String>), StoreError> {
    let until = next_batch(
        tx,
        "SELECT id FROM sessions WHERE id > $1 AND ended_at IS NULL AND auth_time <= $2 ORDER BY id LIMIT $3",
        after,
        now,
    )
    .await?;
    let hit = end_between(
        tx,
        "UPDATE sessions SET ended_at = $1, reason = $2 WHERE id > $3 AND id <= $4 AND ended_at IS NULL AND auth_time <= $1",
        (after, until.as_deref()),
        reason,
        now,
    )
    .await?;
    Ok((hit, until))
}

/// Ends the grants of all people from before a moment, and their families, as [`end_all_sessions`]. That they are worthless is
/// for their clients' `not_before` to say.
///
/// # Errors
/// If the database refuses.
pub async fn end_all_grants(
    tx: &mut Tx,
    after: &str,
    reason: EndReason,
    now: Timestamp,
) -> Result<(u64, Option<String>), StoreError> {
    let until = next_batch(
        tx,
        "SELECT id FROM grants WHERE id > $1 AND ended_at IS NULL AND created_at < $2 ORDER BY id LIMIT $3",
        after,
        now,
    )
    .await?;
    let between = (after, until.as_deref());
    let hit = end_between(
        tx,
        "UPDATE grants SET ended_at = $1, reason = $2 WHERE id > $3 AND id <= $4 AND ended_at IS NULL AND created_at < $1",
        between,
        reason,
        now,
    )
    .await?;
    end_between(
        tx,
        "UPDATE refresh_families SET ended_at = $1, reason = $2 WHERE ended_at IS NULL AND grant_id IN \
         (SELECT id FROM grants WHERE id > $3 AND id <= $4 AND ended_at IS NOT NULL)",
        between,
        reason,
        now,
    )
    .await?;
    Ok((hit, until))
}

/// Ends what stands between two ids; without the second, to the end. How much it was.
async fn end_between(
    tx: &mut Tx,
    text: &'static str,
    (after, until): (&str, Option<&str>),
    reason: EndReason,
    now: Timestamp,
) -> Result<u64, StoreError> {
    on!(tx, |db| sqlx::query(text)
        .bind(now.as_seconds())
        .bind(reason.as_str())
        .bind(after)
        .bind(until.unwrap_or(LAST))
        .execute(db)
        .await
        .map(|done| done.rows_affected()))
}

/// The last id of the next batch. `None`: what is left is no whole batch.
async fn next_batch(
    tx: &mut Tx,
    text: &'static str,
    after: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let found: Vec<(String,)> = on!(tx, |db| sqlx::query_as(text)
        .bind(after)
        .bind(now.as_seconds())
        .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
        .fetch_all(db)
        .await)?;
    Ok(found.into_iter().nth(BATCH - 1).map(|(last,)| last))
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

/// The same for all clients.
///
/// # Errors
/// If the database refuses.
pub async fn raise_all_clients_not_before(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE clients SET not_before = $1 WHERE not_before < $1")
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(drop))
}

/// Comes after every id, in the order of any language.
const LAST: &str = "z";

/// The statements for a choice of grants: which of the living ones are next, where there may be many; the grants; their families.
/// The first takes two keys, the id to go on after, the moment, how many, and the last moment of birth; the others the moment, the reason,
/// the keys, and the ids between which they work, the second also the last moment of birth. A choice with one key repeats it.
fn texts(which: Grants<'_>) -> (Option<&'static str>, &'static str, &'static str) {
    macro_rules! next {
        ($choice:literal) => {
            concat!(
                "SELECT id FROM grants WHERE ",
                $choice,
                " AND id > $3 AND ended_at IS NULL AND expires_at > $4 AND created_at <= $6 ORDER BY id LIMIT $5"
            )
        };
    }
    macro_rules! both {
        ($choice:literal) => {
            (
                concat!(
                    "UPDATE grants SET ended_at = $1, reason = $2 WHERE ",
                    $choice,
                    " AND id > $5 AND id <= $6 AND created_at <= $7 AND ended_at IS NULL RETURNING id"
                ),
                concat!(
                    "UPDATE refresh_families SET ended_at = $1, reason = $2 WHERE ended_at IS NULL AND grant_id IN \
                     (SELECT id FROM grants WHERE ",
                    $choice,
                    " AND id > $5 AND id <= $6 AND ended_at IS NOT NULL)"
                ),
            )
        };
    }
    let (living, (grants, families)) = match which {
        Grants::LinkedTo(_) => (
            Some(next!("session_id = $1 AND session_id = $2 AND session_linked")),
            both!("session_id = $3 AND session_id = $4 AND session_linked"),
        ),
        Grants::LinkedOf { .. } => (
            Some(next!("user_id = $1 AND session_id <> $2 AND session_linked")),
            both!("user_id = $3 AND session_id <> $4 AND session_linked"),
        ),
        Grants::User(_) => (Some(next!("user_id = $1 AND user_id = $2")), both!("user_id = $3 AND user_id = $4")),
        Grants::Client(_) => {
            (Some(next!("client_id = $1 AND client_id = $2")), both!("client_id = $3 AND client_id = $4"))
        }
        Grants::Consent { .. } => (None, both!("user_id = $3 AND client_id = $4")),
        Grants::One(_) => (None, both!("id = $3 AND id = $4")),
    };
    (living, grants, families)
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
