//! `frontdesk tokens`: what was given to apps, and its end.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::output::{Format, say};
use super::{Context, Failure, secrets};
use crate::crypto::encoding::from_b64u;
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, GrantId, SessionId, UserId};
use crate::domain::refresh_family::RefreshFamily;
use crate::domain::refresh_token::{PREFIX, RefreshToken};
use crate::domain::time::Timestamp;
use crate::keys::ring::Keys;
use crate::keys::roots::Roots;
use crate::keys::verify::VerifyFor;
use crate::oauth::pointer::{self, Bearer};
use crate::oauth::provider::Provider;
use crate::oauth::registration::Registrar;
use crate::store::{Store, Tx, clients, grants, refresh_families, sessions};
use crate::tokens::refresh;
use crate::tokens::revoke::{self, AccessTokens, Ended, What, Whole};

const ACTOR: &str = "cli";

/// What to do with tokens.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// End everything of a person, a client or a session, or what a token was given for; APIs hear of it within seconds
    Revoke(Revoke),
    /// Say what a token is, and whether it is good for anything; the token is read from standard input
    Inspect(Format),
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Of {
    /// Everything of this person: user name, e-mail address or subject
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Everything this client was granted, and its own tokens
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// This session, by its id or by the `sid` of a token
    #[arg(long, value_name = "SID")]
    session: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let store = context.store().await?;
    let done = match command {
        Command::Revoke(arguments) => revoke(context, &store, &arguments).await,
        Command::Inspect(format) => inspect(context, &store, format).await,
    };
    store.close().await;
    done
}

async fn revoke(context: &Context, store: &Store, arguments: &Revoke) -> Result<(), Failure> {
    let now = context.now();
    let ended = match &arguments.of {
        Of { user: Some(name), .. } => {
            let user = super::users::find(&mut store.read().await?, name).await?;
            end(store, Target::User(user.id), now).await?
        }
        Of { client: Some(id), .. } => end_client(context, store, id, now).await?,
        Of { session: Some(sid), .. } => {
            let mut db = store.read().await?;
            let id = match sessions::find(&mut db, &SessionId::new(sid.as_str())).await? {
                Some((session, _)) => Some(session.id),
                None => grants::session_of_sid(&mut db, sid).await?,
            };
            let id = id.ok_or_else(|| Failure::failed(format!("there is no session {sid}")))?;
            end(store, Target::Session(id), now).await?
        }
        Of { .. } => end_of_token(context, store, now).await?,
    };
    let Done { sessions, grants, own } = ended;
    let own_tokens = if own { ", and the tokens that the client got for itself" } else { "" };
    say(format!("ended: {sessions} sessions, {grants} grants{own_tokens}; APIs that poll hear of it within seconds"));
    let told = json!({ "sessions": sessions, "grants": grants, "own_tokens": own });
    arguments.format.print(&told, String::new)
}

/// What was ended.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    sessions: usize,
    grants: usize,
    /// Whether the tokens that a client got for itself are revoked.
    own: bool,
}

/// Something to end.
#[derive(Debug, Clone)]
enum Target {
    User(UserId),
    Session(SessionId),
    Grant(GrantId),
}

/// Ends it, however much it is.
async fn end(store: &Store, target: Target, now: Timestamp) -> Result<Done, Failure> {
    let whole = match &target {
        Target::User(user) => Some(Whole::User(user.clone())),
        Target::Session(session) => Some(Whole::Session(session.clone())),
        Target::Grant(_) => None,
    };
    let ended = store
        .write(async move |tx| {
            let what = match &target {
                Target::User(user) => What::User(user),
                Target::Session(session) => What::Session(session),
                Target::Grant(grant) => What::Grant(grant),
            };
            revoke::end(tx, what, EndReason::Admin, ACTOR, now).await
        })
        .await?;
    with_rest(store, ended, whole, now).await
}

/// Ends what one unit of work left over.
async fn with_rest(store: &Store, ended: Ended, whole: Option<Whole>, now: Timestamp) -> Result<Done, Failure> {
    let rest = match whole.filter(|_| ended.more) {
        Some(whole) => revoke::end_rest(store, &whole, EndReason::Admin, ACTOR, now).await?,
        None => 0,
    };
    Ok(Done { sessions: ended.sessions.len(), grants: ended.grants.len() + rest, own: false })
}

/// Ends all that a client was granted, and its own tokens.
async fn end_client(context: &Context, store: &Store, id: &str, now: Timestamp) -> Result<Done, Failure> {
    let id = ClientId::new(id);
    let known = clients::find(&mut store.read().await?, &id).await?;
    known.ok_or_else(|| Failure::failed(format!("there is no client {id}")))?;
    let house = super::clients::house(context)?;
    let whole = Whole::Client(id.clone());
    let unit = async move |tx: &mut Tx| Registrar { house: &house, actor: ACTOR, now }.end_all_of(tx, &id).await;
    match store.write(unit).await? {
        Some(ended) => Ok(Done { own: true, ..with_rest(store, ended, Some(whole), now).await? }),
        // Out of service: whatever it had has ended.
        None => Ok(Done::default()),
    }
}

/// Revokes the tokens that a client got for itself.
async fn end_own_tokens(context: &Context, store: &Store, id: &ClientId, now: Timestamp) -> Result<Done, Failure> {
    let tokens = AccessTokens::OfClient(id.clone());
    let until = now.plus(context.config()?.status_bit_kept());
    let unit = async move |tx: &mut Tx| revoke::end_access_tokens(tx, &tokens, until, ACTOR, now).await;
    Ok(Done { own: store.write(unit).await?, ..Done::default() })
}

