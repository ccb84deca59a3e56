//! Sealing everything anew: broken off after each step, twice at once, beside processes that lack the key or lag behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check_master_key;
use super::master_key::follow;
use super::pair;
use super::record::KeyRecord;
use super::rewrap::{CannotRewrap, Pass, run, turn};
use super::ring::tests::{NOW, row};
use super::state::KeyState;
use super::vault::{Place, Sealed, Vault};
use super::{mac_roots, roots};
use crate::domain::alg::Alg;
use crate::domain::id::UserId;
use crate::domain::time::{Clock, Timestamp};
use crate::store::nodes::{self, Node};
use crate::store::passwords::{self, SealedHash};
use crate::store::sealed::{self, Table};
use crate::store::testing::{TestStore, all_at_once};
use crate::store::{Store, audit, signing_keys};

/// Three batches.
const PEOPLE: usize = 250;

fn old() -> Vault {
    Vault::over([5; 32])
}

fn both() -> Vault {
    Vault::over([6; 32]).after([5; 32])
}

fn new() -> Vault {
    Vault::over([6; 32])
}

fn clock() -> Clock {
    Clock::standing_at(NOW)
}

/// Something of every kind, sealed under the old key.
async fn furnished() -> TestStore {
    let (store, vault) = (TestStore::open().await, old());
    check_master_key(&store, &vault, NOW).await.unwrap();
    roots::ensure(&store, &vault, NOW).await.unwrap();
    let pair = pair::make(Alg::ES256, 2048).unwrap();
    let key = row(&pair, KeyState::Active, 0);
    // The private half of a retired key is gone.
    let mut retired = row(&pair::make(Alg::ES256, 2048).unwrap(), KeyState::Retired, 0);
    (retired.private_sealed, retired.kek_id) = (None, None);
    store
        .write(async move |tx| {
            signing_keys::insert(tx, &key).await?;
            signing_keys::insert(tx, &retired).await
        })
        .await
        .unwrap();
    let people: Vec<String> =
        (0..PEOPLE).map(|at| format!("('u{at}', 'u{at}', 'u{at}', 'u{at}', FALSE, '{{}}', '', 0, 0, 0)")).collect();
    let insert = format!(
        "INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, updated_at, not_before) \
         VALUES {}",
        people.join(", ")
    );
    store.run(Box::leak(insert.into_boxed_str())).await;
    let vault = Arc::new(old());
    // In small units: one may not hold the writer for long, also on a slow machine.
    for from in (0..PEOPLE).step_by(50) {
        let vault = Arc::clone(&vault);
        store
            .write(async move |tx| {
                for at in from..(from + 50).min(PEOPLE) {
                    put(tx, &vault, at, "first").await?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }
    let (second, _) = mac_roots::fresh(&attached(&store, old()).await, NOW);
    store.write(async move |tx| mac_roots::replace(tx, &second, NOW).await).await.unwrap();
    store
}

async fn attached(store: &Store, vault: Vault) -> Vault {
    check_master_key(store, &vault, NOW).await.unwrap();
    vault
}

async fn put(tx: &mut crate::store::Tx, vault: &Vault, at: usize, hash: &str) -> Result<(), crate::store::StoreError> {
    let user = UserId::new(format!("u{at}"));
    let sealed = vault.seal(Place::of(Table::Passwords, user.as_str()), format!("{hash} of {user}").as_bytes());
    passwords::put(tx, &user, SealedHash { text: &sealed.text, kek_id: &sealed.kek_id }, NOW).await
}

/// Opens everything, and tells how many values there are under each key.
async fn opened(store: &Store, vault: &Vault) -> BTreeMap<String, usize> {
    let mut db = store.read().await.unwrap();
    let mut found = BTreeMap::new();
    for table in Table::ALL {
        for kek_id in sealed::kek_ids(&mut db, table).await.unwrap() {
            for value in sealed::batch(&mut db, table, &kek_id, "", 1_000).await.unwrap() {
                let sealed = Sealed { text: value.sealed, kek_id: kek_id.clone() };
                let plain = vault.open(Place::of(table, &value.row), &sealed).unwrap();
                assert!(table != Table::Passwords || plain.ends_with(format!(" of {}", value.row).as_bytes()));
                *found.entry(kek_id.clone()).or_default() += 1;
            }
        }
    }
    found
}

/// Passwords, two MAC roots, a refresh root, a signing key.
const VALUES: usize = PEOPLE + 4;

async fn node(store: &Store, name: &str, vaults: (&[&Vault], &Vault), now: Timestamp) {
    let node = Node {
        process: name.to_owned(),
        name: name.to_owned(),
        kek_ids: vaults.0.iter().map(|vault| vault.kek_id().to_owned()).collect(),
        seals_with: vaults.1.kek_id().to_owned(),
    };
    store.write(async move |tx| nodes::report(tx, &node, now).await).await.unwrap();
}

#[tokio::test]
async fn everything_is_sealed_anew_and_means_the_same() {
    let store = furnished().await;
    assert_eq!(opened(&store, &old()).await, BTreeMap::from([(old().kek_id().to_owned(), VALUES)]));
    let (vault, before) = (attached(&store, both()).await, attached(&store, old()).await);
    let macs = |vault: &Vault| vault.macs(super::macs::Purpose::Grant).each(|key| key.sign(&[b"grant"]));
    let rows = signing_keys::list(&mut store.read().await.unwrap()).await.unwrap();

    let report = run(&store, &vault, &clock(), |_| ()).await.unwrap();
    assert_eq!(report.turned_from.as_deref(), Some(before.kek_id()));
    let tables =
        [("mac_roots", 2), ("passwords", u64::try_from(PEOPLE).unwrap()), ("refresh_roots", 1), ("signing_keys", 1)];
    assert_eq!((report.resealed, report.left), (BTreeMap::from(tables), vec![]));
    assert_eq!(opened(&store, &new()).await, BTreeMap::from([(new().kek_id().to_owned(), VALUES)]));
    // The former key is needed no more; MACs are what they were.
    let after = attached(&store, new()).await;
    assert_eq!((macs(&after), macs(&after).len()), (macs(&before), 2));
    for (was, is) in rows.iter().zip(signing_keys::list(&mut store.read().await.unwrap()).await.unwrap()) {
        assert_eq!((&was.mac, was.private_sealed.is_some()), (&is.mac, is.private_sealed.is_some()));
        assert_eq!(KeyRecord::read(was).unwrap().kid(), KeyRecord::read(&is).unwrap().kid());
    }
    let events = audit::about(&mut store.read().await.unwrap(), "master_key_check", 9).await.unwrap();
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["master_key.rewrap", "master_key.turn"]);

    // Once more there is nothing to do, and nothing to record.
    let again = run(&store, &after, &clock(), |_| ()).await.unwrap();
    assert_eq!((again.turned_from, again.resealed.len(), again.left), (None, 0, vec![]));
    assert_eq!(audit::about(&mut store.read().await.unwrap(), "master_key_check", 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn broken_off_after_any_step_it_is_started_again_and_comes_to_its_end() {
    for steps in 0.. {
        let store = furnished().await;
        let vault = attached(&store, both()).await;
        turn(&store, &vault, NOW).await.unwrap();
        follow(&store, &vault).await.unwrap();
        let mut pass = Pass::begin(&store, &vault).await.unwrap();
        let mut whole = false;
        for _ in 0..steps {
            whole = !pass.step().await.unwrap();
        }
        drop(pass);
        // Whatever was reached: both keys open everything, and neither alone starts.
        let found = opened(&store, &both()).await;
        assert_eq!(found.values().sum::<usize>(), VALUES);
        assert!(check_master_key(&store, &old(), NOW).await.is_err());
        assert_eq!(
            check_master_key(&store, &new(), NOW).await.is_ok(),
            !found.contains_key(old().kek_id()),
            "after {steps} steps"
        );
        attached(&store, both()).await;
        // A person who changes the password meanwhile.
        let sealing = attached(&store, both()).await;
        store.write(async move |tx| put(tx, &sealing, 7, "second").await).await.unwrap();

        run(&store, &attached(&store, both()).await, &clock(), |_| ()).await.unwrap();
        assert_eq!(opened(&store, &new()).await, BTreeMap::from([(new().kek_id().to_owned(), VALUES)]));
        let seventh = passwords::find(&mut store.read().await.unwrap(), &UserId::new("u7")).await.unwrap().unwrap();
        let sealed = Sealed { text: seventh.sealed, kek_id: seventh.kek_id };
        let plain = new().open(Place::of(Table::Passwords, "u7"), &sealed).unwrap();
        assert_eq!(plain.as_slice(), b"second of u7", "a newer value is not undone");
        if whole {
            assert!(steps >= 6, "each pile and each batch is a step");
            return;
        }
    }
}

#[tokio::test]
async fn two_at_once_do_it_together() {
    let store = furnished().await;
    let runs = (0..2).map(|_| {
        let store = store.clone();
        async move {
            let vault = attached(&store, both()).await;
            run(&store, &vault, &clock(), |_| ()).await.unwrap()
        }
    });
    let reports = all_at_once(runs).await;
    let done: u64 = reports.iter().flat_map(|report| report.resealed.values()).sum();
    assert_eq!(done, u64::try_from(VALUES).unwrap(), "each value was sealed anew once");
    assert_eq!(reports.iter().filter(|report| report.turned_from.is_some()).count(), 1);
    assert!(reports.iter().all(|report| report.left.is_empty()));
    assert_eq!(opened(&store, &new()).await.len(), 1);
}

#[tokio::test]
async fn a_value_that_changes_under_its_hands_is_taken_again() {
    let store = furnished().await;
    let vault = attached(&store, both()).await;
    turn(&store, &vault, NOW).await.unwrap();
    let people = all_at_once((0..4).map(|of| {
        let store = store.clone();
        async move {
            // A process that has not followed yet.
            for at in (of..PEOPLE).step_by(4) {
                store.write(async move |tx| put(tx, &old(), at, "second").await).await.unwrap();
            }
        }
    }));
    let running = async {
        let reports = run(&store, &vault, &clock(), |_| ()).await.unwrap();
        drop(reports);
    };
    tokio::join!(people, running);
    run(&store, &vault, &clock(), |_| ()).await.unwrap();
    assert_eq!(opened(&store, &new()).await, BTreeMap::from([(new().kek_id().to_owned(), VALUES)]));
    let seconds = opened_hashes(&store).await.into_iter().filter(|hash| hash.starts_with("second")).count();
    assert_eq!(seconds, PEOPLE);
}

async fn opened_hashes(store: &Store) -> Vec<String> {
    let mut db = store.read().await.unwrap();
    let rows = sealed::batch(&mut db, Table::Passwords, new().kek_id(), "", 1_000).await.unwrap();
    rows.into_iter()
        .map(|value| {
            let sealed = Sealed { text: value.sealed, kek_id: new().kek_id().to_owned() };
            String::from_utf8(new().open(Place::of(Table::Passwords, &value.row), &sealed).unwrap().to_vec()).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn while_a_process_lacks_the_new_key_nothing_is_done() {
    let store = furnished().await;
    let vault = attached(&store, both()).await;
    node(&store, "host-a (process 1)", (&[&new(), &old()], &old()), NOW).await;
    node(&store, "host-b (process 2)", (&[&old()], &old()), NOW).await;
    let error = run(&store, &vault, &clock(), |_| ()).await.unwrap_err();
    let CannotRewrap::Lacking { kek_id, nodes } = &error else { panic!("{error}") };
    assert_eq!((kek_id.as_str(), nodes.len()), (new().kek_id(), 1));
    let text = error.to_string();
    assert!(text.contains("host-b (process 2)") && text.contains(old().kek_id()) && !text.contains("host-a"), "{text}");
    assert_eq!(opened(&store, &old()).await, BTreeMap::from([(old().kek_id().to_owned(), VALUES)]));
    assert_eq!(attached(&store, both()).await.seals_with(), old().kek_id());
    // Nobody has heard of it for a minute: it is gone.
    let later = NOW.plus(std::time::Duration::from_secs(60));
    node(&store, "host-a (process 1)", (&[&new(), &old()], &new()), later).await;
    run(&store, &vault, &Clock::standing_at(later), |_| ()).await.unwrap();
    assert_eq!(opened(&store, &new()).await.len(), 1);
}

#[tokio::test]
async fn it_does_not_end_before_every_process_seals_with_the_new_key() {
    let store = furnished().await;
    let vault = attached(&store, both()).await;
    node(&store, "slow", (&[&new(), &old()], &old()), NOW).await;
    let (other, mut asked) = (store.clone(), 0);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let slow = async move {
        told.recv().await.unwrap();
        // Its last value under the old key, and then it follows.
        other.write(async move |tx| put(tx, &old(), 9, "late").await).await.unwrap();
        node(&other, "slow", (&[&new(), &old()], &new()), NOW).await;
    };
    let clock = clock();
    let waits_for = |nodes: &[Node]| {
        assert_eq!(nodes.len(), 1);
        asked += 1;
        tell.send(()).unwrap_or_default();
    };
    let (report, ()) = tokio::join!(run(&store, &vault, &clock, waits_for), slow);
    assert_eq!(report.unwrap().resealed["passwords"], u64::try_from(PEOPLE).unwrap() + 1);
    assert!(asked >= 1);
    assert_eq!(opened(&store, &new()).await, BTreeMap::from([(new().kek_id().to_owned(), VALUES)]));
}

#[tokio::test]
async fn one_that_never_follows_is_named_in_the_end() {
    let store = furnished().await;
    let vault = attached(&store, both()).await;
    // Its clock is far ahead, so that it is never taken for gone.
    node(&store, "stuck", (&[&new(), &old()], &old()), NOW.plus(std::time::Duration::from_secs(1_000))).await;
    let clock = clock();
    let later = clock.clone();
    let error = run(&store, &vault, &clock, |_| later.advance(std::time::Duration::from_secs(100))).await.unwrap_err();
    assert!(matches!(&error, CannotRewrap::Lagging(_)) && error.to_string().contains("stuck"), "{error}");
}

#[tokio::test]
async fn what_does_not_open_is_told_and_holds_up_nothing_else() {
    let store = furnished().await;
    store.run("UPDATE passwords SET sealed = 'AAAA' WHERE user_id IN ('u3', 'u249')").await;
    let vault = attached(&store, both()).await;
    let report = run(&store, &vault, &clock(), |_| ()).await.unwrap();
    assert_eq!(report.left, [("passwords", old().kek_id().to_owned(), 2)]);
    assert_eq!(report.resealed["passwords"], u64::try_from(PEOPLE).unwrap() - 2);
}

#[tokio::test]
async fn nothing_that_is_sealed_stands_in_the_database_in_the_clear() {
    let store = furnished().await;
    run(&store, &attached(&store, both()).await, &clock(), |_| ()).await.unwrap();
    let Some(file) = store.url().strip_prefix("sqlite://").map(str::to_owned) else { return };
    let mut secrets = vec![vec![5; 32], vec![6; 32]];
    {
        let mut db = store.read().await.unwrap();
        for table in Table::ALL {
            for value in sealed::batch(&mut db, table, new().kek_id(), "", 5).await.unwrap() {
                let sealed = Sealed { text: value.sealed, kek_id: new().kek_id().to_owned() };
                secrets.push(new().open(Place::of(table, &value.row), &sealed).unwrap().to_vec());
            }
        }
    }
    assert_eq!(secrets.len(), 2 + 5 + 2 + 1 + 1);
    let bytes = [std::fs::read(&file).unwrap(), std::fs::read(format!("{file}-wal")).unwrap_or_default()].concat();
    assert!(holds(&bytes, b"master_key_check"), "it is looked into the right file");
    for secret in secrets {
        assert!(!holds(&bytes, &secret));
        assert!(!holds(&bytes, crate::crypto::encoding::b64u(&secret).as_bytes()));
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    // By the first byte, or a debug build compares for long.
    let (first, length) = (part[0], part.len());
    text.iter().enumerate().any(|(at, byte)| *byte == first && text.get(at..at + length) == Some(part))
}
