//! People as an admin looks for them: by the beginning of a user name or an e-mail address, a page at a time. However many people
//! there are, a page is a walk along an index.
//!
//! What a text begins with can be told from an index that is ordered by bytes. SQLite's are; PostgreSQL orders by the rules of some
//! language, unless a question and an index say otherwise.

use super::users::{self, Row, select_users};
use super::{Db, StoreError, on};
use crate::domain::id::{Subject, UserId};
use crate::domain::user::User;

/// Some people, and where the next page begins.
#[derive(Debug)]
pub struct Page {
    /// The one whose identity was looked for, then those whose user name begins so, then those whose e-mail address does.
    pub people: Vec<User>,
    /// What the next page comes after; `None` if this is the last.
    pub next: Option<String>,
}

/// A column that is walked along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Username,
    Email,
}

impl Key {
    /// How a place along it is written down.
    const fn mark(self) -> &'static str {
        match self {
            Self::Username => "username:",
            Self::Email => "email:",
        }
    }

    fn place(self, user: &User) -> String {
        let key = match self {
            Self::Username => user.username.key(),
            Self::Email => user.email.as_deref().map(users::email_key).unwrap_or_default(),
        };
        format!("{}{key}", self.mark())
    }
}

/// The key that a page walks along first, and the last one before it.
fn begins_after(after: &str) -> (Key, &str) {
    match after.strip_prefix(Key::Email.mark()) {
        Some(last) => (Key::Email, last),
        None => (Key::Username, after.strip_prefix(Key::Username.mark()).unwrap_or_default()),
    }
}

/// The people that fit: all of them if `find` is empty. `after` is what the page before called the next, or empty.
///
/// # Errors
/// If the database refuses.
pub async fn page(db: &mut Db, find: &str, after: &str, most: u32) -> Result<Page, StoreError> {
    let begins = find.to_lowercase();
    // One more tells whether there is another page.
    let enough = i64::from(most) + 1;
    let mut found: Vec<(String, User)> = Vec::new();
    let (first, mut last) = begins_after(after);
    if first == Key::Username {
        if after.is_empty() && !find.is_empty() {
            let identified = identified(db, find).await?.filter(|user| !fits(user, &begins));
            found.extend(identified.map(|user| (Key::Username.mark().to_owned(), user)));
        }
        let named = named(db, &begins, last, enough - count(&found)).await?;
        found.extend(named.into_iter().map(|user| (Key::Username.place(&user), user)));
        last = "";
    }
    // Where nothing is looked for, the user names were all.
    if count(&found) < enough && !begins.is_empty() {
        let reached = reached(db, &begins, last, enough - count(&found)).await?;
        found.extend(reached.into_iter().map(|user| (Key::Email.place(&user), user)));
    }
    let more = count(&found) == enough;
    if more {
        found.pop();
    }
    let next = found.last().filter(|_| more).map(|(place, _)| place.clone());
    Ok(Page { people: found.into_iter().map(|(_, user)| user).collect(), next })
}

fn count(found: &[(String, User)]) -> i64 {
    i64::try_from(found.len()).unwrap_or(i64::MAX)
}

/// Whether a person is found by a beginning.
fn fits(user: &User, begins: &str) -> bool {
    let address = user.email.as_deref().map(users::email_key);
    user.username.key().starts_with(begins) || address.is_some_and(|address| address.starts_with(begins))
}

/// The person whose identity it is, by row or in tokens.
async fn identified(db: &mut Db, id: &str) -> Result<Option<User>, StoreError> {
    match users::find(db, &UserId::new(id)).await? {
        Some(user) => Ok(Some(user)),
        None => users::by_sub(db, &Subject::new(id)).await,
    }
}

/// Those whose user name begins so.
macro_rules! named {
    ($by_bytes:literal) => {
        select_users!(
            "WHERE username_key ",
            $by_bytes,
            " >= $1 AND username_key <> $2 AND username_key ",
            $by_bytes,
            " < $3 \
             ORDER BY username_key ",
            $by_bytes,
            " LIMIT $4"
        )
    };
}