/// Ends what a token was given for: all tokens of its grant.
async fn end_of_token(context: &Context, store: &Store, now: Timestamp) -> Result<Done, Failure> {
    let token = secrets::from_standard_input()?;
    let token = token.expose().trim();
    let provider = provider(context, store, now).await?;
    if token.starts_with(PREFIX) {
        let (_, standing, _) = family(token, &provider).await?.ok_or_else(|| not_ours("refresh token"))?;
        return end(store, Target::Grant(standing.grant.id), now).await;
    }
    let live = pointer::follow(token, &provider, now).await.map_err(Failure::failed)?;
    match live.map(|live| live.bearer) {
        Some(Bearer::Person(standing)) => end(store, Target::Grant(standing.grant.id.clone()), now).await,
        Some(Bearer::Client(client)) => end_own_tokens(context, store, &client.id, now).await,
        None => Err(Failure::failed(
            "the token is no access token of ours that lives, so there is nothing to end; `frontdesk tokens inspect` says more",
        )),
    }
}

fn not_ours(kind: &str) -> Failure {
    Failure::failed(format!("the token is no {kind} of ours, or what it was given for is long gone"))
}

async fn inspect(context: &Context, store: &Store, format: Format) -> Result<(), Failure> {
    let token = secrets::from_standard_input()?;
    let token = token.expose().trim();
    let now = context.now();
    let provider = provider(context, store, now).await?;
    let told = if token.starts_with(PREFIX) {
        of_refresh_token(token, &provider, now).await?
    } else {
        of_jwt(token, &provider, now).await?
    };
    format.print(&told, || {
        let members = told.as_object().into_iter().flatten();
        members.filter(|(_, value)| !value.is_null()).map(|(name, value)| format!("{name} = {value}\n")).collect()
    })
}

async fn of_refresh_token(token: &str, provider: &Provider, now: Timestamp) -> Result<Value, Failure> {
    let Some((family, standing, generation)) = family(token, provider).await? else {
        return Ok(json!({ "kind": "refresh_token", "genuine": false, "active": false }));
    };
    let ended = family.ended_at.or(standing.grant.ended_at);
    let over = family.expires_at.has_passed(now) || family.idle_expires_at.has_passed(now);
    let active = ended.is_none() && !over && generation == family.generation && standing.is_alive(now);
    Ok(json!({
        "kind": "refresh_token",
        "genuine": true,
        "active": active,
        "client_id": standing.grant.client_id,
        "user": standing.user.username.as_str(),
        "scope": standing.grant.scope,
        "grant": standing.grant.id.as_str(),
        "session": standing.grant.session_id.as_str(),
        "generation": generation,
        "newest_generation": family.generation,
        "expires_at": family.expires_at.to_string(),
        "idle_expires_at": family.idle_expires_at.to_string(),
        "ended_at": ended.map(|at| at.to_string()),
    }))
}

async fn of_jwt(token: &str, provider: &Provider, now: Timestamp) -> Result<Value, Failure> {
    let part = |at: usize| -> Option<Map<String, Value>> {
        serde_json::from_slice(&from_b64u(token.split('.').nth(at)?)?).ok()
    };
    let (Some(header), Some(claims)) = (part(0), part(1)) else {
        return Err(Failure::wrong("standard input holds no token: neither a JWT nor a refresh token"));
    };
    let (kind, purpose) = match header.get("typ").and_then(Value::as_str) {
        Some("at+jwt") => ("access_token", VerifyFor::AccessToken),
        _ => ("other_jwt", VerifyFor::IdTokenHint),
    };
    let signature = match provider.keys.ring().verify(token, purpose, now) {
        Ok(_) => "good".to_owned(),
        Err(error) => error.to_string(),
    };
    let live = pointer::follow(token, provider, now).await.map_err(Failure::failed)?;
    let user = live.as_ref().and_then(|live| match &live.bearer {
        Bearer::Person(standing) => Some(standing.user.username.as_str().to_owned()),
        Bearer::Client(_) => None,
    });
    Ok(json!({
        "kind": kind, "active": live.is_some(), "signature": signature, "user": user, "header": header, "claims": claims,
    }))
}

/// The family of a genuine refresh token, where it stands, and which generation the token is.
async fn family(token: &str, provider: &Provider) -> Result<Option<(RefreshFamily, grants::Standing, u32)>, Failure> {
    let Some(parsed) = RefreshToken::parse(token) else { return Ok(None) };
    let found = refresh_families::find(&mut provider.store.read().await?, parsed.family()).await?;
    let Some((family, standing)) = found else { return Ok(None) };
    let Some(client) = clients::find(&mut provider.store.read().await?, &family.client_id).await? else {
        return Ok(None);
    };
    let genuine = refresh::recognise(token, &client, &provider.roots.get()).map_err(Failure::failed)?;
    Ok(genuine.map(|(token, _)| (family, standing, token.generation())))
}

/// What reading a token takes. Nothing is made.
async fn provider(context: &Context, store: &Store, now: Timestamp) -> Result<Provider, Failure> {
    let config = Arc::new(context.config()?.as_ref().clone());
    let vault = context.vault_to_look_with(store).await?;
    let keys = Arc::new(Keys::load(store, &vault, config.keys.clock_skew, now).await?);
    let roots = Arc::new(Roots::load(store, &vault).await?);
    Ok(Provider::over(config, store.clone(), &vault, keys, roots, now).await?)
}
