//! Tells relying apps what waits in the outbox: sign-outs (OpenID Connect Back-Channel Logout 1.0). Every process does it. A lease
//! for each app keeps two from telling the same one at once, and passes on what a process that was killed has left.
//!
//! Nothing in the database waits for a call. A notice that an app cannot digest is tried again later, and keeps nothing else back. An
//! app that does not answer is given a rest, in which no process calls it, and hears of everything as soon as it is back
//! (`domain/patience.rs`).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::follow_changes::in_time;
use crate::app::App;
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::patience::{Failure, MOST_TRIES, Patience};
use crate::domain::time::Timestamp;
use crate::domain::web_uri::WebUri;
use crate::store::audit::{self, Event};
use crate::store::outbox::{self, Notice, Outcome};
use crate::store::{StoreError, Tx, clients, leases, outbox_rests};
use crate::tokens::logout::LogoutClaims;

const EVERY: Duration = Duration::from_millis(500);
/// Apps that are told at once.
const AT_ONCE: usize = 16;
/// Apps that are looked for at once; some of them may be another process's.
const LOOKED_FOR: u32 = 100;
/// Longer than a call may take, and short enough for what a killed process has left.
const LEASE: Duration = Duration::from_secs(15);
/// Notices that an app gets before it is another's turn.
const TURN: usize = 50;
/// And how long that may take: an app that is slow holds nobody up.
const LONGEST_TURN: Duration = Duration::from_secs(5);

/// Delivers until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let courier = Arc::new(Courier::new(app));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tasks = JoinSet::new();
    let mut turns: Vec<(ClientId, AbortHandle)> = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        while tasks.try_join_next().is_some() {}
        turns.retain(|(_, turn)| !turn.is_finished());
        let due = match courier.due().await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the outbox could not be read, which will be tried again");
                continue;
            }
        };
        for client in due {
            if turns.len() >= AT_ONCE {
                break;
            }
            if turns.iter().any(|(other, _)| *other == client) {
                continue;
            }
            let (courier, stop, to) = (courier.clone(), stop.clone(), client.clone());
            let turn = tasks.spawn(async move {
                if let Err(error) = courier.turn(&to, &stop).await {
                    tracing::warn!(%error, client = to.as_str(), "the outbox could not be written, which will be tried again");
                }
            });
            turns.push((client, turn));
        }
    }
    // They end at their next step.
    while tasks.join_next().await.is_some() {}
}

/// Brings notices to apps.
#[derive(Debug)]
pub struct Courier {
    app: Arc<App>,
}

/// What came of a try.
enum Tried {
    /// The app has it, or does not want it.
    Over(Outcome, Option<u16>),
    /// The app failed.
    Failed(Failure, Option<u16>),
    /// It was not tried: nothing here signs, or the process stops.
    Not,
}

