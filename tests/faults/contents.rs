//! Everything that a database holds, to see that nothing was changed.

use crate::support::TestProvider;

/// The file of a SQLite database at rest, or every row of a PostgreSQL schema.
pub(crate) async fn of(provider: &TestProvider) -> Vec<u8> {
    match provider.database_file() {
        Some(file) => {
            let waiting = std::fs::metadata(format!("{file}-wal")).map_or(0, |wal| wal.len());
            assert_eq!(waiting, 0, "nothing was written that is not yet in the file");
            std::fs::read(file).unwrap()
        }
        None => rows(provider).await.into_bytes(),
    }
}

async fn rows(provider: &TestProvider) -> String {
    let mut all = String::new();
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename";
    for table in provider.texts(tables).await {
        let rows = provider.texts(&format!("SELECT t::text FROM \"{table}\" t ORDER BY 1")).await;
        all.push_str(&format!("{table}\n{}\n", rows.join("\n")));
    }
    all
}

/// Every table with its columns, and every index.
pub(crate) async fn schema(provider: &TestProvider) -> Vec<String> {
    if provider.database_file().is_some() {
        return provider.texts("SELECT name || ': ' || COALESCE(sql, '') FROM sqlite_master ORDER BY name").await;
    }
    let columns = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
                   FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1";
    let indices = "SELECT replace(indexdef, current_schema() || '.', '') FROM pg_indexes \
                   WHERE schemaname = current_schema() ORDER BY 1";
    [provider.texts(columns).await, provider.texts(indices).await].concat()
}
