//! Who did what. Rows are inserted in the transaction of the act.

use serde_json::Value;

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// Something that was done, or that was tried and refused.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// Who: `user:<id>`, `client:<id>`, `cli`, `system`.
    pub actor: &'a str,
    /// What, as `thing.deed`: `code.reuse`, `user.disable`.
    pub action: &'a str,
    /// To what: the id of a row.
    pub subject: &'a str,
    /// More about it; never a secret.
    pub data: Value,
}

/// An event as its row knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More about it, JSON.
    pub data: String,
}

/// Records an event.
///
/// # Errors
/// If the database refuses.
pub async fn record(tx: &mut Tx, event: &Event<'_>, now: Timestamp) -> Result<(), StoreError> {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let data = event.data.to_string();
    on!(tx, |db| sqlx::query(
        "INSERT INTO audit (id, at, actor, action, subject, data) VALUES ($1, $2, $3, $4, $5, $6)"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .bind(event.actor)
    .bind(event.action)
    .bind(event.subject)
    .bind(data.as_str())
    .execute(db)
    .await
    .map(drop))
}

/// The newest events about a subject, newest first.
///
/// # Errors
/// If the database refuses.
pub async fn about(db: &mut Db, subject: &str, most: u32) -> Result<Vec<Recorded>, StoreError> {
    let rows: Vec<(i64, String, String, String, String)> = on!(db, |db| sqlx::query_as(
        "SELECT at, actor, action, subject, data FROM audit WHERE subject = $1 ORDER BY id DESC LIMIT $2"
    )
    .bind(subject)
    .bind(i64::from(most))
    .fetch_all(db)
    .await)?;
    Ok(rows
        .into_iter()
        .map(|(at, actor, action, subject, data)| Recorded {
            at: Timestamp::from_seconds(at),
            actor,
            action,
            subject,
            data,
        })
        .collect())
}
