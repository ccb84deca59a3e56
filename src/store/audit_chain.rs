//! The chain over the audit, as its columns hold it: which row follows which, and how far it goes. What the columns must
//! hold, `audit/chain.rs` says.
//!
//! Whoever seals moves the head first, with a guard on where it stood, so of two that seal at once one does nothing.

use super::audit::Recorded;
use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// How a row was sealed. In a row that somebody tampered with, each of it may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Its place in the chain, counted from 1.
    pub number: i64,
    /// The MAC of the row before it; empty in the first.
    pub previous: String,
    /// Its MAC.
    pub mac: String,
    /// Which key sealed it.
    pub key_id: String,
    /// The salt of the commitment; empty once something was erased.
    pub salt: String,
    /// The commitment to actor, subject and data as they were written.
    pub commitment: String,
    /// The MAC over what stands there since something was erased; empty before.
    pub erased: String,
}

/// A sealed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// What it tells.
    pub event: Recorded,
    /// How it was sealed.
    pub seal: Seal,
}

/// How far the chain goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest sealed row; 0 before the first.
    pub number: i64,
    /// Its MAC.
    pub mac: String,
    /// The number of the newest row that a checkpoint names.
    pub checkpoint: i64,
    /// When that was.
    pub checkpoint_at: Timestamp,
    /// The id of the key that seals; empty before the first.
    pub key_id: String,
}

/// How many events wait to be sealed, and since when the oldest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: i64,
    /// When the oldest of them happened.
    pub oldest: Option<Timestamp>,
}

/// How far the chain goes. `None`: somebody has removed what tells it.
///
/// # Errors
/// If the database refuses.
pub async fn head(db: &mut Db) -> Result<Option<Head>, StoreError> {
    let row: Option<(i64, String, i64, i64, String)> = on!(db, |db| sqlx::query_as(
        "SELECT number, mac, checkpoint, checkpoint_at, key_id FROM audit_head WHERE name = 'audit'"
    )
    .fetch_optional(db)
    .await)?;
    Ok(row.map(|(number, mac, checkpoint, at, key_id)| Head {
        number,
        mac,
        checkpoint,
        checkpoint_at: Timestamp::from_seconds(at),
        key_id,
    }))
}

/// Moves the head from where it was seen to a later row, sealed by the key with this id. False: another has moved it meanwhile,
/// or another key has been named.
///
/// # Errors
/// If the database refuses.
pub async fn advance(tx: &mut Tx, from: &Head, (to, mac): (i64, &str), key_id: &str) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| {
        sqlx::query(
        "UPDATE audit_head SET number = $1, mac = $2, key_id = $3 WHERE name = 'audit' AND number = $4 AND mac = $5 \
         AND key_id IN ($3, '')"
    )
    .bind(to)
    .bind(mac)
    .bind(key_id)
    .bind(from.number)
    .bind(from.mac.as_str())
    .execute(db)
    .await
    .map(|done| done.rows_affected())
    })?;
    Ok(hit == 1)
}

/// Names another key: whatever is sealed from now on, it seals.
///
/// # Errors
/// If the database refuses.
pub async fn name_key(tx: &mut Tx, key_id: &str) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE audit_head SET key_id = $1 WHERE name = 'audit'")
        .bind(key_id)
        .execute(db)
        .await
        .map(drop))
}

/// Writes down how a row was sealed. False: it is sealed already, or gone.
///
/// # Errors
/// If the database refuses.
pub async fn seal(tx: &mut Tx, id: &str, seal: &Seal) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| {
        sqlx::query(
        "UPDATE audit SET number = $1, previous = $2, mac = $3, key_id = $4, salt = $5, commitment = $6, erased = '' \
         WHERE id = $7 AND number IS NULL"
    )
    .bind(seal.number)
    .bind(seal.previous.as_str())
    .bind(seal.mac.as_str())
    .bind(seal.key_id.as_str())
    .bind(seal.salt.as_str())
    .bind(seal.commitment.as_str())
    .bind(id)
    .execute(db)
    .await
    .map(|done| done.rows_affected())
    })?;
    Ok(hit == 1)
}

