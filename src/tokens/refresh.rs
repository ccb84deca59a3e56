//! Presenting a refresh token: the next generation, the same again, or the end of the family.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::grant_mac::GrantKeys;
use super::revoke::{self, What};
use crate::crypto::{digest, encoding};
use crate::domain::client::{Client, Delivery};
use crate::domain::grant::EndReason;
use crate::domain::rate_limit::{RateLimit, TooSoon};
use crate::domain::refresh_family::{Bound, Meaning, RefreshFamily, Retries, RetryPolicy};
use crate::domain::refresh_token::RefreshToken;
use crate::domain::time::Timestamp;
use crate::domain::token::OpaqueToken;
use crate::keys::roots::RefreshRoots;
use crate::store::grants::Standing;
use crate::store::refresh_families::{self, Advance};
use crate::store::{StoreError, Tx, audit};

/// Everything that a presentation brings along.
#[derive(Debug)]
pub struct Presentation {
    /// The token, already shown to be genuine for this client.
    pub token: RefreshToken,
    /// The root it was MACed under.
    pub root_id: String,
    /// Whose it should be.
    pub client: Arc<Client>,
    /// Whether the client proved who it is.
    pub bound: Option<Bound>,
    /// How the token came.
    pub delivery: Delivery,
    /// The session cookie that came along in cookie mode.
    pub session_cookie: Option<OpaqueToken>,
    /// The retry rule of the client now: its grace in seconds.
    pub client_grace: u64,
    /// How long a family may lie idle.
    pub idle: Duration,
    /// From which address prefix and user agent it came, as a short digest.
    pub context: String,
    /// The request's moment.
    pub now: Timestamp,
}

/// What a presentation led to. All of it is committed.
#[derive(Debug)]
pub enum Presented<T, E> {
    /// Hand out a generation.
    Accepted(Box<Accepted<T>>),
    /// The token is good, but more was asked than its grant gives. No generation was spent.
    Declined(E),
    /// Refuse. The hint is for the client's developer.
    Refused(&'static str),
    /// The family has stepped too often of late. Nothing was changed.
    TooSoon(TooSoon),
}

/// An accepted presentation.
#[derive(Debug)]
pub struct Accepted<T> {
    /// The family as it was before.
    pub family: RefreshFamily,
    /// Its grant and what that hangs on.
    pub standing: Standing,
    /// The generation to hand out.
    pub generation: u32,
    /// What was made of the request's wishes.
    pub narrowed: T,
}

/// A genuine token and the root it was made under.
///
/// # Errors
/// `Err(())` if the token is not genuine but a root could not be opened: then it is our fault, not the token's.
pub fn recognise(
    presented: &str,
    client: &Client,
    roots: &RefreshRoots,
) -> Result<Option<(RefreshToken, String)>, RootsMissing> {
    let Some(token) = RefreshToken::parse(presented) else { return Ok(None) };
    for (root_id, root) in roots.all() {
        if token.is_genuine(&token.family().key(root), &client.id) {
            return Ok(Some((token, root_id.to_owned())));
        }
    }
    if roots.are_complete() { Ok(None) } else { Err(RootsMissing) }
}

/// A refresh root could not be opened, so nobody can say whether a token is genuine: 503, never `invalid_grant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootsMissing;

impl std::fmt::Display for RootsMissing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a refresh root does not open")
    }
}

impl std::error::Error for RootsMissing {}

/// Where a request came from: address prefix and user agent.
#[derive(Debug, Clone)]
pub struct Context {
    network: IpNet,
    user_agent: String,
}

impl Context {
    /// Notes where a request came from.
    #[must_use]
    pub fn new(network: IpNet, user_agent: &str) -> Self {
        Self { network, user_agent: user_agent.to_owned() }
    }

    /// A short name for it, as families keep it. Made when it is asked for: most token requests never do.
    #[must_use]
    pub fn name(&self) -> String {
        let digest = digest::sha256(format!("{}\n{}", self.network, self.user_agent).as_bytes());
        let (short, _) = digest.split_at(9);
        encoding::b64u(short)
    }
}

/// Presents a genuine token, in one unit of work: one joined read, one guarded update. `narrow` judges what the request asks of
/// the grant, before a generation is spent on it.
///
/// # Errors
/// If the database refuses.
pub async fn present<T, E>(
    tx: &mut Tx,
    from: &Presentation,
    keys: &GrantKeys,
    steps: &RateLimit,
    narrow: impl Fn(&Standing) -> Result<T, E>,
) -> Result<Presented<T, E>, StoreError> {
    loop {
        let Some((family, standing)) = refresh_families::find(tx, from.token.family()).await? else {
            return Ok(Presented::Refused("the refresh token is unknown"));
        };
        if let Some(hint) = unfit(&family, &standing, from, keys) {
            return Ok(Presented::Refused(hint));
        }
        if !standing.is_alive(from.now) {
            // Ended by the procedure already in all cases but a row that was changed behind it: end what hangs on it too.
            revoke::end(tx, What::Grant(&standing.grant.id), EndReason::Subject, "system", from.now).await?;
            return Ok(Presented::Refused("the authorization is over"));
        }
        match step(tx, family, standing, from, steps, &narrow).await? {
            Some(presented) => return Ok(presented),
            // Someone else used the family between our read and our write.
            None => continue,
        }
    }
}

