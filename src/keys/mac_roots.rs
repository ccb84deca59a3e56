//! The MAC root in the database: sealed under the master key like everything else, so that it can be sealed anew and every MAC
//! outlives the master key.

use zeroize::Zeroizing;

use super::macs::{MacRoot, MacRoots};
use super::vault::{Place, Sealed, Vault, VaultError};
use crate::crypto::random;
use crate::domain::time::Timestamp;
use crate::store::changes::{self, Kind};
use crate::store::mac_roots::{self, MacRootRow};
use crate::store::sealed::Table;
use crate::store::{Store, StoreError, Tx};

/// The row of a root that nobody has yet, and its keys.
pub(super) fn fresh(vault: &Vault, now: Timestamp) -> (MacRootRow, MacRoot) {
    let root = Zeroizing::new(random::bytes::<32>());
    (row(&root, vault, now), MacRoot::new(&root))
}

/// Gives an installation from before there were MAC roots its first one. That is the very bytes of its master key, which all
/// its MACs were drawn from: so they all stay good. Nothing changes if another process was first.
pub(super) async fn adopt(
    store: &Store,
    vault: &Vault,
    kek_id: &str,
    now: Timestamp,
) -> Result<Result<(), VaultError>, StoreError> {
    // Sealed under the database's key, not under one that waits to take its place: other processes may not have that one yet.
    let row = match vault.seal_with(kek_id).and_then(|()| vault.as_mac_root(kek_id)) {
        Ok(root) => row(root, vault, now),
        Err(error) => return Ok(Err(error)),
    };
    store.write(async move |tx| mac_roots::insert(tx, &row).await.map(drop)).await?;
    Ok(Ok(()))
}

/// Puts a [`fresh`] root in the place of the one that counted. Whatever stays good is MACed anew in the same unit of work. All
/// processes follow; what they MACed under the old root meanwhile is not honoured, client secrets excepted.
///
/// # Errors
/// If the database refuses.
pub(super) async fn replace(tx: &mut Tx, row: &MacRootRow, now: Timestamp) -> Result<(), StoreError> {
    changes::bump(tx, Kind::Keys).await?;
    mac_roots::end(tx, now).await?;
    if mac_roots::insert(tx, row).await? { Ok(()) } else { Err(StoreError::Busy) }
}

/// Opens the roots. An ended one that does not open raises an alarm and is left out; without the one that counts, nothing goes.
pub(super) fn build(rows: &[MacRootRow], vault: &Vault) -> Result<MacRoots, VaultError> {
    let (id, current, ended) = match rows.split_first() {
        Some((current, ended)) if current.ended_at.is_none() => (current.id.clone(), open(current, vault)?, ended),
        _ => return Err(damaged()),
    };
    let opened = |row: &MacRootRow| {
        open(row, vault)
            .inspect_err(
                |error| tracing::error!(alarm = "vault", root = row.id, %error, "an ended MAC root does not open"),
            )
            .ok()
    };
    Ok(MacRoots { id, current, ended: ended.iter().filter_map(opened).collect() })
}

fn row(root: &[u8; 32], vault: &Vault, now: Timestamp) -> MacRootRow {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let Sealed { text: sealed, kek_id } = vault.seal(Place::of(Table::MacRoots, &id), root);
    MacRootRow { id, sealed, kek_id, created_at: now.as_seconds(), ended_at: None }
}

fn open(row: &MacRootRow, vault: &Vault) -> Result<MacRoot, VaultError> {
    let sealed = Sealed { text: row.sealed.clone(), kek_id: row.kek_id.clone() };
    let bytes = vault.open(Place::of(Table::MacRoots, &row.id), &sealed)?;
    bytes.as_slice().try_into().map(MacRoot::new).map_err(|_| damaged())
}

