//! A database for one test, and a look into it past the provider.

use frontdesk::store::{OpenOptions, Store};
use sqlx::{Connection as _, Executor as _, PgPool, SqliteConnection};

/// A database that only this test knows.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    pub(super) url: String,
    eyes: Eyes,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
enum Eyes {
    /// Opened for each look and closed again: whether somebody has a SQLite file open tells in what it does with the file.
    Sqlite,
    Postgres(PgPool),
}

/// A change that was begun and is not to be.
#[derive(Debug)]
#[expect(dead_code, reason = "kept until it is dropped")]
pub(crate) enum Held {
    Sqlite(SqliteConnection),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl TestDatabase {
    /// An empty database with all migrations.
    pub(crate) async fn open() -> (Self, Store) {
        let database = Self::empty().await;
        let store = connect(&database.url).await;
        (database, store)
    }

    /// An empty database without any table. On SQLite there is not even a file.
    pub(crate) async fn empty() -> Self {
        let Some(url) = postgres() else { return Self::in_file() };
        let url = in_schema_of_its_own(&url).await;
        let eyes = Eyes::Postgres(PgPool::connect_lazy(&url).unwrap());
        Self { url, eyes, _folder: tempfile::tempdir().unwrap() }
    }

    /// The same on SQLite in any case.
    pub(crate) fn in_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        Self { url, eyes: Eyes::Sqlite, _folder: folder }
    }

    /// Whether it is PostgreSQL.
    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.eyes, Eyes::Postgres(_))
    }

    /// The same database as a second process sees it.
    pub(crate) async fn open_again(&self) -> Store {
        connect(&self.url).await
    }

    /// The one number a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let row: (i64,) = match &self.eyes {
            Eyes::Sqlite => {
                let mut connection = self.look().await;
                let row = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                row
            }
            Eyes::Postgres(pool) => sqlx::query_as(sql).fetch_one(pool).await.unwrap(),
        };
        row.0
    }

    /// The first column of each row.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let rows: Vec<(String,)> = match &self.eyes {
            Eyes::Sqlite => {
                let mut connection = self.look().await;
                let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
            Eyes::Postgres(pool) => sqlx::query_as(sql).fetch_all(pool).await.unwrap(),
        };
        rows.into_iter().map(|(text,)| text).collect()
    }

    /// Changes rows behind the provider.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.eyes {
            Eyes::Sqlite => {
                let mut connection = self.look().await;
                sqlx::query(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Eyes::Postgres(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
        }
    }

    /// Changes something in a transaction that goes on until what comes back is dropped; then it never was.
    pub(crate) async fn hold(&self, sql: &str) -> Held {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.eyes {
            Eyes::Sqlite => {
                let mut connection = self.look().await;
                sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap();
                Held::Sqlite(connection)
            }
            Eyes::Postgres(pool) => {
                let mut transaction = pool.begin().await.unwrap();
                sqlx::query(sql).execute(&mut *transaction).await.unwrap();
                Held::Postgres(transaction)
            }
        }
    }

    async fn look(&self) -> SqliteConnection {
        SqliteConnection::connect(&self.url).await.unwrap()
    }
}

async fn connect(url: &str) -> Store {
    Store::open(&OpenOptions { url: url.to_owned(), max_connections: 8, migrate: true }).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "names the database of the tests, as tests/run sets it")]
fn postgres() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

async fn in_schema_of_its_own(url: &str) -> String {
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
    connection.close().await.unwrap();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}options=-csearch_path%3D{schema}")
}
