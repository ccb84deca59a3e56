//! The units of work: a read by a time-ordered id, guarded updates, and an insert where the product inserts.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The tables and indexes that the measured statements touch.
pub(super) const SCHEMA: &str = "
CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, sub TEXT NOT NULL, disabled_at BIGINT);
CREATE TABLE clients (client_id TEXT NOT NULL PRIMARY KEY, redirect_uri TEXT NOT NULL, challenge TEXT NOT NULL, not_before BIGINT NOT NULL);
CREATE TABLE sessions (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id), ended_at BIGINT);
CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    client_id TEXT NOT NULL REFERENCES clients (client_id),
    session_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    reason TEXT
);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_expires ON grants (expires_at);
CREATE INDEX grants_ended ON grants (ended_at);
CREATE TABLE codes (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    grant_id TEXT NOT NULL REFERENCES grants (id),
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX codes_grant ON codes (grant_id);
CREATE INDEX codes_expires ON codes (expires_at);
CREATE TABLE refresh_families (
    id TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL UNIQUE REFERENCES grants (id),
    client_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    retry_contexts TEXT NOT NULL,
    ended_at BIGINT,
    reason TEXT
);
CREATE TABLE audit (id TEXT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL);
";

/// What all grants of the model are of.
const USER: &str = "0190a6a1b2c37d4e8f90a1b2c3d4e5f6";
const SESSION: &str = "0190a6a1b2c37d4e8f90a1b2c3d4e5f7";
const LIFE: i64 = 90 * 86_400;
const CODE_LIFE: i64 = 600;

/// What is to be done in one unit.
pub(super) enum Unit {
    /// The rows that everything hangs on.
    Parents { client: String, redirect_uri: String, challenge: String },
    /// Grants with a code each.
    Codes { codes: Vec<NewCode>, now: i64 },
    /// A code for a family.
    Redeem { code: String, digest: String, redirect_uri: String, challenge: String, family: String, now: i64 },
    /// The next generation of a family.
    Rotate { family: String, generation: u32, now: i64 },
    /// The end of a grant and its family, with an audit row.
    End { grant: String, now: i64 },
}

/// A code to be inserted.
pub(super) struct NewCode {
    pub(super) id: String,
    pub(super) digest: String,
    pub(super) grant: String,
}

/// What became of a unit.
pub(super) enum Done {
    /// Tokens of this grant are due.
    Granted { grant: String },
    /// Written.
    Written,
    /// Refused.
    Refused,
}

/// A family as the joined read finds it.
pub(super) struct Family {
    pub(super) grant: String,
    pub(super) generation: i64,
    pub(super) alive: bool,
}

/// SHA-256 as base64url.
pub(super) fn text_digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}

