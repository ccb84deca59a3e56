//! Grants that go on although what they hang on has ended: those that were too many for the unit that ended it.

use super::{Db, StoreError, on};
use crate::domain::id::GrantId;
use crate::domain::time::Timestamp;

/// How many are found at once.
pub const BATCH: usize = 200;

// The plus keeps SQLite from walking all living grants, which are nearly all there are: few parents ended lately.
const OF_SESSIONS: &str = "SELECT g.id FROM sessions s JOIN grants g ON g.session_id = s.id \
     WHERE s.ended_at BETWEEN $1 AND $2 AND g.session_linked AND +g.ended_at IS NULL LIMIT $3";
const OF_PEOPLE: &str = "SELECT g.id FROM users u JOIN grants g ON g.user_id = u.id \
     WHERE u.not_before BETWEEN $1 AND $2 AND +g.ended_at IS NULL AND g.created_at < u.not_before LIMIT $3";
const OF_CLIENTS: &str = "SELECT g.id FROM clients c JOIN grants g ON g.client_id = c.client_id \
     WHERE c.not_before BETWEEN $1 AND $2 AND +g.ended_at IS NULL AND g.created_at < c.not_before LIMIT $3";

/// Some of those whose session, person or client ended between two moments.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, from: Timestamp, to: Timestamp) -> Result<Vec<GrantId>, StoreError> {
    let mut found = Vec::new();
    for text in [OF_SESSIONS, OF_PEOPLE, OF_CLIENTS] {
        let rows: Vec<(String,)> = on!(db, |db| sqlx::query_as(text)
            .bind(from.as_seconds())
            .bind(to.as_seconds())
            .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
            .fetch_all(db)
            .await)?;
        found.extend(rows.into_iter().map(|(id,)| GrantId::new(id)));
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(BATCH);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn they_are_found_by_the_parents_that_ended() {
        let store = TestStore::open().await;
        if !store.url().starts_with("sqlite") {
            let moment = Timestamp::from_seconds(1);
            assert!(find(&mut store.read().await.unwrap(), moment, moment).await.unwrap().is_empty());
            return;
        }
        for (text, first, then) in [
            (OF_SESSIONS, "sessions_ended", "grants_session"),
            (OF_PEOPLE, "users_not_before", "grants_user"),
            (OF_CLIENTS, "clients_not_before", "grants_client"),
        ] {
            let plan = store.plan(text).await;
            let is_by = |step: &String, index: &str| step.contains(&format!("INDEX {index} "));
            assert!(plan.len() == 2 && is_by(&plan[0], first) && is_by(&plan[1], then), "{text}\n{plan:#?}");
        }
    }
}
