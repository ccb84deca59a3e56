//! The first start: for each algorithm one key that signs at once, and one that waits.

use super::KeysError;
use super::master_key::check_master_key;
use super::policy::KeyPolicy;
use super::ring::Keys;
use super::roots::{self, Roots};
use super::state::KeyState;
use super::turning::{self, Lagging, Wish};
use super::vault::Vault;
use crate::domain::alg::Alg;
use crate::domain::time::Timestamp;
use crate::store::{Store, signing_keys};

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

/// Makes keys for the algorithms that have none. False: there were all.
///
/// # Errors
/// [`KeysError`].
pub async fn ensure(store: &Store, vault: &Vault, policy: &KeyPolicy, now: Timestamp) -> Result<bool, KeysError> {
    let known = signing_keys::list(&mut store.read().await?).await?;
    let lacks_active =
        |alg: &Alg| !known.iter().any(|row| row.alg == alg.as_str() && row.state == KeyState::Active.as_str());
    // Everything else that is due is the job's, which looks at the clock first.
    if !policy.algorithms.iter().any(lacks_active) {
        return Ok(false);
    }
    let wish = Wish::Turn { lagging: Lagging::new() };
    Ok(!turning::carry_out(store, vault, policy, &wish, "system", &|| now).await?.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keys::pair;
    use crate::keys::ring::tests::{NOW, row, vault};
    use crate::keys::signer::Typ;
    use crate::keys::verify::VerifyFor;
    use crate::store::signing_keys::SigningKeyRow;
    use crate::store::testing::TestStore;
    use crate::store::{audit, changes};

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    fn policy() -> KeyPolicy {
        KeyPolicy::usual(&[Alg::ES256, Alg::RS256])
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
        let mut forged = row(&pair::make(Alg::ES256, 2048).unwrap(), KeyState::Active, 0);
        forged.activate_at += 1;
        store.write(async move |tx| signing_keys::insert(tx, &forged).await).await.unwrap();
        assert!(!ensure(&store, &vault(), &policy, NOW).await.unwrap());
        let keys = Keys::load(&store, &vault(), policy.skew, NOW).await.unwrap();
        assert!(keys.ring().signer(Alg::ES256).is_none());
        assert_eq!(keys.ring().published().count(), 0);
    }
}
