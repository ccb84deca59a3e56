//! Where status bits stand: lists of a million places, handed out in blocks.
//!
//! A list is filled by grants whose absolute end falls into the same day, so that it can retire as a whole; clients live in
//! lists without a day, which never retire. A list's number is never used again, since it is made from the time.

use super::{Db, StoreError, Tx, on};
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;

/// Places of one list.
pub const CAPACITY: i64 = 1 << 20;
/// A list that is this full gets no more: its length on the wire shall stay that of a list with room.
const FULL: i64 = CAPACITY / 4 * 3;

/// Places in a row that belong to whoever allocated them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusBlock {
    /// The list.
    pub list: i64,
    /// The first place.
    pub first: i64,
    /// How many places.
    pub count: i64,
}

impl StatusBlock {
    /// The first place.
    #[must_use]
    pub const fn start(self) -> StatusIndex {
        StatusIndex { list: self.list, index: self.first }
    }
}

/// Hands out places in the newest list of a day (`None`: the clients' lists), or in a new list if that one is full. Two units
/// that ask at the same time never get the same place.
///
/// # Errors
/// If the database refuses, or more places are asked for than a list has.
pub async fn allocate(tx: &mut Tx, day: Option<i64>, how_many: i64, now: Timestamp) -> Result<StatusBlock, StoreError> {
    if !(1..=FULL).contains(&how_many) {
        return Err(StoreError::corrupt("a block of status indices of an impossible size was asked for"));
    }
    // A second round is needed for a new list, a third if someone else made one meanwhile, for another day.
    for _ in 0..8 {
        if let Some(block) = take(tx, day, how_many).await? {
            return Ok(block);
        }
        make(tx, day, now).await?;
    }
    Err(StoreError::Busy)
}

/// Whether a place was taken from a living grant or client: tokens that carry it count no more.
///
/// # Errors
/// If the database refuses.
pub async fn is_retired(db: &mut Db, place: StatusIndex) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = on!(db, |db| sqlx::query_as(
        "SELECT status_index FROM retired_indices WHERE status_list = $1 AND status_index = $2"
    )
    .bind(place.list)
    .bind(place.index)
    .fetch_optional(db)
    .await)?;
    Ok(row.is_some())
}

async fn take(tx: &mut Tx, day: Option<i64>, how_many: i64) -> Result<Option<StatusBlock>, StoreError> {
    // The condition on the room stands twice: the inner one finds a list, the outer one is checked again after another
    // transaction has let go of the row.
    let row: Option<(i64, i64)> = on!(tx, |db| sqlx::query_as(
        "UPDATE status_lists SET next_index = next_index + $1 \
         WHERE next_index + $1 <= $2 AND id = (SELECT MAX(id) FROM status_lists \
             WHERE COALESCE(day, -1) = $3 AND next_index + $1 <= $2) \
         RETURNING id, next_index - $1"
    )
    .bind(how_many)
    .bind(FULL)
    .bind(day.unwrap_or(-1))
    .fetch_optional(db)
    .await)?;
    Ok(row.map(|(list, first)| StatusBlock { list, first, count: how_many }))
}

async fn make(tx: &mut Tx, day: Option<i64>, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO status_lists (id, day, capacity, next_index, created_at) \
         SELECT CASE WHEN COALESCE(MAX(id), 0) >= $1 THEN MAX(id) + 1 ELSE $1 END, $2, $3, 0, $1 FROM status_lists \
         WHERE 1 = 1 ON CONFLICT (id) DO NOTHING"
    )
    .bind(now.as_seconds())
    .bind(day)
    .bind(CAPACITY)
    .execute(db)
    .await
    .map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OpenOptions, Store};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    async fn open(folder: &tempfile::TempDir) -> Store {
        let url = format!("sqlite://{}", folder.path().join("frontdesk.db").display());
        Store::open(&OpenOptions { url, max_connections: 4, migrate: true }).await.unwrap()
    }

    async fn block(store: &Store, day: Option<i64>, how_many: i64) -> StatusBlock {
        store.write(async move |tx| allocate(tx, day, how_many, NOW).await).await.unwrap()
    }

    #[tokio::test]
    async fn places_are_handed_out_once_and_days_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let client = block(&store, None, 1).await;
        let next = block(&store, None, 1).await;
        assert_eq!((next.list, next.first), (client.list, 1));
        let today = block(&store, Some(20_000), 4096).await;
        let tomorrow = block(&store, Some(20_001), 4096).await;
        assert_eq!(today, StatusBlock { list: client.list + 1, first: 0, count: 4096 });
        assert_eq!(tomorrow, StatusBlock { list: client.list + 2, first: 0, count: 4096 });
        assert_eq!(block(&store, Some(20_000), 4096).await, StatusBlock { first: 4096, ..today });
    }

    #[tokio::test]
    async fn a_list_that_is_three_quarters_full_gets_a_successor() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let first = block(&store, Some(1), FULL - 4096).await;
        assert_eq!(block(&store, Some(1), 4096).await.list, first.list);
        let next = block(&store, Some(1), 1).await;
        assert_eq!((next.list, next.first), (first.list + 1, 0));
        for bad in [0, -1, FULL + 1] {
            assert!(store.write(async move |tx| allocate(tx, None, bad, NOW).await).await.is_err());
        }
    }

    #[tokio::test]
    async fn units_at_the_same_time_get_different_places() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(&folder).await, open(&folder).await);
        let mut tasks = tokio::task::JoinSet::new();
        for at in 0..40 {
            let store = if at % 2 == 0 { one.clone() } else { other.clone() };
            tasks.spawn(async move { block(&store, Some(3), 4096).await });
        }
        let mut firsts: Vec<(i64, i64)> =
            tasks.join_all().await.into_iter().map(|block| (block.list, block.first)).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 40);
    }
}
