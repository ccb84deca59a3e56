//! Parked authorization requests: bound to one browser, answered once.

use frontdesk::domain::id::{BrowserId, ClientId, RequestId, UserId};
use frontdesk::domain::token::{Kind, OpaqueToken};
use frontdesk::store::authorize_requests::{self, Parked};

use super::rows::{NOW, Rows, later, race};

async fn park(rows: &Rows, browser: Option<&str>) -> RequestId {
    let token = OpaqueToken::mint(Kind::Request);
    let parked = Parked {
        id: RequestId::new(token.id()),
        digest: token.digest(),
        client_id: ClientId::new("c1"),
        browser_id: browser.map(BrowserId::new),
        parameters: "scope=openid&state=%C3%A9".to_owned(),
        created_at: NOW,
        expires_at: later(900),
        authenticated_user: None,
        chosen_user: None,
    };
    let id = parked.id.clone();
    rows.store().write(async move |tx| authorize_requests::insert(tx, &parked).await).await.unwrap();
    id
}

async fn find(rows: &Rows, id: &RequestId) -> Option<Parked> {
    authorize_requests::find(&mut rows.store().read().await.unwrap(), id).await.unwrap()
}

async fn bind(rows: &Rows, id: &RequestId, browser: &str) -> bool {
    let (id, browser) = (id.clone(), BrowserId::new(browser));
    rows.store().write(async move |tx| authorize_requests::bind(tx, &id, &browser).await).await.unwrap()
}

#[tokio::test]
async fn it_is_found_with_what_happened_in_it_until_it_is_answered() {
    let rows = Rows::open().await;
    let (id, other) = (park(&rows, Some("b1")).await, park(&rows, Some("b1")).await);
    let read = find(&rows, &id).await.unwrap();
    assert_eq!((read.parameters.as_str(), read.client_id.as_str()), ("scope=openid&state=%C3%A9", "c1"));
    assert_eq!((read.expires_at, read.is_answered()), (later(900), false));
    assert_eq!((read.authenticated_user, read.chosen_user), (None, None));
    assert!(find(&rows, &RequestId::new("none")).await.is_none());
    let of = id.clone();
    rows.store()
        .write(async move |tx| authorize_requests::note_choice(tx, &of, &UserId::new("u2")).await)
        .await
        .unwrap();
    let read = find(&rows, &id).await.unwrap();
    assert_eq!((read.authenticated_user, read.chosen_user), (None, Some(UserId::new("u2"))));
    let of = id.clone();
    rows.store()
        .write(async move |tx| authorize_requests::note_sign_in(tx, &of, &UserId::new("u1")).await)
        .await
        .unwrap();
    let read = find(&rows, &id).await.unwrap();
    // Who signs in is chosen by that.
    assert_eq!((read.authenticated_user, read.chosen_user), (Some(UserId::new("u1")), Some(UserId::new("u1"))));
    assert_eq!(find(&rows, &other).await.unwrap().authenticated_user, None);
    let of = id.clone();
    assert!(rows.store().write(async move |tx| authorize_requests::close(tx, &of).await).await.unwrap());
    let read = find(&rows, &id).await.unwrap();
    assert_eq!((read.is_answered(), read.parameters.as_str(), read.authenticated_user), (true, "", None));
    assert!(!find(&rows, &other).await.unwrap().is_answered());
}

#[tokio::test]
async fn the_first_browser_has_it_and_no_other() {
    let rows = Rows::open().await;
    let (bound, open) = (park(&rows, Some("b1")).await, park(&rows, None).await);
    assert!(bind(&rows, &bound, "b1").await && !bind(&rows, &bound, "b2").await);
    assert!(bind(&rows, &open, "b2").await && bind(&rows, &open, "b2").await && !bind(&rows, &open, "b1").await);
    assert!(!bind(&rows, &RequestId::new("none"), "b1").await);
    assert_eq!(rows.texts("SELECT browser_id FROM authorize_requests ORDER BY browser_id").await, ["b1", "b2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_browsers_and_answers_at_once_one_wins() {
    let rows = Rows::open().await;
    for _ in 0..4 {
        let id = park(&rows, None).await;
        let bound = race(&rows, 24, |store, number| {
            let (id, browser) = (id.clone(), BrowserId::new(format!("b{number}")));
            async move { store.write(async move |tx| authorize_requests::bind(tx, &id, &browser).await).await.unwrap() }
        })
        .await;
        assert_eq!(bound.into_iter().filter(|won| *won).count(), 1);
        let closed = race(&rows, 24, |store, _| {
            let id = id.clone();
            async move { store.write(async move |tx| authorize_requests::close(tx, &id).await).await.unwrap() }
        })
        .await;
        assert_eq!(closed.into_iter().filter(|won| *won).count(), 1);
    }
    assert_eq!(
        rows.texts("SELECT DISTINCT parameters FROM authorize_requests").await,
        [""],
        "what was asked is forgotten"
    );
}
