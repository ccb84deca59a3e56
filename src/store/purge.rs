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

/// One kind of row that expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiring {
    /// Parked requests.
    AuthorizeRequests,
    /// Codes.
    Codes,
    /// Permits of the throttle.
    Attempts,
    /// One-time links.
    SetupLinks,
    /// Grants, and with them their codes and families.
    Grants,
    /// Sessions with no grant left.
    Sessions,
    /// Browsers at which somebody has signed in.
    Browsers,
    /// Browsers at which nobody has.
    Strangers,
    /// Bits that may be clear again.
    RetiredIndices,
}

impl Expiring {
    /// All of them, children before parents.
    pub const ALL: [Self; 9] = [
        Self::AuthorizeRequests,
        Self::Codes,
        Self::Attempts,
        Self::SetupLinks,
        Self::Grants,
        Self::Sessions,
        Self::Browsers,
        Self::Strangers,
        Self::RetiredIndices,
    ];
}

/// Removes one batch. Returns how many rows went; fewer than a batch means that no more are there.
///
/// # Errors
/// If the database refuses.
pub async fn batch(tx: &mut Tx, of: Expiring, now: Timestamp) -> Result<u64, StoreError> {
    let (text, before) = match of {
        Expiring::AuthorizeRequests => (
            "DELETE FROM authorize_requests WHERE id IN \
             (SELECT id FROM authorize_requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            0,
        ),
        Expiring::Codes => (
            "DELETE FROM codes WHERE id IN (SELECT id FROM codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            CODE_KEPT,
        ),
        Expiring::Attempts => (
            "DELETE FROM attempts WHERE bucket IN (SELECT bucket FROM attempts WHERE until <= $1 ORDER BY until LIMIT $2)",
            0,
        ),
        Expiring::SetupLinks => (
            "DELETE FROM setup_links WHERE id IN (SELECT id FROM setup_links WHERE expires_at <= $1 ORDER BY id LIMIT $2)",
            DAY,
        ),
        Expiring::Grants => (
            "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE ended_at <= $1 OR expires_at <= $1 ORDER BY id LIMIT $2)",
            ENDED_KEPT,
        ),
        Expiring::Sessions => (
            "DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions s WHERE s.expires_at <= $1 \
             AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.session_id = s.id) ORDER BY s.id LIMIT $2)",
            ENDED_KEPT,
        ),
        Expiring::Browsers => (
            "DELETE FROM browsers WHERE id IN \
             (SELECT id FROM browsers WHERE known = TRUE AND last_seen_at <= $1 ORDER BY last_seen_at LIMIT $2)",
            BROWSER_KEPT,
        ),
        Expiring::Strangers => (
            "DELETE FROM browsers WHERE id IN \
             (SELECT id FROM browsers WHERE known = FALSE AND last_seen_at <= $1 ORDER BY last_seen_at LIMIT $2)",
            STRANGER_KEPT,
        ),
        Expiring::RetiredIndices => (
            "DELETE FROM retired_indices WHERE (status_list, status_index) IN (SELECT status_list, status_index FROM retired_indices \
             WHERE invalid_until <= $1 ORDER BY status_list, status_index LIMIT $2)",
            0,
        ),
    };
    on!(tx, |db| sqlx::query(text)
        .bind(now.as_seconds().saturating_sub(before))
        .bind(BATCH)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))
}

/// Whether a batch was full, so that more may be there.
#[must_use]
pub fn was_full(removed: u64) -> bool {
    i64::try_from(removed).is_ok_and(|removed| removed >= BATCH)
}
