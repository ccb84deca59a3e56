//! People.

use sqlx::FromRow;

use super::endings::{self, Grants};
use super::{Db, StoreError, Tx, on};
use crate::domain::id::{Subject, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::{User, Username};

macro_rules! select_users {
    ($($rest:tt)*) => {
        concat!(
            "SELECT id, sub, username, email, email_verified, claims, roles, created_at, updated_at, disabled_at, \
             not_before FROM users ",
            $($rest)*
        )
    };
}
pub(super) use select_users;

/// The columns of [`select_users`].
#[derive(FromRow)]
pub(super) struct Row {
    id: String,
    sub: String,
    username: String,
    email: Option<String>,
    email_verified: bool,
    claims: String,
    roles: String,
    created_at: i64,
    updated_at: i64,
    disabled_at: Option<i64>,
    not_before: i64,
}

impl TryFrom<Row> for User {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::new(row.id),
            sub: Subject::new(row.sub),
            username: Username::parse(&row.username).map_err(StoreError::corrupt)?,
            email: row.email,
            email_verified: row.email_verified,
            claims: serde_json::from_str(&row.claims).map_err(|_| StoreError::corrupt("users.claims"))?,
            roles: row.roles.split_whitespace().map(str::to_owned).collect(),
            created_at: Timestamp::from_seconds(row.created_at),
            updated_at: Timestamp::from_seconds(row.updated_at),
            disabled_at: row.disabled_at.map(Timestamp::from_seconds),
            not_before: Timestamp::from_seconds(row.not_before),
        })
    }
}

/// The form in which two e-mail addresses are compared: case does not matter.
#[must_use]
pub fn email_key(email: &str) -> String {
    email.to_lowercase()
}

/// A person by row.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &UserId) -> Result<Option<User>, StoreError> {
    let row: Option<Row> =
        on!(db, |db| sqlx::query_as(select_users!("WHERE id = $1")).bind(id.as_str()).fetch_optional(db).await)?;
    row.map(User::try_from).transpose()
}

/// A person by `sub`.
///
/// # Errors
/// If the database refuses.
pub async fn by_sub(db: &mut Db, sub: &Subject) -> Result<Option<User>, StoreError> {
    let row: Option<Row> =
        on!(db, |db| sqlx::query_as(select_users!("WHERE sub = $1")).bind(sub.as_str()).fetch_optional(db).await)?;
    row.map(User::try_from).transpose()
}

/// A person by user name, in the form of [`Username::key`].
///
/// # Errors
/// If the database refuses.
pub async fn by_username_key(db: &mut Db, key: &str) -> Result<Option<User>, StoreError> {
    let row: Option<Row> =
        on!(db, |db| sqlx::query_as(select_users!("WHERE username_key = $1")).bind(key).fetch_optional(db).await)?;
    row.map(User::try_from).transpose()
}

/// A person by e-mail address, in the form of [`email_key`], verified or not.
///
/// # Errors
/// If the database refuses.
pub async fn by_email_key(db: &mut Db, key: &str) -> Result<Option<User>, StoreError> {
    let row: Option<Row> =
        on!(db, |db| sqlx::query_as(select_users!("WHERE email_key = $1")).bind(key).fetch_optional(db).await)?;
    row.map(User::try_from).transpose()
}

/// All people by user name.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &mut Db) -> Result<Vec<User>, StoreError> {
    let rows: Vec<Row> = on!(db, |db| sqlx::query_as(select_users!("ORDER BY username_key")).fetch_all(db).await)?;
    rows.into_iter().map(User::try_from).collect()
}

/// How many people there are, and how many of them may sign in.
///
/// # Errors
/// If the database refuses.
pub async fn count(db: &mut Db) -> Result<(u64, u64), StoreError> {
    let (all, disabled): (i64, i64) =
        on!(db, |db| sqlx::query_as("SELECT COUNT(*), COUNT(disabled_at) FROM users").fetch_one(db).await)?;
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    Ok((number(all), number(all - disabled)))
}

