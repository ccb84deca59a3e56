use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::domain::time::Clock;
use crate::keys::bootstrap;
use crate::keys::ring::Keys;
use crate::keys::ring::tests::{NOW, vault};
use crate::keys::signer::Typ;
use crate::keys::verify::{VerifyError, VerifyFor};
use crate::keys::{check_master_key, rewrap};
use crate::store::refresh_roots;
use crate::store::testing::TestStore;

fn policy() -> KeyPolicy {
    KeyPolicy::usual(&[Alg::ES256])
}

fn turn() -> Wish {
    Wish::Turn { lagging: Lagging::new() }
}

/// At a moment that does not pass.
async fn carry_out(
    store: &Store,
    vault: &Vault,
    policy: &KeyPolicy,
    wish: &Wish,
    actor: &str,
    now: Timestamp,
) -> Result<Vec<Done>, KeysError> {
    super::carry_out(store, vault, policy, wish, actor, &|| now).await
}

async fn started() -> (TestStore, Keys, Vault) {
    let (store, vault) = (TestStore::open().await, vault());
    let (keys, _) = bootstrap::start(&store, &vault, &policy(), NOW).await.unwrap();
    (store, keys, vault)
}

async fn rows(store: &Store) -> Vec<SigningKeyRow> {
    signing_keys::list(&mut store.read().await.unwrap()).await.unwrap()
}

async fn kid(store: &Store, state: KeyState) -> String {
    let mut found: Vec<_> = rows(store).await.into_iter().filter(|row| row.state == state.as_str()).collect();
    assert_eq!(found.len(), 1, "{state}: {found:?}");
    found.remove(0).kid
}

async fn events(store: &Store, subject: &str) -> Vec<String> {
    let found = audit::about(&mut store.read().await.unwrap(), subject, 9).await.unwrap();
    found.into_iter().rev().map(|event| event.action).collect()
}

#[tokio::test]
async fn a_key_counts_as_published_only_once_it_has_been_made() {
    let (store, _, vault) = started().await;
    let due = NOW.plus(policy().period);
    let asked = AtomicU64::new(0);
    // Ten seconds pass between any two looks.
    let clock = || due.plus(Duration::from_secs(10 * asked.fetch_add(1, Ordering::Relaxed)));
    super::carry_out(&store, &vault, &policy(), &turn(), "system", &clock).await.unwrap();
    let made = due.plus(Duration::from_secs(10)).as_seconds();
    let spare = rows(&store).await.into_iter().find(|row| row.state == KeyState::Pending.as_str()).unwrap();
    assert_eq!((spare.created_at, spare.published_at), (made, made));
    let active = rows(&store).await.into_iter().find(|row| row.state == KeyState::Active.as_str()).unwrap();
    assert_eq!(active.activate_at, made);
}

#[tokio::test]
async fn a_key_lives_through_all_its_states_and_is_recorded_in_each() {
    let (store, keys, vault) = started().await;
    let policy = policy();
    let (first, second) = (kid(&store, KeyState::Active).await, kid(&store, KeyState::Pending).await);
    let token = keys.ring().signer(Alg::ES256).unwrap().sign(Typ::IdToken, b"{}").unwrap();

    assert_eq!(carry_out(&store, &vault, &policy, &turn(), "system", NOW).await.unwrap(), []);
    let due = NOW.plus(policy.period);
    let done = carry_out(&store, &vault, &policy, &turn(), "system", due).await.unwrap();
    assert_eq!(done.len(), 3, "{done:?}");
    assert_eq!(carry_out(&store, &vault, &policy, &turn(), "system", due).await.unwrap(), [], "once is enough");
    assert_eq!(kid(&store, KeyState::Retiring).await, first);
    assert_eq!(kid(&store, KeyState::Active).await, second);
    let erased = rows(&store).await.into_iter().find(|row| row.kid == first).unwrap();
    assert_eq!((erased.private_sealed, erased.kek_id), (None, None));
    assert_eq!(erased.retire_at, Some(policy.retired_at(due).as_seconds()));
    keys.reload(&store, &vault, due).await.unwrap();
    assert_eq!(keys.ring().signer(Alg::ES256).unwrap().kid().as_str(), second);
    assert!(keys.ring().verify(&token, VerifyFor::IdTokenHint, due).is_ok());
    assert_eq!(keys.ring().published().count(), 3);

    let gone = policy.retired_at(due);
    let done = carry_out(&store, &vault, &policy, &turn(), "system", gone).await.unwrap();
    assert_eq!(done.len(), 1, "{done:?}");
    keys.reload(&store, &vault, gone).await.unwrap();
    assert_eq!(kid(&store, KeyState::Retired).await, first);
    assert_eq!(keys.ring().published().count(), 2);
    assert!(keys.ring().verify(&token, VerifyFor::IdTokenHint, gone).is_ok(), "good as a hint");

    let wish = Wish::Revoke { kid: first.clone(), reason: "found in a backup".to_owned() };
    carry_out(&store, &vault, &policy, &wish, "cli", gone).await.unwrap();
    keys.reload(&store, &vault, gone).await.unwrap();
    assert_eq!(keys.ring().verify(&token, VerifyFor::IdTokenHint, gone), Err(VerifyError::KeyNotAccepted));
    assert_eq!(
        events(&store, &first).await,
        ["key.generate", "key.activate", "key.retire", "key.remove", "key.compromise"]
    );
    let last = audit::about(&mut store.read().await.unwrap(), &first, 1).await.unwrap().remove(0);
    assert_eq!(last.actor, "cli");
    assert!(last.data.contains("found in a backup"), "{}", last.data);
}

