//! The revoke procedure: the one way in which sessions, grants and families end before their time.
//!
//! Parents before children: the person, the sessions, the grants, the families. Whoever gives birth to a child touches the
//! parent first, so nothing is born under what ends here. Codes need no row of their own to change: a code is worth what
//! its grant is worth.

use serde_json::json;

use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, GrantId, SessionId, UserId};
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event};
use crate::store::endings::{self, Grants, Part};
use crate::store::outbox::{self, JustEnded, Of};
use crate::store::{Store, StoreError, Tx, clients, consents, grants, users};

/// The access tokens of a grant that carry one place in the status lists, or those that a client got for itself. What they were given for
/// goes on.
#[derive(Debug, Clone)]
pub enum AccessTokens {
    /// Of a grant.
    OfGrant {
        /// The grant.
        grant: GrantId,
        /// The place that they carry.
        at: StatusIndex,
        /// The place of those to come.
        fresh: StatusIndex,
    },
    /// Of a client.
    OfClient(ClientId),
}

/// Revokes access tokens. Their place stays set until `invalid_until`. False: there was nothing left to revoke.
///
/// # Errors
/// If the database refuses.
pub async fn end_access_tokens(
    tx: &mut Tx,
    tokens: &AccessTokens,
    invalid_until: Timestamp,
    actor: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (ended, subject) = match tokens {
        AccessTokens::OfGrant { grant, at, fresh } => {
            (grants::move_status(tx, grant, *at, *fresh, invalid_until, now).await?, grant.as_str())
        }
        AccessTokens::OfClient(client) => {
            (clients::renew_status(tx, client, invalid_until, now).await?, client.as_str())
        }
    };
    if ended {
        let data = json!({"reason": EndReason::Revoked.as_str()});
        audit::record(tx, &Event { actor, action: "access_tokens.end", subject, data }, now).await?;
    }
    Ok(ended)
}

/// What to end.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// A session, and the grants that end with it.
    Session(&'a SessionId),
    /// The sessions of a person but one, and the grants that end with them; after a change of password all grants.
    SessionsOf {
        /// The person.
        user: &'a UserId,
        /// The session that stays.
        keep: Option<&'a SessionId>,
    },
    /// Everything of a person.
    User(&'a UserId),
    /// All grants of a client.
    Client(&'a ClientId),
    /// All grants of a person for a client, and the remembered consent.
    Consent {
        /// The person.
        user: &'a UserId,
        /// The client.
        client: &'a ClientId,
    },
    /// A grant.
    Grant(&'a GrantId),
}

/// What was ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sessions.
    pub sessions: Vec<SessionId>,
    /// Grants, and with each its code and its family.
    pub grants: Vec<GrantId>,
    /// Whether more grants are left, for [`end_rest`]. They are worth nothing here, but who checks tokens learns from their rows.
    pub more: bool,
}

impl Ended {
    /// Whether there was nothing to end.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.grants.is_empty()
    }
}

/// Ends something and all that hangs on it; of very many grants only a first batch, since the rest is worthless with its
/// parent (see [`end_rest`]). `actor` is written as in [`Event::actor`].
///
/// # Errors
/// If the database refuses.
pub async fn end(
    tx: &mut Tx,
    what: What<'_>,
    reason: EndReason,
    actor: &str,
    now: Timestamp,
) -> Result<Ended, StoreError> {
    let sessions = end_sessions(tx, what, reason, now).await?;
    let some = endings::end_grants(tx, grants_of(what, reason), Part::default(), reason, now).await?;
    let ended = Ended { sessions, grants: some.ids, more: some.go_on_after.is_some() };
    if !ended.is_empty() {
        tell(tx, what, (None, some.go_on_after.as_ref()), reason, now).await?;
    }
    // An alarm is worth a row even when a neighbour ended the rows a moment before.
    if !ended.is_empty() || reason.is_alarm() {
        record(tx, what, reason, &ended, actor, now).await?;
    }
    Ok(ended)
}

/// Everything of somebody: where there may be more grants than one unit of work can end.
#[derive(Debug, Clone)]
pub enum Whole {
    /// A person.
    User(UserId),
    /// What ends with a session.
    Session(SessionId),
    /// What ends with a person's sessions.
    SessionsOf {
        /// The person.
        user: UserId,
        /// The session that stays.
        keep: Option<SessionId>,
    },
    /// A client.
    Client(ClientId),
}

impl Whole {
    fn what(&self) -> What<'_> {
        match self {
            Self::User(user) => What::User(user),
            Self::Session(session) => What::Session(session),
            Self::SessionsOf { user, keep } => What::SessionsOf { user, keep: keep.as_ref() },
            Self::Client(client) => What::Client(client),
        }
    }
}

