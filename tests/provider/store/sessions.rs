//! Sessions: renewed and touched while they live, ended once, listed in their order.

use std::time::Duration;

use frontdesk::domain::grant::EndReason;
use frontdesk::domain::id::{BrowserId, SessionId, UserId};
use frontdesk::domain::session::Session;
use frontdesk::domain::token::{Kind, OpaqueToken, TokenDigest};
use frontdesk::store::{Tx, endings, sessions};

use super::rows::{DAY, NOW, Rows, later, race};

fn digest() -> TokenDigest {
    OpaqueToken::mint(Kind::Session).digest()
}

async fn find(rows: &Rows, id: &str) -> Option<(Session, TokenDigest)> {
    sessions::find(&mut rows.store().read().await.unwrap(), &SessionId::new(id)).await.unwrap()
}

async fn turn(rows: &Rows, id: &str, user: &str, at: u64) -> bool {
    let (id, user, cookie) = (SessionId::new(id), UserId::new(user), digest());
    rows.store().write(async move |tx| sessions::turn_cookie(tx, &id, &user, &cookie, later(at)).await).await.unwrap()
}

async fn touch(rows: &Rows, at: u64) -> bool {
    let idle = Duration::from_secs(8 * 3600);
    let id = SessionId::new("s1");
    rows.store().write(async move |tx| sessions::touch(tx, &id, idle, later(at)).await).await.unwrap()
}

async fn end(rows: &Rows, id: &'static str) -> bool {
    let work = async move |tx: &mut Tx| endings::end_session(tx, &SessionId::new(id), EndReason::Admin, NOW).await;
    rows.store().write(work).await.unwrap()
}

#[tokio::test]
async fn a_renewal_writes_all_but_identity_and_birth_and_only_into_what_lives() {
    let rows = Rows::open().await;
    let (before, old) = find(&rows, "s1").await.unwrap();
    let wanted = Session {
        user_id: UserId::new("u2"),
        created_at: later(99),
        auth_time: later(10),
        acr: "acr".to_owned(),
        amr: "amr".to_owned(),
        last_seen_at: later(10),
        idle_expires_at: later(20),
        expires_at: later(30),
        persistent: true,
        direct: true,
        device: "a device".to_owned(),
        address: "192.0.2.1".to_owned(),
        ..before.clone()
    };
    let renew = async |session: Session| {
        rows.store().write(async move |tx| sessions::renew(tx, &session, &digest()).await).await.unwrap()
    };
    assert!(renew(wanted.clone()).await);
    let (read, new) = find(&rows, "s1").await.unwrap();
    assert!(!new.matches(&old));
    assert_eq!(
        (read.user_id, read.created_at),
        (before.user_id, before.created_at),
        "a person's row stays that person's"
    );
    assert_eq!((read.auth_time, read.expires_at, read.persistent, read.direct), (later(10), later(30), true, true));
    assert_eq!((read.device.as_str(), read.address.as_str(), read.acr.as_str()), ("a device", "192.0.2.1", "acr"));
    assert!(end(&rows, "s1").await && !end(&rows, "s1").await && !end(&rows, "none").await);
    assert!(!renew(Session { device: "late".to_owned(), ..wanted }).await);
    assert_eq!(find(&rows, "s1").await.unwrap().0.device, "a device");
    assert!(find(&rows, "s2").await.unwrap().0.ended_at.is_none());
}

#[tokio::test]
async fn a_cookie_turns_for_its_person_while_the_session_lives() {
    let rows = Rows::open().await;
    let old = find(&rows, "s1").await.unwrap().1;
    assert!(!turn(&rows, "s1", "u2", 0).await);
    assert!(!turn(&rows, "s1", "u1", 7 * DAY).await);
    assert!(find(&rows, "s1").await.unwrap().1.matches(&old));
    assert!(turn(&rows, "s1", "u1", 7 * DAY - 1).await);
    assert!(!find(&rows, "s1").await.unwrap().1.matches(&old));
    rows.database.run(&format!("UPDATE sessions SET idle_expires_at = {}", later(5).as_seconds())).await;
    assert!(turn(&rows, "s1", "u1", 4).await && !turn(&rows, "s1", "u1", 5).await);
    end(&rows, "s2").await;
    assert!(!turn(&rows, "s2", "u2", 0).await);
}