#[tokio::test]
async fn a_lost_active_key_is_replaced_by_the_spare_in_the_same_breath() {
    let (store, keys, vault) = started().await;
    let policy = policy();
    let (lost, spare) = (kid(&store, KeyState::Active).await, kid(&store, KeyState::Pending).await);
    let token = keys.ring().signer(Alg::ES256).unwrap().sign(Typ::AccessToken, b"{}").unwrap();
    let now = NOW.plus(Duration::from_secs(7));
    let wish = Wish::Revoke { kid: lost.clone(), reason: "stolen".to_owned() };
    let done = carry_out(&store, &vault, &policy, &wish, "cli", now).await.unwrap();
    assert_eq!(done.len(), 3, "{done:?}");
    assert_eq!(kid(&store, KeyState::Active).await, spare);
    assert_eq!(kid(&store, KeyState::Revoked).await, lost);
    kid(&store, KeyState::Pending).await;
    let row = rows(&store).await.into_iter().find(|row| row.kid == lost).unwrap();
    assert_eq!((row.private_sealed, row.reason.as_deref()), (None, Some("stolen")));
    assert_eq!(row.retire_at, Some(now.as_seconds()), "it is not in the key set any more");
    let until = installation::emergency_until(&mut store.read().await.unwrap()).await.unwrap();
    assert_eq!(until, Some(now.plus(Duration::from_secs(48 * 3_600))));
    keys.reload(&store, &vault, now).await.unwrap();
    assert_eq!(keys.ring().verify(&token, VerifyFor::AccessToken, now), Err(VerifyError::KeyNotAccepted));
    let again = carry_out(&store, &vault, &policy, &wish, "cli", now).await;
    assert!(matches!(again, Err(KeysError::Refused(Refused::AlreadyRevoked(_)))), "{again:?}");
}

#[tokio::test]
async fn when_all_is_lost_no_old_key_is_left() {
    let (store, _, vault) = started().await;
    let policy = policy();
    let old: Vec<String> = rows(&store).await.into_iter().map(|row| row.kid).collect();
    let wish = Wish::RevokeAll { reason: "the machine was stolen".to_owned() };
    carry_out(&store, &vault, &policy, &wish, "cli", NOW).await.unwrap();
    for row in rows(&store).await {
        assert_eq!(old.contains(&row.kid), row.state == "revoked", "{row:?}");
        assert_eq!(old.contains(&row.kid), row.private_sealed.is_none(), "{row:?}");
    }
    kid(&store, KeyState::Active).await;
    kid(&store, KeyState::Pending).await;

    // Again, while a row is forged that says it signs: it goes with the others, and what was revoked before stays believed.
    let forged = kid(&store, KeyState::Active).await;
    store.run("UPDATE signing_keys SET created_at = created_at - 1 WHERE state = 'active'").await;
    let root = refresh_roots::list(&mut store.read().await.unwrap()).await.unwrap();
    carry_out(&store, &vault, &policy, &wish, "cli", NOW).await.unwrap();
    assert_ne!(kid(&store, KeyState::Active).await, forged);
    check_master_key(&store, &vault, NOW).await.unwrap();
    let mac_key = vault.mac_key(Purpose::SigningKey);
    let all = rows(&store).await;
    assert_eq!(all.iter().filter(|row| KeyRecord::verified(row, &mac_key).is_ok()).count(), all.len());
    let next = refresh_roots::list(&mut store.read().await.unwrap()).await.unwrap();
    let ended = |rows: &[refresh_roots::RefreshRootRow]| rows.iter().filter(|row| row.ended_at.is_some()).count();
    assert_eq!((next.len(), ended(&next)), (root.len() + 1, root.len()));
}

