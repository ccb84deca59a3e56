//! What `rotation.rs` decides, carried out: rows, private halves and the record of it, in one unit of work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::KeysError;
use super::jwk::PublicJwk;
use super::lost_host::Anew;
use super::master_key::{self, Stand};
use super::pair::{self, KeyPair};
use super::policy::KeyPolicy;
use super::record::KeyRecord;
use super::rotation::{self, Move, Refused, Standing};
use super::state::KeyState;
use super::vault::{Purpose, Sealed, Vault};
use crate::crypto::mac::MacKey;
use crate::domain::alg::Alg;
use crate::domain::id::{ClientId, KeyId};
use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event};
use crate::store::changes::{self, Kind};
use crate::store::signing_keys::{self, SigningKeyRow};
use crate::store::{Store, StoreError, Tx, installation};

/// How long after a key was revoked others are told to keep the key set for seconds only.
const EMERGENCY: Duration = Duration::from_secs(48 * 3600);

/// How often a unit is begun again because the ring needed other new keys than were made for it.
const MOST_TRIES: u32 = 5;

/// Apps that lag, by the pending key that they were not yet seen to have.
pub type Lagging = BTreeMap<KeyId, Vec<ClientId>>;

/// What is wanted of the ring.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Whatever is due.
    Turn {
        /// Who is waited for.
        lagging: Lagging,
    },
    /// What is due of one algorithm, and nothing else.
    TurnOne {
        /// The algorithm.
        alg: Alg,
        /// Who is waited for.
        lagging: Lagging,
    },
    /// The next key of an algorithm shall sign.
    Rotate {
        /// The algorithm.
        alg: Alg,
        /// Now, whatever that breaks; else as early as is safe.
        at_once: bool,
    },
    /// A key shall never be trusted again.
    Revoke {
        /// Its name.
        kid: String,
        /// Why; it is published in the key history.
        reason: String,
    },
    /// The same for every key, and whatever else lay on a machine is replaced: the machine was lost.
    RevokeAll {
        /// Why; it is published in the key history.
        reason: String,
    },
}

impl Wish {
    fn moves(&self, keys: &[Standing], policy: &KeyPolicy, now: Timestamp) -> Result<Vec<Move>, Refused> {
        match self {
            Self::Turn { lagging } => {
                Ok(rotation::plan(keys, policy, &lagging.keys().cloned().collect::<BTreeSet<_>>(), now))
            }
            Self::TurnOne { alg, lagging } => {
                Ok(rotation::plan_for(*alg, keys, policy, &lagging.keys().cloned().collect::<BTreeSet<_>>(), now))
            }
            Self::Rotate { alg, at_once } => rotation::rotate(keys, policy, *alg, *at_once, now),
            Self::Revoke { kid, .. } => rotation::revoke(keys, policy, kid, now),
            Self::RevokeAll { .. } => Ok(rotation::revoke_all(keys, policy, now)),
        }
    }

    fn revokes(&self, key: &str) -> bool {
        match self {
            Self::Revoke { kid, .. } => kid == key,
            Self::RevokeAll { .. } => true,
            Self::Turn { .. } | Self::TurnOne { .. } | Self::Rotate { .. } => false,
        }
    }

    /// Why, if something is thrown out.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Revoke { reason, .. } | Self::RevokeAll { reason } => Some(reason),
            Self::Turn { .. } | Self::TurnOne { .. } | Self::Rotate { .. } => None,
        }
    }
}

/// A step that was made, and the key that it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The step.
    pub step: Move,
    /// The key.
    pub kid: KeyId,
    /// Its algorithm.
    pub alg: Alg,
}

