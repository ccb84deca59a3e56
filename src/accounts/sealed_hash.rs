//! How a password hash goes into its row and out of it: sealed, bound to the person, so that the master key is its pepper.

use super::passwords::PhcHash;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::keys::vault::{Place, Sealed, Vault, VaultError};
use crate::store::passwords::{SealedHash, StoredPassword};
use crate::store::sealed::Table;
use crate::store::{StoreError, Tx, passwords};

fn place(user: &UserId) -> Place<'_> {
    Place::of(Table::Passwords, user.as_str())
}

/// Opens a stored hash. Not to open it is a fault of ours, never a wrong password.
pub(super) fn open(vault: &Vault, user: &UserId, stored: &StoredPassword) -> Result<PhcHash, VaultError> {
    let sealed = Sealed { text: stored.sealed.clone(), kek_id: stored.kek_id.clone() };
    let bytes = vault.open(place(user), &sealed)?;
    std::str::from_utf8(&bytes)
        .map(|text| PhcHash::new(text.to_owned()))
        .map_err(|_| VaultError::Damaged { table: "passwords".to_owned() })
}

/// Gives a person a password.
pub(super) async fn put(
    tx: &mut Tx,
    vault: &Vault,
    user: &UserId,
    hash: &PhcHash,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sealed = vault.seal(place(user), hash.expose().as_bytes());
    passwords::put(tx, user, SealedHash { text: &sealed.text, kek_id: &sealed.kek_id }, now).await
}

/// Puts a stronger hash of the same password in the place of one; a neighbour who was faster has done as much.
pub(super) async fn strengthen(
    tx: &mut Tx,
    vault: &Vault,
    user: &UserId,
    old: &StoredPassword,
    hash: &PhcHash,
) -> Result<(), StoreError> {
    let sealed = vault.seal(place(user), hash.expose().as_bytes());
    let new = SealedHash { text: &sealed.text, kek_id: &sealed.kek_id };
    passwords::rehash(tx, user, &old.sealed, new).await.map(drop)
}
