//! The audit as an admin reads it: the newest events first, a page at a time.

use super::audit::{Columns, Recorded};
use super::{Db, StoreError, on};

/// Which events are wanted. What is empty asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What was done: a deed (`user.disable`) or a thing (`user`), of which every deed is meant.
    pub action: String,
    /// Who did it, or to what: `user:<id>`, or the identity of a row, of which what it did itself is meant, too.
    pub about: String,
}

/// The events that fit, the newest first: those before the row `before`, unless it is empty.
///
/// # Errors
/// If the database refuses.
pub async fn page(db: &mut Db, filter: &Filter, before: &str, most: u32) -> Result<Vec<Recorded>, StoreError> {
    // A thing and a dot, as the beginning of its deeds: by `substr`, since `LIKE` has signs of its own.
    let deeds = format!("{}.", filter.action);
    let person = format!("user:{}", filter.about);
    let rows: Vec<Columns> = on!(db, |db| {
        sqlx::query_as(
            "SELECT id, at, actor, action, subject, data, number, mac FROM audit WHERE ($1 = '' OR id < $1) \
         AND ($2 = '.' OR action || '.' = $2 OR substr(action, 1, length($2)) = $2) \
         AND ($3 = '' OR subject = $3 OR actor = $3 OR actor = $4) ORDER BY id DESC LIMIT $5",
        )
        .bind(before)
        .bind(deeds.as_str())
        .bind(filter.about.as_str())
        .bind(person.as_str())
        .bind(i64::from(most))
        .fetch_all(db)
        .await
    })?;
    Ok(rows.into_iter().map(Recorded::of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::store::audit::{Event, record};
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn pages_go_back_in_time_and_hold_what_fits() {
        let store = TestStore::open().await;
        for (at, (actor, action, subject)) in (1..).zip([
            ("cli", "user.create", "u1"),
            ("user:u1", "session.end", "s1"),
            ("user:u2", "user.disable", "u1"),
            ("cli", "userx.create", "x"),
            ("system", "sign_in.refused", "name:%"),
        ]) {
            let work = async move |tx: &mut crate::store::Tx| {
                let event = Event { actor, action, subject, data: serde_json::json!({}) };
                record(tx, &event, Timestamp::from_seconds(at)).await
            };
            store.write(work).await.unwrap();
        }
        let pages = async |action: &str, about: &str| {
            let filter = Filter { action: action.to_owned(), about: about.to_owned() };
            let (mut all, mut before) = (Vec::new(), String::new());
            loop {
                let found = page(&mut store.read().await.unwrap(), &filter, &before, 2).await.unwrap();
                let Some(last) = found.last() else { return all };
                before.clone_from(&last.id);
                assert!(found.len() <= 2);
                all.extend(found.iter().map(|entry| entry.at.as_seconds()));
            }
        };
        for (action, about, expected) in [
            ("", "", &[5, 4, 3, 2, 1][..]),
            ("user", "", &[3, 1]),
            ("user.create", "", &[1]),
            ("user.creat", "", &[]),
            ("%", "", &[]),
            ("", "u1", &[3, 2, 1]),
            ("", "user:u1", &[2]),
            ("user", "u1", &[3, 1]),
            ("", "name:%", &[5]),
            ("session", "u2", &[]),
        ] {
            assert_eq!(pages(action, about).await, expected, "{action:?} {about:?}");
        }
    }
}