/// Why the token may not be used here, if so. Nothing is written in these cases.
fn unfit(family: &RefreshFamily, standing: &Standing, from: &Presentation, keys: &GrantKeys) -> Option<&'static str> {
    let fits = family.client_id == from.client.id
        && standing.grant.client_id == from.client.id
        && family.root_id == from.root_id
        && family.delivery == from.delivery
        && from.client.settings.refresh_token_delivery == from.delivery;
    if !fits {
        return Some("the refresh token does not belong here");
    }
    if !keys.is_genuine(standing) {
        return Some("the authorization is not valid");
    }
    if family.ended_at.is_some()
        || family.expires_at.has_passed(from.now)
        || family.idle_expires_at.has_passed(from.now)
    {
        return Some("the refresh token has ended");
    }
    if from.delivery == Delivery::Cookie && !is_of_session(standing, from) {
        return Some("the session cookie of this sign-in is missing");
    }
    None
}

/// Whether the session cookie that came along is the one of the session this grant was given in.
fn is_of_session(standing: &Standing, from: &Presentation) -> bool {
    match (&from.session_cookie, &standing.session) {
        (Some(cookie), Some(session)) => {
            cookie.id() == standing.grant.session_id.as_str()
                && session.ended_at.is_none()
                && session.cookie.matches(&cookie.digest())
        }
        _ => false,
    }
}

/// Decides and writes. `None`: the guarded update hit nothing.
async fn step<T, E>(
    tx: &mut Tx,
    family: RefreshFamily,
    standing: Standing,
    from: &Presentation,
    steps: &RateLimit,
    narrow: &impl Fn(&Standing) -> Result<T, E>,
) -> Result<Option<Presented<T, E>>, StoreError> {
    let rule = (from.client.settings.refresh_retry, from.client_grace);
    let policy = RetryPolicy::effective(family.retry, rule, family.delivery, from.bound);
    let idle_expires_at = from.now.plus(from.idle).min(family.expires_at);
    let meaning = family.meaning(from.token.generation(), policy, from.now);
    // Only a look: of all that present one generation at once, one will step and be counted.
    if matches!(meaning, Meaning::Step { .. })
        && let Err(too_soon) = steps.peek(family.id.as_str(), from.now)
    {
        return Ok(Some(Presented::TooSoon(too_soon)));
    }
    let (generation, advance) = match meaning {
        Meaning::Step { next } => (next, Some((from.now, family.retries.stepped(&from.context)))),
        Meaning::StoreWentBack { next } => {
            let event = audit::Event {
                actor: "system",
                action: "refresh.store_went_back",
                subject: standing.grant.id.as_str(),
                data: serde_json::json!({ "presented": from.token.generation(), "stored": family.generation }),
            };
            audit::record(tx, &event, from.now).await?;
            (next, Some((from.now, Retries::default())))
        }
        Meaning::Again { same } if from.token.generation() == same => (same, None),
        Meaning::Again { same } => {
            let retries = family.retries.retried(&from.context);
            if retries.are_too_many() {
                return end(tx, &standing, EndReason::Retries, from.now).await.map(Some);
            }
            let changed = retries != family.retries;
            (same, changed.then_some((family.rotated_at, retries)))
        }
        Meaning::LostAnswer => return end(tx, &standing, EndReason::LostAnswer, from.now).await.map(Some),
        Meaning::Reuse => return end(tx, &standing, EndReason::RefreshReuse, from.now).await.map(Some),
        Meaning::Exhausted => return Ok(Some(Presented::Refused("the refresh token has no successors left"))),
    };
    let narrowed = match narrow(&standing) {
        Ok(narrowed) => narrowed,
        Err(error) => return Ok(Some(Presented::Declined(error))),
    };
    // A token that does not rotate still shows that the family is in use.
    let advance = advance
        .or_else(|| (from.token.generation() == generation).then(|| (family.rotated_at, family.retries.clone())));
    if let Some((rotated_at, retries)) = advance {
        let to = Advance { generation, rotated_at, idle_expires_at, retries: &retries };
        if !refresh_families::advance(tx, &family.id, family.generation, &to).await? {
            return Ok(None);
        }
        if generation != family.generation {
            // Two processes or a step that is rolled back may make it one more or less, which does not matter.
            let _ = steps.take(family.id.as_str(), 1, from.now);
        }
    }
    Ok(Some(Presented::Accepted(Box::new(Accepted { family, standing, generation, narrowed }))))
}

async fn end<T, E>(
    tx: &mut Tx,
    standing: &Standing,
    reason: EndReason,
    now: Timestamp,
) -> Result<Presented<T, E>, StoreError> {
    if reason.is_alarm() {
        tracing::warn!(alarm = reason.as_str(), grant = %standing.grant.id, client = %standing.grant.client_id, "a refresh token was copied");
    }
    revoke::end(tx, What::Grant(&standing.grant.id), reason, "system", now).await?;
    Ok(Presented::Refused(match reason {
        EndReason::LostAnswer => "the refresh token was replaced and its successor never used, sign in again",
        _ => "the refresh token was used before, sign in again",
    }))
}
