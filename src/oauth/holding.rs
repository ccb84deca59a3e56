//! Who holds what: the sessions of a person that can still do something, and the apps that can.

use std::collections::BTreeMap;

use super::error::OAuthError;
use super::provider::Provider;
use crate::config::LONGEST_ACCESS_TOKEN;
use crate::domain::consent::Consent;
use crate::domain::id::{ClientId, SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::store::holdings::{self, Holding};
use crate::store::{Db, consents, sessions};

/// A session that can still do something.
#[derive(Debug)]
pub struct Used {
    /// The session.
    pub session: Session,
    /// When it, or an app through it, was last used.
    pub last_used: Timestamp,
    /// The apps that lose their access with it.
    pub clients: Vec<ClientId>,
}

/// The sessions of a person in which someone is signed in, or whose families live on although they lie idle (a session that
/// lies idle stops new sign-ins only). The present one first, then the last used.
///
/// # Errors
/// If the database refuses.
pub async fn sessions_of(
    provider: &Provider,
    user: &UserId,
    present: Option<&SessionId>,
    now: Timestamp,
) -> Result<Vec<Used>, OAuthError> {
    let mut db = provider.store.read().await?;
    let held = held(&mut db, provider, user, now).await?;
    let mut used: Vec<Used> = sessions::unended_of(&mut db, user)
        .await?
        .into_iter()
        .filter_map(|session| {
            let linked: Vec<&Holding> =
                held.iter().filter(|one| one.session_linked && one.session_id == session.id).collect();
            if linked.is_empty() && !session.is_live(now) {
                return None;
            }
            let last_used = linked.iter().map(|one| one.last_used_at).fold(session.last_seen_at, Timestamp::max);
            let mut clients: Vec<ClientId> = linked.into_iter().map(|one| one.client_id.clone()).collect();
            clients.sort();
            clients.dedup();
            Some(Used { session, last_used, clients })
        })
        .collect();
    used.sort_by_key(|one| (Some(&one.session.id) != present, std::cmp::Reverse(one.last_used)));
    Ok(used)
}

/// What an app has of a person.
#[derive(Debug, Clone)]
pub struct Held {
    /// What it may have, and since when.
    pub allows: Consent,
    /// When it last used that, and in which session it was given; `None`: it has no grant now.
    pub lately: Option<(Timestamp, SessionId)>,
}

/// The apps that a person allowed something, and those of the operator that hold something without having asked.
///
/// # Errors
/// If the database refuses.
pub async fn apps_of(
    provider: &Provider,
    user: &UserId,
    now: Timestamp,
) -> Result<BTreeMap<ClientId, Held>, OAuthError> {
    let mut db = provider.store.read().await?;
    let remembered = consents::of_user(&mut db, user).await?.into_iter();
    let mut apps: BTreeMap<ClientId, Held> =
        remembered.map(|(client, allows)| (client, Held { allows, lately: None })).collect();
    for Holding { client_id, session_id, allows, last_used_at, .. } in held(&mut db, provider, user, now).await? {
        let lately = Some((last_used_at, session_id));
        let all = match apps.remove(&client_id) {
            // Since the first of them, used by the last.
            Some(earlier) => Held { allows: earlier.allows.and(allows), lately: earlier.lately.max(lately) },
            None => Held { allows, lately },
        };
        apps.insert(client_id, all);
    }
    Ok(apps)
}

async fn held(db: &mut Db, provider: &Provider, user: &UserId, now: Timestamp) -> Result<Vec<Holding>, OAuthError> {
    Ok(holdings::of_user(db, user, spent(provider, now), now).await?)
}

/// A grant without a refresh token that was given before can do nothing any more.
#[must_use]
pub fn spent(provider: &Provider, now: Timestamp) -> Timestamp {
    now.minus(provider.config.tokens.authorization_code_ttl + LONGEST_ACCESS_TOKEN)
}