/// Ends what [`end`] left over at a moment, in units of its own, so that nobody waits long behind any of them. What was granted since goes
/// on. Returns how many grants.
///
/// # Errors
/// If the database refuses; what was ended until then stays so.
pub async fn end_rest(
    store: &Store,
    whole: &Whole,
    reason: EndReason,
    actor: &str,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let (mut total, mut after) = (0, None);
    loop {
        let (whole, from, actor) = (whole.clone(), after.take(), actor.to_owned());
        let (count, go_on_after) = store
            .write(async move |tx| {
                let what = whole.what();
                let part = Part { after: from.as_ref(), born_by: Some(now) };
                let some = endings::end_grants(tx, grants_of(what, reason), part, reason, now).await?;
                let ended = Ended { grants: some.ids, ..Ended::default() };
                tell(tx, what, (from.as_ref(), some.go_on_after.as_ref()), reason, now).await?;
                if !ended.is_empty() {
                    record(tx, what, reason, &ended, &actor, now).await?;
                }
                Ok((ended.grants.len(), some.go_on_after))
            })
            .await?;
        total += count;
        if go_on_after.is_none() {
            return Ok(total);
        }
        after = go_on_after;
    }
}

/// Ends every session and every grant from before a moment, in units of its own. They count no more by then: this is said in
/// their rows here.
///
/// # Errors
/// If the database refuses; what was ended until then stays so.
pub async fn end_all(store: &Store, reason: EndReason, actor: &str, now: Timestamp) -> Result<(), StoreError> {
    let (mut sessions, mut grants) = (0, 0);
    let mut after = Some(String::new());
    while let Some(from) = after {
        let (some, next) = store.write(async move |tx| endings::end_all_sessions(tx, &from, reason, now).await).await?;
        (sessions, after) = (sessions + some, next);
    }
    let mut after = Some(String::new());
    while let Some(from) = after {
        let end = async move |tx: &mut Tx| {
            let (some, next) = endings::end_all_grants(tx, &from, reason, now).await?;
            let ended = JustEnded { after: &from, until: next.as_deref(), reason, now };
            outbox::tell_of_logout(tx, Of::All, ended).await?;
            Ok((some, next))
        };
        let (some, next) = store.write(end).await?;
        (grants, after) = (grants + some, next);
    }
    let actor = actor.to_owned();
    store
        .write(async move |tx| {
            let data = json!({"reason": reason.as_str(), "sessions": sessions, "grants": grants});
            audit::record(tx, &Event { actor: &actor, action: "all.end", subject: "", data }, now).await
        })
        .await
}

/// Deletes the grants of somebody who was ended and shall be removed, in units of its own. Their status bits stay set until
/// `invalid_until`.
///
/// # Errors
/// If the database refuses; what was deleted until then stays so.
pub async fn delete_grants(store: &Store, whole: &Whole, invalid_until: Timestamp) -> Result<(), StoreError> {
    loop {
        let whole = whole.clone();
        let more = store
            .write(async move |tx| {
                let grants = grants_of(whole.what(), EndReason::Admin);
                endings::delete_grants(tx, grants, invalid_until).await
            })
            .await?;
        if !more {
            return Ok(());
        }
    }
}

async fn end_sessions(
    tx: &mut Tx,
    what: What<'_>,
    reason: EndReason,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    match what {
        What::Session(id) => {
            Ok(if endings::end_session(tx, id, reason, now).await? { vec![id.clone()] } else { Vec::new() })
        }
        What::SessionsOf { user, keep } => {
            if reason == EndReason::PasswordChanged {
                users::raise_not_before(tx, user, now).await?;
            } else {
                users::touch(tx, user).await?;
            }
            endings::end_sessions_of(tx, user, keep, reason, now).await
        }
        What::User(user) => {
            users::raise_not_before(tx, user, now).await?;
            endings::end_sessions_of(tx, user, None, reason, now).await
        }
        What::Client(client) => {
            endings::raise_client_not_before(tx, client, now).await?;
            Ok(Vec::new())
        }
        What::Consent { user, client } => {
            consents::forget(tx, user, client).await?;
            Ok(Vec::new())
        }
        What::Grant(_) => Ok(Vec::new()),
    }
}

