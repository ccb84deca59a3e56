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
use crate::domain::time::Timestamp;
use crate::store::signing_keys::{self, SigningKeyRow};
use crate::store::{Store, StoreError, changes};

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
    jwks: Prepared,
    loaded_at: Timestamp,
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
    pub fn build(rows: &[SigningKeyRow], vault: &Vault, skew: Duration, now: Timestamp) -> Self {
        let mac_key = vault.mac_key(Purpose::SigningKey);
        let mut keys: Vec<RingKey> = rows
            .iter()
            .filter_map(|row| {
                let record = KeyRecord::verified(row, &mac_key)
                    .map_err(|error| tracing::error!(alarm = "signing key row", kid = row.kid, %error, "a signing key is left out"))
                    .ok()?;
                let Some(verifier) = Verifier::load(&record.public) else {
                    tracing::error!(alarm = "signing key row", kid = row.kid, "a signing key is left out: its numbers are no key");
                    return None;
                };
                let signer = if record.state.may_sign() { load_signer(row, &record, vault) } else { None };
                Some(RingKey { record, verifier, signer })
            })
            .collect();
        keys.sort_by_key(|key| rank(&key.record));
        let jwks = jwks(keys.iter().map(|key| &key.record));
        Self { keys, skew, jwks, loaded_at: now }
    }

    /// The key that signs with an algorithm.
    #[must_use]
    pub fn signer(&self, alg: Alg) -> Option<&Signer> {
        self.keys.iter().filter_map(|key| key.signer.as_ref()).find(|signer| signer.alg() == alg)
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

    /// The keys in the key set, in its order.
    pub fn published(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().map(|key| &key.record).filter(|record| record.state.is_published())
    }

    /// The keys as the planner sees them.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        self.keys.iter().map(|key| Standing::from(&key.record)).collect()
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
    ring: ArcSwap<KeyRing>,
    counter: AtomicI64,
    confirmed_at: AtomicI64,
    skew: Duration,
}

impl Keys {
    /// Reads the ring for the first time. `skew` is how far clocks may be apart.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn load(store: &Store, vault: &Vault, skew: Duration, now: Timestamp) -> Result<Self, StoreError> {
        let (ring, counter) = read(store, vault, skew, now).await?;
        Ok(Self {
            ring: ArcSwap::from_pointee(ring),
            counter: AtomicI64::new(counter),
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
        self.ring.store(Arc::new(ring));
        self.counter.store(counter, Ordering::Relaxed);
        self.confirm(now);
        Ok(())
    }

    /// The present ring.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// What the ring's counter was when the ring was read. Where the database's differs, read again.
    #[must_use]
    pub fn counter(&self) -> i64 {
        self.counter.load(Ordering::Relaxed)
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
    let state = match record.state {
        KeyState::Active => 0,
        KeyState::Pending => 1,
        KeyState::Retiring => 2,
        KeyState::Retired => 3,
        KeyState::Revoked => 4,
    };
    (state, record.alg(), record.created_at, record.kid().to_string())
}

/// Reads the counter, then the keys: a change in between is seen at the next look.
async fn read(store: &Store, vault: &Vault, skew: Duration, now: Timestamp) -> Result<(KeyRing, i64), StoreError> {
    let mut db = store.read().await?;
    let counter = changes::read(&mut db).await?.keys;
    let rows = signing_keys::list(&mut db).await?;
    drop(db);
    Ok((KeyRing::build(&rows, vault, skew, now), counter))
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
        let ring = KeyRing::build(&rows, &vault(), SKEW, NOW);
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
        let ring = KeyRing::build(&rows, &vault(), SKEW, NOW);
        assert_eq!(kids(&ring), [good.public.kid().to_string()]);
        assert_eq!(KeyRing::build(&rows, &Vault::over([6; 32]), SKEW, NOW).jwks().bytes.as_ref(), br#"{"keys":[]}"#);
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
            let ring = KeyRing::build(&[row], &vault(), SKEW, NOW);
            assert!(ring.signer(Alg::ES256).is_none());
            assert_eq!(kids(&ring).len(), 1, "others may still check what it signed");
        }
    }

    #[test]
    fn a_pending_private_half_is_not_opened() {
        let mut pending = row(&ec(), KeyState::Pending, 0);
        pending.private_sealed = Some("it would raise an alarm, were it opened".to_owned());
        let ring = KeyRing::build(&[pending], &vault(), SKEW, NOW);
        assert!(ring.signer(Alg::ES256).is_none());
        assert_eq!(kids(&ring).len(), 1);
    }
}
