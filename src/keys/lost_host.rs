//! A machine was lost: whatever lay on it is made anew, in the unit of work that revokes the keys.
//!
//! MAC root and refresh root lie sealed in the database, under a master key that lay on the machine. Both are replaced. What
//! the old MAC root vouched for and stays good, the key ring's rows, is MACed anew; grants are not, and no grant from before
//! counts any more. The audit goes on under the new key. Sessions end afterwards, since there may be very many
//! (`tokens/revoke.rs`).

use super::mac_roots;
use super::macs::{Purpose, key_id};
use super::record::KeyRecord;
use super::roots;
use super::vault::{Sealed, Vault};
use crate::crypto::mac::MacKey;
use crate::domain::time::Timestamp;
use crate::store::changes::{self, Kind};
use crate::store::mac_roots::MacRootRow;
use crate::store::refresh_roots::{self, RefreshRootRow};
use crate::store::signing_keys::{self, SigningKeyRow};
use crate::store::{StoreError, Tx, audit_chain, endings};

/// What takes the place of what was lost.
#[derive(Debug, Clone)]
pub(super) struct Anew {
    mac_root: MacRootRow,
    /// What the key ring's rows are MACed with.
    pub(super) mac_key: MacKey,
    audit_key: String,
    refresh_root: RefreshRootRow,
}

impl Anew {
    /// Makes it. Nobody has it yet.
    pub(super) fn make(vault: &Vault, now: Timestamp) -> Self {
        let (mac_root, root) = mac_roots::fresh(vault, now);
        Self {
            mac_root,
            mac_key: root.key(Purpose::SigningKey).clone(),
            audit_key: key_id(root.key(Purpose::Audit)),
            refresh_root: roots::fresh(vault, now),
        }
    }

    /// Puts it in the place of what was lost. `rows` are those of the key ring; the ones that `lost` vouches for go on.
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        rows: &[SigningKeyRow],
        lost: &MacKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        mac_roots::replace(tx, &self.mac_root, now).await?;
        for row in rows {
            let Ok(record) = KeyRecord::verified(row, lost) else { continue };
            let private = row.private_sealed.clone().zip(row.kek_id.clone());
            let row_anew = record.row(private.map(|(text, kek_id)| Sealed { text, kek_id }), &self.mac_key);
            if !signing_keys::replace(tx, &row_anew, &row.mac).await? {
                return Err(StoreError::Busy);
            }
        }
        refresh_roots::end(tx, now).await?;
        refresh_roots::insert(tx, &self.refresh_root).await?;
        audit_chain::name_key(tx, &self.audit_key).await?;
        changes::bump(tx, Kind::Clients).await?;
        endings::raise_all_clients_not_before(tx, now).await
    }
}
