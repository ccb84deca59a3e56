//! The issuer tells us of revocations as they happen (server-sent events).
//!
//! This only makes things faster. What counts are the polled lists, which go on whatever happens here.

mod login;
mod sse;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::fetch::{Body, Fetch, FetchError, Request};
use crate::json;
use crate::status::StatusFeed;
use crate::trust::Trust;
use login::{Login, Ticket};
use sse::{Event, Parser};

/// The server sends something every 15 seconds; who hears nothing for so long is no longer connected.
const SILENCE: Duration = Duration::from_secs(45);

/// How long it may take until the stream begins.
const OPENING: Duration = Duration::from_secs(10);

/// Pauses between two connections: the first, doubled until the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// The stream of one issuer. Dropping it ends the connection.
pub(crate) struct RevocationStream {
    shared: Arc<Shared>,
    task: Mutex<Option<AbortHandle>>,
}

struct Shared {
    login: Login,
    trust: Arc<Trust>,
    status: StatusFeed,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    connected: AtomicBool,
}

/// What a stream needs from its verifier.
pub(crate) struct Parts {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) trust: Arc<Trust>,
    pub(crate) status: StatusFeed,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl RevocationStream {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { client_id, client_secret, trust, status, fetch, clock } = parts;
        let login = Login::new(&client_id, &client_secret);
        let shared = Shared { login, trust, status, fetch, clock, connected: AtomicBool::new(false) };
        Self { shared: Arc::new(shared), task: Mutex::default() }
    }

    /// Makes sure that somebody listens. Costs next to nothing while that is so.
    pub(crate) fn listen(&self) {
        if self.is_connected() {
            return;
        }
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        *task = Some(runtime.spawn(Arc::clone(&self.shared).keep()).abort_handle());
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed)
    }
}

impl Drop for RevocationStream {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// What outlives a connection.
#[derive(Default)]
struct Place {
    ticket: Option<Ticket>,
    last_event_id: Option<String>,
    /// Connections in a row that brought nothing.
    failures: u32,
}

/// Says that there is a connection, for as long as it exists.
struct Connected<'s>(&'s AtomicBool);

impl<'s> Connected<'s> {
    fn new(flag: &'s AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Shared {
    /// Connects again and again.
    async fn keep(self: Arc<Self>) {
        let mut place = Place::default();
        loop {
            if let Err(error) = self.connection(&mut place).await {
                // Once is worth a warning; that it goes on is not news.
                if place.failures == 0 {
                    tracing::warn!(%error, "the revocation stream is closed; status lists are polled on");
                } else {
                    tracing::debug!(%error, "the revocation stream cannot be opened");
                }
                place.failures = place.failures.saturating_add(1);
            }
            sleep(pause(place.failures)).await;
        }
    }

    /// One connection, until it ends.
    async fn connection(&self, place: &mut Place) -> Result<(), FetchError> {
        let opening = timeout(OPENING, self.open(place)).await;
        let mut body = opening.map_err(|_| FetchError::new("the issuer took too long"))??;
        let _connected = Connected::new(&self.connected);
        tracing::debug!("the revocation stream is open");
        let mut parser = Parser::default();
        let mut silent = true;
        loop {
            let piece = timeout(SILENCE, body.chunk()).await;
            let piece = piece.map_err(|_| FetchError::new("nothing came for 45 seconds"))??;
            let Some(piece) = piece else {
                // The server ends a stream with the token that opened it.
                return if silent { Err(FetchError::new("it ended before anything came")) } else { Ok(()) };
            };
            (silent, place.failures) = (false, 0);
            let Ok(events) = parser.feed(&piece) else {
                // This event will never fit: begin anew, with whole lists.
                place.last_event_id = None;
                self.status.renew_all();
                return Err(FetchError::new("an event is too long"));
            };
            for event in events {
                self.hear(&event).await;
                place.last_event_id = event.id.or(place.last_event_id.take());
            }
        }
    }

    async fn open(&self, place: &mut Place) -> Result<Box<dyn Body>, FetchError> {
        let metadata = self.trust.keys.metadata().await?;
        let missing = || FetchError::new("the issuer has no revocation stream");
        let stream = metadata.revocation_stream.as_ref().ok_or_else(missing)?;
        let now = self.clock.elapsed();
        let ticket = match place.ticket.take() {
            Some(ticket) if ticket.is_good(now) => ticket,
            _ => {
                let endpoint = metadata.token_endpoint.as_ref().ok_or_else(missing)?;
                self.login.ticket(&*self.fetch, endpoint, now).await?
            }
        };
        let request = Request::new(stream, usize::MAX)
            .with_accept("text/event-stream")
            .with_authorization(ticket.authorization())
            .with_last_event_id(place.last_event_id.as_deref());
        let opened = self.fetch.open(request).await?;
        if opened.status != 200 {
            // Perhaps it is the token: the next attempt takes a new one.
            return Err(FetchError::new(format!("the revocation stream answers with status {}", opened.status)));
        }
        let media_type = opened.content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("text/event-stream") {
            return Err(FetchError::new("the revocation stream is no event stream"));
        }
        place.ticket = Some(ticket);
        Ok(opened.body)
    }

    async fn hear(&self, event: &Event) {
        match event.name.as_str() {
            "revoked" => match revoked(&event.data) {
                Some((list, set)) => self.status.push(&list, &set),
                // Something was revoked, and we do not know what.
                None => self.status.renew_all(),
            },
            // Only a hint: what a signed list says about keys counts.
            "kid-denied" => {
                self.trust.keys.renew();
                self.status.renew_some().await;
            }
            "reset" => self.status.renew_all(),
            _ => {}
        }
    }
}

fn revoked(data: &str) -> Option<(String, Vec<u64>)> {
    let data = json::object(data.as_bytes())?;
    let list = data.get("list").and_then(Value::as_str)?;
    let set = data.get("set").and_then(Value::as_array)?;
    let set: Option<Vec<u64>> = set.iter().map(Value::as_u64).collect();
    Some((list.to_owned(), set?))
}

/// How long to wait after so many failures: doubled each time, and between half and all of that, so
/// that the services of an issuer that was away do not all come at once.
fn pause(failures: u32) -> Duration {
    let longest = LAST_PAUSE.min(FIRST_PAUSE * 2_u32.pow(failures.min(5)));
    // No secret depends on it, so what seeds a hash map is good enough.
    let jitter = RandomState::new().hash_one(failures) % 1024;
    longest / 2 + longest.mul_f64(jitter as f64 / 2048.0)
}

impl fmt::Debug for RevocationStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RevocationStream").field("connected", &self.is_connected()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
