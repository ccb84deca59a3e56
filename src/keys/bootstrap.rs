//! The first start: for each algorithm one key that signs at once, and one that waits.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::master_key::{MasterKeyMismatch, check_master_key};
use super::pair::{self, CannotMake, KeyPair};
use super::record::KeyRecord;
use super::ring::Keys;
use super::roots::{self, Roots};
use super::state::KeyState;
use super::vault::{Purpose, Vault};
use crate::domain::alg::Alg;
use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event};
use crate::store::changes::{self, Kind};
use crate::store::signing_keys::{self, SigningKeyRow};
use crate::store::{Store, StoreError};

/// The settings that rule the ring.
#[derive(Debug, Clone)]
pub struct KeyPolicy {
    /// Algorithms that have a key.
    pub algorithms: Vec<Alg>,
    /// Size of RSA keys.
    pub rsa_bits: u32,
    /// How long a key signs.
    pub period: Duration,
    /// How long a key is published before it signs.
    pub publish_ahead: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
    /// How long others keep the key set.
    pub jwks_max_age: Duration,
}

/// Why the keys are not ready.
#[derive(Debug, Clone)]
pub enum KeysError {
    /// The master key is not the database's.
    MasterKey(MasterKeyMismatch),
    /// A pair could not be made.
    Pair(CannotMake),
    /// The making of pairs was broken off: the process is ending.
    BrokenOff,
    /// The database refused.
    Store(StoreError),
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MasterKey(error) => error.fmt(f),
            Self::Pair(error) => error.fmt(f),
            Self::BrokenOff => f.write_str("the making of keys was broken off"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeysError {}

impl From<StoreError> for KeysError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Everything about keys that a start needs, in order: the master key is checked, what is missing is made, and the ring and the
/// roots are read. On an existing installation nothing is made and nothing written.
///
/// # Errors
/// [`KeysError`].
pub async fn start(
    store: &Store,
    vault: &Vault,
    policy: &KeyPolicy,
    now: Timestamp,
) -> Result<(Keys, Roots), KeysError> {
    check_master_key(store, vault, now).await.map_err(KeysError::MasterKey)?;
    ensure(store, vault, policy, now).await?;
    roots::ensure(store, vault, now).await?;
    Ok((Keys::load(store, vault, policy.skew, now).await?, Roots::load(store, vault).await?))
}

/// Makes keys for the algorithms that have no active one. False: there were all.
///
/// # Errors
/// [`KeysError`].
pub async fn ensure(store: &Store, vault: &Vault, policy: &KeyPolicy, now: Timestamp) -> Result<bool, KeysError> {
    let known = signing_keys::list(&mut store.read().await?).await?;
    let mut made = Vec::new();
    for (position, alg) in policy.algorithms.iter().enumerate().filter(|(_, alg)| lacks_active(&known, **alg)) {
        // Pairs are made before the unit of work begins: a unit waits for nothing but its statements.
        let (active, pending) = tokio::join!(make(*alg, policy.rsa_bits), make(*alg, policy.rsa_bits));
        let next = now.plus(first_period(policy, position));
        made.push(New {
            alg: *alg,
            active: row(&active?, KeyState::Active, now, now, vault),
            pending: row(&pending?, KeyState::Pending, now, next, vault),
        });
    }
    if made.is_empty() {
        return Ok(false);
    }
    let inserted = store
        .write(async move |tx| {
            // The counter's row makes processes that start at once wait here for each other.
            changes::bump(tx, Kind::Keys).await?;
            let known = signing_keys::list(tx).await?;
            let mut inserted = false;
            for new in made.iter().filter(|new| lacks_active(&known, new.alg)) {
                // Where a key waits already it stays the next one.
                let waits =
                    known.iter().any(|row| row.alg == new.alg.as_str() && row.state == KeyState::Pending.as_str());
                for row in std::iter::once(&new.active).chain((!waits).then_some(&new.pending)) {
                    if signing_keys::insert(tx, row).await? {
                        inserted = true;
                        record(tx, row, now).await?;
                    }
                }
            }
            Ok(inserted)
        })
        .await?;
    Ok(inserted)
}

/// What is made for one algorithm.
struct New {
    alg: Alg,
    active: SigningKeyRow,
    pending: SigningKeyRow,
}

fn lacks_active(rows: &[SigningKeyRow], alg: Alg) -> bool {
    !rows.iter().any(|row| row.alg == alg.as_str() && row.state == KeyState::Active.as_str())
}

/// The first keys serve for less than a period where there are several algorithms, so that these never turn on one day.
fn first_period(policy: &KeyPolicy, position: usize) -> Duration {
    let several = u32::try_from(policy.algorithms.len()).unwrap_or(1).max(1);
    let earlier = policy.period / several * u32::try_from(position).unwrap_or(0);
    policy.period.saturating_sub(earlier).max(policy.publish_ahead)
}

/// Makes a pair where that holds up no request.
async fn make(alg: Alg, rsa_bits: u32) -> Result<KeyPair, KeysError> {
    tokio::task::spawn_blocking(move || pair::make(alg, rsa_bits))
        .await
        .map_err(|_| KeysError::BrokenOff)?
        .map_err(KeysError::Pair)
}

fn row(pair: &KeyPair, state: KeyState, now: Timestamp, activate_at: Timestamp, vault: &Vault) -> SigningKeyRow {
    let record = KeyRecord {
        public: pair.public.clone(),
        state,
        created_at: now,
        published_at: now,
        activate_at,
        retire_at: None,
    };
    let sealed = vault.seal(KeyRecord::place(record.kid()), &pair.private);
    record.row(Some(sealed), &vault.mac_key(Purpose::SigningKey))
}

async fn record(tx: &mut crate::store::Tx, row: &SigningKeyRow, now: Timestamp) -> Result<(), StoreError> {
    let event = |action| Event {
        actor: "system",
        action,
        subject: &row.kid,
        data: json!({"alg": row.alg, "activate_at": row.activate_at, "reason": "first start"}),
    };
    audit::record(tx, &event("key.generate"), now).await?;
    if row.state == KeyState::Active.as_str() {
        audit::record(tx, &event("key.activate"), now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ring::tests::{NOW, vault};
    use crate::keys::signer::Typ;
    use crate::keys::verify::VerifyFor;
    use crate::store::testing::TestStore;

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    fn policy() -> KeyPolicy {
        KeyPolicy {
            algorithms: vec![Alg::ES256, Alg::RS256],
            rsa_bits: 2048,
            period: days(30),
            publish_ahead: days(1),
            skew: Duration::from_secs(60),
            jwks_max_age: Duration::from_secs(300),
        }
    }

    async fn rows(store: &Store) -> Vec<SigningKeyRow> {
        signing_keys::list(&mut store.read().await.unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_first_start_makes_one_active_and_one_pending_key_each_and_the_next_makes_none() {
        let store = TestStore::open().await;
        let (keys, _) = start(&store, &vault(), &policy(), NOW).await.unwrap();
        let of = |alg: Alg, state: KeyState| {
            let mut found = keys
                .ring()
                .published()
                .filter(|key| key.alg() == alg && key.state == state)
                .cloned()
                .collect::<Vec<_>>();
            assert_eq!(found.len(), 1, "{alg} {state}");
            found.remove(0)
        };
        for (alg, first) in [(Alg::ES256, days(30)), (Alg::RS256, days(15))] {
            let (active, pending) = (of(alg, KeyState::Active), of(alg, KeyState::Pending));
            assert_eq!((active.activate_at, active.published_at, active.retire_at), (NOW, NOW, None));
            assert_eq!((pending.activate_at, pending.published_at), (NOW.plus(first), NOW));
            let events = |kid: String| {
                let store = &store;
                async move {
                    let found = audit::about(&mut store.read().await.unwrap(), &kid, 9).await.unwrap();
                    found.into_iter().map(|event| event.action).collect::<Vec<_>>()
                }
            };
            assert_eq!(events(active.kid().to_string()).await, ["key.activate", "key.generate"]);
            assert_eq!(events(pending.kid().to_string()).await, ["key.generate"]);
            let token = keys.ring().signer(alg).unwrap().sign(Typ::AccessToken, b"{}").unwrap();
            assert_eq!(&keys.ring().verify(&token, VerifyFor::AccessToken, NOW).unwrap().kid, active.kid());
        }
        assert_eq!((keys.ring().algs(), keys.ring().published().count()), (Alg::ALL.to_vec(), 4));

        let (before, counters) = (rows(&store).await, changes::read(&mut store.read().await.unwrap()).await.unwrap());
        let second = store.open_again().await;
        let (again, _) = start(&second, &vault(), &policy(), NOW.plus(days(1))).await.unwrap();
        assert_eq!(again.ring().jwks(), keys.ring().jwks());
        assert_eq!(rows(&store).await, before);
        assert_eq!(
            changes::read(&mut store.read().await.unwrap()).await.unwrap(),
            counters,
            "no one is told to read again"
        );
        assert!(start(&store, &Vault::over([9; 32]), &policy(), NOW).await.is_err());
        assert_eq!(rows(&store).await, before);
    }

    #[tokio::test]
    async fn processes_that_start_at_once_agree_on_the_keys() {
        let policy = KeyPolicy { algorithms: vec![Alg::ES256], ..policy() };
        for _ in 0..10 {
            let store = TestStore::open().await;
            let other = store.open_again().await;
            let (vault, same) = (vault(), vault());
            let (one, two) = tokio::join!(start(&store, &vault, &policy, NOW), start(&other, &same, &policy, NOW));
            let ((one, _), (two, _)) = (one.unwrap(), two.unwrap());
            assert_eq!(rows(&store).await.len(), 2);
            assert_eq!(one.ring().jwks(), two.ring().jwks());
        }
    }

    #[tokio::test]
    async fn an_algorithm_that_is_added_later_gets_its_keys_and_the_ring_is_read_again() {
        let (store, vault) = (TestStore::open().await, vault());
        let one = KeyPolicy { algorithms: vec![Alg::ES256], ..policy() };
        let (keys, _) = start(&store, &vault, &one, NOW).await.unwrap();
        let taken = keys.ring();
        let old = rows(&store).await;
        let later = NOW.plus(days(3));
        assert!(ensure(&store, &vault, &policy(), later).await.unwrap());
        let rows = rows(&store).await;
        assert_eq!((&rows[..2], rows.len()), (&old[..], 4));
        assert_eq!(keys.ring().algs(), [Alg::ES256]);
        let counter = changes::read(&mut store.read().await.unwrap()).await.unwrap().keys;
        assert_ne!(keys.counter(), counter);
        keys.reload(&store, &vault, later).await.unwrap();
        assert_eq!(
            (keys.ring().algs(), keys.ring().loaded_at(), keys.confirmed_at()),
            (Alg::ALL.to_vec(), later, later)
        );
        assert_eq!(keys.counter(), counter);
        assert_eq!(taken.algs(), [Alg::ES256], "a ring that was taken does not change");
        keys.confirm(later.plus(days(1)));
        assert_eq!((keys.confirmed_at(), keys.ring().loaded_at()), (later.plus(days(1)), later));
    }

    #[tokio::test]
    async fn an_active_key_that_is_not_believed_is_not_replaced_in_silence() {
        let store = TestStore::open().await;
        let policy = KeyPolicy { algorithms: vec![Alg::ES256], ..policy() };
        let mut forged = row(&pair::make(Alg::ES256, 2048).unwrap(), KeyState::Active, NOW, NOW, &vault());
        forged.activate_at += 1;
        store.write(async move |tx| signing_keys::insert(tx, &forged).await).await.unwrap();
        assert!(!ensure(&store, &vault(), &policy, NOW).await.unwrap());
        let keys = Keys::load(&store, &vault(), policy.skew, NOW).await.unwrap();
        assert!(keys.ring().signer(Alg::ES256).is_none());
        assert_eq!(keys.ring().published().count(), 0);
    }

    #[test]
    fn first_periods_are_spread_and_never_shorter_than_publication() {
        let policy = policy();
        assert_eq!([0, 1].map(|at| first_period(&policy, at)), [days(30), days(15)]);
        let short = KeyPolicy { period: days(1), ..policy };
        assert_eq!([0, 1].map(|at| first_period(&short, at)), [days(1), days(1)]);
    }
}
