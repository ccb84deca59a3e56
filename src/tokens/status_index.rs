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
