//! Sealed values wherever they stand in tables, for whoever seals them anew.

use super::{Db, StoreError, Tx, on};

/// A table with sealed values, at most one a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// What MAC keys are drawn from.
    MacRoots,
    /// What the keys of refresh families are drawn from.
    RefreshRoots,
    /// Private halves of signing keys.
    SigningKeys,
    /// Hashes of passwords.
    Passwords,
}

/// A sealed value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The row's identity.
    pub row: String,
    /// The sealed value.
    pub sealed: String,
}

impl Table {
    /// All of them; small ones first. A test holds this against the columns `kek_id` that there are.
    pub const ALL: [Self; 4] = [Self::MacRoots, Self::RefreshRoots, Self::SigningKeys, Self::Passwords];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MacRoots => "mac_roots",
            Self::RefreshRoots => "refresh_roots",
            Self::SigningKeys => "signing_keys",
            Self::Passwords => "passwords",
        }
    }

    const fn next_kek(self) -> &'static str {
        match self {
            Self::MacRoots => "SELECT MIN(kek_id) FROM mac_roots WHERE kek_id > $1",
            Self::RefreshRoots => "SELECT MIN(kek_id) FROM refresh_roots WHERE kek_id > $1",
            Self::SigningKeys => "SELECT MIN(kek_id) FROM signing_keys WHERE kek_id > $1",
            Self::Passwords => "SELECT MIN(kek_id) FROM passwords WHERE kek_id > $1",
        }
    }

    const fn count(self) -> &'static str {
        match self {
            Self::MacRoots => "SELECT COUNT(*) FROM mac_roots WHERE kek_id = $1",
            Self::RefreshRoots => "SELECT COUNT(*) FROM refresh_roots WHERE kek_id = $1",
            Self::SigningKeys => "SELECT COUNT(*) FROM signing_keys WHERE kek_id = $1",
            Self::Passwords => "SELECT COUNT(*) FROM passwords WHERE kek_id = $1",
        }
    }

    const fn batch(self) -> &'static str {
        match self {
            Self::MacRoots => "SELECT id, sealed FROM mac_roots WHERE kek_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            Self::RefreshRoots => {
                "SELECT id, sealed FROM refresh_roots WHERE kek_id = $1 AND id > $2 ORDER BY id LIMIT $3"
            }
            Self::SigningKeys => {
                "SELECT kid, private_sealed FROM signing_keys \
                 WHERE kek_id = $1 AND kid > $2 AND private_sealed IS NOT NULL ORDER BY kid LIMIT $3"
            }
            Self::Passwords => {
                "SELECT user_id, sealed FROM passwords WHERE kek_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3"
            }
        }
    }

    const fn replace(self) -> &'static str {
        match self {
            Self::MacRoots => {
                "UPDATE mac_roots SET sealed = $4, kek_id = $5 WHERE id = $1 AND kek_id = $2 AND sealed = $3"
            }
            Self::RefreshRoots => {
                "UPDATE refresh_roots SET sealed = $4, kek_id = $5 WHERE id = $1 AND kek_id = $2 AND sealed = $3"
            }
            Self::SigningKeys => {
                "UPDATE signing_keys SET private_sealed = $4, kek_id = $5 \
                 WHERE kid = $1 AND kek_id = $2 AND private_sealed = $3"
            }
            Self::Passwords => {
                "UPDATE passwords SET sealed = $4, kek_id = $5 WHERE user_id = $1 AND kek_id = $2 AND sealed = $3"
            }
        }
    }
}

/// The ids of the master keys that sealed anything in a table. Goes from one to the next and not over all rows.
///
/// # Errors
/// If the database refuses.
pub async fn kek_ids(db: &mut Db, table: Table) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut last = String::new();
    loop {
        let (next,): (Option<String>,) =
            on!(db, |db| sqlx::query_as(table.next_kek()).bind(last.as_str()).fetch_one(db).await)?;
        let Some(next) = next else { return Ok(found) };
        found.push(next.clone());
        last = next;
    }
}

/// How many values of a table a master key sealed.
///
/// # Errors
/// If the database refuses.
pub async fn count(db: &mut Db, table: Table, kek_id: &str) -> Result<i64, StoreError> {
    let (count,): (i64,) = on!(db, |db| sqlx::query_as(table.count()).bind(kek_id).fetch_one(db).await)?;
    Ok(count)
}

/// Values of a table that a master key sealed, in the order of the rows' identities from `after` on.
///
/// # Errors
/// If the database refuses.
pub async fn batch(
    db: &mut Db,
    table: Table,
    kek_id: &str,
    after: &str,
    most: i64,
) -> Result<Vec<SealedRow>, StoreError> {
    let rows: Vec<(String, String)> =
        on!(db, |db| sqlx::query_as(table.batch()).bind(kek_id).bind(after).bind(most).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(row, sealed)| SealedRow { row, sealed }).collect())
}

/// One sealed value in the place of another.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The row's identity.
    pub row: &'a str,
    /// The id of the master key, and the sealed value, that must still be there.
    pub old: (&'a str, &'a str),
    /// What takes their place.
    pub new: (&'a str, &'a str),
}

/// Puts a value sealed anew in the place of the old. False: the row was changed meanwhile and stays as it is.
///
/// # Errors
/// If the database refuses.
pub async fn replace(tx: &mut Tx, table: Table, exchange: Exchange<'_>) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(table.replace())
        .bind(exchange.row)
        .bind(exchange.old.0)
        .bind(exchange.old.1)
        .bind(exchange.new.1)
        .bind(exchange.new.0)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn every_table_with_sealed_values_is_known() {
        let store = TestStore::open().await;
        let tables = if store.url().starts_with("sqlite") {
            "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name = 'kek_id' ORDER BY m.name"
        } else {
            "SELECT table_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND column_name = 'kek_id' ORDER BY 1"
        };
        let mut known = Table::ALL.map(Table::name);
        known.sort_unstable();
        assert_eq!(store.texts(tables).await, known);
    }

    #[tokio::test]
    async fn passwords_are_found_by_their_master_key_without_a_look_at_all() {
        let store = TestStore::open().await;
        if store.url().starts_with("sqlite") {
            for text in [Table::Passwords.next_kek(), Table::Passwords.batch(), Table::Passwords.count()] {
                for step in store.plan(text).await {
                    assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{text}\n{step}");
                }
            }
        }
    }
}
