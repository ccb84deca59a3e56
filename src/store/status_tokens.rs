//! The status lists as they were signed last. One process signs, all answer with its bytes.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// A list, and what is known of its last token.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Head {
    /// The list.
    pub list: i64,
    /// How many places it has.
    pub capacity: i64,
    /// The version of its last token; 0: there is none.
    pub version: i64,
    /// What that token says, as a digest.
    pub digest: String,
    /// When it was signed, in seconds since 1970.
    pub signed_at: i64,
    /// The key that signed it.
    pub kid: String,
}

impl Head {
    /// When the token was signed.
    #[must_use]
    pub const fn signed_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.signed_at)
    }
}

/// A token to be kept.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The list.
    pub list: i64,
    /// Its version.
    pub version: i64,
    /// What it says, as a digest.
    pub digest: String,
    /// When it was signed.
    pub at: Timestamp,
    /// With which key.
    pub kid: String,
    /// The token.
    pub token: String,
}

/// All lists that somebody has a place in.
///
/// # Errors
/// If the database refuses.
pub async fn heads(db: &mut Db) -> Result<Vec<Head>, StoreError> {
    on!(db, |db| {
        sqlx::query_as(
        "SELECT l.id AS list, l.capacity AS capacity, COALESCE(t.version, 0) AS version, COALESCE(t.digest, '') AS digest, \
         COALESCE(t.signed_at, 0) AS signed_at, COALESCE(t.kid, '') AS kid \
         FROM status_lists l LEFT JOIN status_list_tokens t ON t.list = l.id ORDER BY l.id"
    )
    .fetch_all(db)
    .await
    })
}

/// The last token of a list, with its version and when it was signed.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, list: i64) -> Result<Option<(i64, Timestamp, String)>, StoreError> {
    let row: Option<(i64, i64, String)> =
        on!(db, |db| sqlx::query_as("SELECT version, signed_at, token FROM status_list_tokens WHERE list = $1")
            .bind(list)
            .fetch_optional(db)
            .await)?;
    Ok(row.map(|(version, at, token)| (version, Timestamp::from_seconds(at), token)))
}

/// Keeps a token in the place of the one that `before` tells of. False: another has come meanwhile, and nothing was written.
///
/// # Errors
/// If the database refuses.
pub async fn put(tx: &mut Tx, before: &Head, signed: &Signed) -> Result<bool, StoreError> {
    let text = if before.version == 0 {
        "INSERT INTO status_list_tokens (list, version, digest, signed_at, kid, token) \
         SELECT id, $2, $3, $4, $5, $6 FROM status_lists WHERE id = $1 AND $7 = 0 AND $8 = 0 ON CONFLICT (list) DO NOTHING"
    } else {
        "UPDATE status_list_tokens SET version = $2, digest = $3, signed_at = $4, kid = $5, token = $6 \
         WHERE list = $1 AND version = $7 AND signed_at = $8"
    };
    let hit = on!(tx, |db| sqlx::query(text)
        .bind(signed.list)
        .bind(signed.version)
        .bind(signed.digest.as_str())
        .bind(signed.at.as_seconds())
        .bind(signed.kid.as_str())
        .bind(signed.token.as_str())
        .bind(before.version)
        .bind(before.signed_at)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::status_lists;
    use crate::store::testing::TestStore;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn signed(list: i64, version: i64, at: Timestamp) -> Signed {
        Signed { list, version, digest: "d".into(), at, kid: "k".into(), token: format!("token {version}") }
    }

    #[tokio::test]
    async fn of_two_who_sign_at_once_one_is_first_and_no_version_goes_back() {
        let store = TestStore::open().await;
        let block = store.write(async |tx| status_lists::allocate(tx, None, 1, NOW).await).await.unwrap();
        let heads = async || heads(&mut store.read().await.unwrap()).await.unwrap();
        let put = async |before: &Head, signed: Signed| {
            let before = before.clone();
            store.write(async move |tx| put(tx, &before, &signed).await).await.unwrap()
        };
        let empty = heads().await.remove(0);
        assert_eq!((empty.list, empty.capacity, empty.version), (block.list, status_lists::CAPACITY, 0));
        assert!(put(&empty, signed(block.list, 1, NOW)).await);
        assert!(!put(&empty, signed(block.list, 1, NOW)).await, "the second of two");
        let first = heads().await.remove(0);
        assert_eq!((first.version, first.signed_at(), first.kid.as_str()), (1, NOW, "k"));
        assert!(put(&first, signed(block.list, 2, NOW.plus(std::time::Duration::from_secs(1)))).await);
        assert!(!put(&first, signed(block.list, 2, NOW)).await, "an older picture");
        let (version, at, token) = find(&mut store.read().await.unwrap(), block.list).await.unwrap().unwrap();
        assert_eq!((version, at.seconds_since(NOW), token.as_str()), (2, 1, "token 2"));
        // A list that is gone gets no token.
        let gone = Head { list: 9, ..empty };
        assert!(!put(&gone, signed(9, 1, NOW)).await);
    }
}
