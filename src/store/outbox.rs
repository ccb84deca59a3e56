//! What is still to be told to relying apps. A row names what happened, never a secret; what is sent is made when it is sent.

use super::{Db, StoreError, Tx, on};
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, GrantId, SessionId, Sid, Subject, UserId};
use crate::domain::time::Timestamp;

/// Whose sign-outs shall be told.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// Of a session: every app that was given something in it, also where that is over.
    Session(&'a SessionId),
    /// Of a person: of the sessions that ended, and of the grants that ended.
    User(&'a UserId),
    /// Of the grants of a client that ended.
    Client(&'a ClientId),
    /// Of the grants of a person for a client that ended.
    Consent {
        /// The person.
        user: &'a UserId,
        /// The client.
        client: &'a ClientId,
    },
    /// Of one grant that ended.
    Grant(&'a GrantId),
    /// Of every grant that ended.
    All,
}

/// What ended, at which moment and why: that tells it from what had ended before.
#[derive(Debug, Clone, Copy)]
pub struct JustEnded<'a> {
    /// Grants with ids after this one.
    pub after: &'a str,
    /// And up to this one; `None`: all of them.
    pub until: Option<&'a str>,
    /// Why.
    pub reason: EndReason,
    /// When.
    pub now: Timestamp,
}

/// A notice of a sign-out that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The row.
    pub id: String,
    /// Whom to tell.
    pub client_id: ClientId,
    /// The session, in the words of that client.
    pub sid: Sid,
    /// The person.
    pub sub: Subject,
    /// When it happened.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

/// How a notice came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The app has it.
    Delivered,
    /// The app said that it does not take it.
    Refused,
    /// The app could not be told in time.
    GivenUp,
    /// The app does not want to be told any more.
    NotWanted,
}

impl Outcome {
    /// The text for a row.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
            Self::NotWanted => "not_wanted",
        }
    }
}

const LOGOUT: &str = "logout";
/// Comes after every id.
const LAST: &str = "z";
/// How many waiting notices of an app are touched in one unit of work.
const BATCH: i64 = 500;

/// Notices of a sign-out, one for each session and app. Written in the unit of work that ends them.
///
/// # Errors
/// If the database refuses.
pub async fn tell_of_logout(tx: &mut Tx, of: Of<'_>, ended: JustEnded<'_>) -> Result<(), StoreError> {
    macro_rules! notices {
        ($choice:literal) => {
            concat!(
                "INSERT INTO outbox (id, kind, client_id, session_id, sid, sub, created_at, not_before, attempts) \
                 SELECT DISTINCT $1 || g.session_id || '.' || g.client_id, $2, g.client_id, g.session_id, g.sid, u.sub, $3, $3, 0 \
                 FROM grants g JOIN clients c ON c.client_id = g.client_id JOIN users u ON u.id = g.user_id \
                 LEFT JOIN sessions s ON s.id = g.session_id \
                 WHERE c.told_of_logouts = TRUE AND g.id > $4 AND g.id <= $5 AND ",
                $choice,
                " ON CONFLICT (id) DO NOTHING"
            )
        };
    }
    let (text, first, second) = match of {
        Of::Session(id) => (
            notices!("g.session_id = $6 AND s.id = $7 AND s.ended_at = $3 AND s.reason = $8"),
            id.as_str(),
            id.as_str(),
        ),
        Of::User(id) => (
            notices!(
                "g.user_id = $6 AND u.id = $7 AND ((s.ended_at = $3 AND s.reason = $8) OR (g.ended_at = $3 AND g.reason = $8))"
            ),
            id.as_str(),
            id.as_str(),
        ),
        Of::Client(id) => (
            notices!("g.client_id = $6 AND c.client_id = $7 AND g.ended_at = $3 AND g.reason = $8"),
            id.as_str(),
            id.as_str(),
        ),
        Of::Consent { user, client } => (
            notices!("g.user_id = $6 AND g.client_id = $7 AND g.ended_at = $3 AND g.reason = $8"),
            user.as_str(),
            client.as_str(),
        ),
        Of::Grant(id) => {
            (notices!("g.id = $6 AND g.id = $7 AND g.ended_at = $3 AND g.reason = $8"), id.as_str(), id.as_str())
        }
        Of::All => (notices!("$6 = $7 AND g.ended_at = $3 AND g.reason = $8"), "", ""),
    };
    let begin = format!("{LOGOUT}.{}.", ended.now.as_seconds());
    on!(tx, |db| sqlx::query(text)
        .bind(begin.as_str())
        .bind(LOGOUT)
        .bind(ended.now.as_seconds())
        .bind(ended.after)
        .bind(ended.until.unwrap_or(LAST))
        .bind(first)
        .bind(second)
        .bind(ended.reason.as_str())
        .execute(db)
        .await
        .map(drop))
}

