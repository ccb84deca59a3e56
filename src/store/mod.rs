//! Rows in, domain values out. The only SQL of the house: one text for SQLite and PostgreSQL, one file a table.
//!
//! Reading functions take `&mut Db`, writing functions `&mut Tx`. A `Tx` lives only inside [`Store::write`], where it is one
//! unit of work: all of it is durable when `write` returns `Ok`, and none of it when it returns `Err`. Refusals that must be
//! kept are `Ok` values.

pub mod attempts;
pub mod audit;
pub mod audit_chain;
pub mod audit_page;
pub mod audit_turns;
pub mod authorize_requests;
pub mod browsers;
pub mod canaries;
pub mod changes;
pub mod clients;
pub mod codes;
pub mod consents;
pub mod directory;
pub mod endings;
pub mod error;
pub mod gateway_flows;
pub mod gateway_sessions;
pub mod grants;
pub mod holdings;
pub mod installation;
pub mod leases;
pub mod listen;
pub mod lost_hosts;
pub mod mac_roots;
pub mod nodes;
pub mod orphans;
pub mod outbox;
pub mod outbox_rests;
pub mod passwords;
pub mod people_page;
pub mod purge;
pub mod refresh_families;
pub mod refresh_roots;
pub mod resources;
pub mod sealed;
pub mod sessions;
pub mod setup_links;
pub mod sightings;
pub mod signing_keys;
pub mod status_bits;
pub mod status_lists;
pub mod status_tokens;
pub mod users;

mod commit;
#[cfg(test)]
mod lost_host_tests;
mod migrate;
mod open;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool};
use tokio::time::timeout;

pub use error::StoreError;
pub use migrate::MigrationStatus;
pub use open::OpenOptions;

/// A unit that was accepted is done long before; a host that is gone never closes.
const LONGEST_CLOSE: Duration = Duration::from_secs(15);

/// How long a connection may take to show that it is alive when it goes back to the pool.
const LONGEST_RETURN: Duration = Duration::from_secs(5);

/// The database: SQLite inside the process, or PostgreSQL beside it.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<Backend>,
    /// How long one unit of work may hold SQLite's writer.
    longest_hold: Duration,
}

#[derive(Debug)]
enum Backend {
    Sqlite { writer: commit::Writer, readers: SqlitePool },
    Postgres { pool: PgPool },
}

/// A connection: reads go through it. Inside a [`Tx`] it is that unit's own.
#[derive(Debug)]
pub struct Db {
    connection: Connection,
    /// Whether a statement is under way; tells the writer that a waiting unit waits for us and nothing else.
    in_statement: Arc<AtomicBool>,
    /// Whether a statement failed: then nothing more may run in the unit, and nothing of it may be kept.
    failed: bool,
}

#[derive(Debug)]
enum Connection {
    Sqlite(SqliteConnection),
    PooledSqlite(PoolConnection<Sqlite>),
    Postgres(Lent),
}

/// A connection of PostgreSQL's pool. It goes back only if it is at rest. Where a statement or a unit was broken off, nobody
/// knows what the server is doing, or whether its host is still there: the pool would wait for an answer without any limit,
/// and soon have no connection left to lend. A connection that does go back is asked by the pool whether it is alive, and
/// that question too would wait for ever.
#[derive(Debug)]
struct Lent {
    /// There until the end.
    connection: Option<PoolConnection<Postgres>>,
    in_statement: Arc<AtomicBool>,
    in_unit: bool,
}

impl Lent {
    fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        self.connection.as_deref_mut().ok_or(StoreError::Closed)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.in_unit || self.in_statement.load(Ordering::Relaxed) {
            // Not even a farewell: it would wait, and keep its place in the pool meanwhile.
            drop(connection.detach());
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // As the pool does it in its own `Drop`, but bounded: after that the connection is closed and its place is free.
            runtime.spawn(timeout(LONGEST_RETURN, connection.return_to_pool()));
        }
    }
}

/// A connection by its database.
enum Side<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Connection {
    fn side(&mut self) -> Result<Side<'_>, StoreError> {
        Ok(match self {
            Self::Sqlite(own) => Side::Sqlite(own),
            Self::PooledSqlite(own) => Side::Sqlite(own),
            Self::Postgres(own) => Side::Postgres(own.connection()?),
        })
    }
}

/// One unit of work in progress. The writer (SQLite) or the pool (PostgreSQL) owns its beginning and its end.
#[derive(Debug)]
pub struct Tx(Db);

impl std::ops::Deref for Tx {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.0
    }
}

impl std::ops::DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Db {
        &mut self.0
    }
}

impl Db {
    fn over(connection: Connection) -> Self {
        Self { connection, in_statement: Arc::new(AtomicBool::new(false)), failed: false }
    }

    fn lent(connection: PoolConnection<Postgres>) -> Self {
        let in_statement = Arc::new(AtomicBool::new(false));
        let lent = Lent { connection: Some(connection), in_statement: in_statement.clone(), in_unit: false };
        Self { connection: Connection::Postgres(lent), in_statement, failed: false }
    }

    /// Whether the database is PostgreSQL, for the rare statement that one of the two needs and the other does not know.
    fn is_postgres(&self) -> bool {
        matches!(self.connection, Connection::Postgres(_))
    }

    fn statement_begins(&mut self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::IgnoredFailure);
        }
        self.in_statement.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn statement_ended<T>(&mut self, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        self.in_statement.store(false, Ordering::Relaxed);
        outcome.map_err(|error| {
            self.failed = true;
            StoreError::from(error)
        })
    }
}

/// Runs one query text on whichever database the connection belongs to.
macro_rules! on {
    ($db:expr, |$connection:ident| $query:expr) => {{
        let db: &mut $crate::store::Db = $db;
        db.statement_begins()?;
        let outcome = match db.connection.side()? {
            $crate::store::Side::Sqlite($connection) => $query,
            $crate::store::Side::Postgres($connection) => $query,
        };
        db.statement_ended(outcome)
    }};
}
pub(crate) use on;

impl Store {
    /// The same database for acts that somebody does by hand: their units may hold the writer for longer, since one act may
    /// be large, and there are few.
    #[must_use]
    pub fn by_hand(mut self) -> Self {
        self.longest_hold = commit::LONGEST_HOLD_BY_HAND;
        self
    }

    /// Runs one unit of work; returns when all it did and saw is durable. An error undoes the unit. The unit may wait for
    /// nothing but its own statements, and must own what it uses.
    ///
    /// # Errors
    /// What the unit returned, or what the database had against it.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.backend.as_ref() {
            Backend::Sqlite { writer, .. } => writer.write(work, self.longest_hold).await,
            Backend::Postgres { pool } => commit::write_on_postgres(pool, work).await,
        }
    }

    /// A plain connection for reading, without a transaction.
    ///
    /// # Errors
    /// If none can be had.
    pub async fn read(&self) -> Result<Db, StoreError> {
        Ok(match self.backend.as_ref() {
            Backend::Sqlite { readers, .. } => Db::over(Connection::PooledSqlite(readers.acquire().await?)),
            Backend::Postgres { pool } => Db::lent(pool.acquire().await?),
        })
    }

    /// Finishes what was accepted and closes the connections. What does not close in time is left to the end of the process.
    pub async fn close(&self) {
        let closed = timeout(LONGEST_CLOSE, async {
            match self.backend.as_ref() {
                Backend::Sqlite { writer, readers } => {
                    writer.close().await;
                    readers.close().await;
                }
                Backend::Postgres { pool } => pool.close().await,
            }
        });
        if closed.await.is_err() {
            tracing::warn!("the database's connections did not close in time");
        }
    }
}