fn grants_of(what: What<'_>, reason: EndReason) -> Grants<'_> {
    match what {
        What::Session(id) => Grants::LinkedTo(id),
        What::SessionsOf { user, .. } if reason == EndReason::PasswordChanged => Grants::User(user),
        What::SessionsOf { user, keep } => Grants::LinkedOf { user, keep },
        What::User(user) => Grants::User(user),
        What::Client(client) => Grants::Client(client),
        What::Consent { user, client } => Grants::Consent { user, client },
        What::Grant(id) => Grants::One(id),
    }
}

/// Tells the apps that asked for it (OpenID Connect Back-Channel Logout 1.0): of what ended among the grants between two ids. Nothing
/// is told of what an app did itself, or what goes on under another grant.
async fn tell(
    tx: &mut Tx,
    what: What<'_>,
    (after, until): (Option<&GrantId>, Option<&GrantId>),
    reason: EndReason,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !is_told(what, reason) {
        return Ok(());
    }
    let of = match what {
        // Few, and none of it is left to a further unit: apps whose grants are over are told as well.
        What::Session(id) => {
            return outbox::tell_of_logout(tx, Of::Session(id), JustEnded { after: "", until: None, reason, now })
                .await;
        }
        What::SessionsOf { user, .. } | What::User(user) => Of::User(user),
        What::Client(client) => Of::Client(client),
        What::Consent { user, client } => Of::Consent { user, client },
        What::Grant(id) => Of::Grant(id),
    };
    let ended = JustEnded { after: after.map_or("", GrantId::as_str), until: until.map(GrantId::as_str), reason, now };
    outbox::tell_of_logout(tx, of, ended).await
}

fn is_told(what: What<'_>, reason: EndReason) -> bool {
    match reason {
        // A grant alone is ended so by its own app.
        EndReason::SignedOut => !matches!(what, What::Grant(_)),
        EndReason::OtherPerson
        | EndReason::PasswordChanged
        | EndReason::UserDisabled
        | EndReason::ClientDisabled
        | EndReason::ConsentWithdrawn
        | EndReason::Admin
        | EndReason::HostLost
        // Nobody may have told of it yet. An app that hears of an end twice has nothing to do the second time.
        | EndReason::Orphaned => true,
        EndReason::Replaced
        | EndReason::Revoked
        | EndReason::CodeReuse
        | EndReason::RefreshReuse
        | EndReason::LostAnswer
        | EndReason::Retries
        | EndReason::Subject => false,
    }
}

/// How many identities an audit row names before it only counts.
const NAMED: usize = 20;

async fn record(
    tx: &mut Tx,
    what: What<'_>,
    reason: EndReason,
    ended: &Ended,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (action, subject, client) = match what {
        What::Session(id) => ("session.end", id.as_str(), None),
        What::SessionsOf { user, .. } => ("sessions.end", user.as_str(), None),
        What::User(user) => ("user.end", user.as_str(), None),
        What::Client(client) => ("client.end", client.as_str(), None),
        What::Consent { user, client } => ("consent.end", user.as_str(), Some(client.as_str())),
        What::Grant(id) => ("grant.end", id.as_str(), None),
    };
    let mut data = json!({
        "reason": reason.as_str(),
        "sessions": ended.sessions.len(),
        "grants": ended.grants.len(),
        "session_ids": ended.sessions.iter().take(NAMED).map(SessionId::as_str).collect::<Vec<_>>(),
        "grant_ids": ended.grants.iter().take(NAMED).map(GrantId::as_str).collect::<Vec<_>>(),
    });
    if let Some(members) = data.as_object_mut() {
        if reason.is_alarm() {
            members.insert("alarm".to_owned(), true.into());
        }
        if let Some(client) = client {
            members.insert("client".to_owned(), client.into());
        }
    }
    audit::record(tx, &Event { actor, action, subject, data }, now).await
}

#[cfg(test)]
#[path = "revoke_tests.rs"]
mod tests;
