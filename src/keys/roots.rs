//! Refresh roots: the keys that the keys of refresh families are drawn from (HMAC of the family's id). Few, sealed, parsed once.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::vault::{Place, Sealed, Vault, VaultError};
use crate::crypto::mac::MacKey;
use crate::crypto::random;
use crate::domain::time::Timestamp;
use crate::store::changes::{self, Kind};
use crate::store::refresh_roots::{self, RefreshRootRow};
use crate::store::sealed::Table;
use crate::store::{Store, StoreError};

/// All roots at one moment.
#[derive(Debug)]
pub struct RefreshRoots {
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    id: String,
    /// Whether another took its place, since it was lost.
    ended: bool,
    key: Result<MacKey, VaultError>,
}

impl RefreshRoots {
    /// Opens rows, the oldest first. One that does not open raises an alarm and is kept as a failure of ours.
    #[must_use]
    pub fn build(rows: &[RefreshRootRow], vault: &Vault) -> Self {
        let open = |row: &RefreshRootRow| {
            let sealed = Sealed { text: row.sealed.clone(), kek_id: row.kek_id.clone() };
            let key = vault.open(place(&row.id), &sealed).map(|bytes| MacKey::new(&bytes));
            if let Err(error) = &key {
                tracing::error!(alarm = "refresh root", root = row.id, %error, "a refresh root does not open");
            }
            Root { id: row.id.clone(), ended: row.ended_at.is_some(), key }
        };
        Self { roots: rows.iter().map(open).collect() }
    }

    /// The root for new families: the oldest that was not lost, which every process finds the same. `None`: it does not open;
    /// answer 503.
    #[must_use]
    pub fn current(&self) -> Option<(&str, &MacKey)> {
        self.roots.iter().find(|root| !root.ended).and_then(Root::opened)
    }

    /// The root of an id, or `None` if there is none.
    ///
    /// # Errors
    /// It is there and does not open: our fault, to be answered 503 and never `invalid_grant`.
    pub fn get(&self, id: &str) -> Result<Option<&MacKey>, VaultError> {
        self.roots.iter().find(|root| root.id == id).map(|root| root.key.as_ref()).transpose().map_err(Clone::clone)
    }

    /// The roots that opened.
    pub fn all(&self) -> impl Iterator<Item = (&str, &MacKey)> {
        self.roots.iter().filter_map(Root::opened)
    }

    /// Whether there is a root and every root opened. If not, nobody can say of a token that it is not genuine.
    #[must_use]
    pub fn are_complete(&self) -> bool {
        !self.roots.is_empty() && self.roots.iter().all(|root| root.key.is_ok())
    }
}

impl Root {
    fn opened(&self) -> Option<(&str, &MacKey)> {
        self.key.as_ref().ok().map(|key| (self.id.as_str(), key))
    }
}

/// The present roots. They change with the ring's counter.
#[derive(Debug)]
pub struct Roots(ArcSwap<RefreshRoots>);

impl Roots {
    /// Reads the roots for the first time.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn load(store: &Store, vault: &Vault) -> Result<Self, StoreError> {
        Ok(Self(ArcSwap::from_pointee(read(store, vault).await?)))
    }

    /// Reads the roots again. On failure the old ones stay.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn reload(&self, store: &Store, vault: &Vault) -> Result<(), StoreError> {
        self.0.store(Arc::new(read(store, vault).await?));
        Ok(())
    }

    /// The present roots.
    #[must_use]
    pub fn get(&self) -> Arc<RefreshRoots> {
        self.0.load_full()
    }
}

/// Makes the first root where there is none. False: there was one.
///
/// # Errors
/// If the database refuses.
pub async fn ensure(store: &Store, vault: &Vault, now: Timestamp) -> Result<bool, StoreError> {
    if !refresh_roots::list(&mut store.read().await?).await?.is_empty() {
        return Ok(false);
    }
    let row = fresh(vault, now);
    store
        .write(async move |tx| {
            // The counter's row makes processes that start at once wait here for each other, so that the second sees the
            // first one's root and no family ever hangs on a root that another process does not know.
            changes::bump(tx, Kind::Keys).await?;
            if !refresh_roots::list(tx).await?.is_empty() {
                return Ok(false);
            }
            refresh_roots::insert(tx, &row).await?;
            Ok(true)
        })
        .await
}

/// The row of a root that nobody has yet.
pub(super) fn fresh(vault: &Vault, now: Timestamp) -> RefreshRootRow {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let key = zeroize::Zeroizing::new(random::bytes::<32>());
    let Sealed { text: sealed, kek_id } = vault.seal(place(&id), key.as_slice());
    RefreshRootRow { id, sealed, kek_id, created_at: now.as_seconds(), ended_at: None }
}

fn place(id: &str) -> Place<'_> {
    Place::of(Table::RefreshRoots, id)
}

async fn read(store: &Store, vault: &Vault) -> Result<RefreshRoots, StoreError> {
    let rows = refresh_roots::list(&mut store.read().await?).await?;
    Ok(RefreshRoots::build(&rows, vault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ring::tests::{NOW, vault};
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn one_root_is_made_and_found_again() {
        let store = TestStore::open().await;
        assert!(ensure(&store, &vault(), NOW).await.unwrap());
        assert!(!ensure(&store, &vault(), NOW).await.unwrap());
        let (first, second) =
            (Roots::load(&store, &vault()).await.unwrap().get(), Roots::load(&store, &vault()).await.unwrap().get());
        let (id, key) = first.current().unwrap();
        assert_eq!(first.all().count(), 1);
        assert!(first.are_complete());
        assert_eq!(second.get(id).unwrap().unwrap().sign(&[b"x"]), key.sign(&[b"x"]));
        assert!(second.get("another").unwrap().is_none());
    }

    #[tokio::test]
    async fn processes_that_start_at_once_share_one_root() {
        for _ in 0..10 {
            let store = TestStore::open().await;
            let other = store.open_again().await;
            let vault = vault();
            let (one, two) = tokio::join!(ensure(&store, &vault, NOW), ensure(&other, &vault, NOW));
            assert!(one.unwrap() != two.unwrap());
            assert_eq!(Roots::load(&store, &vault).await.unwrap().get().all().count(), 1);
        }
    }

    #[tokio::test]
    async fn a_root_that_does_not_open_is_a_failure_of_ours() {
        let store = TestStore::open().await;
        ensure(&store, &vault(), NOW).await.unwrap();
        let rows = refresh_roots::list(&mut store.read().await.unwrap()).await.unwrap();
        let mut moved = rows[0].clone();
        moved.id = "another".to_owned();
        for roots in [RefreshRoots::build(&rows, &Vault::over([9; 32])), RefreshRoots::build(&[moved], &vault())] {
            assert!(roots.current().is_none());
            assert!(!roots.are_complete());
            assert_eq!(roots.all().count(), 0);
            let id = roots.roots[0].id.clone();
            assert!(roots.get(&id).is_err());
        }
        assert!(!RefreshRoots::build(&[], &vault()).are_complete());
    }
}
