//! Which bits of the status lists are set: by ended grants for a while, and by places that were retired. Nothing else keeps them, so
//! nothing can drift from what was ended.

use std::time::Duration;

use super::{Db, StoreError, on};
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;

/// A bit that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetBit {
    /// Its place.
    pub place: StatusIndex,
    /// Until when it must stay so; `None`: until its list retires.
    pub until: Option<Timestamp>,
}

/// All bits that are set at a moment. The bit of an ended grant stays set for `kept`.
///
/// # Errors
/// If the database refuses.
pub async fn all(db: &mut Db, kept: Duration, now: Timestamp) -> Result<Vec<SetBit>, StoreError> {
    let rows = on!(db, |db| sqlx::query_as(
        "SELECT status_list, status_index, ended_at + $2 FROM grants WHERE ended_at > $1 \
         UNION ALL SELECT status_list, status_index, invalid_until FROM retired_indices WHERE invalid_until > $3 \
         UNION ALL SELECT status_list, status_index, invalid_until FROM retired_indices WHERE invalid_until IS NULL"
    )
    .bind(now.minus(kept).as_seconds())
    .bind(seconds(kept))
    .bind(now.as_seconds())
    .fetch_all(db)
    .await)?;
    Ok(bits(rows))
}

/// Those that were set at a moment or later, `most` of them at most.
///
/// # Errors
/// If the database refuses.
pub async fn set_since(db: &mut Db, since: Timestamp, kept: Duration, most: usize) -> Result<Vec<SetBit>, StoreError> {
    let rows = on!(db, |db| sqlx::query_as(
        "SELECT status_list, status_index, ended_at + $2 FROM grants WHERE ended_at >= $1 \
         UNION ALL SELECT status_list, status_index, invalid_until FROM retired_indices WHERE retired_at >= $1 LIMIT $3"
    )
    .bind(since.as_seconds())
    .bind(seconds(kept))
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await)?;
    Ok(bits(rows))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn bits(rows: Vec<(i64, i64, Option<i64>)>) -> Vec<SetBit> {
    rows.into_iter()
        .map(|(list, index, until)| SetBit {
            place: StatusIndex { list, index },
            until: until.map(Timestamp::from_seconds),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    const KEPT: Duration = Duration::from_secs(100);

    async fn house() -> TestStore {
        let store = TestStore::open().await;
        store
            .run(
                "INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, updated_at, not_before) \
                 VALUES ('u', 's', 'alice', 'alice', FALSE, '{}', '', 1, 1, 0)",
            )
            .await;
        store
            .run(
                "INSERT INTO clients (client_id, cookie_tag, settings, status_list, status_index, created_at, updated_at, \
                 not_before) VALUES ('c', 't', '{}', 1, 0, 1, 1, 0)",
            )
            .await;
        for (id, index, ended) in [("g1", 1, "NULL"), ("g2", 2, "1000"), ("g3", 3, "950"), ("g4", 4, "900")] {
            let text = format!(
                "INSERT INTO grants (id, user_id, client_id, session_id, sid, session_linked, scope, resources, claims, \
                 auth_time, acr, amr, delivery, status_list, status_index, created_at, last_used_at, expires_at, ended_at, mac) \
                 VALUES ('{id}', 'u', 'c', 'x', 'x', TRUE, '', '', '', 1, '', '', 'body', 7, {index}, 1, 1, 5000, {ended}, '')"
            );
            store.run(Box::leak(text.into_boxed_str())).await;
        }
        store
            .run(
                "INSERT INTO retired_indices (status_list, status_index, invalid_until, retired_at) \
                 VALUES (8, 1, 1001, 990), (8, 2, 1000, 500), (8, 3, NULL, 500)",
            )
            .await;
        store
    }

    fn places(bits: &[SetBit]) -> Vec<(i64, i64, Option<i64>)> {
        let mut places: Vec<_> =
            bits.iter().map(|bit| (bit.place.list, bit.place.index, bit.until.map(Timestamp::as_seconds))).collect();
        places.sort_unstable();
        places
    }

    #[tokio::test]
    async fn a_bit_cleans_itself_and_that_of_a_copy_stays() {
        let store = house().await;
        let mut db = store.read().await.unwrap();
        let found = all(&mut db, KEPT, Timestamp::from_seconds(1_000)).await.unwrap();
        assert_eq!(places(&found), [(7, 2, Some(1_100)), (7, 3, Some(1_050)), (8, 1, Some(1_001)), (8, 3, None)]);
        let later = all(&mut db, KEPT, Timestamp::from_seconds(1_050)).await.unwrap();
        assert_eq!(places(&later), [(7, 2, Some(1_100)), (8, 3, None)]);
    }

    #[tokio::test]
    async fn what_was_set_lately_is_found_by_its_time() {
        let store = house().await;
        let mut db = store.read().await.unwrap();
        let found = set_since(&mut db, Timestamp::from_seconds(950), KEPT, 9).await.unwrap();
        assert_eq!(places(&found), [(7, 2, Some(1_100)), (7, 3, Some(1_050)), (8, 1, Some(1_001))]);
        assert_eq!(set_since(&mut db, Timestamp::from_seconds(950), KEPT, 2).await.unwrap().len(), 2);
    }
}
