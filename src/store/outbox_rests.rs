//! Apps that could not be told and are left in peace for a while, by all processes alike.

use super::{Db, StoreError, Tx, on};
use crate::domain::id::ClientId;
use crate::domain::patience::Patience;
use crate::domain::time::Timestamp;

/// What is remembered of an app; `None` if it has not failed.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, client: &ClientId) -> Result<Option<Patience>, StoreError> {
    let row: Option<(i64, i64, i64)> =
        on!(db, |db| sqlx::query_as("SELECT rests, stumbles, rests_until FROM outbox_rests WHERE client_id = $1")
            .bind(client.as_str())
            .fetch_optional(db)
            .await)?;
    Ok(row.map(|(rests, stumbles, rests_until)| Patience {
        rests: u32::try_from(rests).unwrap_or(u32::MAX),
        stumbles: u32::try_from(stumbles).unwrap_or(u32::MAX),
        rests_until: Timestamp::from_seconds(rests_until),
    }))
}

/// Remembers that an app failed.
///
/// # Errors
/// If the database refuses.
pub async fn save(tx: &mut Tx, client: &ClientId, patience: Patience) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO outbox_rests (client_id, rests, stumbles, rests_until) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (client_id) DO UPDATE SET \
         rests = excluded.rests, stumbles = excluded.stumbles, rests_until = excluded.rests_until"
    )
    .bind(client.as_str())
    .bind(i64::from(patience.rests))
    .bind(i64::from(patience.stumbles))
    .bind(patience.rests_until.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// Forgets that an app failed, since it took something.
///
/// # Errors
/// If the database refuses.
pub async fn forget(tx: &mut Tx, client: &ClientId) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("DELETE FROM outbox_rests WHERE client_id = $1")
        .bind(client.as_str())
        .execute(db)
        .await
        .map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn what_is_remembered_is_what_was_said_last_until_it_is_forgotten() {
        let store = TestStore::open().await;
        let (office, notes) = (ClientId::new("office"), ClientId::new("notes"));
        let find = async |client: &ClientId| find(&mut store.read().await.unwrap(), client).await.unwrap();
        let patience = |rests| Patience { rests, stumbles: 3, rests_until: Timestamp::from_seconds(9) };
        for (client, rests) in [(&office, 1), (&notes, 7), (&office, 2)] {
            let client = client.clone();
            store.write(async move |tx| save(tx, &client, patience(rests)).await).await.unwrap();
        }
        assert_eq!((find(&office).await, find(&notes).await), (Some(patience(2)), Some(patience(7))));
        store.write(async |tx| forget(tx, &ClientId::new("office")).await).await.unwrap();
        assert_eq!((find(&office).await, find(&notes).await), (None, Some(patience(7))));
    }
}
