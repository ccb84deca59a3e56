//! A machine was lost: whatever lay on it is made anew, in the unit of work that revokes the keys.
//!
//! MAC root and refresh root lie sealed in the database, under a master key that lay on the machine. Both are replaced. What
//! the old MAC root vouched for and stays good, the key ring's rows, is MACed anew; grants are not, and no grant from before
//! counts any more, nor a session. The audit goes on under the new key. The rows of grants and sessions end afterwards, since there
//! may be very many (`tokens/revoke.rs`).

use serde_json::json;

use super::mac_roots;
use super::macs::{Purpose, key_id};
use super::record::KeyRecord;
use super::roots;
use super::turning::Wish;
use super::vault::{Sealed, Vault};
use crate::crypto::encoding::b64u;
use crate::crypto::mac::{Framed, MacKey};
use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event};
use crate::store::changes::{self, Kind};
use crate::store::mac_roots::MacRootRow;
use crate::store::refresh_roots::{self, RefreshRootRow};
use crate::store::signing_keys::{self, SigningKeyRow};
use crate::store::{StoreError, Tx, audit_chain, audit_turns, endings, lost_hosts};

/// What takes the place of what was lost.
#[derive(Debug, Clone)]
pub(super) struct Anew {
    mac_root: MacRootRow,
    /// What the key ring's rows are MACed with.
    pub(super) mac_key: MacKey,
    audit_key: MacKey,
    former_audit_key: String,
    refresh_root: RefreshRootRow,
}

impl Anew {
    /// Makes it. Nobody has it yet.
    pub(super) fn make(vault: &Vault, now: Timestamp) -> Self {
        let (mac_root, root) = mac_roots::fresh(vault, now);
        Self {
            mac_root,
            mac_key: root.key(Purpose::SigningKey).clone(),
            audit_key: root.key(Purpose::Audit).clone(),
            former_audit_key: key_id(&vault.mac_key(Purpose::Audit)),
            refresh_root: roots::fresh(vault, now),
        }
    }

    /// Puts it in the place of what was lost. `rows` are those of the key ring; the ones that `lost` vouches for go on.
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        (rows, lost): (&[SigningKeyRow], &MacKey),
        (wish, actor): (&Wish, &str),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let data = json!({"reason": wish.reason(), "mac_root": self.mac_root.id, "refresh_root": self.refresh_root.id});
        audit::record(tx, &Event { actor, action: "host.lost", subject: "", data }, now).await?;
        lost_hosts::add(tx, now).await?;
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
        self.turn_audit(tx).await?;
        changes::bump(tx, Kind::Clients).await?;
        endings::raise_all_clients_not_before(tx, now).await
    }

    /// The chain goes on under the new key, which vouches for all that is sealed until now.
    async fn turn_audit(&self, tx: &mut Tx) -> Result<(), StoreError> {
        // First, so that nothing is sealed between the look and the end of this unit.
        audit_chain::name_key(tx, &key_id(&self.audit_key)).await?;
        let head = audit_chain::head(tx).await?.ok_or_else(|| StoreError::corrupt("audit_head has no row"))?;
        let key_id = self.former_audit_key.clone();
        let turn = audit_turns::Turn { key_id, number: head.number, mac: head.mac, vouched: String::new() };
        let vouched = b64u(self.audit_key.sign(&[turned(&turn).as_bytes()]));
        audit_turns::insert(tx, &audit_turns::Turn { vouched, ..turn }).await
    }
}

/// What a new key of the audit vouches for: where the chain stood when it took the place of another.
#[must_use]
pub fn turned(turn: &audit_turns::Turn) -> Framed {
    Framed::of(&["turn", &turn.key_id, &turn.number.to_string(), &turn.mac])
}
