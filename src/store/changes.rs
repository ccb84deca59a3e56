//! One counter for each thing that processes keep in memory (decision: one mechanism, polled each second).

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Clock;

/// A thing that processes keep in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Relying apps.
    Clients,
    /// APIs.
    Resources,
    /// The key ring.
    Keys,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Resources => "resources",
            Self::Keys => "keys",
        }
    }
}

/// The counters at one moment. Compared with `!=`: a restore may set them back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Of clients.
    pub clients: i64,
    /// Of resources.
    pub resources: i64,
    /// Of signing keys.
    pub keys: i64,
}

/// Where PostgreSQL tells of changes.
pub(super) const CHANNEL: &str = "frontdesk_changes";

/// Tells all processes that a thing changed. Called in the transaction that changes it, before the change: the row's lock
/// makes writers of one kind wait for each other.
///
/// # Errors
/// If the database refuses.
pub async fn bump(tx: &mut Tx, kind: Kind) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE changes SET counter = counter + 1 WHERE name = $1")
        .bind(kind.name())
        .execute(db)
        .await
        .map(drop))?;
    if tx.is_postgres() {
        // Only hurries the poll; delivered when the transaction commits.
        on!(tx, |db| sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(kind.name())
            .execute(db)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// Waits for those who change a thing, and lets nobody change it before the transaction ends.
///
/// # Errors
/// If the database refuses.
pub async fn hold(tx: &mut Tx, kind: Kind) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE changes SET counter = counter WHERE name = $1")
        .bind(kind.name())
        .execute(db)
        .await
        .map(drop))
}

/// The counters now.
///
/// # Errors
/// If the database refuses.
pub async fn read(db: &mut Db) -> Result<Counters, StoreError> {
    let rows: Vec<(String, i64)> =
        on!(db, |db| sqlx::query_as("SELECT name, counter FROM changes ORDER BY name").fetch_all(db).await)?;
    let of = |name: &str| rows.iter().find(|(own, _)| own == name).map_or(0, |(_, counter)| *counter);
    Ok(Counters { clients: of("clients"), resources: of("resources"), keys: of("keys") })
}

/// Lets the clock follow the database's, where it has one of its own: PostgreSQL. Returns by how many milliseconds that one is
/// ahead of the system's; `None` where that cannot be told.
///
/// # Errors
/// If the database refuses.
pub async fn follow_clock(db: &mut Db, clock: &Clock) -> Result<Option<i64>, StoreError> {
    if !db.is_postgres() {
        return Ok(None);
    }
    let asked = clock.asks();
    let (milliseconds,): (i64,) =
        on!(db, |db| sqlx::query_as("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            .fetch_one(db)
            .await)?;
    Ok(clock.follow(asked, milliseconds))
}
