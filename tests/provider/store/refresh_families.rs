//! Families: one for each grant, one step for each generation.

use frontdesk::domain::client::Delivery;
use frontdesk::domain::grant::EndReason;
use frontdesk::domain::id::{FamilyId, GrantId};
use frontdesk::domain::refresh_family::Retries;
use frontdesk::store::endings::{self, Grants, Part};
use frontdesk::store::refresh_families::{self, Advance};
use frontdesk::store::{Store, StoreError, Tx, grants};

use super::rows::{DAY, NOW, Rows, family, grant, later, race};

async fn advance(store: &Store, id: &FamilyId, from: u32, to: u32) -> bool {
    let id = id.clone();
    let work = async move |tx: &mut Tx| {
        let retries = Retries { streak: 2, counted: true, contexts: vec!["one".to_owned(), "two".to_owned()] };
        let to = Advance { generation: to, rotated_at: later(5), idle_expires_at: later(2 * DAY), retries: &retries };
        refresh_families::advance(tx, &id, from, &to).await
    };
    store.write(work).await.unwrap()
}

#[tokio::test]
async fn a_step_is_taken_from_the_generation_that_was_read_and_writes_all_of_it() {
    let rows = Rows::open().await;
    let born = rows.family(&rows.grant(1).await).await;
    assert!(!advance(rows.store(), &born.id, 1, 2).await, "it stands at 0");
    assert!(!advance(rows.store(), &FamilyId::new("none"), 0, 1).await);
    assert!(advance(rows.store(), &born.id, 0, 1).await);
    assert!(!advance(rows.store(), &born.id, 0, 1).await);
    let (read, standing) =
        refresh_families::find(&mut rows.store().read().await.unwrap(), &born.id).await.unwrap().unwrap();
    assert_eq!((read.generation, read.rotated_at, read.idle_expires_at), (1, later(5), later(2 * DAY)));
    assert_eq!((read.retries.streak, read.retries.counted, read.retries.contexts.len()), (2, true, 2));
    assert_eq!((read.expires_at, read.retry, read.delivery), (born.expires_at, born.retry, born.delivery));
    assert_eq!(standing.grant.id, born.grant_id);
    let grant = born.grant_id.clone();
    let end = async move |tx: &mut Tx| {
        endings::end_grants(tx, Grants::One(&grant), Part::default(), EndReason::Revoked, NOW).await
    };
    rows.store().write(end).await.unwrap();
    assert!(!advance(rows.store(), &born.id, 1, 2).await, "it is over");
    assert_eq!(rows.number("SELECT generation FROM refresh_families").await, 1);
}

#[tokio::test]
async fn a_grant_has_one_family_and_a_session_one_living_cookie_family_for_each_client() {
    let rows = Rows::open().await;
    let first = rows.grant(1).await;
    rows.family(&first).await;
    let again = family(&first);
    let refused = rows.store().write(async move |tx| refresh_families::insert(tx, &again, NOW).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let mut orphan = family(&first);
    orphan.grant_id = GrantId::new("none");
    let refused = rows.store().write(async move |tx| refresh_families::insert(tx, &orphan, NOW).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let cookie = async |place: i64| {
        let mut grant = grant(place);
        grant.delivery = Delivery::Cookie;
        let (own, id) = (family(&grant), grant.id.clone());
        let work = async move |tx: &mut Tx| {
            grants::insert(tx, &grant, "").await?;
            refresh_families::insert(tx, &own, NOW).await
        };
        (rows.store().write(work).await, id)
    };
    let (inserted, one) = cookie(2).await;
    inserted.unwrap();
    let (refused, _) = cookie(3).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(rows.number("SELECT COUNT(*) FROM grants").await, 2, "its grant went with it");
    let end = async move |tx: &mut Tx| {
        endings::end_grants(tx, Grants::One(&one), Part::default(), EndReason::Replaced, NOW).await
    };
    rows.store().write(end).await.unwrap();
    cookie(4).await.0.unwrap();
    assert_eq!(rows.number("SELECT COUNT(*) FROM refresh_families WHERE delivery = 'cookie'").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_steps_from_one_generation_over_two_processes_one_is_taken() {
    let rows = Rows::open().await;
    let id = rows.family(&rows.grant(1).await).await.id;
    for generation in 0..6_u32 {
        let won = race(&rows, 32, |store, _| {
            let id = id.clone();
            async move { advance(&store, &id, generation, generation + 1).await }
        })
        .await;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
        assert_eq!(rows.number("SELECT generation FROM refresh_families").await, i64::from(generation + 1));
    }
}
