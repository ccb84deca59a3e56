//! Removing what has expired, a batch at a time, so that nobody waits long behind it.

use super::{StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// Rows removed in one unit of work at most, of each table.
const BATCH: i64 = 500;

const DAY: i64 = 86_400;
/// Used codes stay recognisable for a day, so that a second use is seen.
const CODE_KEPT: i64 = DAY;
/// Ended sessions and grants stay for a month, for people and admins to look back at.
const ENDED_KEPT: i64 = 30 * DAY;
/// A browser that was not seen for a year has lost its cookie.
const BROWSER_KEPT: i64 = 366 * DAY;
/// One at which nobody ever signed in: longer than a sign-in may take, and short, since every visitor without a cookie is one.
const STRANGER_KEPT: i64 = DAY;
/// Long after a process counts as gone.
const NODE_KEPT: i64 = 600;

/// Longer than any token of a grant that ended with the list's day, and than anybody's picture of the list.
const STATUS_LIST_KEPT: i64 = 2 * 3600;

/// Longer than a notice waits for its next try.
const REST_KEPT: i64 = 3600;

/// Longer than a key signs, so that an app which fetches the key set once a month is known.
const SIGHTING_KEPT: i64 = 90 * DAY;

/// One kind of row that expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiring {
    /// Parked requests.
    AuthorizeRequests,
    /// Sign-ins at apps behind a proxy that nobody finished.
    GatewayFlows,
    /// Codes.
    Codes,
    /// Permits of the throttle.
    Attempts,
    /// One-time links.
    SetupLinks,
    /// Grants that were ended, and with them their codes and families.
    EndedGrants,
    /// The same of grants that came to their end by themselves.
    Grants,
    /// Sessions with no grant left.
    Sessions,
    /// Browsers at which somebody has signed in.
    Browsers,
    /// Browsers at which nobody has.
    Strangers,
    /// Bits that may be clear again.
    RetiredIndices,
    /// Status lists whose last token has ended.
    StatusLists,
    /// Bits of lists that are gone.
    BitsOfNoList,
    /// Who fetched which key set.
    Sightings,
    /// Where apps authenticated from.
    Addresses,
    /// Apps that the waiting key signed for.
    Canaries,
    /// What others were told, or could not be told.
    Outbox,
    /// How often apps failed that nobody has tried to tell anything for long.
    OutboxRests,
    /// Processes that ended without a word.
    Nodes,
}

impl Expiring {
    /// All of them, children before parents.
    pub const ALL: [Self; 19] = [
        Self::AuthorizeRequests,
        Self::GatewayFlows,
        Self::Codes,
        Self::Attempts,
        Self::SetupLinks,
        Self::EndedGrants,
        Self::Grants,
        Self::Sessions,
        Self::Browsers,
        Self::Strangers,
        Self::RetiredIndices,
        Self::StatusLists,
        Self::BitsOfNoList,
        Self::Sightings,
        Self::Addresses,
        Self::Canaries,
        Self::Outbox,
        Self::OutboxRests,
        Self::Nodes,
    ];

    /// What removes a batch, and how many seconds after its end a row goes. Each walks an index on the time and sorts nothing.
    const fn statement(self) -> (&'static str, i64) {
        match self {
            Self::AuthorizeRequests => (
                "DELETE FROM authorize_requests WHERE id IN \
                 (SELECT id FROM authorize_requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
                0,
            ),
            Self::GatewayFlows => (
                "DELETE FROM gateway_flows WHERE id IN \
                 (SELECT id FROM gateway_flows WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
                0,
            ),
            Self::Codes => (
                "DELETE FROM codes WHERE id IN (SELECT id FROM codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
                CODE_KEPT,
            ),
            Self::Attempts => (
                "DELETE FROM attempts WHERE bucket IN (SELECT bucket FROM attempts WHERE until <= $1 ORDER BY until LIMIT $2)",
                0,
            ),
            Self::SetupLinks => (
                "DELETE FROM setup_links WHERE id IN \
                 (SELECT id FROM setup_links WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
                DAY,
            ),
            Self::EndedGrants => (
                "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE ended_at <= $1 ORDER BY ended_at LIMIT $2)",
                ENDED_KEPT,
            ),
            Self::Grants => (
                "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
                ENDED_KEPT,
            ),
            Self::Sessions => (
                "DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions s WHERE s.expires_at <= $1 \
                 AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.session_id = s.id) ORDER BY s.expires_at LIMIT $2)",
                ENDED_KEPT,
            ),
            Self::Browsers => (
                "DELETE FROM browsers WHERE id IN \
                 (SELECT id FROM browsers WHERE known = TRUE AND last_seen_at <= $1 ORDER BY last_seen_at LIMIT $2)",
                BROWSER_KEPT,
            ),
            Self::Strangers => (
                "DELETE FROM browsers WHERE id IN \
                 (SELECT id FROM browsers WHERE known = FALSE AND last_seen_at <= $1 ORDER BY last_seen_at LIMIT $2)",
                STRANGER_KEPT,
            ),
            Self::RetiredIndices => (
                "DELETE FROM retired_indices WHERE (status_list, status_index) IN (SELECT status_list, status_index \
                 FROM retired_indices WHERE invalid_until <= $1 ORDER BY invalid_until LIMIT $2)",
                0,
            ),
            Self::StatusLists => (
                "DELETE FROM status_lists WHERE id IN \
                 (SELECT id FROM status_lists WHERE day < $1 / 86400 ORDER BY day LIMIT $2)",
                STATUS_LIST_KEPT,
            ),
            Self::BitsOfNoList => (
                "DELETE FROM retired_indices WHERE (status_list, status_index) IN (SELECT r.status_list, r.status_index \
                 FROM retired_indices r WHERE r.invalid_until IS NULL AND r.retired_at <= $1 \
                 AND NOT EXISTS (SELECT 1 FROM status_lists l WHERE l.id = r.status_list) LIMIT $2)",
                0,
            ),
            Self::Sightings => (
                "DELETE FROM key_sightings WHERE (app, origin, agent, etag) IN (SELECT app, origin, agent, etag \
                 FROM key_sightings WHERE last_at <= $1 ORDER BY last_at LIMIT $2)",
                SIGHTING_KEPT,
            ),
            Self::Addresses => (
                "DELETE FROM app_addresses WHERE (client_id, address) IN (SELECT client_id, address \
                 FROM app_addresses WHERE last_at <= $1 ORDER BY last_at LIMIT $2)",
                SIGHTING_KEPT,
            ),
            Self::Canaries => (
                "DELETE FROM key_canaries WHERE (client_id, kid) IN \
                 (SELECT client_id, kid FROM key_canaries WHERE until <= $1 ORDER BY until LIMIT $2)",
                DAY,
            ),
            Self::Outbox => (
                "DELETE FROM outbox WHERE id IN \
                 (SELECT id FROM outbox WHERE finished_at <= $1 ORDER BY finished_at LIMIT $2)",
                DAY,
            ),
            Self::OutboxRests => (
                "DELETE FROM outbox_rests WHERE client_id IN \
                 (SELECT client_id FROM outbox_rests WHERE rests_until <= $1 ORDER BY rests_until LIMIT $2)",
                REST_KEPT,
            ),
            Self::Nodes => (
                "DELETE FROM nodes WHERE process IN (SELECT process FROM nodes WHERE seen_at <= $1 ORDER BY seen_at LIMIT $2)",
                NODE_KEPT,
            ),
        }
    }
}

