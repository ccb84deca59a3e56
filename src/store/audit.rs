//! Who did what. Rows are inserted in the transaction of the act; `audit_chain.rs` says how they are sealed afterwards.
//! They are never purged.

use serde_json::Value;

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

/// Which events are wanted. The default wants all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'f> {
    /// Those about this.
    pub subject: Option<&'f str>,
    /// Those of this actor.
    pub actor: Option<&'f str>,
    /// Those whose action begins so: `key.` or the whole of it.
    pub action: &'f str,
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

/// The events of a row's columns.
macro_rules! select_events {
    ($rest:literal) => {
        concat!("SELECT id, at, actor, action, subject, data, number, mac FROM audit WHERE ", $rest)
    };
}

/// The columns of [`select_events`].
pub(super) type Columns = (String, i64, String, String, String, String, Option<i64>, Option<String>);

const OF_SUBJECT: &str = select_events!(
    "subject = $1 AND ($2 = '' OR actor = $2) AND SUBSTR(action, 1, LENGTH($3)) = $3 AND id < $4 ORDER BY id DESC LIMIT $5"
);
const OF_ACTOR: &str = select_events!(
    "actor = $2 AND $1 = '' AND SUBSTR(action, 1, LENGTH($3)) = $3 AND id < $4 ORDER BY id DESC LIMIT $5"
);
const OF_ALL: &str =
    select_events!("$1 = '' AND $2 = '' AND SUBSTR(action, 1, LENGTH($3)) = $3 AND id < $4 ORDER BY id DESC LIMIT $5");

/// Comes after every id: they are hexadecimal.
const AFTER_ALL: &str = "g";

/// A page of events, newest first: those before a row, or the newest there are.
///
/// # Errors
/// If the database refuses.
pub async fn page(
    db: &mut Db,
    filter: Filter<'_>,
    before: Option<&str>,
    most: u32,
) -> Result<Vec<Recorded>, StoreError> {
    // Each text walks the index that fits it.
    let text = match (filter.subject, filter.actor) {
        (Some(_), _) => OF_SUBJECT,
        (None, Some(_)) => OF_ACTOR,
        (None, None) => OF_ALL,
    };
    let rows: Vec<Columns> = on!(db, |db| sqlx::query_as(text)
        .bind(filter.subject.unwrap_or_default())
        .bind(filter.actor.unwrap_or_default())
        .bind(filter.action)
        .bind(before.unwrap_or(AFTER_ALL))
        .bind(i64::from(most))
        .fetch_all(db)
        .await)?;
    Ok(rows.into_iter().map(Recorded::of).collect())
}

/// The newest events about a subject, newest first.
///
/// # Errors
/// If the database refuses.
pub async fn about(db: &mut Db, subject: &str, most: u32) -> Result<Vec<Recorded>, StoreError> {
    page(db, Filter { subject: Some(subject), ..Filter::default() }, None, most).await
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

/// The oldest events that wait to be sealed.
///
/// # Errors
/// If the database refuses.
pub async fn unsealed(db: &mut Db, most: u32) -> Result<Vec<Recorded>, StoreError> {
    let rows: Vec<Columns> = on!(db, |db| sqlx::query_as(select_events!("number IS NULL ORDER BY id LIMIT $1"))
        .bind(i64::from(most))
        .fetch_all(db)
        .await)?;
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

    /// Twelve events, two a second: of ann and bob in turns, about a key or an app, the last thing done to it differs.
    async fn house() -> TestStore {
        let store = TestStore::open().await;
        for number in 0..12_i64 {
            let at = Timestamp::from_seconds(NOW.as_seconds() + number / 2);
            store
                .write(async move |tx| {
                    let event = Event {
                        actor: if number % 2 == 0 { "user:ann" } else { "user:bob" },
                        action: ["key.activate", "client.update", "keys", "KEY.activate"]
                            [usize::try_from(number % 4).unwrap()],
                        subject: if number % 3 == 0 { "k1" } else { "notes" },
                        data: json!({ "n": number }),
                    };
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
    async fn a_page_holds_what_is_wanted_newest_first() {
        let store = house().await;
        let wanted = async |filter: Filter<'_>| {
            numbers(&page(&mut store.read().await.unwrap(), filter, None, 100).await.unwrap())
        };
        let all = Filter::default();
        assert_eq!(wanted(all).await, (0..12).rev().collect::<Vec<_>>());
        assert_eq!(wanted(Filter { subject: Some("k1"), ..all }).await, [9, 6, 3, 0]);
        assert_eq!(wanted(Filter { actor: Some("user:bob"), ..all }).await, [11, 9, 7, 5, 3, 1]);
        assert_eq!(wanted(Filter { subject: Some("k1"), actor: Some("user:bob"), ..all }).await, [9, 3]);
        assert_eq!(wanted(Filter { action: "key.", ..all }).await, [8, 4, 0], "no pattern, and letters as they are");
        assert_eq!(wanted(Filter { action: "key", ..all }).await, [10, 8, 6, 4, 2, 0]);
        assert_eq!(wanted(Filter { action: "k%", ..all }).await, [0; 0]);
        assert_eq!(wanted(Filter { actor: Some("user:ann"), action: "keys", ..all }).await, [10, 6, 2]);
        assert_eq!(wanted(Filter { subject: Some("k1"), actor: Some("user:ann"), action: "keys" }).await, [6]);
        assert_eq!(wanted(Filter { subject: Some("nobody"), ..all }).await, [0; 0]);
        assert_eq!(wanted(Filter { subject: Some("' OR ''='"), ..all }).await, [0; 0]);
    }

    #[tokio::test]
    async fn pages_follow_each_other_without_a_gap() {
        let store = house().await;
        let mut db = store.read().await.unwrap();
        let (mut seen, mut before) = (Vec::new(), None::<String>);
        loop {
            let found = page(&mut db, Filter::default(), before.as_deref(), 5).await.unwrap();
            let Some(last) = found.last() else { break };
            before = Some(last.id.clone());
            assert!(found.len() <= 5);
            seen.extend(numbers(&found));
        }
        assert_eq!(seen, (0..12).rev().collect::<Vec<_>>());
        let first = page(&mut db, Filter::default(), None, 1).await.unwrap().remove(0);
        assert_eq!(
            (first.actor.as_str(), first.subject.as_str(), first.at.as_seconds()),
            ("user:bob", "notes", 1_800_000_005)
        );
        assert_eq!(first.sealed, None);
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
    async fn no_page_and_no_look_for_unsealed_rows_sorts_a_table() {
        let store = TestStore::open().await;
        if !store.url().starts_with("sqlite") {
            // PostgreSQL plans by what stands in the tables.
            return;
        }
        for text in [OF_SUBJECT, OF_ACTOR, OF_ALL, select_events!("number IS NULL ORDER BY id LIMIT $1")] {
            for step in store.plan(text).await {
                assert!(!step.contains("TEMP B-TREE") && (step.contains("INDEX") || text == OF_ALL), "{text}\n{step}");
            }
        }
    }
}