/// Makes a wish come true, as one unit of work. What is due and done already is not done again: nothing is written then.
///
/// A row that cannot be believed does not count as a key. Where it says that it is active, its algorithm is left alone until
/// somebody revokes it: nothing is replaced in silence.
///
/// `clock` is asked again once new keys have been made. That takes seconds where keys are large or machines slow, and a key must not
/// count as published before there was one.
///
/// # Errors
/// [`KeysError`].
pub async fn carry_out(
    store: &Store,
    vault: &Vault,
    policy: &KeyPolicy,
    wish: &Wish,
    actor: &str,
    clock: &(dyn Fn() -> Timestamp + Sync),
) -> Result<Vec<Done>, KeysError> {
    let mut made = Vec::new();
    for again in 0..MOST_TRIES {
        // An admin may have thought for a while. The job's process follows by itself.
        if again > 0 || !matches!(wish, Wish::Turn { .. }) {
            master_key::follow(store, vault).await.map_err(KeysError::MasterKey)?;
        }
        let (stand, mac_key) = (Stand::of(vault), vault.mac_key(Purpose::SigningKey));
        let rows = signing_keys::list(&mut store.read().await?).await?;
        let moves = wanted(&rows, &mac_key, policy, wish, clock())?;
        if moves.is_empty() {
            return Ok(Vec::new());
        }
        // Pairs are made before the unit of work begins: a unit waits for nothing but its statements.
        for alg in missing(&moves, &made) {
            made.push(New::make(alg, policy.rsa_bits, vault).await?);
        }
        let now = clock();
        let anew = matches!(wish, Wish::RevokeAll { .. }).then(|| Anew::make(vault, now));
        let (new, policy, wish, actor, mac_key) =
            (made.clone(), policy.clone(), wish.clone(), actor.to_owned(), mac_key.clone());
        let outcome = store
            .write(async move |tx| {
                // The counter's row makes processes that do this at once wait here for each other.
                changes::bump(tx, Kind::Keys).await?;
                if !stand.holds(tx).await? {
                    return Ok(Ok(Outcome::Outdated));
                }
                let rows = signing_keys::list(tx).await?;
                let moves = match wanted(&rows, &mac_key, &policy, &wish, now) {
                    Ok(moves) => moves,
                    Err(refused) => return Ok(Err(refused)),
                };
                if !missing(&moves, &new).is_empty() {
                    return Ok(Ok(Outcome::MoreKeys));
                }
                let writes_with = anew.as_ref().map_or(&mac_key, |anew| &anew.mac_key).clone();
                let mut turn = Turn { rows, new, mac_key: writes_with, wish, actor, now };
                let done = turn.make(tx, moves).await?;
                if let Some(anew) = anew {
                    anew.write(tx, (&turn.rows, &mac_key), (&turn.wish, &turn.actor), now).await?;
                }
                Ok(Ok(Outcome::Done(done)))
            })
            .await?;
        match outcome? {
            Outcome::Done(done) => return Ok(done),
            Outcome::MoreKeys => {}
            // What was sealed for it lies under a key that may be gone soon.
            Outcome::Outdated => made.clear(),
        }
    }
    Err(KeysError::Store(StoreError::Busy))
}

/// What became of a unit of work.
enum Outcome {
    Done(Vec<Done>),
    /// It needs other new keys than were made for it; nothing was written.
    MoreKeys,
    /// The master key or the MAC root has been turned meanwhile; nothing was written.
    Outdated,
}

/// The steps that a wish means for rows.
fn wanted(
    rows: &[SigningKeyRow],
    mac_key: &MacKey,
    policy: &KeyPolicy,
    wish: &Wish,
    now: Timestamp,
) -> Result<Vec<Move>, Refused> {
    let mut policy = policy.clone();
    let mut keys = Vec::new();
    for row in rows {
        match KeyRecord::verified(row, mac_key) {
            Ok(record) => keys.push(Standing::from(&record)),
            // It says what it is, and can be revoked by what it says.
            Err(_) if wish.revokes(&row.kid) => {
                keys.extend(KeyRecord::read(row).ok().as_ref().map(Standing::from));
            }
            Err(_) if row.state == KeyState::Active.as_str() => policy.algorithms.retain(|alg| alg.as_str() != row.alg),
            Err(_) => {}
        }
    }
    wish.moves(&keys, &policy, now)
}

/// The algorithms of keys that must be made first.
fn missing(moves: &[Move], made: &[New]) -> Vec<Alg> {
    let mut there: Vec<Alg> = made.iter().map(|new| new.public.alg()).collect();
    let mut missing = Vec::new();
    for step in moves {
        let Move::Create { alg, .. } = step else { continue };
        match there.iter().position(|own| own == alg) {
            Some(at) => drop(there.swap_remove(at)),
            None => missing.push(*alg),
        }
    }
    missing
}

/// A pair that nobody has seen yet, its private half sealed.
#[derive(Debug, Clone)]
struct New {
    public: PublicJwk,
    private: Sealed,
}

impl New {
    /// Makes a pair where that holds up no request.
    async fn make(alg: Alg, rsa_bits: u32, vault: &Vault) -> Result<Self, KeysError> {
        let KeyPair { public, private } = tokio::task::spawn_blocking(move || pair::make(alg, rsa_bits))
            .await
            .map_err(|_| KeysError::BrokenOff)?
            .map_err(KeysError::Pair)?;
        Ok(Self { private: vault.seal(KeyRecord::place(public.kid()), &private), public })
    }
}

/// Steps on their way into the database.
struct Turn {
    rows: Vec<SigningKeyRow>,
    new: Vec<New>,
    mac_key: MacKey,
    wish: Wish,
    actor: String,
    now: Timestamp,
}

