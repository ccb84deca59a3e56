//! Turns the keys. Every process does it: what is decided is decided again inside the unit of work that does it, so two that come
//! at once do it once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::clock;
use crate::app::{App, key_policy};
use crate::domain::id::ClientId;
use crate::domain::time::Timestamp;
use crate::keys::KeysError;
use crate::keys::propagation::Propagation;
use crate::keys::rotation::{self, Move};
use crate::keys::turning::{self, Done, Wish};

/// After a turn that was not made: apps are waited for, or the database refused.
const AGAIN: Duration = Duration::from_secs(5);
/// While the clock is not believed, which is said each time.
const CLOCK_AGAIN: Duration = Duration::from_secs(60);

/// Looks at each poll whether something is due, until told to stop. The look itself is in memory.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(app.config().limits.change_poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = app.clock.now();
        if !is_due(&app, now) {
            continue;
        }
        let pause = match turn(&app, now).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(alarm = "key turn", %error, "the keys could not be turned and it will be tried again");
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

/// Whether something is due, by the ring in memory, if nobody were waited for.
fn is_due(app: &App, now: Timestamp) -> bool {
    let standings = app.provider.keys.ring().standings();
    !rotation::plan(&standings, &key_policy(app.config()), &std::collections::BTreeSet::new(), now).is_empty()
}

/// Does what is due, if the clock is believed. After how long to look again.
///
/// # Errors
/// [`KeysError`].
pub async fn turn(app: &App, now: Timestamp) -> Result<Duration, KeysError> {
    if !clock::is_believable(app, now).await? {
        return Ok(CLOCK_AGAIN);
    }
    Ok(if once(app, now).await?.is_empty() { AGAIN } else { Duration::ZERO })
}

/// Does what is due, and has this process follow at once.
///
/// # Errors
/// [`KeysError`].
pub async fn once(app: &App, now: Timestamp) -> Result<Vec<Done>, KeysError> {
    let ring = app.provider.keys.ring();
    let mut db = app.store.read().await?;
    let known = Propagation::load(&mut db, &app.provider.directory.snapshot(), now).await?;
    drop(db);
    let lagging = known.lagging(ring.published(), now);
    let wish = Wish::Turn { lagging: lagging.clone() };
    let done =
        turning::carry_out(&app.store, &app.vault, &key_policy(app.config()), &wish, "system", &|| app.clock.now())
            .await?;
    if !done.is_empty() {
        for Done { step, kid, alg } in &done {
            tracing::info!(%kid, %alg, ?step, "the key ring turned");
            if let (Move::Activate { .. }, Some(apps)) = (step, lagging.get(kid)) {
                let apps = apps.iter().map(ClientId::as_str).collect::<Vec<_>>().join(" ");
                tracing::warn!(
                    alarm = "key turn", %kid, apps,
                    "a key signs that these apps were not seen to have, since keys.patience is over"
                );
            }
        }
        app.follow_changes().await?;
    }
    Ok(done)
}
