//! Opening a database: where it is, how many connections, which promises it must keep.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::JoinSet;

use super::migrate::{self, MigrationStatus};
use super::{Backend, Store, StoreError, commit};

const BUSY: Duration = Duration::from_secs(5);
const SQLITE_READERS: u32 = 4;

/// How to open a database.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// Connections of the PostgreSQL pool.
    pub max_connections: u32,
    /// Whether to apply migrations. Otherwise a database that lacks some is refused.
    pub migrate: bool,
}

impl Store {
    /// Opens the database.
    ///
    /// # Errors
    /// If it cannot be reached, is of a newer version, or lacks migrations that may not be applied.
    pub async fn open(options: &OpenOptions) -> Result<Self, StoreError> {
        let backend = match location(&options.url)? {
            Location::Sqlite(file) => {
                make_private_folder(&file)?;
                drop(private_file(&file)?);
                let connect = sqlite_options(&file);
                // Before the first connection: that one turns the file to WAL, and there SQLite does not wait for others.
                let lock = migrate::lock_beside(&file).await?;
                // Said only to a new database: SQLite writes it down at every connection that says it.
                let creating = if is_new(&file) {
                    connect.clone().auto_vacuum(SqliteAutoVacuum::Incremental)
                } else {
                    connect.clone()
                };
                let mut first = creating.connect().await?;
                if options.migrate {
                    migrate::run_on_sqlite(&mut first).await?;
                } else {
                    migrate::check(&migrate::applied_on_sqlite(&mut first).await?)?;
                }
                first.close().await?;
                drop(lock);
                let writer = commit::Writer::start(connect.clone()).await?;
                let readers = SqlitePoolOptions::new()
                    .min_connections(1)
                    .max_connections(SQLITE_READERS)
                    .acquire_timeout(BUSY)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .test_before_acquire(false)
                    .connect_with(connect.pragma("query_only", "on"))
                    .await?;
                Backend::Sqlite { writer, readers }
            }
            Location::Postgres(connect) => {
                let pool = PgPoolOptions::new()
                    .max_connections(options.max_connections)
                    .acquire_timeout(BUSY)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .connect_with(*connect)
                    .await?;
                let mut first = pool.acquire().await?;
                if options.migrate {
                    migrate::run_on_postgres(&mut first).await?;
                } else {
                    migrate::check(&migrate::applied_on_postgres(&mut first).await?)?;
                }
                drop(first);
                Backend::Postgres { pool }
            }
        };
        Ok(Self { backend: Arc::new(backend), longest_hold: commit::LONGEST_HOLD })
    }

    /// Opens all connections to PostgreSQL while nobody waits for one. Later is a bad moment: signing in to PostgreSQL gives way
    /// to other tasks some eight hundred times, so under full load it takes seconds, and whoever waits for it is refused.
    ///
    /// # Errors
    /// If not all could be opened. Those that could stay open.
    pub async fn open_all(&self) -> Result<(), StoreError> {
        let Backend::Postgres { pool } = self.backend.as_ref() else { return Ok(()) };
        let mut opening = JoinSet::new();
        for _ in 0..pool.options().get_max_connections() {
            let pool = pool.clone();
            opening.spawn(async move { pool.acquire().await });
        }
        // All are held until the last is open, so that none is counted twice.
        opening.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }

    /// Which migrations a database has, without changing it.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn migrations(url: &str) -> Result<Vec<MigrationStatus>, StoreError> {
        let applied = match location(url)? {
            Location::Sqlite(file) if !file.exists() => std::collections::BTreeSet::new(),
            Location::Sqlite(file) => {
                let _lock = migrate::lock_beside(&file).await?;
                // Another process may have made the file and wait for the lock to fill it. A connection would write the file's
                // head, and so decide for that process what can be decided only once.
                if is_new(&file) {
                    return Ok(migrate::status(&std::collections::BTreeSet::new()));
                }
                migrate::applied_on_sqlite(&mut sqlite_options(&file).connect().await?).await?
            }
            Location::Postgres(connect) => migrate::applied_on_postgres(&mut connect.connect().await?).await?,
        };
        Ok(migrate::status(&applied))
    }
}

enum Location {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

fn location(url: &str) -> Result<Location, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        // As `DatabaseUrl::connect_url` writes it.
        return Ok(Location::Sqlite(PathBuf::from(path.replace("%3F", "?").replace("%25", "%"))));
    }
    PgConnectOptions::from_str(url)
        .map(|options| Location::Postgres(Box::new(options.log_statements(log::LevelFilter::Off).log_slow_statements(log::LevelFilter::Off, BUSY))))
        // The text of the error may repeat the password in the URL.
        .map_err(|_| StoreError::Unavailable("database.url is neither sqlite://path nor postgres://user@host/name".into()))
}

/// WAL and a full sync at every commit: an answer that was given survives a power cut. Deleted rows are overwritten.
fn sqlite_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("secure_delete", "on")
        .pragma("trusted_schema", "off")
        .log_statements(log::LevelFilter::Off)
        .log_slow_statements(log::LevelFilter::Off, BUSY)
}

fn is_new(file: &Path) -> bool {
    std::fs::metadata(file).map_or(true, |file| file.len() == 0)
}

fn make_private_folder(file: &Path) -> Result<(), StoreError> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    if folder.exists() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| StoreError::Unavailable(format!("{}: {error}", folder.display()).into()))
}

/// Opens a file that only its owner may read, and makes it if it is not there.
pub(super) fn private_file(file: &Path) -> Result<std::fs::File, StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map_err(|error| StoreError::Unavailable(format!("{}: {error}", file.display()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_second_process_does_not_touch_the_file_before_the_first_has_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frontdesk.db");
        let first = migrate::lock_beside(&file).await.unwrap();
        let url = format!("sqlite://{}", file.display());
        let options = OpenOptions { url, max_connections: 4, migrate: true };
        let mut second = std::pin::pin!(Store::open(&options));
        // Long enough for a connection to be opened and the file to be turned to WAL, were it not for the lock.
        for number in 0..50 {
            let other = folder.path().join(format!("other-{number}.db"));
            drop(private_file(&other).unwrap());
            let elsewhere = async { sqlite_options(&other).connect().await.unwrap().close().await.unwrap() };
            tokio::select! {
                opened = &mut second => panic!("opened under another's lock: {opened:?}"),
                () = elsewhere => {}
            }
        }
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 0);
        drop(first);
        second.await.unwrap();
        assert!(std::fs::metadata(&file).unwrap().len() > 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn looking_at_a_file_that_nobody_has_filled_leaves_it_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frontdesk.db");
        drop(private_file(&file).unwrap());
        let status = Store::migrations(&format!("sqlite://{}", file.display())).await.unwrap();
        assert!(!status.is_empty() && status.iter().all(|one| !one.applied));
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 0);
    }
}