/// Puts something else in the place of what a sealed row told. False: the row is not as it was seen.
///
/// # Errors
/// If the database refuses.
pub async fn rewrite(tx: &mut Tx, row: &SealedRow) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE audit SET actor = $1, subject = $2, data = $3, salt = $4, erased = $5 WHERE id = $6 AND mac = $7"
    )
    .bind(row.event.actor.as_str())
    .bind(row.event.subject.as_str())
    .bind(row.event.data.as_str())
    .bind(row.seal.salt.as_str())
    .bind(row.seal.erased.as_str())
    .bind(row.event.id.as_str())
    .bind(row.seal.mac.as_str())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Notes that a checkpoint names the newest row. False: another was named meanwhile.
///
/// # Errors
/// If the database refuses.
pub async fn note_checkpoint(tx: &mut Tx, of: &Head, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE audit_head SET checkpoint = $1, checkpoint_at = $2 WHERE name = 'audit' AND checkpoint = $3"
    )
    .bind(of.number)
    .bind(now.as_seconds())
    .bind(of.checkpoint)
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// The columns of a sealed row. What somebody has emptied reads as an empty text.
macro_rules! select_sealed {
    ($rest:literal) => {
        concat!(
            "SELECT number, id, at, actor, action, subject, data, COALESCE(previous, ''), COALESCE(mac, ''), \
             COALESCE(key_id, ''), COALESCE(salt, ''), COALESCE(commitment, ''), COALESCE(erased, '') FROM audit WHERE ",
            $rest
        )
    };
}

/// The columns of [`select_sealed`].
type Columns = (i64, String, i64, String, String, String, String, String, String, String, String, String, String);

const FOLLOWING: &str = select_sealed!("number >= $1 AND (number > $1 OR id > $2) ORDER BY number, id LIMIT $3");

/// The next sealed rows in the order of the chain, after a number and the id that has it.
///
/// # Errors
/// If the database refuses.
pub async fn following(db: &mut Db, after: (i64, &str), most: u32) -> Result<Vec<SealedRow>, StoreError> {
    // By both: where somebody has dropped the index, a number may be there twice.
    let rows: Vec<Columns> =
        on!(db, |db| sqlx::query_as(FOLLOWING).bind(after.0).bind(after.1).bind(i64::from(most)).fetch_all(db).await)?;
    Ok(rows.into_iter().map(SealedRow::of).collect())
}

/// A sealed row.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<SealedRow>, StoreError> {
    let row: Option<Columns> = on!(db, |db| sqlx::query_as(select_sealed!("id = $1 AND number IS NOT NULL"))
        .bind(id)
        .fetch_optional(db)
        .await)?;
    Ok(row.map(SealedRow::of))
}

/// What waits to be sealed.
///
/// # Errors
/// If the database refuses.
pub async fn waiting(db: &mut Db) -> Result<Waiting, StoreError> {
    let (count, oldest): (i64, Option<i64>) =
        on!(db, |db| sqlx::query_as("SELECT COUNT(*), MIN(at) FROM audit WHERE number IS NULL").fetch_one(db).await)?;
    Ok(Waiting { count, oldest: oldest.map(Timestamp::from_seconds) })
}

impl SealedRow {
    fn of(columns: Columns) -> Self {
        let (number, id, at, actor, action, subject, data, previous, mac, key_id, salt, commitment, erased) = columns;
        Self {
            event: Recorded {
                id,
                at: Timestamp::from_seconds(at),
                actor,
                action,
                subject,
                data,
                sealed: Some((number, mac.clone())),
            },
            seal: Seal { number, previous, mac, key_id, salt, commitment, erased },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn a_page_of_the_chain_is_read_by_its_numbers() {
        let store = TestStore::open().await;
        if store.url().starts_with("sqlite") {
            let plan = store.plan(FOLLOWING).await;
            assert!(plan.iter().any(|step| step.contains("INDEX audit_number (number>")), "{plan:?}");
        } else {
            // PostgreSQL plans by what stands in the tables.
            assert_eq!(following(&mut store.read().await.unwrap(), (0, ""), 1).await.unwrap(), []);
        }
    }
}