#[tokio::test]
async fn processes_and_admins_who_act_at_once_leave_one_active_key_and_one_spare() {
    let (store, _, vault) = started().await;
    let others = [store.open_again().await, store.open_again().await];
    let policy = policy();
    let mut now = NOW;
    for round in 0..6 {
        now = now.plus(policy.period).plus(policy.publish_ahead);
        let by_hand = match round % 3 {
            0 => Wish::Rotate { alg: Alg::ES256, at_once: true },
            1 => Wish::Revoke { kid: kid(&store, KeyState::Active).await, reason: "drill".to_owned() },
            _ => Wish::Rotate { alg: Alg::ES256, at_once: false },
        };
        let wish = turn();
        let (one, two, three) = tokio::join!(
            carry_out(&store, &vault, &policy, &wish, "system", now),
            carry_out(&others[0], &vault, &policy, &wish, "system", now),
            carry_out(&others[1], &vault, &policy, &by_hand, "cli", now),
        );
        for outcome in [one, two, three] {
            outcome.unwrap();
        }
        kid(&store, KeyState::Active).await;
        kid(&store, KeyState::Pending).await;
    }
}

#[tokio::test]
async fn new_keys_are_sealed_under_the_master_key_that_counts_by_then() {
    let store = TestStore::open().await;
    let both = || Vault::over([2; 32]).after([1; 32]);
    check_master_key(&store, &Vault::over([1; 32]), NOW).await.unwrap();
    let (vault, policy) = (both(), policy());
    bootstrap::start(&store, &vault, &policy, NOW).await.unwrap();
    let other = both();
    check_master_key(&store, &other, NOW).await.unwrap();
    rewrap::run(&store, &other, &Clock::standing_at(NOW), |_| ()).await.unwrap();
    assert_ne!(vault.seals_with(), other.seals_with(), "this process has not heard of it");
    let done = carry_out(&store, &vault, &policy, &turn(), "system", NOW.plus(policy.period)).await.unwrap();
    assert_eq!(done.len(), 3, "{done:?}");
    for row in rows(&store).await {
        assert!(row.kek_id.is_none_or(|kek_id| kek_id == other.kek_id()));
    }
}

#[tokio::test]
async fn a_turn_of_one_algorithm_leaves_the_others_alone() {
    let (store, vault) = (TestStore::open().await, vault());
    let policy = KeyPolicy::usual(&[Alg::ES256, Alg::RS256]);
    bootstrap::start(&store, &vault, &policy, NOW).await.unwrap();
    let due = NOW.plus(policy.period);
    let wish = Wish::TurnOne { alg: Alg::RS256, lagging: Lagging::new() };
    let done = carry_out(&store, &vault, &policy, &wish, "cli", due).await.unwrap();
    assert!(done.len() == 3 && done.iter().all(|done| done.alg == Alg::RS256), "{done:?}");
}

#[tokio::test]
async fn a_forged_active_row_stops_the_turning_and_can_be_revoked() {
    let (store, _, vault) = started().await;
    let policy = policy();
    let forged = kid(&store, KeyState::Active).await;
    let mut row = rows(&store).await.into_iter().find(|row| row.kid == forged).unwrap();
    let (read, mac) = (row.mac.clone(), vault.mac_key(Purpose::Csrf));
    row.mac = KeyRecord::read(&row).unwrap().row(None, &mac).mac;
    assert!(store.write(async move |tx| signing_keys::replace(tx, &row, &read).await).await.unwrap());
    let due = NOW.plus(policy.period);
    assert_eq!(carry_out(&store, &vault, &policy, &turn(), "system", due).await.unwrap(), []);
    let wish = Wish::Revoke { kid: forged.clone(), reason: "changed from outside".to_owned() };
    carry_out(&store, &vault, &policy, &wish, "cli", due).await.unwrap();
    assert_eq!(kid(&store, KeyState::Revoked).await, forged);
    kid(&store, KeyState::Active).await;
    kid(&store, KeyState::Pending).await;
}

#[tokio::test]
async fn who_was_not_waited_for_is_recorded() {
    let (store, _, vault) = started().await;
    let policy = policy();
    let spare = KeyId::new(kid(&store, KeyState::Pending).await);
    let lagging = Lagging::from([(spare.clone(), vec![ClientId::new("shop")])]);
    let wish = Wish::Turn { lagging };
    let due = NOW.plus(policy.period);
    assert_eq!(carry_out(&store, &vault, &policy, &wish, "system", due).await.unwrap(), []);
    let impatient = policy.patient_until(due);
    let done = carry_out(&store, &vault, &policy, &wish, "system", impatient).await.unwrap();
    assert!(done.iter().any(|done| done.step == Move::Activate { kid: spare.clone() }));
    let last = audit::about(&mut store.read().await.unwrap(), spare.as_str(), 1).await.unwrap().remove(0);
    assert!(last.data.contains(r#""without":["shop"]"#), "{}", last.data);
}
