//! Facts about the installation, one a row.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{Connection, Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// The sealed probe that tells whether the master key is the right one.
pub const MASTER_KEY_CHECK: &str = "master_key_check";
/// When the clock was last believed, in seconds.
const LAST_TICK: &str = "last_tick";
/// Until when others are told to keep the key set for seconds only, in seconds.
const EMERGENCY: &str = "jwks_emergency_until";

/// A fact, if it was ever written.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, name: &str) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = on!(db, |db| sqlx::query_as("SELECT value FROM installation WHERE name = $1")
        .bind(name)
        .fetch_optional(db)
        .await)?;
    Ok(row.map(|(value,)| value))
}

/// When the clock was last believed; `None` before the first time.
///
/// # Errors
/// If the database refuses, or the row holds no time.
pub async fn last_tick(db: &mut Db) -> Result<Option<Timestamp>, StoreError> {
    time(db, LAST_TICK).await
}

async fn time(db: &mut Db, name: &'static str) -> Result<Option<Timestamp>, StoreError> {
    let Some(text) = find(db, name).await? else { return Ok(None) };
    let seconds = text.parse().map_err(|_| StoreError::corrupt(name))?;
    Ok(Some(Timestamp::from_seconds(seconds)))
}

/// Notes that the clock is believed.
///
/// # Errors
/// If the database refuses.
pub async fn tick(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    write(tx, LAST_TICK, &now.as_seconds().to_string()).await
}

/// Until when others are told to keep the key set for seconds only; `None`: no key was ever revoked.
///
/// # Errors
/// If the database refuses, or the row holds no time.
pub async fn emergency_until(db: &mut Db) -> Result<Option<Timestamp>, StoreError> {
    time(db, EMERGENCY).await
}

/// Has others keep the key set for seconds only, until then.
///
/// # Errors
/// If the database refuses.
pub async fn emergency(tx: &mut Tx, until: Timestamp) -> Result<(), StoreError> {
    write(tx, EMERGENCY, &until.as_seconds().to_string()).await
}

/// Writes a fact that is not there yet. False: it was there, and stays as it was.
///
/// # Errors
/// If the database refuses.
pub async fn write_once(tx: &mut Tx, name: &str, value: &str) -> Result<bool, StoreError> {
    let written = on!(tx, |db| sqlx::query(
        "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
    )
    .bind(name)
    .bind(value)
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(written == 1)
}

/// Writes a fact, whatever it was before.
///
/// # Errors
/// If the database refuses.
pub async fn write(tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
    .bind(name)
    .bind(value)
    .execute(db)
    .await
    .map(drop))
}

/// Writes a fact in the place of another. False: `old` is there no more.
///
/// # Errors
/// If the database refuses.
pub async fn replace(tx: &mut Tx, name: &str, old: &str, new: &str) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query("UPDATE installation SET value = $3 WHERE name = $1 AND value = $2")
        .bind(name)
        .bind(old)
        .bind(new)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// A fact in an SQLite file that may be somebody else's: nothing in it is changed. `None` also if it is no database of ours.
pub async fn find_in_file(file: &Path, name: &str) -> Option<String> {
    let mut write_ahead = file.as_os_str().to_owned();
    write_ahead.push("-wal");
    // Without a write-ahead log nobody has the file open; then SQLite need not make its side files to read it.
    let options =
        SqliteConnectOptions::new().filename(file).read_only(true).immutable(!Path::new(&write_ahead).exists());
    let connection = options.log_statements(log::LevelFilter::Off).connect().await.ok()?;
    let mut db = Db::over(Connection::Sqlite(connection));
    let fact = find(&mut db, name).await;
    if let Connection::Sqlite(connection) = db.connection {
        drop(connection.close().await);
    }
    fact.ok().flatten()
}
