//! The ring: all keys at one moment, and the handle that is replaced when they change.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;

use super::jwk::PublicJwk;
use super::record::KeyRecord;
use super::rotation::Standing;
use super::signer::Signer;
use super::state::KeyState;
use super::vault::{Purpose, Sealed, Vault};
use super::verifier::Verifier;
use crate::crypto::digest;
use crate::domain::alg::Alg;
use crate::domain::id::{ClientId, KeyId};
use crate::domain::time::Timestamp;
use crate::store::canaries::CanaryRow;
use crate::store::signing_keys::{self, SigningKeyRow};
use crate::store::{Db, Store, StoreError, canaries, changes, installation};

/// An answer made in advance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The body.
    pub bytes: Arc<[u8]>,
    /// A strong entity tag with its quotes (RFC 9110 §8.8.3): the digest of the body.
    pub etag: String,
}

impl Prepared {
    /// Takes a body.
    #[must_use]
    pub fn new(body: Vec<u8>) -> Self {
        let etag = format!("\"{}\"", digest::sha256_b64u(&body));
        Self { bytes: body.into(), etag }
    }
}

/// All keys at one moment. It never changes; [`Keys`] holds the present one.
#[derive(Debug)]
pub struct KeyRing {
    pub(super) keys: Vec<RingKey>,
    pub(super) skew: Duration,
    canaries: Vec<Canary>,
    emergency_until: Option<Timestamp>,
    jwks: Prepared,
    loaded_at: Timestamp,
}

/// What the database holds about keys.
#[derive(Debug, Default)]
pub struct Found {
    /// The keys.
    pub rows: Vec<SigningKeyRow>,
    /// Apps that the waiting key signs for.
    pub canaries: Vec<CanaryRow>,
    /// Until when others are told to keep the key set for seconds only.
    pub emergency_until: Option<Timestamp>,
}

impl Found {
    /// Reads all of it.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn read(db: &mut Db) -> Result<Self, StoreError> {
        Ok(Self {
            rows: signing_keys::list(db).await?,
            canaries: canaries::list(db).await?,
            emergency_until: installation::emergency_until(db).await?,
        })
    }
}

impl From<Vec<SigningKeyRow>> for Found {
    fn from(rows: Vec<SigningKeyRow>) -> Self {
        Self { rows, ..Self::default() }
    }
}

/// For how long others may keep the key set after a key was revoked.
const EMERGENCY_MAX_AGE: Duration = Duration::from_secs(30);

/// An app whose tokens the waiting key signs, so that one which pins keys is found before the turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The app.
    pub client: ClientId,
    /// The key.
    pub kid: KeyId,
    /// Until when.
    pub until: Timestamp,
}

impl Canary {
    pub(super) fn sings(&self, now: Timestamp) -> bool {
        !self.until.has_passed(now)
    }
}

impl From<&CanaryRow> for Canary {
    fn from(row: &CanaryRow) -> Self {
        Self {
            client: ClientId::new(row.client_id.as_str()),
            kid: KeyId::new(row.kid.as_str()),
            until: Timestamp::from_seconds(row.until),
        }
    }
}

/// A key that was believed.
#[derive(Debug)]
pub(super) struct RingKey {
    pub(super) record: KeyRecord,
    pub(super) verifier: Verifier,
    signer: Option<Signer>,
}

impl KeyRing {
    /// Reads rows. Those that cannot be believed are left out, and alarms are raised for them; a key whose private half does
    /// not open is published and does not sign. Pending private halves stay sealed.
    #[must_use]
    pub fn build(found: &Found, vault: &Vault, skew: Duration, now: Timestamp) -> Self {
        let mac_key = vault.mac_key(Purpose::SigningKey);
        let canaries: Vec<Canary> = found.canaries.iter().map(Canary::from).collect();
        let signs_ahead = |kid: &KeyId| canaries.iter().any(|canary| canary.kid == *kid && canary.sings(now));
        let mut keys: Vec<RingKey> = found
            .rows
            .iter()
            .filter_map(|row| {
                let record = KeyRecord::verified(row, &mac_key)
                    .map_err(|error| tracing::error!(alarm = "signing key row", kid = row.kid, %error, "a signing key is left out"))
                    .ok()?;
                let Some(verifier) = Verifier::load(&record.public) else {
                    tracing::error!(alarm = "signing key row", kid = row.kid, "a signing key is left out: its numbers are no key");
                    return None;
                };
                let signs = record.state.may_sign()
                    || (record.state == KeyState::Pending && signs_ahead(record.kid()));
                let signer = if signs { load_signer(row, &record, vault) } else { None };
                Some(RingKey { record, verifier, signer })
            })
            .collect();
        keys.sort_by_key(|key| rank(&key.record));
        let jwks = jwks(keys.iter().map(|key| &key.record));
        Self { keys, skew, canaries, emergency_until: found.emergency_until, jwks, loaded_at: now }
    }