/// Those whose e-mail address begins so, and whose user name does not: they were found by that.
macro_rules! reached {
    ($by_bytes:literal) => {
        select_users!(
            "WHERE email_key ",
            $by_bytes,
            " >= $1 AND email_key <> $2 AND email_key ",
            $by_bytes,
            " < $3 \
             AND SUBSTR(username_key, 1, LENGTH($5)) <> $5 ORDER BY email_key ",
            $by_bytes,
            " LIMIT $4"
        )
    };
}

/// On SQLite, on PostgreSQL.
type Texts = (&'static str, &'static str);
const NAMED: Texts = (named!(""), named!("COLLATE \"C\""));
const REACHED: Texts = (reached!(""), reached!("COLLATE \"C\""));

async fn named(db: &mut Db, begins: &str, last: &str, most: i64) -> Result<Vec<User>, StoreError> {
    let (from, until) = (begins.max(last), end_of(begins));
    let text = if db.is_postgres() { NAMED.1 } else { NAMED.0 };
    let rows: Vec<Row> =
        on!(db, |db| sqlx::query_as(text).bind(from).bind(last).bind(until.as_str()).bind(most).fetch_all(db).await)?;
    rows.into_iter().map(User::try_from).collect()
}

async fn reached(db: &mut Db, begins: &str, last: &str, most: i64) -> Result<Vec<User>, StoreError> {
    let (from, until) = (begins.max(last), end_of(begins));
    let text = if db.is_postgres() { REACHED.1 } else { REACHED.0 };
    let rows: Vec<Row> = on!(db, |db| sqlx::query_as(text)
        .bind(from)
        .bind(last)
        .bind(until.as_str())
        .bind(most)
        .bind(begins)
        .fetch_all(db)
        .await)?;
    rows.into_iter().map(User::try_from).collect()
}

