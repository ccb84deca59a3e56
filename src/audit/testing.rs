//! A chain for tests.

use std::sync::LazyLock;

use super::chain::ChainKey;
use super::seal::{Outcome, in_unit};
use super::verify::{Report, verify};
use crate::domain::time::Timestamp;
use crate::keys::vault::Vault;
use crate::store::Store;
use crate::store::audit::{self, Event};

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(super) static KEY: LazyLock<ChainKey> = LazyLock::new(|| ChainKey::from_vault(&Vault::over([1; 32])));

/// Something that is audited. Where many act at once on a slow machine, one may be told to try again, as anybody is.
pub(super) async fn act(store: &Store, number: u32) {
    for _ in 0..20 {
        let outcome = store
            .write(async move |tx| {
                let event = Event {
                    actor: "user:ann",
                    action: "thing.deed",
                    subject: &format!("row {number}"),
                    data: serde_json::json!({ "number": number }),
                };
                audit::record(tx, &event, NOW).await
            })
            .await;
        match outcome {
            Err(error) if error.is_passing() => {}
            outcome => return outcome.unwrap(),
        }
    }
    panic!("busy for ever");
}

pub(super) async fn seal_all(store: &Store) {
    while let Outcome::More(_) = store.write(async |tx| in_unit(tx, &KEY).await).await.unwrap() {}
}

pub(super) async fn verified(store: &Store) -> Report {
    verify(store, &KEY, &[]).await.unwrap()
}