    /// The key that signs with an algorithm.
    #[must_use]
    pub fn signer(&self, alg: Alg) -> Option<&Signer> {
        let mut active = self.keys.iter().filter(|key| key.record.state.may_sign());
        active.find(|key| key.record.alg() == alg)?.signer.as_ref()
    }

    /// The key that signs what is not for one app: with ES256 where there is such a key, since that is quicker and shorter.
    #[must_use]
    pub fn house_signer(&self) -> Option<&Signer> {
        self.signer(Alg::ES256).or_else(|| self.signer(Alg::RS256))
    }

    /// The key that signs for an app: the one that waits, while the app is a canary.
    #[must_use]
    pub fn signer_for(&self, client: &str, alg: Alg, now: Timestamp) -> Option<&Signer> {
        let ahead = || {
            let mine = self.canaries.iter().filter(|canary| canary.client.as_str() == client && canary.sings(now));
            let mut keys = mine.filter_map(|canary| self.keys.iter().find(|key| *key.record.kid() == canary.kid));
            keys.find(|key| key.record.alg() == alg && key.record.state == KeyState::Pending)?.signer.as_ref()
        };
        // Nearly always there is none.
        if self.canaries.is_empty() { None } else { ahead() }.or_else(|| self.signer(alg))
    }

    /// Whether tokens of a key are about that it signed for a canary.
    pub(super) fn signed_ahead(&self, kid: &KeyId) -> bool {
        self.canaries.iter().any(|canary| canary.kid == *kid)
    }

    /// Apps that the waiting keys sign for now.
    pub fn canaries(&self, now: Timestamp) -> impl Iterator<Item = &Canary> {
        self.canaries.iter().filter(move |canary| canary.sings(now))
    }

    /// For how long others may keep the key set: so long that they have the next one when it is needed.
    #[must_use]
    pub fn max_age(&self, usual: Duration, now: Timestamp) -> Duration {
        if self.emergency_until.is_some_and(|until| !until.has_passed(now)) {
            return usual.min(EMERGENCY_MAX_AGE);
        }
        // Whoever comes back just then has the new set first.
        let turns = self.published().filter_map(|key| match key.state {
            KeyState::Pending => Some(key.activate_at),
            KeyState::Retiring => key.retire_at,
            KeyState::Active | KeyState::Retired | KeyState::Revoked => None,
        });
        let next = turns.filter(|turn| !turn.has_passed(now)).min();
        next.map_or(usual, |turn| usual.min(Duration::from_secs(turn.seconds_since(now).max(1))))
    }

    /// The algorithms that a key signs with now.
    #[must_use]
    pub fn algs(&self) -> Vec<Alg> {
        Alg::ALL.into_iter().filter(|alg| self.signer(*alg).is_some()).collect()
    }

    /// The key set (RFC 7517 §5): active keys first, then pending, then retiring ones.
    #[must_use]
    pub const fn jwks(&self) -> &Prepared {
        &self.jwks
    }

    /// All keys that are believed.
    pub fn records(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().map(|key| &key.record)
    }

    /// The keys in the key set, in its order.
    pub fn published(&self) -> impl Iterator<Item = &KeyRecord> {
        self.records().filter(|record| record.state.is_published())
    }

    /// The keys as the planner sees them.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        self.records().map(Standing::from).collect()
    }

    /// When it was read.
    #[must_use]
    pub const fn loaded_at(&self) -> Timestamp {
        self.loaded_at
    }
}

/// The present ring. Requests take one ring and keep it to their end.
#[derive(Debug)]
pub struct Keys {
    read: ArcSwap<Read>,
    confirmed_at: AtomicI64,
    skew: Duration,
}

/// A ring, and what its counter was when it was read: one thing, so that never an old ring goes with a new counter.
#[derive(Debug)]
struct Read {
    ring: Arc<KeyRing>,
    counter: i64,
}

