//! The task of each list: fetch, check, replace, rest.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::{KEPT, Shared};
use crate::claims::Expected;
use crate::error::{Reason, VerifyError};
use crate::fetch::{Document, FetchError, Request};
use crate::status::entry::{Attempts, Entry, poll_interval};
use crate::status::list::{Flaw, StatusList};
use crate::token::{Kind, MAX_STATUS_LIST, SignedToken};

/// How long one attempt may take, keys included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long after the answer that there is no such list one is asked for again that nobody has seen
/// before: the first token that names a new list may be here before it.
const NEW_LIST: Duration = Duration::from_millis(200);

/// For how many seconds before it was signed a list may lack what happened then, at least: it was
/// read before it was signed, and clocks differ.
const MARGIN: u64 = 10;

impl Shared {
    /// Starts the task of a list. There is never more than one.
    pub(super) fn start(self: &Arc<Self>, entry: &Arc<Entry>, attempts: &mut Attempts) -> bool {
        if self.closed.load(Ordering::SeqCst) || !self.holds(entry) {
            return false;
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("status lists can only be fetched inside a tokio runtime");
            return false;
        };
        attempts.running = true;
        attempts.last = Some(self.clock.elapsed());
        let task = runtime.spawn(Arc::clone(self).keep(Arc::clone(entry)));
        attempts.task = Some(task.abort_handle());
        true
    }

    /// Starts the task again if it ended with the runtime it ran in.
    pub(super) fn revive(self: &Arc<Self>, entry: &Arc<Entry>) {
        let mut attempts = entry.attempts();
        if !attempts.alive() {
            self.start(entry, &mut attempts);
        }
    }

    /// Fetches a list without regard to when that was done last.
    pub(super) fn fetch_now(self: &Arc<Self>, entry: &Arc<Entry>) {
        let mut attempts = entry.attempts();
        if attempts.alive() {
            entry.wake.notify_one();
        } else {
            self.start(entry, &mut attempts);
        }
    }

    /// Keeps a list fresh for as long as tokens name it.
    async fn keep(self: Arc<Self>, entry: Arc<Entry>) {
        loop {
            {
                let mut attempts = entry.attempts();
                attempts.running = true;
                attempts.last = Some(self.clock.elapsed());
            }
            let outcome = match timeout(ATTEMPT_TIMEOUT, self.attempt(&entry)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(FetchError::new("the issuer took too long")),
            };
            self.conclude(&entry, outcome);
            entry.ended.send_modify(|count| *count = count.wrapping_add(1));
            let _ = timeout(entry.pause(&self.settings), entry.wake.notified()).await;
            if self.clock.elapsed().saturating_sub(entry.used()) >= KEPT {
                tracing::debug!(list = entry.uri, "no token names this status list any more");
                self.forget(&entry);
                return;
            }
        }
    }

    fn conclude(&self, entry: &Entry, outcome: Result<(), FetchError>) {
        let mut attempts = entry.attempts();
        attempts.running = false;
        match outcome {
            Ok(()) => attempts.failures = 0,
            Err(error) => {
                self.fetches.failed();
                // Once is worth a warning; that it goes on is not news.
                if attempts.failures == 0 {
                    tracing::warn!(list = entry.uri, %error, "could not fetch a status list");
                } else {
                    tracing::debug!(list = entry.uri, %error, "could not fetch a status list");
                }
                attempts.failures = attempts.failures.saturating_add(1);
            }
        }
    }