#[tokio::test]
async fn use_puts_off_the_idle_end_by_a_minute_or_more_and_never_past_the_absolute_one() {
    let rows = Rows::open().await;
    let idle = 8 * 3600;
    let set = async |idle_at: u64, absolute: u64| {
        let (idle_at, absolute) = (later(idle_at).as_seconds(), later(absolute).as_seconds());
        rows.database.run(&format!("UPDATE sessions SET idle_expires_at = {idle_at}, expires_at = {absolute}")).await;
    };
    let ends = async || find(&rows, "s1").await.unwrap().0.idle_expires_at;
    set(idle, DAY).await;
    assert!(!touch(&rows, 59).await);
    assert_eq!(ends().await, later(idle));
    assert!(touch(&rows, 60).await);
    assert_eq!(ends().await, later(60 + idle));
    set(idle, idle + 30).await;
    assert!(touch(&rows, 100).await);
    assert_eq!(ends().await, later(idle + 30));
    assert!(!touch(&rows, 3600).await, "it has reached its end");
    // Neither an idle nor an expired nor an ended one wakes.
    set(100, DAY).await;
    assert!(!touch(&rows, 100).await);
    set(idle, 100).await;
    assert!(!touch(&rows, 100).await);
    set(idle, DAY).await;
    end(&rows, "s1").await;
    assert!(!touch(&rows, 3600).await);
}

#[tokio::test]
async fn lists_hold_what_lives_in_their_order() {
    let rows = Rows::open().await;
    let (template, _) = find(&rows, "s1").await.unwrap();
    for (id, seen, idle, browser) in [("a", 5, DAY, "b"), ("c", 9, DAY, "b"), ("d", 9, DAY, "x"), ("e", 1, 0, "b")] {
        let session = Session {
            id: SessionId::new(id),
            last_seen_at: later(seen),
            idle_expires_at: later(idle),
            browser_id: BrowserId::new(browser),
            ..template.clone()
        };
        rows.store().write(async move |tx| sessions::insert(tx, &session, &digest()).await).await.unwrap();
    }
    rows.database.run("UPDATE sessions SET ended_at = 1 WHERE id = 'a'").await;
    let ids = |sessions: Vec<Session>| sessions.iter().map(|one| one.id.as_str().to_owned()).collect::<Vec<_>>();
    let mut db = rows.store().read().await.unwrap();
    let live = sessions::live_of(&mut db, &UserId::new("u1"), later(1)).await.unwrap();
    assert_eq!(ids(live), ["d", "c", "s1"], "the last used first");
    // At a browser the idle ones too: they are ended when another person comes.
    let there = sessions::at_browser(&mut db, &BrowserId::new("b")).await.unwrap();
    assert_eq!(ids(there), ["c", "e", "s1", "s2"]);
    drop(db);
    let ended = async |keep: Option<&'static str>| {
        let keep = keep.map(SessionId::new);
        let work = async move |tx: &mut Tx| {
            endings::end_sessions_of(tx, &UserId::new("u1"), keep.as_ref(), EndReason::SignedOut, NOW).await
        };
        let mut ended: Vec<String> =
            rows.store().write(work).await.unwrap().into_iter().map(|id| id.as_str().to_owned()).collect();
        ended.sort();
        ended
    };
    assert_eq!(ended(Some("c")).await, ["d", "e", "s1"]);
    assert_eq!(ended(None).await, ["c"]);
    assert_eq!(ended(None).await, Vec::<String>::new());
    assert_eq!(rows.texts("SELECT id FROM sessions WHERE ended_at IS NULL").await, ["s2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_end_a_session_at_once_one_did() {
    let rows = Rows::open().await;
    for _ in 0..4 {
        rows.database.run("UPDATE sessions SET ended_at = NULL, reason = NULL").await;
        let won = race(&rows, 24, |store, _| async move {
            let work = async move |tx: &mut Tx| {
                endings::end_session(tx, &SessionId::new("s1"), EndReason::SignedOut, NOW).await
            };
            store.write(work).await.unwrap()
        })
        .await;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    }
}