impl Courier {
    /// Over a house.
    #[must_use]
    pub const fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// The apps for which something is due.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn due(&self) -> Result<Vec<ClientId>, StoreError> {
        let (store, now) = (&self.app.store, self.app.clock.now());
        in_time(async { outbox::due(&mut store.read().await?, now, LOOKED_FOR).await }).await
    }

    /// Tells an app what is due, one after the other, unless another process is at it.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn turn(&self, to: &ClientId, stop: &CancellationToken) -> Result<(), StoreError> {
        let begun = Instant::now();
        for _ in 0..TURN {
            if stop.is_cancelled() || begun.elapsed() >= LONGEST_TURN {
                break;
            }
            let Some((notice, client)) = self.take(to).await? else { break };
            let tried = match wish(client.as_ref()) {
                Some((client, uri)) => self.try_once(&notice, client, uri, stop).await,
                None => Tried::Over(Outcome::NotWanted, None),
            };
            match tried {
                Tried::Over(outcome, status) => self.finish(notice, outcome, status).await?,
                Tried::Failed(failure, status) => self.failed(notice, failure, status).await?,
                Tried::Not => break,
            }
        }
        let (name, holder) = (lease(to), self.app.process_id().to_owned());
        self.app.store.write(async move |tx| leases::give_back(tx, &name, &holder).await).await
    }

    /// Takes or keeps the app's lease, and what is due for it next.
    async fn take(&self, to: &ClientId) -> Result<Option<(Notice, Option<Client>)>, StoreError> {
        let (to, holder, now) = (to.clone(), self.app.process_id().to_owned(), self.app.clock.now());
        self.app
            .store
            .write(async move |tx| {
                if !leases::take(tx, &lease(&to), &holder, LEASE, now).await? {
                    return Ok(None);
                }
                let Some(notice) = outbox::next(tx, &to, now).await? else { return Ok(None) };
                Ok(Some((notice, clients::find(tx, &to).await?)))
            })
            .await
    }

    async fn try_once(&self, notice: &Notice, client: &Client, uri: &WebUri, stop: &CancellationToken) -> Tried {
        let (provider, now) = (&self.app.provider, self.app.clock.now());
        // Who has not heard of a revoked key must not sign with it.
        if provider.must_be_fresh_without_database(now).is_err() {
            return Tried::Not;
        }
        let claims = LogoutClaims::of(notice, provider.issuer_id(), now);
        let Ok(token) = provider.issuer.sign_logout(client.settings.id_token_signed_response_alg, &claims, now) else {
            return Tried::Not;
        };
        let call = self.app.outbound.post_form(uri, format!("logout_token={token}"));
        match stop.run_until_cancelled(call).await {
            None => Tried::Not,
            Some(Ok(answer)) if matches!(answer.status, 200 | 204) => {
                Tried::Over(Outcome::Delivered, Some(answer.status))
            }
            Some(Ok(answer)) => {
                tracing::warn!(
                    client = client.id.as_str(),
                    status = answer.status,
                    answer = ?String::from_utf8_lossy(&answer.body),
                    "an app did not take a logout token"
                );
                match answer.status {
                    // §2.8: the app looked at it and refuses it, and would do so again.
                    400 => Tried::Over(Outcome::Refused, Some(400)),
                    // It has too much to do, or a proxy speaks for it.
                    status @ (429 | 502 | 503 | 504) => {
                        Tried::Failed(Failure::Away { retry_after: answer.retry_after }, Some(status))
                    }
                    status => Tried::Failed(Failure::Stumbled, Some(status)),
                }
            }
            Some(Err(_)) => Tried::Failed(Failure::Away { retry_after: None }, None),
        }
    }

    async fn finish(&self, notice: Notice, outcome: Outcome, status: Option<u16>) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        if outcome == Outcome::Refused {
            alarm(&notice.client_id, outcome, 1);
        }
        self.app
            .store
            .write(async move |tx| {
                let tries = notice.attempts + u32::from(outcome != Outcome::NotWanted);
                let is_ours = outbox::finish(tx, &notice.id, tries, outcome, now).await?;
                if is_ours && outcome == Outcome::Refused {
                    record(tx, &notice, tries, outcome, status, now).await?;
                }
                if outcome == Outcome::NotWanted {
                    return Ok(());
                }
                let Some(patience) = outbox_rests::find(tx, &notice.client_id).await? else { return Ok(()) };
                // The app is there again, and hears of everything.
                if patience.is_with_the_app() {
                    outbox::bring_forward(tx, &notice.client_id, now).await?;
                }
                outbox_rests::forget(tx, &notice.client_id).await
            })
            .await
    }

    /// After a failure: the notice is tried again later or given up, and the app may be given a rest.
    async fn failed(&self, notice: Notice, failure: Failure, status: Option<u16>) -> Result<(), StoreError> {
        let (now, to) = (self.app.clock.now(), notice.client_id.clone());
        let (patience, is_given_up) = self
            .app
            .store
            .write(async move |tx| {
                let before = outbox_rests::find(tx, &notice.client_id).await?.unwrap_or(Patience::unspent());
                let patience = before.after(failure, notice.attempts == 0, now);
                outbox_rests::save(tx, &notice.client_id, patience).await?;
                let tries = notice.attempts + 1;
                if tries < MOST_TRIES {
                    outbox::try_again(tx, &notice.id, tries, patience.try_again_at(tries, now)).await?;
                    return Ok((patience, false));
                }
                let is_ours = outbox::finish(tx, &notice.id, tries, Outcome::GivenUp, now).await?;
                if is_ours {
                    record(tx, &notice, tries, Outcome::GivenUp, status, now).await?;
                }
                Ok((patience, is_ours))
            })
            .await?;
        if is_given_up {
            alarm(&to, Outcome::GivenUp, 1);
        }
        match patience.gives_up_from_before(now) {
            Some(late) => self.give_up(&to, late).await,
            None => Ok(()),
        }
    }

    /// Gives up all that has waited too long for an app that never answers, without a call for each.
    async fn give_up(&self, to: &ClientId, late: Timestamp) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        loop {
            let to = to.clone();
            let given_up = self
                .app
                .store
                .write(async move |tx| {
                    let count = outbox::give_up(tx, &to, late, now).await?;
                    if count > 0 {
                        let data = json!({ "outcome": Outcome::GivenUp.as_str(), "notices": count });
                        let event = Event { actor: "system", action: UNDELIVERED, subject: to.as_str(), data };
                        audit::record(tx, &event, now).await?;
                        alarm(&to, Outcome::GivenUp, count);
                    }
                    Ok(count)
                })
                .await?;
            if given_up == 0 {
                return Ok(());
            }
        }
    }
}

/// Where a client is told, if it is there and wants to be.
fn wish(client: Option<&Client>) -> Option<(&Client, &WebUri)> {
    let client = client?;
    Some((client, client.settings.backchannel_logout_uri.as_ref()?))
}

fn lease(to: &ClientId) -> String {
    format!("deliver {to}")
}

const UNDELIVERED: &str = "logout.undelivered";

async fn record(
    tx: &mut Tx,
    notice: &Notice,
    tries: u32,
    outcome: Outcome,
    status: Option<u16>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let data = json!({ "outcome": outcome.as_str(), "sid": notice.sid.as_str(), "tries": tries, "status": status });
    let event = Event { actor: "system", action: UNDELIVERED, subject: notice.client_id.as_str(), data };
    audit::record(tx, &event, now).await
}

fn alarm(to: &ClientId, outcome: Outcome, notices: u64) {
    tracing::error!(
        alarm = "logout",
        client = to.as_str(),
        outcome = outcome.as_str(),
        notices,
        "an app was not told that somebody signed out, and may still hold the session open"
    );
}
