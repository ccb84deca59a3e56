//! A unit of work that may look at what it did and take it back.

use std::sync::{Arc, Mutex};

use crate::store::{Store, StoreError, Tx};

/// What becomes of a unit of work.
#[derive(Debug)]
pub(super) enum Ending<T> {
    /// It is kept.
    Keep(T),
    /// It is undone; only its answer remains.
    Undo(T),
}

/// Runs a unit of work that says itself how it ends.
pub(super) async fn write_or_undo<T: Send + 'static>(
    store: &Store,
    work: impl AsyncFnOnce(&mut Tx) -> Result<Ending<T>, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let undone = Arc::new(Mutex::new(None));
    let answer = undone.clone();
    let written = store
        .write(async move |tx| match work(tx).await? {
            Ending::Keep(value) => Ok(value),
            Ending::Undo(value) => {
                if let Ok(mut answer) = answer.lock() {
                    *answer = Some(value);
                }
                // Any error undoes the unit; nobody sees this one.
                Err(StoreError::Conflict("undone on purpose".into()))
            }
        })
        .await;
    let answer = undone.lock().ok().and_then(|mut answer| answer.take());
    answer.map_or(written, Ok)
}
