//! A database for one test: SQLite in a folder of its own, or a schema of its own where `TEST_DATABASE_URL` names a
//! PostgreSQL.

use std::ops::Deref;
use std::sync::Arc;

use super::{OpenOptions, Store};

/// A store that is gone with its last clone.
#[derive(Clone)]
pub(crate) struct TestStore {
    store: Store,
    url: String,
    _folder: Arc<tempfile::TempDir>,
}

impl TestStore {
    /// An empty database with all migrations.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match postgres() {
            Some(url) => in_schema_of_its_own(&url).await,
            None => format!("sqlite://{}", folder.path().join("test.db").display()),
        };
        let store = connect(&url).await;
        Self { store, url, _folder: Arc::new(folder) }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The same database once more, as a second process sees it.
    pub(crate) async fn open_again(&self) -> Store {
        connect(&self.url).await
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

async fn connect(url: &str) -> Store {
    Store::open(&OpenOptions { url: url.to_owned(), max_connections: 8, migrate: true }).await.unwrap()
}

/// Runs all of them side by side, on tasks of their own.
pub(crate) async fn all_at_once<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks = tokio::task::JoinSet::new();
    for future in futures {
        tasks.spawn(future);
    }
    tasks.join_all().await
}

#[expect(clippy::disallowed_methods, reason = "names the database of the tests, as tests/run sets it")]
fn postgres() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

async fn in_schema_of_its_own(url: &str) -> String {
    use sqlx::{Connection as _, Executor as _};
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
    connection.close().await.unwrap();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}options=-csearch_path%3D{schema}")
}

impl TestStore {
    /// Runs statements that no function of the store offers.
    pub(crate) async fn run(&self, sql: &'static str) {
        self.write(async move |tx| super::on!(tx, |db| sqlx::query(sql).execute(db).await.map(drop))).await.unwrap();
    }

    /// The first column of each row, a text.
    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<String> {
        self.write(async move |tx| {
            let rows: Vec<(String,)> = super::on!(tx, |db| sqlx::query_as(sql).fetch_all(db).await)?;
            Ok(rows.into_iter().map(|(text,)| text).collect())
        })
        .await
        .unwrap()
    }

    /// The one number a query gives.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.write(async move |tx| {
            let row: (i64,) = super::on!(tx, |db| sqlx::query_as(sql).fetch_one(db).await)?;
            Ok(row.0)
        })
        .await
        .unwrap()
    }

    /// How SQLite would run a statement, step by step.
    pub(crate) async fn plan(&self, sql: &str) -> Vec<String> {
        let sql: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
        self.write(async move |tx| {
            let rows: Vec<(i64, i64, i64, String)> = super::on!(tx, |db| sqlx::query_as(sql).fetch_all(db).await)?;
            Ok(rows.into_iter().map(|(.., step)| step).collect())
        })
        .await
        .unwrap()
    }
}