impl Keys {
    /// Reads the ring for the first time. `skew` is how far clocks may be apart.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn load(store: &Store, vault: &Vault, skew: Duration, now: Timestamp) -> Result<Self, StoreError> {
        let (ring, counter) = read(store, vault, skew, now).await?;
        Ok(Self {
            read: ArcSwap::from_pointee(Read { ring: Arc::new(ring), counter }),
            confirmed_at: AtomicI64::new(now.as_seconds()),
            skew,
        })
    }

    /// Reads the ring again. `now` is from before the call. On failure the old one stays.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn reload(&self, store: &Store, vault: &Vault, now: Timestamp) -> Result<(), StoreError> {
        let (ring, counter) = read(store, vault, self.skew, now).await?;
        self.install(ring, counter, now);
        Ok(())
    }

    /// The same, if the counter is still what it was before the vault was brought up to date; else the vault is too old for what is
    /// there by now, and the ring stays as it was. False: so it is.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn reload_at(
        &self,
        store: &Store,
        vault: &Vault,
        counter: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (ring, before) = read(store, vault, self.skew, now).await?;
        let after = changes::read(&mut store.read().await?).await?.keys;
        let holds = before == counter && after == counter;
        if holds {
            self.install(ring, counter, now);
        }
        Ok(holds)
    }

    fn install(&self, ring: KeyRing, counter: i64, now: Timestamp) {
        self.read.store(Arc::new(Read { ring: Arc::new(ring), counter }));
        self.confirm(now);
    }

    /// The present ring.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.read.load().ring)
    }

    /// What the ring's counter was when the ring was read. Where the database's differs, read again.
    #[must_use]
    pub fn counter(&self) -> i64 {
        self.read.load().counter
    }

    /// Notes that the database said at `now` that the ring has not changed.
    pub fn confirm(&self, now: Timestamp) {
        self.confirmed_at.store(now.as_seconds(), Ordering::Relaxed);
    }

    /// When the ring was last known to be the database's. How old is too old, the caller decides.
    #[must_use]
    pub fn confirmed_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.confirmed_at.load(Ordering::Relaxed))
    }
}

/// The key set of records: the published ones, in the order of [`KeyRing::jwks`].
#[must_use]
pub fn jwks<'r>(records: impl Iterator<Item = &'r KeyRecord>) -> Prepared {
    #[derive(Serialize)]
    struct KeySet<'k> {
        keys: Vec<&'k PublicJwk>,
    }
    let mut published: Vec<_> = records.filter(|record| record.state.is_published()).collect();
    published.sort_by_key(|record| rank(record));
    let set = KeySet { keys: published.into_iter().map(|record| &record.public).collect() };
    // Strings under fixed names always serialise.
    Prepared::new(serde_json::to_vec(&set).unwrap_or_default())
}

/// Some clients take the first key that fits, so the one that signs comes first.
fn rank(record: &KeyRecord) -> (u8, Alg, Timestamp, String) {
    (record.state.order(), record.alg(), record.created_at, record.kid().to_string())
}

/// Reads the counter, then the keys: a change in between is seen at the next look.
async fn read(store: &Store, vault: &Vault, skew: Duration, now: Timestamp) -> Result<(KeyRing, i64), StoreError> {
    let mut db = store.read().await?;
    let counter = changes::read(&mut db).await?.keys;
    let found = Found::read(&mut db).await?;
    drop(db);
    Ok((KeyRing::build(&found, vault, skew, now), counter))
}