/// The apps that were given something in a session, and what they call it.
///
/// # Errors
/// If the database refuses.
pub async fn clients_of(db: &mut Db, session: &SessionId) -> Result<Vec<(ClientId, Sid)>, StoreError> {
    let rows: Vec<(String, String)> = on!(db, |db| sqlx::query_as(
        "SELECT DISTINCT client_id, sid FROM grants WHERE session_id = $1 ORDER BY client_id"
    )
    .bind(session.as_str())
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(|(id, sid)| (ClientId::new(id), Sid::new(sid))).collect())
}

// Steps from app to app along the index, however much waits for each: an app may have been away through a mass ending.
const DUE: &str = "WITH RECURSIVE waiting (client_id) AS ( \
       SELECT MIN(client_id) FROM outbox WHERE finished_at IS NULL \
       UNION ALL \
       SELECT (SELECT MIN(o.client_id) FROM outbox o WHERE o.finished_at IS NULL AND o.client_id > w.client_id) \
         FROM waiting w WHERE w.client_id IS NOT NULL \
     ), firsts (client_id, not_before) AS ( \
       SELECT w.client_id, (SELECT MIN(o.not_before) FROM outbox o WHERE o.finished_at IS NULL AND o.client_id = w.client_id) \
         FROM waiting w WHERE w.client_id IS NOT NULL \
     ) \
     SELECT f.client_id FROM firsts f WHERE f.not_before <= $1 \
       AND NOT EXISTS (SELECT 1 FROM outbox_rests r WHERE r.client_id = f.client_id AND r.rests_until > $1) \
     ORDER BY f.not_before, f.client_id LIMIT $2";

/// The apps for which something is due and which do not rest, those first whose notices have waited longest.
///
/// # Errors
/// If the database refuses.
pub async fn due(db: &mut Db, now: Timestamp, most: u32) -> Result<Vec<ClientId>, StoreError> {
    let rows: Vec<(String,)> =
        on!(db, |db| sqlx::query_as(DUE).bind(now.as_seconds()).bind(i64::from(most)).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(id,)| ClientId::new(id)).collect())
}

// The sign keeps planners from the index on the time, by which they would have to sort all that waits.
const NEXT: &str = "SELECT id, sid, sub, created_at, attempts FROM outbox \
     WHERE client_id = $1 AND finished_at IS NULL AND +not_before <= $2 \
       AND NOT EXISTS (SELECT 1 FROM outbox_rests r WHERE r.client_id = $1 AND r.rests_until > $2) \
     ORDER BY attempts, not_before LIMIT 1";

/// What an app is to be told next, unless it rests: what was tried least, and of that the oldest.
///
/// # Errors
/// If the database refuses.
pub async fn next(db: &mut Db, client: &ClientId, now: Timestamp) -> Result<Option<Notice>, StoreError> {
    let row: Option<(String, String, String, i64, i64)> =
        on!(db, |db| sqlx::query_as(NEXT).bind(client.as_str()).bind(now.as_seconds()).fetch_optional(db).await)?;
    Ok(row.map(|(id, sid, sub, created_at, attempts)| Notice {
        id,
        client_id: client.clone(),
        sid: Sid::new(sid),
        sub: Subject::new(sub),
        created_at: Timestamp::from_seconds(created_at),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
    }))
}

