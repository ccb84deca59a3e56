//! The admin's room without its doors: what an admin may do, and who counts as one. The console and the admin API share it.
//!
//! | file           | says                                                       |
//! |----------------|------------------------------------------------------------|
//! | `acts.rs`      | everything that can be changed, and what comes of it       |
//! | `authority.rs` | whether an access token opens the admin API, and how far   |

pub mod acts;
pub mod authority;

use std::time::Duration;

use serde_json::json;

use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event};
use crate::store::{Store, StoreError, Tx};

/// How old the proof of who one is may be where something is changed.
pub const FRESH: Duration = Duration::from_secs(600);

/// Whether a proof made then is still good for a change.
#[must_use]
pub fn is_fresh(proven_at: Timestamp, now: Timestamp) -> bool {
    proven_at <= now && now.seconds_since(proven_at) <= FRESH.as_secs()
}

/// A try in the admin's room that was refused.
#[derive(Debug, Clone, Copy)]
pub struct RefusedTry<'a> {
    /// Who tried, as in [`Event::actor`].
    pub actor: &'a str,
    /// At which address of ours.
    pub address: &'a str,
    /// Which guard refused.
    pub guard: &'static str,
}

/// Records a refused try in a unit of its own.
///
/// # Errors
/// If the database refuses.
pub async fn record_refused(store: &Store, refused: RefusedTry<'_>, now: Timestamp) -> Result<(), StoreError> {
    let (actor, guard) = (refused.actor.to_owned(), refused.guard);
    // Addresses are theirs who ask, and the audit is for ever.
    let subject: String = refused.address.chars().take(200).collect();
    store.write(async move |tx| note(tx, &actor, &subject, guard, now).await).await
}

async fn note(tx: &mut Tx, actor: &str, subject: &str, guard: &str, now: Timestamp) -> Result<(), StoreError> {
    audit::record(tx, &Event { actor, action: "admin.refused", subject, data: json!({ "guard": guard }) }, now).await
}
