//! Grants: touched while they live, moved among the status lists, and ended with their families.

use frontdesk::domain::client::Delivery;
use frontdesk::domain::grant::EndReason;
use frontdesk::domain::id::{ClientId, GrantId, SessionId};
use frontdesk::domain::status::StatusIndex;
use frontdesk::store::endings::{self, Grants, Part};
use frontdesk::store::{StoreError, Tx, grants, refresh_families, status_lists};

use super::rows::{DAY, NOW, Rows, family, grant, later, race};

async fn end(rows: &Rows, id: &GrantId) -> usize {
    let id = id.clone();
    let work = async move |tx: &mut Tx| {
        endings::end_grants(tx, Grants::One(&id), Part::default(), EndReason::Admin, NOW).await
    };
    rows.store().write(work).await.unwrap().ids.len()
}

#[tokio::test]
async fn a_grant_reads_back_as_it_was_written() {
    let rows = Rows::open().await;
    let written = rows.grant(1).await;
    let mut db = rows.store().read().await.unwrap();
    let standing = grants::standing_of(&mut db, &written.id).await.unwrap().unwrap();
    assert_eq!(standing.grant.immutable_fields(), written.immutable_fields());
    assert_eq!((standing.grant.status, standing.grant.created_at), (written.status, NOW));
    assert_eq!((standing.user.username.as_str(), standing.client_disabled), ("u1", false));
    assert!(!standing.session.as_ref().unwrap().persistent);
    assert!(standing.is_alive(NOW));
    assert!(grants::standing_of(&mut db, &GrantId::new("none")).await.unwrap().is_none());
}

#[tokio::test]
async fn whatever_it_hangs_on_takes_its_life() {
    for (change, lives) in [
        ("UPDATE users SET updated_at = 1", true),
        ("UPDATE users SET disabled_at = 1 WHERE id = 'u1'", false),
        ("UPDATE users SET disabled_at = 1 WHERE id = 'u2'", true),
        ("UPDATE users SET not_before = 1800000000", true),
        ("UPDATE users SET not_before = 1800000001", false),
        ("UPDATE sessions SET ended_at = 1 WHERE id = 's1'", false),
        ("UPDATE sessions SET ended_at = 1 WHERE id = 's2'", true),
        ("UPDATE sessions SET idle_expires_at = 0, expires_at = 0", true),
        ("DELETE FROM sessions WHERE id = 's1'", false),
        ("UPDATE clients SET disabled_at = 1 WHERE client_id = 'c1'", false),
        ("UPDATE clients SET disabled_at = 1 WHERE client_id = 'c2'", true),
        ("UPDATE clients SET not_before = 1800000001", false),
        ("UPDATE grants SET ended_at = 1", false),
        ("UPDATE grants SET expires_at = 1800000000", false),
        ("UPDATE grants SET session_linked = FALSE; UPDATE sessions SET ended_at = 1", true),
    ] {
        let rows = Rows::open().await;
        let grant = rows.grant(1).await;
        for statement in change.split("; ") {
            rows.database.run(statement).await;
        }
        let mut db = rows.store().read().await.unwrap();
        let standing = grants::standing_of(&mut db, &grant.id).await.unwrap().unwrap();
        assert_eq!(standing.is_alive(NOW), lives, "{change}");
    }
}

#[tokio::test]
async fn only_what_lives_can_be_touched_and_is_ended_once() {
    let rows = Rows::open().await;
    let grant = rows.grant(1).await;
    rows.family(&grant).await;
    let touched = async |id: &GrantId, at: u64| {
        let id = id.clone();
        rows.store().write(async move |tx| grants::touch(tx, &id, later(at)).await).await.unwrap()
    };
    assert!(touched(&grant.id, 5).await);
    assert_eq!(rows.number("SELECT last_used_at FROM grants").await, later(5).as_seconds());
    assert!(!touched(&GrantId::new("none"), 5).await);
    assert_eq!(end(&rows, &grant.id).await, 1);
    assert_eq!(end(&rows, &grant.id).await, 0, "it was over");
    assert!(!touched(&grant.id, 9).await);
    assert_eq!(rows.number("SELECT last_used_at FROM grants").await, later(5).as_seconds());
    assert_eq!(rows.texts("SELECT reason FROM refresh_families").await, ["admin"]);
    let session = async |id: &'static str| {
        rows.store().write(async move |tx| grants::touch_session(tx, &SessionId::new(id), NOW).await).await.unwrap()
    };
    assert!(session("s1").await);
    rows.database.run("UPDATE sessions SET ended_at = 1 WHERE id = 's1'").await;
    assert!(!session("s1").await && !session("none").await);
}

