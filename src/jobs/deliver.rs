//! Tells relying apps what waits in the outbox: sign-outs (OpenID Connect Back-Channel Logout 1.0). Every process does it. A lease
//! for each app keeps two from telling the same one at once, and passes on what a process that was killed has left.
//!
//! Nothing in the database waits for a call. An app that does not answer is given a rest, in which nothing is tried in vain, and
//! is given up after an hour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::follow_changes::in_time;
use crate::app::App;
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::time::Timestamp;
use crate::domain::web_uri::WebUri;
use crate::store::audit::{self, Event};
use crate::store::outbox::{self, Notice, Outcome};
use crate::store::{StoreError, Tx, clients, leases};
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
/// How long an app rests after failures in a row.
const RESTS: [Duration; 4] =
    [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(2_700)];
const MOST_TRIES: u32 = 5;
/// After that, who has failed so often is given up.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

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

/// Brings notices to apps, and remembers who does not answer.
#[derive(Debug)]
pub struct Courier {
    app: Arc<App>,
    /// How often an app failed in a row.
    failures: Mutex<HashMap<ClientId, u32>>,
}

/// What came of a try.
enum Tried {
    /// The app has it, or does not want it.
    Over(Outcome, Option<u16>),
    /// The app failed.
    Failed(Option<u16>),
    /// It was not tried: nothing here signs, or the process stops.
    Not,
}

impl Courier {
    /// Over a house.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self { app, failures: Mutex::default() }
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
                Tried::Failed(status) => self.rest(notice, status).await?,
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
                // §2.8: the app looked at it and refuses it, and would do so again.
                if answer.status == 400 {
                    Tried::Over(Outcome::Refused, Some(400))
                } else {
                    Tried::Failed(Some(answer.status))
                }
            }
            Some(Err(_)) => Tried::Failed(None),
        }
    }

    async fn finish(&self, notice: Notice, outcome: Outcome, status: Option<u16>) -> Result<(), StoreError> {
        self.answered(&notice.client_id);
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
                Ok(())
            })
            .await
    }

    /// After a failure: the notice is put off or given up, and the app is left in peace for a while.
    async fn rest(&self, notice: Notice, status: Option<u16>) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        let failures = self.failed(&notice.client_id);
        let tries = notice.attempts + 1;
        let late = now.minus(LONGEST_WAIT);
        let is_over = tries >= MOST_TRIES || (failures >= MOST_TRIES && notice.created_at <= late);
        let to = notice.client_id.clone();
        if is_over {
            alarm(&to, Outcome::GivenUp, 1);
        }
        self.app
            .store
            .write(async move |tx| {
                if !is_over {
                    return outbox::try_again(tx, &notice.id, tries, now.plus(pause_after(tries))).await;
                }
                if outbox::finish(tx, &notice.id, tries, Outcome::GivenUp, now).await? {
                    record(tx, &notice, tries, Outcome::GivenUp, status, now).await?;
                }
                Ok(())
            })
            .await?;
        if failures >= MOST_TRIES {
            self.give_up(&to, late).await?;
        }
        loop {
            let (to, pause) = (to.clone(), pause_after(failures));
            if !self.app.store.write(async move |tx| outbox::put_off(tx, &to, pause, now).await).await? {
                return Ok(());
            }
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

    fn failed(&self, to: &ClientId) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(to.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    fn answered(&self, to: &ClientId) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(to);
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

fn pause_after(failures: u32) -> Duration {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let [.., longest] = RESTS;
    RESTS.get(place).copied().unwrap_or(longest)
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
