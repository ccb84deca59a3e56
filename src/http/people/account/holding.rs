//! What the pages of the account read of sessions and apps: who holds what.

use std::collections::BTreeMap;

use crate::config::LONGEST_ACCESS_TOKEN;
use crate::domain::consent::Consent;
use crate::domain::id::ClientId;
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
pub(super) async fn apps_of(visitor: &Visitor, user: &User) -> Result<BTreeMap<ClientId, Consent>, OAuthError> {
    let mut db = visitor.doors.app().store.read().await?;
    let mut apps: BTreeMap<ClientId, Consent> = consents::of_user(&mut db, &user.id).await?.into_iter().collect();
    for one in held(&mut db, visitor, &user.id).await? {
        let all = match apps.remove(&one.client_id) {
            // Since the first of them.
            Some(earlier) => earlier.and(one.allows),
            None => one.allows,
        };
        apps.insert(one.client_id, all);
    }
    Ok(apps)
}

async fn held(db: &mut Db, visitor: &Visitor, user: &crate::domain::id::UserId) -> Result<Vec<Holding>, OAuthError> {
    let spent = visitor.doors.app().config().tokens.authorization_code_ttl + LONGEST_ACCESS_TOKEN;
    Ok(holdings::of_user(db, user, visitor.now.minus(spent), visitor.now).await?)
}