fn load_signer(row: &SigningKeyRow, record: &KeyRecord, vault: &Vault) -> Option<Signer> {
    let kid = record.kid();
    let (Some(text), Some(kek_id)) = (row.private_sealed.clone(), row.kek_id.clone()) else {
        tracing::error!(alarm = "signing key", %kid, "the active key has no private half");
        return None;
    };
    let private = vault
        .open(KeyRecord::place(kid), &Sealed { text, kek_id })
        .map_err(|error| tracing::error!(alarm = "signing key", %kid, %error, "the active key does not open"))
        .ok()?;
    Signer::load(&record.public, &private)
        .map_err(|error| tracing::error!(alarm = "signing key", %kid, %error, "the active key cannot sign"))
        .ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::keys::pair::{self, KeyPair};

    pub(in crate::keys) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    pub(in crate::keys) const SKEW: Duration = Duration::from_secs(60);

    pub(in crate::keys) fn vault() -> Vault {
        Vault::over([5; 32])
    }

    /// A row for a key that was activated, or shall be, at `NOW` plus `activate_in` seconds.
    pub(in crate::keys) fn row(pair: &KeyPair, state: KeyState, activate_in: i64) -> SigningKeyRow {
        let record = KeyRecord {
            public: pair.public.clone(),
            state,
            created_at: NOW,
            published_at: NOW,
            activate_at: Timestamp::from_seconds(NOW.as_seconds() + activate_in),
            retire_at: None,
            changed_at: NOW,
            reason: None,
        };
        let sealed = vault().seal(KeyRecord::place(record.kid()), &pair.private);
        record.row(Some(sealed), &vault().mac_key(Purpose::SigningKey))
    }

    fn ec() -> KeyPair {
        pair::make(Alg::ES256, 2048).unwrap()
    }

    fn kids(ring: &KeyRing) -> Vec<String> {
        let set: serde_json::Value = serde_json::from_slice(&ring.jwks().bytes).unwrap();
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_key_set_holds_published_keys_the_signing_one_first() {
        let pairs: Vec<_> = (0..5).map(|_| ec()).collect();
        let states = [KeyState::Retiring, KeyState::Revoked, KeyState::Pending, KeyState::Retired, KeyState::Active];
        let rows: Vec<_> = pairs.iter().zip(states).map(|(pair, state)| row(pair, state, 0)).collect();
        let ring = KeyRing::build(&rows.clone().into(), &vault(), SKEW, NOW);
        let kid = |at: usize| pairs[at].public.kid().to_string();
        assert_eq!(kids(&ring), [kid(4), kid(2), kid(0)]);
        assert_eq!(ring.published().map(|record| record.kid().to_string()).collect::<Vec<_>>(), kids(&ring));
        assert_eq!(ring.signer(Alg::ES256).unwrap().kid().as_str(), kid(4));
        assert!(ring.signer(Alg::RS256).is_none());
        assert_eq!(ring.algs(), [Alg::ES256]);
        assert_eq!(ring.jwks().etag, format!("\"{}\"", digest::sha256_b64u(&ring.jwks().bytes)));
        let records: Vec<_> = rows.iter().map(|row| KeyRecord::read(row).unwrap()).collect();
        assert_eq!(&jwks(records.iter()), ring.jwks(), "the same set without the master key");
        for member in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            let text = String::from_utf8(ring.jwks().bytes.to_vec()).unwrap();
            assert!(!text.contains(&format!("\"{member}\"")), "{member}");
        }
    }

    #[test]
    fn rows_that_cannot_be_believed_are_neither_published_nor_used() {
        let (good, forged, misnamed) = (ec(), ec(), ec());
        let mut promoted = row(&forged, KeyState::Revoked, 0);
        promoted.state = "retiring".to_owned();
        let mut renamed = row(&misnamed, KeyState::Pending, 0);
        renamed.kid = "another".to_owned();
        let rows = [row(&good, KeyState::Active, 0), promoted, renamed];
        let ring = KeyRing::build(&rows.to_vec().into(), &vault(), SKEW, NOW);
        assert_eq!(kids(&ring), [good.public.kid().to_string()]);
        assert_eq!(
            KeyRing::build(&rows.to_vec().into(), &Vault::over([6; 32]), SKEW, NOW).jwks().bytes.as_ref(),
            br#"{"keys":[]}"#
        );
    }

    #[test]
    fn a_private_half_that_does_not_open_or_is_anothers_does_not_sign() {
        let (pair, other) = (ec(), ec());
        let mut moved = row(&pair, KeyState::Active, 0);
        moved.private_sealed = row(&other, KeyState::Active, 0).private_sealed;
        let mut foreign = row(&pair, KeyState::Active, 0);
        foreign.private_sealed = Some(vault().seal(KeyRecord::place(pair.public.kid()), &other.private).text);
        let mut gone = row(&pair, KeyState::Active, 0);
        gone.private_sealed = None;
        for row in [moved, foreign, gone] {
            let ring = KeyRing::build(&vec![row].into(), &vault(), SKEW, NOW);
            assert!(ring.signer(Alg::ES256).is_none());
            assert_eq!(kids(&ring).len(), 1, "others may still check what it signed");
        }
    }

    #[test]
    fn a_pending_private_half_is_not_opened() {
        let mut pending = row(&ec(), KeyState::Pending, 0);
        pending.private_sealed = Some("it would raise an alarm, were it opened".to_owned());
        let ring = KeyRing::build(&vec![pending].into(), &vault(), SKEW, NOW);
        assert!(ring.signer(Alg::ES256).is_none());
        assert_eq!(kids(&ring).len(), 1);
    }
}
