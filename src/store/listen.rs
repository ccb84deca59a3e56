//! Hearing of changes when they happen. PostgreSQL tells; SQLite does not, and there the poll is soon enough. What is heard only
//! hurries the poll: a notification may be lost.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

use super::changes::CHANNEL;
use super::{Backend, Store, StoreError};

/// How long to wait for an answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);
/// After so long a silence the connection is tried: a host that is gone would be listened to for ever.
const SILENCE: Duration = Duration::from_secs(30);

/// A connection on which PostgreSQL tells of changes.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Store {
    /// Begins to listen; `None` on SQLite. What changed before is not told.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let Backend::Postgres { pool } = self.backend.as_ref() else { return Ok(None) };
        let options = (*pool.connect_options()).clone();
        timeout(LONGEST_ANSWER, async {
            // Not one of the pool's, which may be few.
            let own = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
            let mut listener = PgListener::connect_with(&own).await?;
            listener.listen(CHANNEL).await?;
            Ok(Some(Listener(listener)))
        })
        .await
        .unwrap_or_else(|_| Err(silent()))
    }
}

impl Listener {
    /// Waits for the next change.
    ///
    /// # Errors
    /// If nobody is there any more.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        loop {
            if let Ok(heard) = timeout(SILENCE, self.0.recv()).await {
                return Ok(heard.map(drop)?);
            }
            timeout(LONGEST_ANSWER, sqlx::query("SELECT 1").execute(&mut self.0)).await.map_err(|_| silent())??;
        }
    }
}

fn silent() -> StoreError {
    StoreError::Unavailable("no answer to the one who listens".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::changes::{self, Kind};
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn what_another_process_changes_is_heard_on_postgresql() {
        let store = TestStore::open().await;
        let listener = store.listen().await.unwrap();
        assert_eq!(listener.is_none(), store.url().starts_with("sqlite"));
        let Some(mut listener) = listener else { return };
        let other = store.open_again().await;
        for kind in [Kind::Keys, Kind::Clients] {
            other.write(async move |tx| changes::bump(tx, kind).await).await.unwrap();
            timeout(Duration::from_secs(60), listener.heard()).await.unwrap().unwrap();
        }
    }
}
