//! Places in the status lists, drawn at random from blocks that this process leased: the order of issue does not show, and a
//! grant costs no write of its own for it.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::crypto::random;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError, status_lists};

const BLOCK: i64 = 4096;
const DAY: i64 = 86_400;

/// The blocks this process has leased, by the day on which their grants end.
#[derive(Debug, Default)]
pub struct StatusIndices(Mutex<HashMap<i64, Vec<StatusIndex>>>);

impl StatusIndices {
    /// A place for a grant that ends at a moment. Leases a block when the one at hand is used up.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn draw(&self, store: &Store, ends: Timestamp, now: Timestamp) -> Result<StatusIndex, StoreError> {
        let day = ends.as_seconds().div_euclid(DAY);
        loop {
            if let Some(place) = self.take(day) {
                return Ok(place);
            }
            let block = store.write(async move |tx| status_lists::allocate(tx, Some(day), BLOCK, now).await).await?;
            self.keep(day, (0..block.count).map(|at| StatusIndex { list: block.list, index: block.first + at }), now);
        }
    }

    fn take(&self, day: i64) -> Option<StatusIndex> {
        let mut blocks = self.0.lock().ok()?;
        let places = blocks.get_mut(&day)?;
        let count = u64::try_from(places.len()).ok().filter(|count| *count > 0)?;
        let at = u64::from_be_bytes(random::bytes()) % count;
        Some(places.swap_remove(usize::try_from(at).ok()?))
    }

    fn keep(&self, day: i64, places: impl Iterator<Item = StatusIndex>, now: Timestamp) {
        if let Ok(mut blocks) = self.0.lock() {
            // Days that are over are never drawn from again.
            blocks.retain(|day, _| *day >= now.as_seconds().div_euclid(DAY));
            blocks.entry(day).or_default().extend(places);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::store::testing::TestStore;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn in_days(days: i64) -> Timestamp {
        Timestamp::from_seconds(NOW.as_seconds() + days * DAY)
    }

    #[tokio::test]
    async fn a_used_up_block_is_followed_by_another_and_no_place_is_given_twice() {
        let store = TestStore::open().await;
        let places = StatusIndices::default();
        let mut seen = HashSet::new();
        for _ in 0..=BLOCK {
            let place = places.draw(&store, NOW, NOW).await.unwrap();
            assert!(place.index >= 0 && seen.insert((place.list, place.index)), "{place:?}");
        }
        let blocks: HashSet<_> = seen.iter().map(|(list, index)| (*list, index / BLOCK)).collect();
        assert_eq!(blocks.len(), 2);
    }

    #[tokio::test]
    async fn a_block_serves_its_day_until_that_day_is_over() {
        let store = TestStore::open().await;
        let places = StatusIndices::default();
        let days = || -> Vec<i64> {
            let mut days: Vec<i64> = places.0.lock().unwrap().keys().map(|day| day - NOW.as_seconds() / DAY).collect();
            days.sort_unstable();
            days
        };
        for ends in [in_days(0), in_days(1), in_days(2)] {
            places.draw(&store, ends, NOW).await.unwrap();
        }
        assert_eq!(days(), [0, 1, 2]);
        places.draw(&store, in_days(3), in_days(1)).await.unwrap();
        assert_eq!(days(), [1, 2, 3]);
    }
}
