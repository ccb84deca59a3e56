//! Who did what. Rows are inserted in the transaction of the act; `audit_chain.rs` says how they are sealed afterwards.
//! They are never purged.

use serde_json::Value;

use super::audit_page::{self, Filter};
use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// Something that was done, or that was tried and refused.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// Who: `user:<id>`, `client:<id>`, `cli`, `system`.
    pub actor: &'a str,
    /// What, as `thing.deed`: `code.reuse`, `user.disable`.
    pub action: &'a str,
    /// To what: the id of a row.
    pub subject: &'a str,
    /// More about it; never a secret.
    pub data: Value,
}

/// An event as its row knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The row.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More about it, JSON.
    pub data: String,
    /// Its number in the chain and its MAC, once it is sealed.
    pub sealed: Option<(i64, String)>,
}

/// Records an event.
///
/// # Errors
/// If the database refuses.
pub async fn record(tx: &mut Tx, event: &Event<'_>, now: Timestamp) -> Result<(), StoreError> {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let data = event.data.to_string();
    on!(tx, |db| sqlx::query(
        "INSERT INTO audit (id, at, actor, action, subject, data) VALUES ($1, $2, $3, $4, $5, $6)"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .bind(event.actor)
    .bind(event.action)
    .bind(event.subject)
    .bind(data.as_str())
    .execute(db)
    .await
    .map(drop))
}

/// The events that a row of `audit` holds.
macro_rules! select_events {
    ($rest:literal) => {
        concat!("SELECT id, at, actor, action, subject, data, number, mac FROM audit WHERE ", $rest)
    };
}

/// The columns of [`select_events`].
pub(super) type Columns = (String, i64, String, String, String, String, Option<i64>, Option<String>);

/// The newest events about a row, newest first.
///
/// # Errors
/// If the database refuses.
pub async fn about(db: &mut Db, subject: &str, most: u32) -> Result<Vec<Recorded>, StoreError> {
    let filter = Filter { about: subject.to_owned(), ..Filter::default() };
    audit_page::page(db, &filter, "", most).await
}

/// The next events after a row (`""`: from the first on), oldest first, of those that happened from one moment until before
/// another.
///
/// # Errors
/// If the database refuses.
pub async fn following(
    db: &mut Db,
    after: &str,
    (from, until): (Timestamp, Timestamp),
    most: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let rows: Vec<Columns> =
        on!(db, |db| sqlx::query_as(select_events!("id > $1 AND at >= $2 AND at < $3 ORDER BY id LIMIT $4"))
            .bind(after)
            .bind(from.as_seconds())
            .bind(until.as_seconds())
            .bind(i64::from(most))
            .fetch_all(db)
            .await)?;
    Ok(rows.into_iter().map(Recorded::of).collect())
}

const UNSEALED: &str = select_events!("number IS NULL ORDER BY id LIMIT $1");

/// The oldest events that wait to be sealed.
///
/// # Errors
/// If the database refuses.
pub async fn unsealed(db: &mut Db, most: u32) -> Result<Vec<Recorded>, StoreError> {
    let rows: Vec<Columns> = on!(db, |db| sqlx::query_as(UNSEALED).bind(i64::from(most)).fetch_all(db).await)?;
    Ok(rows.into_iter().map(Recorded::of).collect())
}

impl Recorded {
    pub(super) fn of((id, at, actor, action, subject, data, number, mac): Columns) -> Self {
        let sealed = number.map(|number| (number, mac.unwrap_or_default()));
        Self { id, at: Timestamp::from_seconds(at), actor, action, subject, data, sealed }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::testing::TestStore;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// Twelve events, two a second.
    async fn house() -> TestStore {
        let store = TestStore::open().await;
        for number in 0..12_i64 {
            let at = Timestamp::from_seconds(NOW.as_seconds() + number / 2);
            store
                .write(async move |tx| {
                    let data = json!({ "n": number });
                    let event = Event { actor: "cli", action: "key.activate", subject: "k1", data };
                    record(tx, &event, at).await
                })
                .await
                .unwrap();
        }
        store
    }

    fn numbers(events: &[Recorded]) -> Vec<i64> {
        let of = |event: &Recorded| serde_json::from_str::<Value>(&event.data).unwrap()["n"].as_i64().unwrap();
        events.iter().map(of).collect()
    }

    #[tokio::test]
    async fn an_excerpt_begins_with_its_first_moment_and_ends_before_its_last() {
        let store = house().await;
        let mut db = store.read().await.unwrap();
        let at = |second: i64| Timestamp::from_seconds(NOW.as_seconds() + second);
        let found = following(&mut db, "", (at(1), at(4)), 4).await.unwrap();
        assert_eq!(numbers(&found), [2, 3, 4, 5]);
        let found = following(&mut db, &found[3].id, (at(1), at(4)), 4).await.unwrap();
        assert_eq!(numbers(&found), [6, 7]);
    }

    #[tokio::test]
    async fn no_look_for_unsealed_rows_sorts_a_table() {
        let store = TestStore::open().await;
        // PostgreSQL plans by what stands in the tables.
        if store.url().starts_with("sqlite") {
            let plan = store.plan(UNSEALED).await;
            assert!(plan.iter().all(|step| step.contains("INDEX audit_unsealed")), "{plan:?}");
        }
    }
}
