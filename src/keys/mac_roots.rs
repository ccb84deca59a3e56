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
    let row = match vault.as_mac_root(kek_id) {
        Ok(root) => row(root, vault, now),
        Err(error) => return Ok(Err(error)),
    };
    store.write(async move |tx| mac_roots::insert(tx, &row).await.map(drop)).await?;
    Ok(Ok(()))
}

/// Makes a new root, and ends the one that counted. Whatever is MACed anew in the same unit of work is MACed under what is
/// returned. All processes follow; what they MACed under the old root meanwhile is not honoured, client secrets excepted.
///
/// # Errors
/// If the database refuses.
pub async fn new_root(tx: &mut Tx, vault: &Vault, now: Timestamp) -> Result<MacRoot, StoreError> {
    changes::bump(tx, Kind::Keys).await?;
    let (row, root) = fresh(vault, now);
    mac_roots::end(tx, now).await?;
    mac_roots::insert(tx, &row).await?;
    Ok(root)
}

/// Opens the roots. An ended one that does not open raises an alarm and is left out; without the one that counts, nothing goes.
pub(super) fn build(rows: &[MacRootRow], vault: &Vault) -> Result<MacRoots, VaultError> {
    let (current, ended) = match rows.split_first() {
        Some((current, ended)) if current.ended_at.is_none() => (open(current, vault)?, ended),
        _ => return Err(damaged()),
    };
    let opened = |row: &MacRootRow| {
        open(row, vault)
            .inspect_err(
                |error| tracing::error!(alarm = "vault", root = row.id, %error, "an ended MAC root does not open"),
            )
            .ok()
    };
    Ok(MacRoots { current, ended: ended.iter().filter_map(opened).collect() })
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
