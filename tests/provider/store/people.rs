//! People, their passwords, consents and browsers.

use frontdesk::domain::consent::Consent;
use frontdesk::domain::id::{BrowserId, ClientId, Subject, UserId};
use frontdesk::domain::scope::ScopeSet;
use frontdesk::domain::token::{Kind, OpaqueToken};
use frontdesk::domain::user::{User, Username};
use frontdesk::store::passwords::{self, SealedHash};
use frontdesk::store::{StoreError, Tx, browsers, consents, users};

use super::rows::{NOW, Rows, later, race};

fn person(id: &str, name: &str, email: Option<&str>) -> User {
    User {
        id: UserId::new(id),
        sub: Subject::new(format!("sub {id}")),
        username: Username::parse(name).unwrap(),
        email: email.map(str::to_owned),
        email_verified: false,
        claims: serde_json::Map::new(),
        roles: vec!["admin".to_owned(), "reader".to_owned()],
        created_at: NOW,
        updated_at: NOW,
        disabled_at: None,
        not_before: NOW,
    }
}

async fn insert(rows: &Rows, user: User) -> Result<(), StoreError> {
    rows.store().write(async move |tx| users::insert(tx, &user).await).await
}

#[tokio::test]
async fn names_and_addresses_are_compared_without_case_and_belong_to_one() {
    let rows = Rows::open().await;
    insert(&rows, person("u3", "Zoë", Some("Zoe@Example.com"))).await.unwrap();
    for (name, email) in [("zoË", None), ("other", Some("zOE@example.COM"))] {
        let refused = insert(&rows, person("u4", name, email)).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{name}: {refused:?}");
    }
    let mut db = rows.store().read().await.unwrap();
    let key = Username::parse("ZOË").unwrap().key();
    let found = users::by_username_key(&mut db, &key).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.username.as_str(), found.roles.len()), ("u3", "Zoë", 2));
    let key = users::email_key("ZOE@EXAMPLE.COM");
    assert_eq!(users::by_email_key(&mut db, &key).await.unwrap().unwrap().id.as_str(), "u3");
    assert_eq!(users::by_sub(&mut db, &Subject::new("sub u3")).await.unwrap().unwrap().id.as_str(), "u3");
    assert!(users::by_sub(&mut db, &Subject::new("u3")).await.unwrap().is_none());
    assert!(users::by_email_key(&mut db, "").await.unwrap().is_none(), "who has no address is not found by none");
    drop(db);
    // A description may not take what is another's, and then changes nothing.
    let theirs = User { updated_at: later(5), ..person("u1", "u2", None) };
    let refused = rows.store().write(async move |tx| users::describe(tx, &theirs).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(rows.number("SELECT updated_at FROM users WHERE id = 'u1'").await, 0);
}

#[tokio::test]
async fn what_is_switched_is_switched_once_and_not_before_only_grows() {
    let rows = Rows::open().await;
    let id = UserId::new("u1");
    let act = async |deed: &'static str, at: u64| {
        let id = id.clone();
        let work = async move |tx: &mut Tx| match deed {
            "disable" => users::disable(tx, &id, later(at)).await,
            "enable" => users::enable(tx, &id, later(at)).await,
            "raise" => users::raise_not_before(tx, &id, later(at)).await,
            "touch" => users::touch(tx, &id).await,
            _ => users::touch_active(tx, &id).await,
        };
        rows.store().write(work).await.unwrap()
    };
    assert!(!act("enable", 1).await);
    assert!(act("touch active", 0).await);
    assert!(act("disable", 2).await);
    assert!(!act("disable", 3).await);
    assert_eq!(rows.number("SELECT disabled_at FROM users WHERE id = 'u1'").await, later(2).as_seconds());
    assert!(!act("touch active", 0).await && act("touch", 0).await);
    assert!(act("enable", 4).await && act("touch active", 0).await);
    for (at, stands) in [(10, 10), (5, 10), (11, 11)] {
        assert!(act("raise", at).await);
        assert_eq!(rows.number("SELECT not_before FROM users WHERE id = 'u1'").await, later(stands).as_seconds());
    }
    assert_eq!(rows.number("SELECT not_before FROM users WHERE id = 'u2'").await, 0);
    let nobody = async move |tx: &mut Tx| users::raise_not_before(tx, &UserId::new("none"), NOW).await;
    assert!(!rows.store().write(nobody).await.unwrap());
}