/// Writes down that a notice was tried, or not, and is over. False: somebody else finished it.
///
/// # Errors
/// If the database refuses.
pub async fn finish(
    tx: &mut Tx,
    id: &str,
    attempts: u32,
    outcome: Outcome,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE outbox SET attempts = $2, outcome = $3, finished_at = $4 WHERE id = $1 AND finished_at IS NULL"
    )
    .bind(id)
    .bind(i64::from(attempts))
    .bind(outcome.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Writes down that a notice was tried in vain, and puts it off.
///
/// # Errors
/// If the database refuses.
pub async fn try_again(tx: &mut Tx, id: &str, attempts: u32, not_before: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE outbox SET attempts = $2, not_before = $3 WHERE id = $1 AND finished_at IS NULL")
        .bind(id)
        .bind(i64::from(attempts))
        .bind(not_before.as_seconds())
        .execute(db)
        .await
        .map(drop))
}

/// Makes due what was put off for an app, since it is back. Of more than a batch the rest waits for its own time.
///
/// # Errors
/// If the database refuses.
pub async fn bring_forward(tx: &mut Tx, client: &ClientId, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "UPDATE outbox SET not_before = $2 WHERE id IN (SELECT id FROM outbox \
         WHERE client_id = $1 AND finished_at IS NULL AND not_before > $2 ORDER BY not_before LIMIT $3)"
    )
    .bind(client.as_str())
    .bind(now.as_seconds())
    .bind(BATCH)
    .execute(db)
    .await
    .map(drop))
}

