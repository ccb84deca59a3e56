//! What the pages of the account read of sessions and apps: who holds what.

use std::collections::BTreeMap;

use crate::config::LONGEST_ACCESS_TOKEN;
use crate::domain::id::ClientId;
use crate::domain::scope::ScopeSet;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::user::User;
use crate::http::visit::Visitor;
use crate::oauth::error::OAuthError;
use crate::store::holdings::{self, Holding};
use crate::store::{Db, consents, sessions};

/// A session that can still do something.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) session: Session,
    /// When it, or an app through it, was last used.
    pub(super) last_used: Timestamp,
    /// The apps that lose their access with it.
    pub(super) clients: Vec<ClientId>,
}

/// An app and all it may have.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) scope: ScopeSet,
    pub(super) claims: Vec<String>,
    pub(super) since: Timestamp,
}

/// The sessions of a person in which someone is signed in, or whose families live on although they lie idle (a session that
/// lies idle stops new sign-ins only). The present one first, then the last used.
pub(super) async fn sessions_of(visitor: &Visitor, present: &Session) -> Result<Vec<Used>, OAuthError> {
    let mut db = visitor.doors.app().store.read().await?;
    let held = held(&mut db, visitor, &present.user_id).await?;
    let mut used: Vec<Used> = sessions::unended_of(&mut db, &present.user_id)
        .await?
        .into_iter()
        .filter_map(|session| {
            let linked: Vec<&Holding> =
                held.iter().filter(|one| one.session_linked && one.session_id == session.id).collect();
            if linked.is_empty() && !session.is_live(visitor.now) {
                return None;
            }
            let last_used = linked.iter().map(|one| one.last_used_at).fold(session.last_seen_at, Timestamp::max);
            let mut clients: Vec<ClientId> = linked.into_iter().map(|one| one.client_id.clone()).collect();
            clients.sort();
            clients.dedup();
            Some(Used { session, last_used, clients })
        })
        .collect();
    used.sort_by_key(|one| (one.session.id != present.id, std::cmp::Reverse(one.last_used)));
    Ok(used)
}

/// The apps that a person allowed something, and those of the operator that hold something without having asked.
pub(super) async fn apps_of(visitor: &Visitor, user: &User) -> Result<BTreeMap<ClientId, Connected>, OAuthError> {
    let mut db = visitor.doors.app().store.read().await?;
    let mut apps = BTreeMap::new();
    for (client, consent) in consents::of_user(&mut db, &user.id).await? {
        apps.insert(client, Connected { scope: consent.scope, claims: consent.claims, since: consent.granted_at });
    }
    for one in held(&mut db, visitor, &user.id).await? {
        match apps.get_mut(&one.client_id) {
            Some(app) => {
                app.scope = app.scope.union(&one.scope);
                app.claims.extend(one.claims);
            }
            None => {
                apps.insert(one.client_id, Connected { scope: one.scope, claims: one.claims, since: one.created_at });
            }
        }
    }
    Ok(apps)
}

async fn held(db: &mut Db, visitor: &Visitor, user: &crate::domain::id::UserId) -> Result<Vec<Holding>, OAuthError> {
    let spent = visitor.doors.app().config().tokens.authorization_code_ttl + LONGEST_ACCESS_TOKEN;
    Ok(holdings::of_user(db, user, visitor.now.minus(spent), visitor.now).await?)
}