#[tokio::test]
async fn a_new_password_is_later_than_the_one_before_and_a_new_hash_is_not() {
    let rows = Rows::open().await;
    let user = UserId::new("u1");
    let put = async |text: &'static str| {
        let user = user.clone();
        let work = async move |tx: &mut Tx| passwords::put(tx, &user, SealedHash { text, kek_id: "k" }, NOW).await;
        rows.store().write(work).await.unwrap();
    };
    let rehash = async |old: &'static str, text: &'static str| {
        let user = user.clone();
        let work = async move |tx: &mut Tx| passwords::rehash(tx, &user, old, SealedHash { text, kek_id: "k2" }).await;
        rows.store().write(work).await.unwrap()
    };
    let stored = async || passwords::find(&mut rows.store().read().await.unwrap(), &user).await.unwrap().unwrap();
    assert!(passwords::find(&mut rows.store().read().await.unwrap(), &user).await.unwrap().is_none());
    // Three in one second are three.
    for (text, at) in [("first", 0), ("second", 1), ("third", 2)] {
        put(text).await;
        assert_eq!((stored().await.sealed.as_str(), stored().await.changed_at), (text, later(at)));
    }
    assert!(!rehash("second", "stronger").await, "a hash of a password that is no more");
    assert!(rehash("third", "stronger").await);
    assert!(!rehash("third", "again").await);
    let stored = stored().await;
    assert_eq!((stored.sealed.as_str(), stored.kek_id.as_str(), stored.changed_at), ("stronger", "k2", later(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_new_hashes_of_one_password_one_is_written() {
    let rows = Rows::open().await;
    let set = async move |tx: &mut Tx| {
        passwords::put(tx, &UserId::new("u1"), SealedHash { text: "old", kek_id: "k" }, NOW).await
    };
    rows.store().write(set).await.unwrap();
    let won = race(&rows, 32, |store, number| async move {
        let text = format!("new {number}");
        let work = async move |tx: &mut Tx| {
            passwords::rehash(tx, &UserId::new("u1"), "old", SealedHash { text: &text, kek_id: "k" }).await
        };
        store.write(work).await.unwrap()
    })
    .await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}

#[tokio::test]
async fn a_consent_takes_the_place_of_the_one_before_and_goes_with_its_person() {
    let rows = Rows::open().await;
    let remember = async |client: &'static str, scope: &'static str, at: u64| {
        let consent = Consent {
            scope: ScopeSet::parse(scope).unwrap(),
            claims: vec!["nickname".to_owned(), "address".to_owned()],
            resources: vec!["https://api.shop.test/".to_owned()],
            granted_at: later(at),
        };
        let work =
            async move |tx: &mut Tx| consents::remember(tx, &UserId::new("u1"), &ClientId::new(client), &consent).await;
        rows.store().write(work).await.unwrap();
    };
    let find = async |user: &str, client: &str| {
        let mut db = rows.store().read().await.unwrap();
        consents::find(&mut db, &UserId::new(user), &ClientId::new(client)).await.unwrap()
    };
    remember("c2", "openid", 0).await;
    remember("c1", "openid", 1).await;
    remember("c1", "openid email", 2).await;
    let read = find("u1", "c1").await.unwrap();
    assert_eq!((read.scope.to_string().as_str(), read.granted_at, read.claims.len()), ("openid email", later(2), 2));
    assert_eq!(read.resources, ["https://api.shop.test/"]);
    assert!(find("u2", "c1").await.is_none());
    let all = consents::of_user(&mut rows.store().read().await.unwrap(), &UserId::new("u1")).await.unwrap();
    assert_eq!(all.iter().map(|(client, _)| client.as_str()).collect::<Vec<_>>(), ["c1", "c2"]);
    let forget = async move |tx: &mut Tx| consents::forget(tx, &UserId::new("u1"), &ClientId::new("c1")).await;
    rows.store().write(forget).await.unwrap();
    assert!(find("u1", "c1").await.is_none() && find("u1", "c2").await.is_some());
    rows.store().write(async move |tx| users::remove(tx, &UserId::new("u1"), NOW).await).await.unwrap();
    for table in ["consents", "sessions"] {
        assert_eq!(rows.number(&format!("SELECT COUNT(*) FROM {table} WHERE user_id = 'u1'")).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_browser_is_known_to_each_of_its_people_once() {
    let rows = Rows::open().await;
    let token = OpaqueToken::mint(Kind::Browser);
    let id = BrowserId::new(token.id());
    let (own, digest) = (id.clone(), token.digest());
    rows.store().write(async move |tx| browsers::insert(tx, &own, &digest, NOW).await).await.unwrap();
    race(&rows, 16, |store, number| {
        let id = id.clone();
        async move {
            let user = UserId::new("u1");
            let now = later(u64::try_from(number).unwrap());
            store.write(async move |tx| browsers::know(tx, &id, &user, now).await).await.unwrap();
        }
    })
    .await;
    let known = async |user: &str| {
        browsers::is_known(&mut rows.store().read().await.unwrap(), &id, &UserId::new(user)).await.unwrap()
    };
    assert!(known("u1").await && !known("u2").await);
    assert_eq!(rows.number("SELECT COUNT(*) FROM known_browsers").await, 1);
    let touch = async |id: BrowserId| {
        rows.store().write(async move |tx| browsers::touch(tx, &id, later(9)).await).await.unwrap()
    };
    assert!(touch(id.clone()).await && !touch(BrowserId::new("none")).await);
    let read = browsers::find(&mut rows.store().read().await.unwrap(), &id).await.unwrap().unwrap();
    assert!(read.digest.matches(&token.digest()) && read.last_seen_at == later(9) && read.known);
    rows.database.run("DELETE FROM browsers").await;
    assert!(!known("u1").await);
}