/// Records a person.
///
/// # Errors
/// [`StoreError::Conflict`] if the user name or the address is taken.
pub async fn insert(tx: &mut Tx, user: &User) -> Result<(), StoreError> {
    let texts = Texts::of(user);
    on!(tx, |db| sqlx::query(
        "INSERT INTO users (id, sub, username, username_key, email, email_key, email_verified, claims, roles, \
         created_at, updated_at, disabled_at, not_before) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    )
    .bind(user.id.as_str())
    .bind(user.sub.as_str())
    .bind(user.username.as_str())
    .bind(texts.username_key.as_str())
    .bind(user.email.as_deref())
    .bind(texts.email_key.as_deref())
    .bind(user.email_verified)
    .bind(texts.claims.as_str())
    .bind(texts.roles.as_str())
    .bind(user.created_at.as_seconds())
    .bind(user.updated_at.as_seconds())
    .bind(user.disabled_at.map(Timestamp::as_seconds))
    .bind(user.not_before.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// Writes what is said of a person: names, address, claims, roles. Not whether the person may sign in.
///
/// # Errors
/// [`StoreError::Conflict`] if the user name or the address is taken.
pub async fn describe(tx: &mut Tx, user: &User) -> Result<(), StoreError> {
    let texts = Texts::of(user);
    on!(tx, |db| sqlx::query(
        "UPDATE users SET username = $2, username_key = $3, email = $4, email_key = $5, email_verified = $6, \
         claims = $7, roles = $8, updated_at = $9 WHERE id = $1"
    )
    .bind(user.id.as_str())
    .bind(user.username.as_str())
    .bind(texts.username_key.as_str())
    .bind(user.email.as_deref())
    .bind(texts.email_key.as_deref())
    .bind(user.email_verified)
    .bind(texts.claims.as_str())
    .bind(texts.roles.as_str())
    .bind(user.updated_at.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// Lets go of a person's e-mail address, so that somebody else may have it.
///
/// # Errors
/// If the database refuses.
pub async fn release_email(tx: &mut Tx, id: &UserId) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE users SET email = NULL, email_key = NULL, email_verified = FALSE WHERE id = $1")
        .bind(id.as_str())
        .execute(db)
        .await
        .map(drop))
}

/// Touches a person so that something may be born under them, or ended. False: there is none of that id.
///
/// # Errors
/// If the database refuses.
pub async fn touch(tx: &mut Tx, id: &UserId) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query("UPDATE users SET not_before = not_before WHERE id = $1")
        .bind(id.as_str())
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Touches a person who may sign in. False: there is none of that id, or the person is disabled.
///
/// # Errors
/// If the database refuses.
pub async fn touch_active(tx: &mut Tx, id: &UserId) -> Result<bool, StoreError> {
    let hit =
        on!(tx, |db| sqlx::query("UPDATE users SET not_before = not_before WHERE id = $1 AND disabled_at IS NULL")
            .bind(id.as_str())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Makes grants count no more that were given before now. False: there is no such person.
///
/// # Errors
/// If the database refuses.
pub async fn raise_not_before(tx: &mut Tx, id: &UserId, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE users SET not_before = CASE WHEN not_before < $2 THEN $2 ELSE not_before END WHERE id = $1"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Keeps a person from signing in. False: was so already, or there is no such person.
///
/// # Errors
/// If the database refuses.
pub async fn disable(tx: &mut Tx, id: &UserId, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE users SET disabled_at = $2, updated_at = $2 WHERE id = $1 AND disabled_at IS NULL"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Lets a person sign in again. False: could already, or there is no such person.
///
/// # Errors
/// If the database refuses.
pub async fn enable(tx: &mut Tx, id: &UserId, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE users SET disabled_at = NULL, updated_at = $2 WHERE id = $1 AND disabled_at IS NOT NULL"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Deletes a person and all that hangs on them. The status bits of their grants stay set until `invalid_until`.
///
/// # Errors
/// If the database refuses.
pub async fn remove(tx: &mut Tx, id: &UserId, invalid_until: Timestamp) -> Result<(), StoreError> {
    while endings::delete_grants(tx, Grants::User(id), invalid_until).await? {}
    on!(tx, |db| sqlx::query("DELETE FROM users WHERE id = $1").bind(id.as_str()).execute(db).await.map(drop))
}

/// The people who run this house and may sign in, other than `but`. Units that ask wait for each other until they end, so
/// that two admins cannot remove one another at the same moment.
///
/// # Errors
/// If the database refuses.
pub async fn other_admins(tx: &mut Tx, but: &UserId) -> Result<Vec<UserId>, StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO installation (name, value) VALUES ('admins', '') \
         ON CONFLICT (name) DO UPDATE SET value = installation.value"
    )
    .execute(db)
    .await
    .map(drop))?;
    let rows: Vec<(String,)> = on!(tx, |db| sqlx::query_as(OTHER_ADMINS).bind(but.as_str()).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(id,)| UserId::new(id)).collect())
}

/// The condition is word for word that of an index that holds nobody else, so that a house of a million people is not searched
/// for the few who run it. `replace` tells a role from one that only contains its name.
const OTHER_ADMINS: &str = "SELECT id FROM users WHERE replace(' ' || roles || ' ', ' admin ', '') <> ' ' || roles || ' ' \
     AND disabled_at IS NULL AND id <> $1 ORDER BY id";

/// The columns that are made of several parts.
struct Texts {
    username_key: String,
    email_key: Option<String>,
    claims: String,
    roles: String,
}

impl Texts {
    fn of(user: &User) -> Self {
        Self {
            username_key: user.username.key(),
            email_key: user.email.as_deref().map(email_key),
            claims: serde_json::Value::Object(user.claims.clone()).to_string(),
            roles: user.roles.join(" "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::ADMIN;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn admins_are_found_by_their_role_alone_and_without_a_look_at_everybody() {
        let store = TestStore::open().await;
        for (id, roles, disabled) in [
            ("only", ADMIN, "NULL"),
            ("first", "admin editor", "NULL"),
            ("between", "a admin z", "NULL"),
            ("last", "a admin", "NULL"),
            ("none", "", "NULL"),
            ("like", "administrator xadmin admin-2 Admin", "NULL"),
            ("away", "admin", "7"),
        ] {
            let text = format!(
                "INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, updated_at, \
                 disabled_at, not_before) VALUES ('{id}', '{id}', '{id}', '{id}', FALSE, '{{}}', '{roles}', 0, 0, {disabled}, 0)"
            );
            store.run(Box::leak(text.into_boxed_str())).await;
        }
        let found = store.write(async |tx| other_admins(tx, &UserId::new("last")).await).await.unwrap();
        assert_eq!(found.iter().map(UserId::as_str).collect::<Vec<_>>(), ["between", "first", "only"]);
        // PostgreSQL plans by what stands in the tables.
        if store.url().starts_with("sqlite") {
            let plan = store.plan(OTHER_ADMINS).await;
            assert!(plan.iter().all(|step| step.contains("users_who_are_admins")), "{plan:?}");
        }
    }
}
