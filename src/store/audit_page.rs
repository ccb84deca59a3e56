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

/// The rest of a query for those of some rows that fit: before `$1`, at most `$3`, of the deeds `$2`. A thing and a dot, as the
/// beginning of its deeds: by `SUBSTR`, since `LIKE` has signs of its own.
macro_rules! fitting {
    ($beginning:literal) => {
        concat!(
            $beginning,
            "id < $1 AND ($2 = '.' OR action || '.' = $2 OR SUBSTR(action, 1, LENGTH($2)) = $2) ORDER BY id DESC LIMIT $3"
        )
    };
}

const OF_ALL: &str = fitting!("SELECT id, at, actor, action, subject, data, number, mac FROM audit WHERE ");

/// One look for each column that may name what is meant, since each has an index of its own: in one condition they would have
/// the whole table read. No more than a page comes out of each.
const ABOUT: &str = concat!(
    "SELECT id, at, actor, action, subject, data, number, mac FROM audit WHERE id IN (SELECT id FROM (",
    fitting!("SELECT id FROM audit WHERE subject = $4 AND "),
    ") AS on_it UNION SELECT id FROM (",
    fitting!("SELECT id FROM audit WHERE actor = $4 AND "),
    ") AS by_it UNION SELECT id FROM (",
    fitting!("SELECT id FROM audit WHERE actor = $5 AND "),
    ") AS by_person) ORDER BY id DESC LIMIT $3"
);

/// Comes after every id: they are hexadecimal.
const AFTER_ALL: &str = "g";

/// The events that fit, the newest first: those before the row `before`, unless it is empty.
///
/// # Errors
/// If the database refuses.
pub async fn page(db: &mut Db, filter: &Filter, before: &str, most: u32) -> Result<Vec<Recorded>, StoreError> {
    let before = if before.is_empty() { AFTER_ALL } else { before };
    let deeds = format!("{}.", filter.action);
    let (about, person) = (filter.about.as_str(), format!("user:{}", filter.about));
    let rows: Vec<Columns> = if about.is_empty() {
        on!(db, |db| sqlx::query_as(OF_ALL)
            .bind(before)
            .bind(deeds.as_str())
            .bind(i64::from(most))
            .fetch_all(db)
            .await)?
    } else {
        on!(db, |db| sqlx::query_as(ABOUT)
            .bind(before)
            .bind(deeds.as_str())
            .bind(i64::from(most))
            .bind(about)
            .bind(person.as_str())
            .fetch_all(db)
            .await)?
    };
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
            ("", "cli", &[4, 1]),
            ("", "' OR ''='", &[]),
        ] {
            assert_eq!(pages(action, about).await, expected, "{action:?} {about:?}");
        }
    }

    #[tokio::test]
    async fn no_page_reads_or_sorts_the_whole_table() {
        let store = TestStore::open().await;
        if !store.url().starts_with("sqlite") {
            // PostgreSQL plans by what stands in the tables.
            return;
        }
        let all = store.plan(OF_ALL).await;
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].contains("SEARCH audit USING INDEX"), "{all:?}");
        let about = store.plan(ABOUT).await;
        for index in ["audit_subject (subject=? AND id<?)", "audit_actor (actor=? AND id<?)"] {
            assert!(about.iter().any(|step| step.contains(index)), "{about:?}");
        }
        assert!(about.iter().all(|step| !step.contains("SCAN audit")), "{about:?}");
    }
}
