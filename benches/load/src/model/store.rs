//! The model's rows, with the product's way of writing them: on SQLite one thread, pinned to a core, owns the writing
//! connection, runs every unit in a savepoint, commits when nobody waits any more, and answers only then; on PostgreSQL each
//! unit is a transaction.

use std::str::FromStr as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgPool, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use super::units::{self, Done, NewCode, Unit, on_postgres, on_sqlite};
use crate::machine::clock;
use crate::{Result, failure};

const LARGEST_BATCH: usize = 256;
const OLDEST_BATCH: Duration = Duration::from_millis(5);

/// The rows.
pub(super) enum Store {
    Sqlite { line: mpsc::Sender<Job>, readers: SqlitePool },
    Postgres { pool: PgPool },
}

/// A unit and the one who waits for it.
pub(super) struct Job {
    unit: Unit,
    back: oneshot::Sender<std::result::Result<Done, String>>,
}

impl Store {
    /// Makes the tables and the person, client and session that all grants hang on.
    pub(super) async fn open(url: &str, client: &str, redirect_uri: &str, challenge: &str) -> Result<Self> {
        let store = match url.strip_prefix("sqlite://") {
            Some(file) => {
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .auto_vacuum(SqliteAutoVacuum::Incremental)
                    .foreign_keys(true)
                    .pragma("secure_delete", "on")
                    .disable_statement_logging();
                let mut first = options.connect().await?;
                sqlx::raw_sql(units::SCHEMA).execute(&mut first).await?;
                let (line, queue) = mpsc::channel(4096);
                let (ready, connected) = oneshot::channel();
                let own = options.clone();
                std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer(&own, queue, ready))?;
                connected.await??;
                let readers = SqlitePoolOptions::new().max_connections(4).test_before_acquire(false);
                Self::Sqlite { line, readers: readers.connect_with(options.pragma("query_only", "on")).await? }
            }
            None => {
                let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
                let pool = PgPoolOptions::new().max_connections(16).connect_with(options).await?;
                sqlx::raw_sql(units::SCHEMA).execute(&pool).await?;
                Self::Postgres { pool }
            }
        };
        let parents = Unit::Parents {
            client: client.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            challenge: challenge.to_owned(),
        };
        store.write(parents).await.map_err(failure)?;
        Ok(store)
    }

    /// Runs one unit; returns when it is durable.
    pub(super) async fn write(&self, unit: Unit) -> std::result::Result<Done, String> {
        match self {
            Self::Sqlite { line, .. } => {
                let (back, answer) = oneshot::channel();
                line.send(Job { unit, back }).await.map_err(|error| error.to_string())?;
                answer.await.map_err(|error| error.to_string())?
            }
            Self::Postgres { pool } => {
                let mut transaction = pool.begin().await.map_err(|error| error.to_string())?;
                let done = on_postgres::run(&mut transaction, &unit).await.map_err(|error| error.to_string())?;
                transaction.commit().await.map_err(|error| error.to_string())?;
                Ok(done)
            }
        }
    }

    /// The one joined read that a use of a grant begins with: whether it lives.
    pub(super) async fn grant_lives(&self, id: &str) -> std::result::Result<bool, String> {
        match self {
            Self::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await.map_err(|error| error.to_string())?;
                on_sqlite::grant_lives(&mut connection, id).await
            }
            Self::Postgres { pool } => {
                let mut connection = pool.acquire().await.map_err(|error| error.to_string())?;
                on_postgres::grant_lives(&mut connection, id).await
            }
        }
        .map_err(|error| error.to_string())
    }

    /// The grant of a family, by the same joined read.
    pub(super) async fn grant_of_family(&self, id: &str) -> std::result::Result<Option<String>, String> {
        match self {
            Self::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await.map_err(|error| error.to_string())?;
                on_sqlite::family(&mut connection, id).await
            }
            Self::Postgres { pool } => {
                let mut connection = pool.acquire().await.map_err(|error| error.to_string())?;
                on_postgres::family(&mut connection, id).await
            }
        }
        .map(|found| found.map(|family| family.grant))
        .map_err(|error| error.to_string())
    }

    /// Makes grants and their codes; returns the codes.
    pub(super) async fn make_codes(&self, count: usize) -> std::result::Result<Vec<String>, String> {
        let mut texts = Vec::with_capacity(count);
        while texts.len() < count {
            let mut codes = Vec::new();
            for _ in 0..(count - texts.len()).min(100) {
                let (text, code) = NewCode::fresh()?;
                texts.push(text);
                codes.push(code);
            }
            self.write(Unit::Codes { codes, now: clock::now() }).await?;
        }
        Ok(texts)
    }
}

impl NewCode {
    fn fresh() -> std::result::Result<(String, Self), String> {
        let id = uuid::Uuid::now_v7();
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret).map_err(|error| error.to_string())?;
        let mut bytes = id.into_bytes().to_vec();
        bytes.extend_from_slice(&secret);
        let text = format!("fd_ac_{}", URL_SAFE_NO_PAD.encode(bytes));
        let code = Self {
            id: id.simple().to_string(),
            digest: units::text_digest(text.as_bytes()),
            grant: uuid::Uuid::now_v7().simple().to_string(),
        };
        Ok((text, code))
    }
}

/// The life of the writer thread.
fn writer(
    options: &SqliteConnectOptions,
    mut queue: mpsc::Receiver<Job>,
    ready: oneshot::Sender<std::result::Result<(), sqlx::Error>>,
) {
    // Before connecting: sqlx's own thread for the connection inherits the core.
    let mut core = rustix::thread::CpuSet::new();
    core.set(rustix::thread::sched_getcpu());
    if let Err(error) = rustix::thread::sched_setaffinity(None, &core) {
        crate::say(&format!("model: the writer is not pinned: {error}"));
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    runtime.block_on(async {
        let mut connection = match options.connect().await {
            Ok(connection) => connection,
            Err(error) => return drop(ready.send(Err(error))),
        };
        drop(ready.send(Ok(())));
        while let Some(first) = queue.recv().await {
            if let Err(error) = batch(&mut connection, first, &mut queue).await {
                // The waiting units hear of it because their answers are dropped.
                drop(sqlx::raw_sql("ROLLBACK").execute(&mut connection).await);
                crate::say(&format!("model: {error}"));
            }
        }
    });
}

async fn batch(
    connection: &mut SqliteConnection,
    first: Job,
    queue: &mut mpsc::Receiver<Job>,
) -> std::result::Result<(), sqlx::Error> {
    sqlx::raw_sql("BEGIN IMMEDIATE; SAVEPOINT unit").execute(&mut *connection).await?;
    let opened = Instant::now();
    let mut answers = Vec::new();
    let mut job = first;
    loop {
        let done = on_sqlite::run(connection, &job.unit).await.map_err(|error| error.to_string());
        let kept = done.is_ok();
        answers.push((job.back, done));
        let room = answers.len() < LARGEST_BATCH && opened.elapsed() < OLDEST_BATCH;
        let following = if room { queue.try_recv().ok() } else { None };
        let control = match (kept, following.is_some()) {
            (true, true) => "RELEASE unit; SAVEPOINT unit",
            (true, false) => "COMMIT",
            (false, true) => "ROLLBACK TO unit",
            (false, false) => "ROLLBACK TO unit; COMMIT",
        };
        sqlx::raw_sql(control).execute(&mut *connection).await?;
        match following {
            Some(following) => job = following,
            None => break,
        }
    }
    for (back, done) in answers {
        drop(back.send(done));
    }
    Ok(())
}