macro_rules! units {
    ($name:ident, $connection:ty) => {
        /// The units on one of the two databases.
        pub(super) mod $name {
            use super::*;

            pub(in crate::model) async fn run(connection: &mut $connection, unit: &Unit) -> Result<Done, sqlx::Error> {
                match unit {
                    Unit::Parents { client, redirect_uri, challenge } => {
                        sqlx::query("INSERT INTO users (id, sub) VALUES ($1, $1)").bind(USER).execute(&mut *connection).await?;
                        sqlx::query("INSERT INTO clients (client_id, redirect_uri, challenge, not_before) VALUES ($1, $2, $3, 0)")
                            .bind(client.as_str())
                            .bind(redirect_uri.as_str())
                            .bind(challenge.as_str())
                            .execute(&mut *connection)
                            .await?;
                        sqlx::query("INSERT INTO sessions (id, user_id) VALUES ($1, $2)")
                            .bind(SESSION)
                            .bind(USER)
                            .execute(connection)
                            .await?;
                        Ok(Done::Written)
                    }
                    Unit::Codes { codes, now } => {
                        for code in codes {
                            insert_code(connection, code, *now).await?;
                        }
                        Ok(Done::Written)
                    }
                    Unit::Redeem { .. } => redeem(connection, unit).await,
                    Unit::Rotate { family, generation, now } => rotate(connection, family, *generation, *now).await,
                    Unit::End { grant, now } => end(connection, grant, *now).await,
                }
            }

            async fn insert_code(connection: &mut $connection, code: &NewCode, now: i64) -> Result<(), sqlx::Error> {
                sqlx::query(
                    "INSERT INTO grants (id, user_id, client_id, session_id, created_at, last_used_at, expires_at) \
                     SELECT $1, $2, client_id, $3, $4, $4, $5 FROM clients",
                )
                .bind(code.grant.as_str())
                .bind(USER)
                .bind(SESSION)
                .bind(now)
                .bind(now + LIFE)
                .execute(&mut *connection)
                .await?;
                sqlx::query("INSERT INTO codes (id, digest, grant_id, expires_at) VALUES ($1, $2, $3, $4)")
                    .bind(code.id.as_str())
                    .bind(code.digest.as_str())
                    .bind(code.grant.as_str())
                    .bind(now + CODE_LIFE)
                    .execute(connection)
                    .await?;
                Ok(())
            }

            async fn redeem(connection: &mut $connection, unit: &Unit) -> Result<Done, sqlx::Error> {
                let Unit::Redeem { code, digest, redirect_uri, challenge, family, now } = unit else { return Ok(Done::Refused) };
                let row: Option<(String, String, String, String, String, i64, Option<i64>, Option<i64>, Option<i64>)> =
                    sqlx::query_as(
                        "SELECT k.digest, k.grant_id, c.client_id, c.redirect_uri, c.challenge, k.expires_at, k.used_at, g.ended_at, s.ended_at \
                         FROM grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.client_id = g.client_id \
                         LEFT JOIN sessions s ON s.id = g.session_id JOIN codes k ON k.grant_id = g.id WHERE k.id = $1",
                    )
                    .bind(code.as_str())
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some((stored, grant, client, redirect, pkce, expires, None, None, None)) = row else {
                    return Ok(Done::Refused);
                };
                let same = aws_lc_rs::constant_time::verify_slices_are_equal(stored.as_bytes(), digest.as_bytes()).is_ok();
                if !same || redirect != *redirect_uri || pkce != *challenge || expires <= *now {
                    return Ok(Done::Refused);
                }
                sqlx::query("UPDATE grants SET last_used_at = $2 WHERE id = $1 AND ended_at IS NULL")
                    .bind(grant.as_str())
                    .bind(*now)
                    .execute(&mut *connection)
                    .await?;
                let hit = sqlx::query("UPDATE codes SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2")
                    .bind(code.as_str())
                    .bind(*now)
                    .execute(&mut *connection)
                    .await?;
                if hit.rows_affected() != 1 {
                    return Ok(Done::Refused);
                }
                sqlx::query(
                    "INSERT INTO refresh_families (id, grant_id, client_id, generation, rotated_at, expires_at, idle_expires_at, \
                     retry_contexts) VALUES ($1, $2, $3, 0, $4, $5, $5, $6)",
                )
                .bind(family.as_str())
                .bind(grant.as_str())
                .bind(client.as_str())
                .bind(*now)
                .bind(*now + LIFE)
                .bind("AAAAAAAAAAAA")
                .execute(connection)
                .await?;
                Ok(Done::Granted { grant })
            }

            async fn rotate(connection: &mut $connection, id: &str, generation: u32, now: i64) -> Result<Done, sqlx::Error> {
                let Some(found) = family(connection, id).await? else { return Ok(Done::Refused) };
                if !found.alive || found.generation != i64::from(generation) {
                    return Ok(Done::Refused);
                }
                let hit = sqlx::query(
                    "UPDATE refresh_families SET generation = $3, rotated_at = $4, idle_expires_at = $5, retry_contexts = $6 \
                     WHERE id = $1 AND generation = $2 AND ended_at IS NULL",
                )
                .bind(id)
                .bind(found.generation)
                .bind(found.generation + 1)
                .bind(now)
                .bind(now + LIFE)
                .bind("AAAAAAAAAAAA")
                .execute(connection)
                .await?;
                if hit.rows_affected() == 1 { Ok(Done::Granted { grant: found.grant }) } else { Ok(Done::Refused) }
            }

            async fn end(connection: &mut $connection, grant: &str, now: i64) -> Result<Done, sqlx::Error> {
                sqlx::query("UPDATE grants SET ended_at = $2, reason = 'revoked' WHERE id = $1 AND ended_at IS NULL")
                    .bind(grant)
                    .bind(now)
                    .execute(&mut *connection)
                    .await?;
                sqlx::query("UPDATE refresh_families SET ended_at = $2, reason = 'revoked' WHERE grant_id = $1 AND ended_at IS NULL")
                    .bind(grant)
                    .bind(now)
                    .execute(&mut *connection)
                    .await?;
                let id = uuid::Uuid::now_v7().simple().to_string();
                let data = format!(r#"{{"grant_ids":["{grant}"],"grants":1,"reason":"revoked","session_ids":[],"sessions":0}}"#);
                sqlx::query("INSERT INTO audit (id, at, actor, action, subject, data) VALUES ($1, $2, $3, $4, $5, $6)")
                    .bind(id)
                    .bind(now)
                    .bind("client:load")
                    .bind("grant.end")
                    .bind(grant)
                    .bind(data)
                    .execute(connection)
                    .await?;
                Ok(Done::Written)
            }

            pub(in crate::model) async fn family(connection: &mut $connection, id: &str) -> Result<Option<Family>, sqlx::Error> {
                let row: Option<(String, i64, Option<i64>, Option<i64>, Option<i64>)> = sqlx::query_as(
                    "SELECT f.grant_id, f.generation, f.ended_at, g.ended_at, s.ended_at \
                     FROM grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.client_id = g.client_id \
                     LEFT JOIN sessions s ON s.id = g.session_id JOIN refresh_families f ON f.grant_id = g.id WHERE f.id = $1",
                )
                .bind(id)
                .fetch_optional(connection)
                .await?;
                Ok(row.map(|(grant, generation, family, given, session)| Family {
                    grant,
                    generation,
                    alive: family.is_none() && given.is_none() && session.is_none(),
                }))
            }

            pub(in crate::model) async fn grant_lives(connection: &mut $connection, id: &str) -> Result<bool, sqlx::Error> {
                let row: Option<(String, Option<i64>, Option<i64>, Option<i64>)> = sqlx::query_as(
                    "SELECT u.sub, u.disabled_at, g.ended_at, s.ended_at \
                     FROM grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.client_id = g.client_id \
                     LEFT JOIN sessions s ON s.id = g.session_id WHERE g.id = $1",
                )
                .bind(id)
                .fetch_optional(connection)
                .await?;
                Ok(matches!(row, Some((_, None, None, None))))
            }
        }
    };
}

units!(on_sqlite, sqlx::SqliteConnection);
units!(on_postgres, sqlx::PgConnection);