fn damaged() -> VaultError {
    VaultError::Damaged { table: Table::MacRoots.name().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::check_master_key;
    use crate::keys::macs::{Macs, Purpose};
    use crate::keys::master_key::follow;
    use crate::keys::ring::tests::NOW;
    use crate::store::testing::{TestStore, all_at_once};

    const ALL: [Purpose; 7] = [
        Purpose::ClientSecret,
        Purpose::Grant,
        Purpose::SigningKey,
        Purpose::Sid,
        Purpose::Throttle,
        Purpose::Csrf,
        Purpose::Audit,
    ];

    fn signed(vault: &Vault) -> Vec<[u8; 32]> {
        ALL.iter().map(|purpose| vault.macs(*purpose).sign(&[b"x"])).collect()
    }

    #[tokio::test]
    async fn the_first_start_makes_a_root_that_is_no_master_key_and_all_processes_have_it() {
        for _ in 0..10 {
            let store = TestStore::open().await;
            let starts = (0..3).map(|_| {
                let store = store.clone();
                async move {
                    let vault = Vault::over([1; 32]);
                    check_master_key(&store, &vault, NOW).await.unwrap();
                    signed(&vault)
                }
            });
            let mut signed_by_each = all_at_once(starts).await;
            signed_by_each.dedup();
            assert_eq!(signed_by_each.len(), 1, "they agree");
            assert_eq!(store.number("SELECT COUNT(*) FROM mac_roots").await, 1);
            let mut keys = signed_by_each.remove(0);
            keys.extend(signed(&Vault::over([1; 32])));
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 2 * ALL.len(), "each purpose has a key of its own, and none is the master key's");
        }
    }

    #[tokio::test]
    async fn an_installation_from_before_keeps_its_macs() {
        let store = TestStore::open().await;
        let old = Vault::over([1; 32]);
        let before = signed(&old);
        check_master_key(&store, &old, NOW).await.unwrap();
        store.run("DELETE FROM mac_roots").await;
        // It comes to this version with a new key at once.
        let starts = [[1; 32], [2; 32], [1; 32]].map(|key| {
            let store = store.clone();
            async move {
                let vault = Vault::over(key).after([1; 32]);
                check_master_key(&store, &vault, NOW).await.unwrap();
                signed(&vault)
            }
        });
        for signed in all_at_once(starts).await {
            assert_eq!(signed, before);
        }
        assert_eq!(store.number("SELECT COUNT(*) FROM mac_roots").await, 1);
        // Whoever was first, a process that has only the old key opens it.
        store.run("DELETE FROM mac_roots").await;
        let ahead = Vault::over([2; 32]).after([1; 32]);
        check_master_key(&store, &ahead, NOW).await.unwrap();
        let behind = Vault::over([1; 32]);
        check_master_key(&store, &behind, NOW).await.unwrap();
        assert_eq!(signed(&behind), before);
    }

    #[tokio::test]
    async fn after_a_new_root_the_old_one_still_checks_and_all_who_hold_keys_follow() {
        let store = TestStore::open().await;
        let (one, other) = (Vault::over([1; 32]), Vault::over([1; 32]));
        for vault in [&one, &other] {
            check_master_key(&store, vault, NOW).await.unwrap();
        }
        let held: Macs = other.macs(Purpose::ClientSecret);
        let (first, counter) = (held.sign(&[b"x"]), keys_counter(&store).await);
        let mut latest = first;
        for round in 1..=2_usize {
            let vault = Vault::over([1; 32]);
            check_master_key(&store, &vault, NOW).await.unwrap();
            let (row, root) = fresh(&vault, NOW);
            store.write(async move |tx| replace(tx, &row, NOW).await).await.unwrap();
            let made = root.key(Purpose::ClientSecret).sign(&[b"x"]);
            assert_eq!(held.sign(&[b"x"]), latest, "until it looks");
            follow(&store, &other).await.unwrap();
            assert_eq!(held.sign(&[b"x"]), made);
            assert!(held.verifies(&[b"x"], &made) && !held.verifies(&[b"x"], &latest));
            let known = held.each(|key| key.sign(&[b"x"]));
            assert_eq!((known.len(), known[0]), (round + 1, made));
            assert!(known.contains(&first) && known.contains(&latest));
            latest = made;
        }
        assert_ne!(keys_counter(&store).await, counter, "all are told");
        assert_eq!(store.number("SELECT COUNT(*) FROM mac_roots WHERE ended_at IS NULL").await, 1);
        // Taken out for once and kept, it does not follow.
        let kept = one.mac_key(Purpose::ClientSecret);
        follow(&store, &one).await.unwrap();
        assert_eq!((kept.sign(&[b"x"]), one.mac_key(Purpose::ClientSecret).sign(&[b"x"])), (first, latest));

        // An ended one that is damaged is missed, the one that counts is needed.
        store.run("UPDATE mac_roots SET sealed = 'AAAA' WHERE ended_at IS NOT NULL").await;
        follow(&store, &other).await.unwrap();
        assert_eq!(held.each(|key| key.sign(&[b"x"])), [latest]);
        store.run("UPDATE mac_roots SET sealed = 'AAAA'").await;
        assert!(follow(&store, &other).await.is_err());
        assert_eq!(held.sign(&[b"x"]), latest, "what it knows stays");
    }

    async fn keys_counter(store: &TestStore) -> i64 {
        changes::read(&mut store.read().await.unwrap()).await.unwrap().keys
    }
}