    async fn attempt(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<(), FetchError> {
        let mut asked_at = self.clock.elapsed();
        let etag = self.etag(entry);
        let mut answer = self.ask(entry, etag.as_deref()).await?;
        if answer.status() == 404 && entry.is_new() {
            sleep(NEW_LIST).await;
            asked_at = self.clock.elapsed();
            answer = self.ask(entry, None).await?;
        }
        if answer.status() == 304 && etag.is_some() && entry.attempts().etag == etag {
            entry.confirm(asked_at);
            self.fetches.unchanged();
            return Ok(());
        }
        let text = std::str::from_utf8(answer.accept(MAX_STATUS_LIST)?)
            .map_err(|_| FetchError::new("the status list is not text"))?;
        let list = self.read(text, &entry.uri).await?;
        self.install(entry, list, answer.tag(), asked_at).map_err(refused)?;
        self.fetches.succeeded();
        Ok(())
    }

    async fn ask(&self, entry: &Entry, etag: Option<&str>) -> Result<Document, FetchError> {
        let request =
            Request::new(&entry.url, MAX_STATUS_LIST).with_accept("application/statuslist+jwt").with_etag(etag);
        self.fetch.send(request).await
    }

    /// What the present list is known by, unless it ends before the poll after this one: 304 would
    /// not make it live longer.
    fn etag(&self, entry: &Entry) -> Option<String> {
        let list = entry.list.load();
        let list = list.as_deref()?;
        let until = self.clock.unix_time() + poll_interval(list, &self.settings).as_secs() * 2;
        if list.expires_at <= until {
            return None;
        }
        entry.attempts().etag.clone()
    }

    /// Checks a list token as strictly as an access token.
    async fn read(&self, text: &str, uri: &str) -> Result<StatusList, FetchError> {
        let token = SignedToken::parse(text, Kind::STATUS_LIST, &self.algorithms).map_err(refused)?;
        match self.trust.authenticate(&token).await {
            Ok(()) => {}
            Err(VerifyError::Invalid(reason)) => return Err(refused(reason)),
            Err(VerifyError::Unavailable { .. }) => {
                return Err(FetchError::new("there are no keys to check the status list with"));
            }
        }
        let expected = Expected {
            issuer: self.trust.keys.issuer().as_str(),
            audiences: &[],
            leeway: self.leeway,
            now: self.clock.unix_time(),
        };
        StatusList::read(&token.payload, uri, &token.kid, &expected).map_err(refused)
    }

    /// Takes a list in the place of an older one, and what it says about keys.
    fn install(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        list: StatusList,
        etag: Option<&str>,
        asked_at: Duration,
    ) -> Result<(), Flaw> {
        let _changing = self.changes();
        let now = self.clock.elapsed();
        // Its key may have been denied while it was checked.
        if self.trust.denied.contains(&list.signer, now) {
            return Err(Reason::DeniedKey.into());
        }
        // What a thief signed is nothing to go back to, whatever version he gave it.
        let present = entry.list.load_full().filter(|present| !list.denied_kids.contains(&present.signer));
        if let Some(present) = &present {
            if list.is_older_than(present) {
                return Err(Flaw::Older);
            }
            if !present.is_older_than(&list) && list.issued_at < present.issued_at {
                // The same content, signed earlier: what we have lives longer.
                entry.confirm(asked_at);
                return Ok(());
            }
        }
        let others = self.entries.load();
        let others = others.values().filter(|other| !Arc::ptr_eq(other, entry));
        let taken: usize = others.filter_map(|other| other.list.load().as_deref().map(StatusList::size)).sum();
        self.deny(&list.denied_kids, now);
        if taken + list.size() > self.settings.max_memory {
            return Err(Flaw::TooLarge);
        }
        // A bit is rather set for too long than for too short.
        self.pushed.settle(&entry.uri, list.issued_at.saturating_sub(self.leeway.max(MARGIN)));
        entry.attempts().etag = etag.map(str::to_owned);
        entry.list.store(Some(Arc::new(list)));
        entry.confirm(asked_at);
        Ok(())
    }

    /// The issuer says that these keys are compromised. It said so with a key that is not, over a
    /// connection that is https or loopback: [`Issuer::parse`](crate::issuer::Issuer::parse) lets
    /// nothing else pass, and lists lie on the issuer's origin.
    fn deny(self: &Arc<Self>, kids: &[String], now: Duration) {
        let news: Vec<&String> = kids.iter().filter(|kid| !self.trust.denied.contains(kid, now)).collect();
        self.trust.denied.deny(kids, now);
        if news.is_empty() {
            return;
        }
        tracing::warn!(keys = ?news, "the issuer says that keys are compromised");
        self.trust.keys.renew();
        for entry in self.entries.load().values() {
            let by_them = entry.list.load().as_deref().is_some_and(|list| kids.contains(&list.signer));
            if by_them {
                entry.clear();
                self.fetch_now(entry);
            }
        }
    }
}

fn refused(flaw: impl Into<Flaw>) -> FetchError {
    FetchError::new(flaw.into().to_string())
}