/// Gives up a batch of what has waited for an app since before a moment. How many there were.
///
/// # Errors
/// If the database refuses.
pub async fn give_up(tx: &mut Tx, client: &ClientId, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
    on!(tx, |db| sqlx::query(
        "UPDATE outbox SET outcome = $3, finished_at = $4 WHERE id IN (SELECT id FROM outbox \
         WHERE client_id = $1 AND finished_at IS NULL AND created_at <= $2 ORDER BY not_before LIMIT $5)"
    )
    .bind(client.as_str())
    .bind(before.as_seconds())
    .bind(Outcome::GivenUp.as_str())
    .bind(now.as_seconds())
    .bind(BATCH)
    .execute(db)
    .await
    .map(|done| done.rows_affected()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn apps_are_due_by_what_waited_longest_whatever_else_waits_for_them() {
        let store = TestStore::open().await;
        store
            .run(
                "INSERT INTO outbox (id, kind, client_id, session_id, sid, sub, created_at, not_before, attempts, finished_at) VALUES \
                 ('1', 'logout', 'a', 's', 's', 'u', 0, 20, 0, NULL), ('2', 'logout', 'a', 's', 's', 'u', 0, 99, 0, NULL), \
                 ('3', 'logout', 'b', 's', 's', 'u', 0, 10, 0, NULL), ('4', 'logout', 'b', 's', 's', 'u', 0, 1, 0, 2), \
                 ('5', 'logout', 'c', 's', 's', 'u', 0, 1, 0, 2), ('6', 'logout', 'd', 's', 's', 'u', 0, 51, 0, NULL), \
                 ('7', 'logout', 'e', 's', 's', 'u', 0, 20, 0, NULL)",
            )
            .await;
        let due = async |now: i64, most: u32| {
            let found = due(&mut store.read().await.unwrap(), Timestamp::from_seconds(now), most).await.unwrap();
            found.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(due(50, 10).await, ["b", "a", "e"]);
        assert_eq!(due(50, 2).await, ["b", "a"]);
        assert_eq!(due(51, 10).await, ["b", "a", "e", "d"]);
        store.run("UPDATE outbox SET finished_at = 1").await;
        assert_eq!(due(50, 10).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn apps_that_rest_are_not_due_and_are_told_nothing() {
        let store = TestStore::open().await;
        store
            .run(
                "INSERT INTO outbox (id, kind, client_id, session_id, sid, sub, created_at, not_before, attempts) VALUES \
                 ('1', 'logout', 'a', 's', 's', 'u', 0, 0, 0), ('2', 'logout', 'b', 's', 's', 'u', 0, 0, 0), \
                 ('3', 'logout', 'c', 's', 's', 'u', 0, 0, 0)",
            )
            .await;
        store
            .run("INSERT INTO outbox_rests (client_id, rests, stumbles, rests_until) VALUES ('a', 1, 0, 9), ('c', 0, 1, 0)")
            .await;
        for (now, expected) in [(8, &["b", "c"][..]), (9, &["a", "b", "c"])] {
            let (mut db, now) = (store.read().await.unwrap(), Timestamp::from_seconds(now));
            let mut told = due(&mut db, now, 10).await.unwrap();
            assert_eq!(told.iter().map(ClientId::as_str).collect::<Vec<_>>(), expected);
            told.clear();
            for client in ["a", "b", "c"].map(ClientId::new) {
                if next(&mut db, &client, now).await.unwrap().is_some() {
                    told.push(client);
                }
            }
            assert_eq!(told.iter().map(ClientId::as_str).collect::<Vec<_>>(), expected);
        }
    }

    #[tokio::test]
    async fn an_app_is_told_first_what_was_tried_least_and_of_that_the_oldest() {
        let store = TestStore::open().await;
        store
            .run(
                "INSERT INTO outbox (id, kind, client_id, session_id, sid, sub, created_at, not_before, attempts) VALUES \
                 ('tried', 'logout', 'a', 's', 's', 'u', 0, 0, 1), ('later', 'logout', 'a', 's', 's', 'u', 0, 99, 0), \
                 ('new', 'logout', 'a', 's', 's', 'u', 0, 8, 0), ('old', 'logout', 'a', 's', 's', 'u', 0, 7, 0), \
                 ('often', 'logout', 'a', 's', 's', 'u', 0, 0, 3), ('other', 'logout', 'b', 's', 's', 'u', 0, 0, 0)",
            )
            .await;
        let (client, now) = (ClientId::new("a"), Timestamp::from_seconds(50));
        let mut order = Vec::new();
        while let Some(notice) = next(&mut store.read().await.unwrap(), &client, now).await.unwrap() {
            order.push(notice.id.clone());
            store.write(async move |tx| finish(tx, &notice.id, 1, Outcome::Delivered, now).await).await.unwrap();
        }
        assert_eq!(order, ["old", "new", "tried", "often"]);
        store.write(async move |tx| bring_forward(tx, &ClientId::new("a"), now).await).await.unwrap();
        let found = next(&mut store.read().await.unwrap(), &client, now).await.unwrap().unwrap();
        assert_eq!(found.id, "later");
    }

    #[tokio::test]
    async fn what_waits_for_an_app_is_not_walked_to_find_that_something_is_due_or_what() {
        let store = TestStore::open().await;
        if !store.url().starts_with("sqlite") {
            return;
        }
        for (text, index) in [(DUE, "INDEX outbox_due"), (NEXT, "INDEX outbox_next")] {
            let plan = store.plan(text).await;
            let of_outbox: Vec<_> =
                plan.iter().filter(|step| step.contains(" outbox ") || step.contains(" o ")).collect();
            assert!(!of_outbox.is_empty(), "{plan:#?}");
            for step in of_outbox {
                assert!(step.contains("SEARCH") && step.contains(index), "{plan:#?}");
            }
            let rests: Vec<_> = plan.iter().filter(|step| step.contains(" r ")).collect();
            assert!(rests.len() == 1 && rests[0].contains("SEARCH r USING"), "{plan:#?}");
        }
        let sorted = store.plan(NEXT).await;
        assert!(!sorted.iter().any(|step| step.contains("TEMP B-TREE")), "{sorted:#?}");
    }
}
