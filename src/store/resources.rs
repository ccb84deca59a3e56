//! APIs and the scopes they own. Every writing function first tells the other processes, which also makes writers wait for
//! each other.

use std::collections::HashMap;

use sqlx::FromRow;

use super::changes::{self, Kind};
use super::{Db, StoreError, Tx, on};
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;

/// Registers an API.
///
/// # Errors
/// [`StoreError::Conflict`] if its identifier or one of its scopes is taken.
pub async fn insert(tx: &mut Tx, resource: &Resource, now: Timestamp) -> Result<(), StoreError> {
    changes::bump(tx, Kind::Resources).await?;
    let introspected_by = introspected_by(resource)?;
    on!(tx, |db| sqlx::query(
        "INSERT INTO resources (identifier, name, introspected_by, access_token_alg, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5)"
    )
    .bind(resource.identifier.as_str())
    .bind(resource.name.as_str())
    .bind(introspected_by.as_str())
    .bind(resource.access_token_alg.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop))?;
    insert_scopes(tx, resource).await
}

/// Replaces what was registered, scopes included. Creation time and being out of service stay. False: no such API.
///
/// # Errors
/// [`StoreError::Conflict`] if one of its scopes belongs to another API.
pub async fn replace(tx: &mut Tx, resource: &Resource, now: Timestamp) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Resources).await?;
    let introspected_by = introspected_by(resource)?;
    let hit = on!(tx, |db| {
        sqlx::query(
        "UPDATE resources SET name = $2, introspected_by = $3, access_token_alg = $4, updated_at = $5 WHERE identifier = $1"
    )
    .bind(resource.identifier.as_str())
    .bind(resource.name.as_str())
    .bind(introspected_by.as_str())
    .bind(resource.access_token_alg.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected())
    })?;
    if hit == 0 {
        return Ok(false);
    }
    release_scopes(tx, &resource.identifier).await?;
    insert_scopes(tx, resource).await?;
    Ok(true)
}

/// Takes all scopes from an API, so that another may have them in the same unit.
///
/// # Errors
/// If the database refuses.
pub async fn release_scopes(tx: &mut Tx, identifier: &str) -> Result<(), StoreError> {
    changes::bump(tx, Kind::Resources).await?;
    on!(tx, |db| sqlx::query("DELETE FROM resource_scopes WHERE resource = $1")
        .bind(identifier)
        .execute(db)
        .await
        .map(drop))
}

/// Takes an API out of service: no tokens are issued for it. False: no such API, or out of service already.
///
/// # Errors
/// If the database refuses.
pub async fn disable(tx: &mut Tx, identifier: &str, now: Timestamp) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Resources).await?;
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE resources SET disabled_at = $2, updated_at = $2 WHERE identifier = $1 AND disabled_at IS NULL"
    )
    .bind(identifier)
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Puts an API into service again. False: no such API, or in service.
///
/// # Errors
/// If the database refuses.
pub async fn enable(tx: &mut Tx, identifier: &str, now: Timestamp) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Resources).await?;
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE resources SET disabled_at = NULL, updated_at = $2 WHERE identifier = $1 AND disabled_at IS NOT NULL"
    )
    .bind(identifier)
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Deletes an API with its scopes. False: no such API.
///
/// # Errors
/// If the database refuses.
pub async fn remove(tx: &mut Tx, identifier: &str) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Resources).await?;
    let hit = on!(tx, |db| sqlx::query("DELETE FROM resources WHERE identifier = $1")
        .bind(identifier)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// An API by its identifier, in its registered spelling.
///
/// # Errors
/// If the database refuses, or the row holds what cannot be.
pub async fn find(db: &mut Db, identifier: &str) -> Result<Option<Resource>, StoreError> {
    Ok(list(db).await?.into_iter().find(|resource| resource.identifier == identifier))
}

/// All APIs by their identifiers, those out of service too.
///
/// # Errors
/// If the database refuses, or a row holds what cannot be.
pub async fn list(db: &mut Db) -> Result<Vec<Resource>, StoreError> {
    let rows: Vec<Row> = on!(db, |db| sqlx::query_as(
        "SELECT identifier, name, introspected_by, access_token_alg, disabled_at FROM resources ORDER BY identifier"
    )
    .fetch_all(db)
    .await)?;
    let owned: Vec<(String, String)> =
        on!(db, |db| sqlx::query_as("SELECT resource, scope FROM resource_scopes ORDER BY resource, position")
            .fetch_all(db)
            .await)?;
    let mut scopes: HashMap<String, ScopeSet> = HashMap::new();
    for (resource, scope) in owned {
        scopes.entry(resource).or_default().insert(&scope);
    }
    rows.into_iter()
        .map(|row| {
            let own = scopes.remove(&row.identifier).unwrap_or_default();
            resource_of(row, own)
        })
        .collect()
}

#[derive(FromRow)]
struct Row {
    identifier: String,
    name: String,
    introspected_by: String,
    access_token_alg: String,
    disabled_at: Option<i64>,
}

fn resource_of(row: Row, scopes: ScopeSet) -> Result<Resource, StoreError> {
    Ok(Resource {
        introspected_by: serde_json::from_str(&row.introspected_by).map_err(StoreError::corrupt)?,
        access_token_alg: row.access_token_alg.parse().map_err(StoreError::corrupt)?,
        identifier: row.identifier,
        name: row.name,
        scopes,
        disabled_at: row.disabled_at.map(Timestamp::from_seconds),
    })
}

fn introspected_by(resource: &Resource) -> Result<String, StoreError> {
    serde_json::to_string(&resource.introspected_by).map_err(StoreError::corrupt)
}

async fn insert_scopes(tx: &mut Tx, resource: &Resource) -> Result<(), StoreError> {
    for (position, scope) in (0_i64..).zip(resource.scopes.iter()) {
        on!(tx, |db| sqlx::query("INSERT INTO resource_scopes (scope, resource, position) VALUES ($1, $2, $3)")
            .bind(scope)
            .bind(resource.identifier.as_str())
            .bind(position)
            .execute(db)
            .await
            .map(drop))?;
    }
    Ok(())
}
