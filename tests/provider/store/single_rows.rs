//! Facts, links, roots and keys: written once, whoever is first.

use frontdesk::domain::time::Timestamp;
use frontdesk::domain::token::{Kind, OpaqueToken};
use frontdesk::store::refresh_roots::{self, RefreshRootRow};
use frontdesk::store::signing_keys::{self, SigningKeyRow};
use frontdesk::store::{StoreError, Tx, audit, installation, setup_links, status_lists};
use serde_json::json;

use super::rows::{NOW, Rows, later, race};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fact_is_what_the_first_said() {
    let rows = Rows::open().await;
    let mut db = rows.store().read().await.unwrap();
    assert_eq!(installation::find(&mut db, "fact").await.unwrap(), None);
    drop(db);
    let won = race(&rows, 24, |store, number| async move {
        let value = format!("value {number}");
        let told = value.clone();
        let written = store.write(async move |tx| installation::write_once(tx, "fact", &value).await).await.unwrap();
        written.then_some(told)
    })
    .await;
    let won: Vec<String> = won.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let mut db = rows.processes[1].read().await.unwrap();
    assert_eq!(installation::find(&mut db, "fact").await.unwrap(), won.into_iter().next());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_link_works_once_until_its_end_and_only_as_it_was_given_out() {
    let rows = Rows::open().await;
    let given = OpaqueToken::mint(Kind::Link);
    let again = || OpaqueToken::parse(Kind::Link, given.expose()).unwrap();
    let link = again();
    rows.store().write(async move |tx| setup_links::insert(tx, &link, later(60)).await).await.unwrap();
    let good = async |link: &OpaqueToken, at: u64| {
        setup_links::is_good(&mut rows.store().read().await.unwrap(), link, later(at)).await.unwrap()
    };
    // The same row, another secret.
    let forged = OpaqueToken::renew(Kind::Link, given.id()).unwrap();
    assert!(good(&given, 59).await && !good(&given, 60).await && !good(&forged, 0).await);
    assert!(!good(&OpaqueToken::mint(Kind::Link), 0).await);
    let late = again();
    assert!(!rows.store().write(async move |tx| setup_links::consume(tx, &late, later(60)).await).await.unwrap());
    assert!(!rows.store().write(async move |tx| setup_links::consume(tx, &forged, NOW).await).await.unwrap());
    let won = race(&rows, 24, |store, _| {
        let link = again();
        async move { store.write(async move |tx| setup_links::consume(tx, &link, NOW).await).await.unwrap() }
    })
    .await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert!(!good(&given, 0).await);
}

fn key(kid: &str, alg: &str, state: &str) -> SigningKeyRow {
    SigningKeyRow {
        kid: kid.to_owned(),
        alg: alg.to_owned(),
        state: state.to_owned(),
        created_at: 1,
        published_at: 2,
        activate_at: 3,
        retire_at: Some(4),
        changed_at: 5,
        public_jwk: "{}".to_owned(),
        private_sealed: Some("sealed".to_owned()),
        kek_id: Some("k".to_owned()),
        reason: None,
        mac: "mac".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_algorithm_has_one_active_key_whichever_process_made_it() {
    let rows = Rows::open().await;
    let insert = async |row: SigningKeyRow| {
        rows.store().write(async move |tx| signing_keys::insert(tx, &row).await).await.unwrap()
    };
    let won = race(&rows, 16, |store, number| async move {
        let row = key(&format!("a{number}"), "ES256", "active");
        store.write(async move |tx| signing_keys::insert(tx, &row).await).await.unwrap()
    })
    .await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert!(insert(key("r", "RS256", "active")).await && insert(key("p", "ES256", "pending")).await);
    assert!(insert(key("q", "ES256", "pending")).await);
    assert!(!insert(key("p", "RS256", "pending")).await, "the name is taken");
    let listed = signing_keys::list(&mut rows.store().read().await.unwrap()).await.unwrap();
    assert_eq!(listed.len(), 4);
    assert!(listed.contains(&key("r", "RS256", "active")), "as it was written");
    assert_eq!(listed.last().unwrap().alg, "RS256", "by algorithm");
}

#[tokio::test]
async fn roots_come_the_oldest_first_and_keep_their_names() {
    let rows = Rows::open().await;
    let root = |id: &str, created_at| RefreshRootRow {
        id: id.to_owned(),
        sealed: format!("sealed {id}"),
        kek_id: "k".to_owned(),
        created_at,
        ended_at: None,
    };
    let insert =
        async |row: RefreshRootRow| rows.store().write(async move |tx| refresh_roots::insert(tx, &row).await).await;
    insert(root("b", 2)).await.unwrap();
    insert(root("a", 2)).await.unwrap();
    insert(root("c", 1)).await.unwrap();
    assert!(matches!(insert(root("c", 3)).await, Err(StoreError::Conflict(_))));
    let listed = refresh_roots::list(&mut rows.store().read().await.unwrap()).await.unwrap();
    assert_eq!(listed[1..], [root("c", 1), root("a", 2), root("b", 2)], "after the one that the rows begin with");

    let ended = |row: &RefreshRootRow| row.ended_at.map_or(0, |at| at);
    rows.store().write(async |tx| refresh_roots::end(tx, Timestamp::from_seconds(7)).await).await.unwrap();
    insert(root("d", 8)).await.unwrap();
    rows.store().write(async |tx| refresh_roots::end(tx, Timestamp::from_seconds(9)).await).await.unwrap();
    let listed = refresh_roots::list(&mut rows.store().read().await.unwrap()).await.unwrap();
    assert_eq!(listed.iter().map(ended).collect::<Vec<_>>(), [7, 7, 7, 7, 9], "each ends once");
}

#[tokio::test]
async fn the_audit_is_told_newest_first_about_one_subject() {
    let rows = Rows::open().await;
    for number in 0..5 {
        let work = async move |tx: &mut Tx| {
            let data = json!({ "number": number, "text": "it's \"quoted\" \u{e9}" });
            let subject = if number == 2 { "other" } else { "subject" };
            audit::record(tx, &audit::Event { actor: "cli", action: "thing.deed", subject, data }, later(number)).await
        };
        rows.store().write(work).await.unwrap();
    }
    let told = audit::about(&mut rows.store().read().await.unwrap(), "subject", 3).await.unwrap();
    let at: Vec<_> = told.iter().map(|row| row.at).collect();
    assert_eq!(at, [later(4), later(3), later(1)]);
    assert_eq!((told[0].actor.as_str(), told[0].action.as_str()), ("cli", "thing.deed"));
    let data: serde_json::Value = serde_json::from_str(&told[0].data).unwrap();
    assert_eq!(data["text"], "it's \"quoted\" \u{e9}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_are_never_given_one_place_in_the_status_lists() {
    let rows = Rows::open().await;
    // Blocks so large that lists are filled and made while both ask.
    let blocks = race(&rows, 48, |store, number| async move {
        let day = if number % 3 == 0 { None } else { Some(20_000) };
        store.write(async move |tx| status_lists::allocate(tx, day, 100_000, NOW).await).await.unwrap()
    })
    .await;
    let mut places: Vec<(i64, i64)> = blocks.iter().map(|block| (block.list, block.first)).collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        let apart = pair[0].0 != pair[1].0 || pair[1].1 - pair[0].1 >= 100_000;
        assert!(apart, "{pair:?}");
    }
    assert!(blocks.iter().all(|block| block.first + block.count <= status_lists::CAPACITY));
    assert_eq!(rows.number("SELECT COUNT(*) FROM status_lists WHERE next_index > capacity").await, 0);
}
