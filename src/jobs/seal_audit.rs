//! Seals what was audited, within a second, and writes checkpoints of the chain to the log. One process at a time does it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::follow_changes::in_time;
use crate::app::App;
use crate::audit::chain::ChainKey;
use crate::audit::checkpoint;
use crate::audit::seal::{self, Outcome};
use crate::store::audit_chain::{self, Head};
use crate::store::{StoreError, audit};

/// An act waits so long at most until somebody looks for it.
const EVERY: Duration = Duration::from_millis(500);
/// What failed is not tried at once again: it fills the log, and nothing is lost meanwhile.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// A checkpoint is due after so many rows, or after so long if there is anything new.
const CHECKPOINT_ROWS: i64 = 1_000;
const CHECKPOINT_AGE: Duration = Duration::from_secs(3600);

/// Seals until told to stop, and then once more.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        if let Err(error) = once(&app, stopping).await {
            if error.is_passing() {
                tracing::warn!(%error, "the audit could not be sealed, which will be tried again");
            } else {
                tracing::error!(alarm = "audit", %error, "the audit cannot be sealed; `frontdesk audit verify` may tell why");
            }
            stop.run_until_cancelled(sleep(AFTER_FAILURE)).await;
        }
        if stopping {
            return;
        }
    }
}

/// Seals what waits and writes a checkpoint if one is due, as it always is at a stop when there is anything new.
///
/// # Errors
/// If the database refuses.
pub async fn once(app: &App, stopping: bool) -> Result<(), StoreError> {
    // Looked for first: an idle house writes nothing.
    let mut more = in_time(async { Ok(!audit::unsealed(&mut app.store.read().await?, 1).await?.is_empty()) }).await?;
    let key = ChainKey::from_vault(&app.vault);
    while more {
        more = match seal::batch(&app.store, &key, app.process_id(), app.clock.now()).await? {
            Outcome::More(_) => true,
            Outcome::All(_) | Outcome::Another => false,
            // Nothing but a look at the key ring's changes brings it, which others wait for as well.
            Outcome::AnotherKey => {
                tracing::warn!("the audit is sealed under a key that this process does not have yet");
                false
            }
        };
    }
    checkpoint(app, stopping).await?;
    if stopping {
        seal::give_lease_back(&app.store, app.process_id()).await?;
    }
    Ok(())
}

async fn checkpoint(app: &App, stopping: bool) -> Result<(), StoreError> {
    let now = app.clock.now();
    let head = in_time(async { audit_chain::head(&mut app.store.read().await?).await }).await?;
    let is_due = |head: &Head| {
        let rows = head.number.saturating_sub(head.checkpoint);
        rows > 0 && (stopping || rows >= CHECKPOINT_ROWS || head.checkpoint_at.plus(CHECKPOINT_AGE).has_passed(now))
    };
    let Some(head) = head.filter(is_due) else { return Ok(()) };
    // Without a key that signs there is more to worry about, and `/readyz` says it.
    let Some(signed) = checkpoint::sign(&app.provider.keys.ring(), (head.number, &head.mac), now) else {
        return Ok(());
    };
    let (process, number) = (app.process_id().to_owned(), head.number);
    let ours = app
        .store
        .write(async move |tx| {
            Ok(seal::hold_lease(tx, &process, now).await? && audit_chain::note_checkpoint(tx, &head, now).await?)
        })
        .await?;
    if ours {
        tracing::info!(
            number,
            checkpoint = signed,
            "a checkpoint of the audit; keep it where this machine cannot change it"
        );
    }
    Ok(())
}
