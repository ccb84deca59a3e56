//! The processes that serve, and which master keys they hold.

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// A process that is heard of more often than this is alive, in seconds.
const ALIVE: i64 = 60;

/// A process that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its identity.
    pub process: String,
    /// Where an operator finds it.
    pub name: String,
    /// Ids of the master keys that it holds.
    pub kek_ids: Vec<String>,
    /// The id of the one that it seals with.
    pub seals_with: String,
}

/// Notes that a process is alive, and what it holds.
///
/// # Errors
/// If the database refuses.
pub async fn report(tx: &mut Tx, node: &Node, now: Timestamp) -> Result<(), StoreError> {
    let kek_ids = node.kek_ids.join(" ");
    on!(tx, |db| {
        sqlx::query(
            "INSERT INTO nodes (process, name, kek_ids, seals_with, seen_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (process) DO UPDATE SET name = excluded.name, kek_ids = excluded.kek_ids, \
             seals_with = excluded.seals_with, seen_at = excluded.seen_at",
        )
        .bind(node.process.as_str())
        .bind(node.name.as_str())
        .bind(kek_ids.as_str())
        .bind(node.seals_with.as_str())
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(drop)
    })
}

/// The processes that were heard of within the last minute.
///
/// # Errors
/// If the database refuses.
pub async fn alive(db: &mut Db, now: Timestamp) -> Result<Vec<Node>, StoreError> {
    let rows: Vec<(String, String, String, String)> = on!(db, |db| sqlx::query_as(
        "SELECT process, name, kek_ids, seals_with FROM nodes WHERE seen_at > $1 ORDER BY name, process"
    )
    .bind(now.as_seconds().saturating_sub(ALIVE))
    .fetch_all(db)
    .await)?;
    let node = |(process, name, kek_ids, seals_with): (_, _, String, _)| Node {
        process,
        name,
        kek_ids: kek_ids.split_whitespace().map(str::to_owned).collect(),
        seals_with,
    };
    Ok(rows.into_iter().map(node).collect())
}

/// Forgets a process that ends.
///
/// # Errors
/// If the database refuses.
pub async fn remove(tx: &mut Tx, process: &str) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("DELETE FROM nodes WHERE process = $1").bind(process).execute(db).await.map(drop))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::purge::{self, Expiring};
    use crate::store::testing::TestStore;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn node(process: &str, seals_with: &str) -> Node {
        let kek_ids = vec!["new".to_owned(), "old".to_owned()];
        Node {
            process: process.to_owned(),
            name: format!("host of {process}"),
            kek_ids,
            seals_with: seals_with.to_owned(),
        }
    }

    #[tokio::test]
    async fn who_is_silent_for_a_minute_is_gone_and_later_forgotten() {
        let store = TestStore::open().await;
        let after = |seconds| NOW.plus(Duration::from_secs(seconds));
        let tell = async |node: Node, now| store.write(async move |tx| report(tx, &node, now).await).await.unwrap();
        let alive = async |now| alive(&mut store.read().await.unwrap(), now).await.unwrap();
        tell(node("a", ""), NOW).await;
        tell(node("b", "old"), after(30)).await;
        assert_eq!(alive(after(59)).await, [node("a", ""), node("b", "old")]);
        assert_eq!(alive(after(60)).await, [node("b", "old")]);
        tell(node("a", "new"), after(61)).await;
        assert_eq!(alive(after(61)).await, [node("a", "new"), node("b", "old")]);
        let purged =
            async |now| store.write(async move |tx| purge::batch(tx, Expiring::Nodes, now).await).await.unwrap();
        assert_eq!(purged(after(629)).await, 0);
        assert_eq!(purged(after(630)).await, 1);
        store.write(async |tx| remove(tx, "a").await).await.unwrap();
        assert_eq!(alive(after(61)).await, []);
    }
}