#[tokio::test]
async fn its_place_moves_while_it_lives_and_the_old_one_is_retired() {
    let rows = Rows::open().await;
    let (first, second) = (rows.grant(1).await, rows.grant(2).await);
    let place = |index| StatusIndex { list: 1, index };
    let moved = async |id: &GrantId, from: StatusIndex, to: StatusIndex| {
        let id = id.clone();
        rows.store().write(async move |tx| grants::move_status(tx, &id, from, to, later(DAY), NOW).await).await
    };
    let retired =
        async |index| status_lists::is_retired(&mut rows.store().read().await.unwrap(), place(index)).await.unwrap();
    moved(&first.id, place(1), place(11)).await.unwrap();
    assert!(retired(1).await && !retired(11).await && !retired(2).await);
    // Read before somebody else moved it: nothing happens, and no living place is retired.
    moved(&first.id, place(1), place(12)).await.unwrap();
    assert_eq!(
        rows.texts("SELECT CAST(status_index AS TEXT) FROM grants ORDER BY grants.status_index").await,
        ["2", "11"]
    );
    assert!(!retired(12).await);
    // A place belongs to one.
    assert!(matches!(moved(&second.id, place(2), place(11)).await, Err(StoreError::Conflict(_))));
    assert!(!retired(2).await);
    end(&rows, &first.id).await;
    moved(&first.id, place(11), place(13)).await.unwrap();
    assert!(!retired(11).await, "the bit of an ended grant is its own");
    // Retired once, it stays as it was first said.
    for until in [None, Some(NOW)] {
        rows.store().write(async move |tx| grants::retire_status(tx, place(1), until, NOW).await).await.unwrap();
    }
    assert_eq!(rows.number("SELECT invalid_until FROM retired_indices").await, later(DAY).as_seconds());
}

#[tokio::test]
async fn cookie_families_are_found_by_session_and_client() {
    let rows = Rows::open().await;
    let cookie = |place, client: &str| {
        let mut grant = grant(place);
        grant.delivery = Delivery::Cookie;
        grant.client_id = ClientId::new(client);
        grant
    };
    let (one, two, body) = (cookie(1, "c1"), cookie(2, "c2"), grant(3));
    for grant in [&one, &two, &body] {
        let (grant, own) = (grant.clone(), family(grant));
        rows.store()
            .write(async move |tx: &mut Tx| {
                grants::insert(tx, &grant, "").await?;
                refresh_families::insert(tx, &own, NOW).await
            })
            .await
            .unwrap();
    }
    let living = async |session: &str, client: &str| {
        let mut db = rows.store().read().await.unwrap();
        grants::with_cookie_family(&mut db, &SessionId::new(session), &ClientId::new(client)).await.unwrap()
    };
    assert_eq!(living("s1", "c1").await, Some(one.id.clone()));
    assert_eq!(living("s1", "c2").await, Some(two.id.clone()));
    assert_eq!((living("s2", "c1").await, living("s1", "c3").await), (None, None));
    end(&rows, &one.id).await;
    assert_eq!(living("s1", "c1").await, None);
    // The browser may still hold the cookie of one that ended.
    let mut db = rows.store().read().await.unwrap();
    let clients = grants::cookie_clients_of(&mut db, &SessionId::new("s1")).await.unwrap();
    assert_eq!(clients, [ClientId::new("c1"), ClientId::new("c2")]);
    assert_eq!(grants::cookie_clients_of(&mut db, &SessionId::new("s2")).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_child_is_never_born_under_what_another_process_ends() {
    let rows = Rows::open().await;
    for round in 0..6_i64 {
        rows.database.run("UPDATE sessions SET ended_at = NULL, reason = NULL").await;
        let born = race(&rows, 16, |store, number| async move {
            let work = async move |tx: &mut Tx| {
                if number == 8 {
                    let session = SessionId::new("s1");
                    endings::end_session(tx, &session, EndReason::SignedOut, NOW).await?;
                    endings::end_grants(tx, Grants::LinkedTo(&session), Part::default(), EndReason::SignedOut, NOW)
                        .await?;
                    return Ok(false);
                }
                if !grants::touch_session(tx, &SessionId::new("s1"), NOW).await? {
                    return Ok(false);
                }
                let child = grant(round * 100 + i64::try_from(number).unwrap());
                grants::insert(tx, &child, "").await?;
                refresh_families::insert(tx, &family(&child), NOW).await?;
                Ok(true)
            };
            store.write(work).await.unwrap()
        })
        .await;
        assert_eq!(rows.number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 1);
        for table in ["grants", "refresh_families"] {
            let left = rows.number(&format!("SELECT COUNT(*) FROM {table} WHERE ended_at IS NULL")).await;
            assert_eq!(left, 0, "round {round}: {table}, {} were born", born.iter().filter(|born| **born).count());
        }
    }
}