/// Comes after all that begins so: no text holds this character, which stands for none.
fn end_of(begins: &str) -> String {
    format!("{begins}{}", char::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    async fn house() -> TestStore {
        let store = TestStore::open().await;
        for (id, name, email) in [
            ("1", "ann", "ann@example.com"),
            ("2", "Ann-Marie", "marie@example.com"),
            ("3", "anna", "z@example.com"),
            ("4", "an", ""),
            ("5", "bo", "annex@example.com"),
            ("6", "cy", "Ann.Cy@example.com"),
            ("7", "ann_", ""),
            ("8", "ännchen", "dash-@example.com"),
            ("9", "zoe", "ann%@example.com"),
            ("ann0", "u", ""),
        ] {
            let (key, email_key) = (name.to_lowercase(), email.to_lowercase());
            let text = format!(
                "INSERT INTO users (id, sub, username, username_key, email, email_key, email_verified, claims, roles, created_at, \
                 updated_at, not_before) VALUES ('{id}', 'S-{id}', '{name}', '{key}', NULLIF('{email}', ''), \
                 NULLIF('{email_key}', ''), FALSE, '{{}}', '', 0, 0, 0)"
            );
            store.run(Box::leak(text.into_boxed_str())).await;
        }
        store
    }

    #[tokio::test]
    async fn pages_hold_what_begins_so_each_once_and_in_one_order() {
        let store = house().await;
        for (find, expected) in [
            ("", &["an", "ann", "Ann-Marie", "ann_", "anna", "bo", "cy", "u", "zoe", "ännchen"][..]),
            // By user name, in the order of bytes, then by address.
            ("aNN", &["ann", "Ann-Marie", "ann_", "anna", "zoe", "cy", "bo"]),
            ("ann-", &["Ann-Marie"]),
            ("ann_", &["ann_"]),
            ("ann%", &["zoe"]),
            ("ann@", &["ann"]),
            ("nn", &[]),
            ("ÄNN", &["ännchen"]),
            ("dash-", &["ännchen"]),
            ("z", &["zoe", "anna"]),
            ("5", &["bo"]),
            ("S-8", &["ännchen"]),
            ("s-8", &[]),
            ("ann0", &["u"]),
            ("' OR ''='", &[]),
        ] {
            for most in [1, 2, 3, 10, 200] {
                let (mut names, mut after) = (Vec::new(), String::new());
                loop {
                    let found = page(&mut store.read().await.unwrap(), find, &after, most).await.unwrap();
                    assert!(found.people.len() <= most as usize);
                    names.extend(found.people.iter().map(|user| user.username.as_str().to_owned()));
                    let Some(next) = found.next else { break };
                    assert_eq!(found.people.len(), most as usize, "only the last page is short");
                    after = next;
                }
                assert_eq!(names, expected, "{find:?}, {most} a page");
            }
        }
    }

    #[tokio::test]
    async fn one_who_is_identified_comes_first_and_once() {
        let store = house().await;
        let mut db = store.read().await.unwrap();
        store.run("UPDATE users SET username = 'ann0 too', username_key = 'ann0 too' WHERE id = '3'").await;
        let first = page(&mut db, "ann0", "", 1).await.unwrap();
        assert_eq!((first.people[0].id.as_str(), first.next.as_deref()), ("ann0", Some("username:")));
        let second = page(&mut db, "ann0", "username:", 1).await.unwrap();
        assert_eq!((second.people[0].id.as_str(), second.next), ("3", None));
        // Found by the beginning as well, so not twice.
        store.run("UPDATE users SET username = 'ann0!', username_key = 'ann0!' WHERE id = 'ann0'").await;
        let both = page(&mut db, "ann0", "", 9).await.unwrap();
        assert_eq!(both.people.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["3", "ann0"]);
        // What no page ever called the next begins at the beginning.
        let odd = page(&mut db, "ann0", "elsewhere", 9).await.unwrap();
        assert_eq!(odd.people.len(), 2);
    }

    #[tokio::test]
    async fn a_page_is_a_walk_along_an_index_and_sorts_nothing() {
        let store = TestStore::open().await;
        let on_sqlite = store.url().starts_with("sqlite");
        for (texts, key, index) in
            [(NAMED, "username_key", "users_username_begins"), (REACHED, "email_key", "users_email_begins")]
        {
            let plan = if on_sqlite { store.plan(texts.0).await } else { postgres_plan(&store, texts.1).await };
            let plan = plan.join("\n");
            let (walk, sort) = if on_sqlite {
                (format!("({key}>? AND {key}<?)"), "TEMP B-TREE")
            } else {
                (format!("Index Scan using {index}"), "Sort")
            };
            assert!(plan.contains(&walk) && !plan.contains(sort), "{plan}");
            // From the first to the last that may fit, not from the beginning of the table.
            let bounds = format!("(({key})::text >= 'b'::text) AND (({key})::text < 'c'::text)");
            assert!(on_sqlite || plan.contains(&bounds), "{plan}");
        }
    }

    /// How PostgreSQL would run it if the table were large.
    async fn postgres_plan(store: &TestStore, text: &str) -> Vec<String> {
        let values = ["", "'b'", "''", "'c'", "9", "'b'"];
        let text = (1..=5).fold(text.to_owned(), |text, at| text.replace(&format!("${at}"), values[at]));
        let text: &'static str = Box::leak(format!("EXPLAIN {text}").into_boxed_str());
        store.run("INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, updated_at, \
                   not_before) VALUES ('b', 'b', 'b', 'b', FALSE, '{}', '', 0, 0, 0) ON CONFLICT DO NOTHING").await;
        store
            .write(async move |tx| {
                for setting in ["SET LOCAL enable_seqscan = off", "SET LOCAL enable_bitmapscan = off"] {
                    on!(tx, |db| sqlx::query(setting).execute(db).await.map(drop))?;
                }
                let rows: Vec<(String,)> = on!(tx, |db| sqlx::query_as(text).fetch_all(db).await)?;
                Ok(rows.into_iter().map(|(step,)| step).collect())
            })
            .await
            .unwrap()
    }
}
