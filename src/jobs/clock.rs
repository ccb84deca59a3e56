//! Whether the clock can be believed. What is purged on a wrong clock is gone, and a key that turns on one turns too early.

use std::time::Duration;

use crate::app::App;
use crate::domain::time::Timestamp;
use crate::store::{StoreError, installation};

/// A clock that leaps further than this may be wrong.
const LONGEST_LEAP: Duration = Duration::from_secs(3600);

/// Whether the clock can be believed: it has gone no more than an hour since it was last believed, or the database's clock agrees,
/// or somebody has confirmed it. The last time is kept in the database, so that a leap is seen after a restart too; whether
/// nobody was running meanwhile, we cannot tell from a leap.
///
/// # Errors
/// If the database refuses.
pub async fn is_believable(app: &App, now: Timestamp) -> Result<bool, StoreError> {
    let agreed = app.clocks_agree();
    let leapt_from = app
        .store
        .write(async move |tx| {
            let last = installation::last_tick(tx).await?;
            let leapt_from = last.filter(|last| now > last.plus(LONGEST_LEAP) && !agreed);
            if leapt_from.is_none() {
                installation::tick(tx, now).await?;
            }
            Ok(leapt_from)
        })
        .await?;
    if let Some(last) = leapt_from {
        tracing::error!(
            alarm = "clock", %now, %last,
            "the clock is more than an hour ahead of when it was last seen, nothing is purged and no key turns; if it is right, run `frontdesk config confirm-clock`"
        );
    }
    Ok(leapt_from.is_none())
}