/// Removes one batch. Returns how many rows went; fewer than a batch means that no more are there.
///
/// # Errors
/// If the database refuses.
pub async fn batch(tx: &mut Tx, of: Expiring, now: Timestamp) -> Result<u64, StoreError> {
    let (text, before) = of.statement();
    on!(tx, |db| sqlx::query(text)
        .bind(now.as_seconds().saturating_sub(before))
        .bind(BATCH)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))
}

/// Free pages that are left in SQLite's file for what comes next.
const FREE_KEPT: i64 = 1_000;

/// Gives some of the space that purged rows left in SQLite's file back to the system. False: there is no more to give. PostgreSQL
/// sees to that by itself.
///
/// # Errors
/// If the database refuses.
pub async fn shrink(tx: &mut Tx) -> Result<bool, StoreError> {
    if tx.is_postgres() {
        return Ok(false);
    }
    let (free,): (i64,) = on!(tx, |db| sqlx::query_as("PRAGMA freelist_count").fetch_one(db).await)?;
    if free <= FREE_KEPT {
        return Ok(false);
    }
    // A page at a step; a quarter of a mebibyte holds nobody up.
    on!(tx, |db| sqlx::query("PRAGMA incremental_vacuum(64)").execute(db).await.map(drop))?;
    Ok(true)
}

/// Whether a batch was full, so that more may be there.
#[must_use]
pub fn was_full(removed: u64) -> bool {
    i64::try_from(removed).is_ok_and(|removed| removed >= BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn nothing_that_runs_on_the_writer_scans_a_table() {
        let store = TestStore::open().await;
        if !store.url().starts_with("sqlite") {
            // PostgreSQL plans by what stands in the tables; SQLite's plan is the one that everybody waits for.
            for of in Expiring::ALL {
                assert_eq!(
                    store.write(async move |tx| batch(tx, of, Timestamp::from_seconds(1)).await).await.unwrap(),
                    0
                );
            }
            return;
        }
        let mut texts: Vec<&str> = Expiring::ALL.iter().map(|of| of.statement().0).collect();
        texts.push(crate::store::grants::COOKIE_CLIENTS_OF);
        for text in texts {
            let plan = store.plan(text).await;
            assert!(!plan.is_empty());
            for step in plan {
                assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE FOR ORDER BY"), "{text}\n{step}");
            }
        }
    }

    #[tokio::test]
    async fn space_of_purged_rows_goes_back_in_small_steps() {
        let store = TestStore::open().await;
        let shrunk = async || store.write(async |tx| shrink(tx).await).await.unwrap();
        assert!(!shrunk().await, "an empty database has nothing to give");
        if !store.url().starts_with("sqlite") {
            return;
        }
        let pages = async || store.number("PRAGMA page_count").await;
        for letter in ["a", "b", "c"] {
            let fill = format!(
                "INSERT INTO installation (name, value) VALUES ('{letter}', REPLACE(HEX(ZEROBLOB(1000000)), '00', '{letter}{letter}'))"
            );
            store.run(Box::leak(fill.into_boxed_str())).await;
        }
        store.run("DELETE FROM installation").await;
        let before = pages().await;
        assert!(before > FREE_KEPT + 64);
        assert!(shrunk().await);
        assert_eq!(pages().await, before - 64);
        while shrunk().await {}
        assert!(store.number("PRAGMA freelist_count").await <= FREE_KEPT);
    }
}
