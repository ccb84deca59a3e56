//! A code ends once, in one of three ways.

use frontdesk::domain::code::CodeState;
use frontdesk::domain::id::CodeId;
use frontdesk::domain::time::Timestamp;
use frontdesk::store::{StoreError, codes};

use super::rows::{DAY, NOW, Rows, later, race};

async fn state(rows: &Rows, id: &CodeId) -> CodeState {
    codes::find(&mut rows.store().read().await.unwrap(), id).await.unwrap().unwrap().0.state
}

async fn redeem(rows: &Rows, id: &CodeId, now: Timestamp) -> bool {
    let id = id.clone();
    rows.store().write(async move |tx| codes::redeem(tx, &id, now).await).await.unwrap()
}

async fn burn(rows: &Rows, id: &CodeId, now: Timestamp) {
    let id = id.clone();
    rows.store().write(async move |tx| codes::burn(tx, &id, now).await).await.unwrap();
}

#[tokio::test]
async fn it_reads_back_as_it_was_written_with_the_grant_it_was_born_with() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    let code = rows.code(&grant).await;
    let (read, standing) = codes::find(&mut rows.store().read().await.unwrap(), &code.id).await.unwrap().unwrap();
    assert_eq!(read.state, CodeState::Issued { until: later(60) });
    assert!(read.digest.matches(&code.digest));
    assert_eq!((read.redirect_uri, read.nonce, read.challenge), (code.redirect_uri, code.nonce, None));
    assert_eq!((&standing.grant.id, standing.mac.as_str()), (&grant.id, "mac"));
    assert_eq!(standing.grant.resources, grant.resources);
    assert!(standing.is_alive(NOW) && !standing.is_alive(later(7 * DAY)));
    let mut db = rows.store().read().await.unwrap();
    assert!(codes::find(&mut db, &CodeId::new("none")).await.unwrap().is_none());
}

#[tokio::test]
async fn it_is_redeemed_once_within_its_time_and_not_after_it_was_spoiled() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    let (used, burnt, expired) = (rows.code(&grant).await.id, rows.code(&grant).await.id, rows.code(&grant).await.id);
    assert!(!redeem(&rows, &expired, later(60)).await);
    assert!(redeem(&rows, &used, later(59)).await);
    assert!(!redeem(&rows, &used, later(59)).await);
    assert!(!redeem(&rows, &CodeId::new("none"), NOW).await);
    burn(&rows, &burnt, NOW).await;
    assert!(!redeem(&rows, &burnt, NOW).await);
    // What a code was first it stays.
    burn(&rows, &used, later(70)).await;
    burn(&rows, &burnt, later(70)).await;
    assert_eq!(state(&rows, &used).await, CodeState::Used { at: later(59) });
    assert_eq!(state(&rows, &burnt).await, CodeState::Burnt { at: NOW });
    assert_eq!(state(&rows, &expired).await, CodeState::Issued { until: later(60) });
    assert_eq!(rows.number("SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL AND burnt_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn none_is_born_used_or_without_a_grant() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    let mut code = rows.code(&grant).await;
    code.id = CodeId::new("another");
    code.state = CodeState::Used { at: NOW };
    let used = code.clone();
    let refused = rows.store().write(async move |tx| codes::insert(tx, &used).await).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    code.state = CodeState::Issued { until: later(60) };
    code.grant_id = frontdesk::domain::id::GrantId::new("none");
    let refused = rows.store().write(async move |tx| codes::insert(tx, &code).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(rows.number("SELECT COUNT(*) FROM codes").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_uses_and_spoilings_at_once_over_two_processes_one_counts() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    for _ in 0..5 {
        let code = rows.code(&grant).await.id;
        let won = race(&rows, 32, |store, number| {
            let id = code.clone();
            async move {
                let work = async move |tx: &mut frontdesk::store::Tx| {
                    if number % 4 == 3 {
                        codes::burn(tx, &id, NOW).await.map(|()| false)
                    } else {
                        codes::redeem(tx, &id, NOW).await
                    }
                };
                store.write(work).await.unwrap()
            }
        })
        .await;
        let won = won.into_iter().filter(|won| *won).count();
        match state(&rows, &code).await {
            CodeState::Used { .. } => assert_eq!(won, 1),
            CodeState::Burnt { .. } => assert_eq!(won, 0),
            CodeState::Issued { .. } => panic!("nobody won"),
        }
    }
}
