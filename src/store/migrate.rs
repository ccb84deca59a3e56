//! Migrations: one text for both databases, inside the binary. Forward only.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr as _, SqliteConnection};

use super::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// What only PostgreSQL needs stands behind this mark: to SQLite it is a comment.
const ONLY_POSTGRES: &str = "-- postgres: ";

/// One migration and whether the database has it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MigrationStatus {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
}

/// Brings a SQLite database up to date, under the lock of [`lock_beside`]: sqlx's own lock does nothing on SQLite.
pub(super) async fn run_on_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    refuse_newer(&applied_on_sqlite(connection).await?)?;
    MIGRATIONS.run(connection).await.map_err(failed)
}

/// Brings a PostgreSQL database up to date, under sqlx's advisory lock.
pub(super) async fn run_on_postgres(connection: &mut PgConnection) -> Result<(), StoreError> {
    refuse_newer(&applied_on_postgres(connection).await?)?;
    for_postgres().run(connection).await.map_err(failed)
}

fn for_postgres() -> Migrator {
    let with_all = |known: &Migration| {
        let sql = known.sql.as_str().replace(ONLY_POSTGRES, "");
        Migration { sql: AssertSqlSafe(sql).into_sql_str(), ..known.clone() }
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(with_all).collect())
}

/// What a database has, for [`check`] and [`status`].
pub(super) async fn applied_on_sqlite(connection: &mut SqliteConnection) -> Result<BTreeSet<i64>, StoreError> {
    let exists: Option<(String,)> =
        sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'")
            .fetch_optional(&mut *connection)
            .await?;
    if exists.is_none() {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<(i64,)> = sqlx::query_as(APPLIED).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(version,)| version).collect())
}

/// The same on PostgreSQL.
pub(super) async fn applied_on_postgres(connection: &mut PgConnection) -> Result<BTreeSet<i64>, StoreError> {
    let (exists,): (bool,) =
        sqlx::query_as("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<(i64,)> = sqlx::query_as(APPLIED).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(version,)| version).collect())
}

const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";

/// Refuses a database that this version does not fit.
pub(super) fn check(applied: &BTreeSet<i64>) -> Result<(), StoreError> {
    refuse_newer(applied)?;
    if MIGRATIONS.iter().all(|known| applied.contains(&known.version)) { Ok(()) } else { Err(StoreError::Outdated) }
}

/// Every migration of this version, and whether the database has it.
pub(super) fn status(applied: &BTreeSet<i64>) -> Vec<MigrationStatus> {
    MIGRATIONS
        .iter()
        .map(|known| MigrationStatus {
            version: known.version,
            name: known.description.to_string(),
            applied: applied.contains(&known.version),
        })
        .collect()
}

fn refuse_newer(applied: &BTreeSet<i64>) -> Result<(), StoreError> {
    let newest_known = MIGRATIONS.iter().map(|known| known.version).max().unwrap_or(0);
    match applied.last() {
        Some(newest) if *newest > newest_known => Err(StoreError::Newer(*newest)),
        _ => Ok(()),
    }
}

fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => StoreError::Newer(version),
        other => StoreError::Unavailable(format!("a migration failed: {other}").into()),
    }
}

/// Takes an exclusive lock on a file beside the database, so that a second process waits. Held while the answer lives.
pub(super) async fn lock_beside(file: &Path) -> Result<std::fs::File, StoreError> {
    let mut name = file.as_os_str().to_owned();
    name.push(".migrating");
    // Another process may migrate for long; waiting must not hold up the async threads.
    tokio::task::spawn_blocking(move || {
        let lock = super::open::private_file(Path::new(&name))?;
        lock.lock().map_err(|error| StoreError::Unavailable(format!("the migration lock: {error}").into()))?;
        Ok(lock)
    })
    .await
    .map_err(|_| StoreError::Closed)?
}