impl Turn {
    async fn make(&mut self, tx: &mut Tx, moves: Vec<Move>) -> Result<Vec<Done>, StoreError> {
        let mut done = Vec::new();
        for step in moves {
            let (kid, alg) = match &step {
                Move::Create { alg, active, activate_at } => {
                    (self.create(tx, *alg, *active, *activate_at).await?, *alg)
                }
                Move::Schedule { kid, activate_at } => {
                    (kid.clone(), self.change(tx, kid, "key.schedule", |key| key.activate_at = *activate_at).await?)
                }
                Move::Activate { kid } => {
                    let now = self.now;
                    let change = |key: &mut KeyRecord| {
                        key.state = KeyState::Active;
                        key.activate_at = now;
                    };
                    (kid.clone(), self.change(tx, kid, "key.activate", change).await?)
                }
                Move::Retire { kid, retire_at } => {
                    let change = |key: &mut KeyRecord| {
                        key.state = KeyState::Retiring;
                        key.retire_at = Some(*retire_at);
                    };
                    (kid.clone(), self.change(tx, kid, "key.retire", change).await?)
                }
                Move::Remove { kid } => {
                    (kid.clone(), self.change(tx, kid, "key.remove", |key| key.state = KeyState::Retired).await?)
                }
                Move::Revoke { kid } => {
                    let (reason, now) = (self.wish.reason().map(str::to_owned), self.now);
                    let change = |key: &mut KeyRecord| {
                        key.state = KeyState::Revoked;
                        key.reason = reason;
                        // It has left the key set now, if it had not before.
                        key.retire_at = Some(key.retire_at.map_or(now, |at| at.min(now)));
                    };
                    let alg = self.change(tx, kid, "key.compromise", change).await?;
                    installation::emergency(tx, self.now.plus(EMERGENCY)).await?;
                    (kid.clone(), alg)
                }
            };
            done.push(Done { step, kid, alg });
        }
        Ok(done)
    }

    async fn create(
        &mut self,
        tx: &mut Tx,
        alg: Alg,
        active: bool,
        activate_at: Timestamp,
    ) -> Result<KeyId, StoreError> {
        let at = self.new.iter().position(|new| new.public.alg() == alg).ok_or(StoreError::Busy)?;
        let New { public, private } = self.new.swap_remove(at);
        let record = KeyRecord {
            public,
            state: if active { KeyState::Active } else { KeyState::Pending },
            created_at: self.now,
            published_at: self.now,
            activate_at,
            retire_at: None,
            changed_at: self.now,
            reason: None,
        };
        if !signing_keys::insert(tx, &record.row(Some(private), &self.mac_key)).await? {
            // Another row says that it is active, though nobody saw one a moment ago.
            return Err(StoreError::Busy);
        }
        self.record(tx, &record, "key.generate").await?;
        if active {
            self.record(tx, &record, "key.activate").await?;
        }
        Ok(record.kid().clone())
    }

    /// Changes a key's row. Only a key that goes on to sign keeps its private half.
    async fn change(
        &mut self,
        tx: &mut Tx,
        kid: &KeyId,
        action: &'static str,
        change: impl FnOnce(&mut KeyRecord),
    ) -> Result<Alg, StoreError> {
        let row = self.rows.iter_mut().find(|row| row.kid == kid.as_str()).ok_or(StoreError::Busy)?;
        let mut record = KeyRecord::read(row).map_err(|_| StoreError::corrupt("signing_keys"))?;
        change(&mut record);
        record.changed_at = self.now;
        let private = row
            .private_sealed
            .take()
            .zip(row.kek_id.take())
            .filter(|_| matches!(record.state, KeyState::Pending | KeyState::Active))
            .map(|(text, kek_id)| Sealed { text, kek_id });
        let changed = record.row(private, &self.mac_key);
        if !signing_keys::replace(tx, &changed, &row.mac).await? {
            return Err(StoreError::Busy);
        }
        *row = changed;
        self.record(tx, &record, action).await?;
        Ok(record.alg())
    }

    async fn record(&self, tx: &mut Tx, key: &KeyRecord, action: &'static str) -> Result<(), StoreError> {
        let mut data = json!({"alg": key.alg(), "activate_at": key.activate_at.as_seconds()});
        let mut add = |name: &str, value: Value| {
            data.as_object_mut().map(|data| data.insert(name.to_owned(), value));
        };
        if let Some(at) = key.retire_at {
            add("retire_at", at.as_seconds().into());
        }
        if let Some(reason) = &key.reason {
            add("reason", reason.as_str().into());
        }
        if let Wish::Turn { lagging } | Wish::TurnOne { lagging, .. } = &self.wish
            && let Some(apps) = lagging.get(key.kid())
            && action == "key.activate"
        {
            add("without", apps.iter().map(ClientId::as_str).collect());
        }
        let event = Event { actor: &self.actor, action, subject: key.kid().as_str(), data };
        audit::record(tx, &event, self.now).await
    }
}

#[cfg(test)]
mod tests;
