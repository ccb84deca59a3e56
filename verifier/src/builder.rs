//! How a verifier is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;

use crate::algorithm::Algorithm;
use crate::cache::{CacheSettings, KeyCache, MAX_FRESHNESS};
use crate::challenge::Challenge;
use crate::clock::{Clock, SystemClock};
use crate::cooldown::Pace;
use crate::denied::DeniedKids;
use crate::fetch::{Fetch, HttpFetch};
use crate::issuer::Issuer;
use crate::status::{MAX_POLL, StatusCache, StatusParts, StatusPolicy, StatusSettings, Unreachable};
use crate::stream::{Parts as StreamParts, RevocationStream};
use crate::trust::Trust;
use crate::verifier::{Parts, Rules, Verifier};

/// Greatest leeway.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// Sets up a [`Verifier`]; made by [`Verifier::builder`]. Only an audience is required.
pub struct VerifierBuilder {
    issuer: String,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    realm: Option<String>,
    resource_metadata: Option<String>,
    cache: CacheSettings,
    status: StatusSettings,
    clock: Arc<dyn Clock>,
    fetch: Option<Arc<dyn Fetch>>,
    app: Option<String>,
    stream: Option<(String, String)>,
}

impl VerifierBuilder {
    pub(crate) fn new(issuer: String) -> Self {
        Self {
            issuer,
            audiences: Vec::new(),
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            leeway: Duration::from_secs(30),
            realm: None,
            resource_metadata: None,
            cache: CacheSettings {
                min_freshness: Duration::from_secs(30),
                max_stale: Duration::from_secs(60 * 60),
                pace: Pace { cool_down: Duration::from_secs(10), refetches_per_minute: 6 },
            },
            status: StatusSettings {
                policy: StatusPolicy::default(),
                unreachable: Unreachable::default(),
                min_poll: Duration::from_secs(2),
                first_sight: Duration::from_millis(500),
                max_memory: 256 * 1024 * 1024,
            },
            clock: Arc::new(SystemClock::new()),
            fetch: None,
            app: None,
            stream: None,
        }
    }

    /// The identifier of your API, as it is registered with the issuer. Call it again to accept
    /// a second name, for example while moving.
    #[must_use]
    pub fn audience(mut self, identifier: impl Into<String>) -> Self {
        self.audiences.push(identifier.into());
        self
    }

    /// The algorithms to accept, of access tokens and status lists. Default: RS256 and ES256.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// By how much the issuer's clock and ours may differ. Default 30 seconds, at most 60; counted
    /// in whole seconds.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The `realm` in `WWW-Authenticate`. Default: the audience.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The address of your protected-resource metadata (RFC 9728), which refusals then name.
    #[must_use]
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// The shortest time that keys count as fresh, whatever the issuer says. Default 30 seconds.
    /// The longest is 15 minutes.
    #[must_use]
    pub fn min_freshness(mut self, freshness: Duration) -> Self {
        self.cache.min_freshness = freshness;
        self
    }

    /// How old keys may get while the issuer does not answer. Default one hour.
    ///
    /// Longer keeps your API up through a longer outage of the issuer; shorter ends the life of
    /// a stolen key sooner when somebody cuts you off from the issuer. Then tokens are refused.
    #[must_use]
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.cache.max_stale = max_stale;
        self
    }

    /// Least time between two questions to the issuer, when a token names an unknown key. Default
    /// 10 seconds.
    #[must_use]
    pub fn cool_down(mut self, cool_down: Duration) -> Self {
        self.cache.pace.cool_down = cool_down;
        self
    }

    /// How many questions per minute unknown keys may cause. Default 6.
    #[must_use]
    pub fn refetches_per_minute(mut self, count: u32) -> Self {
        self.cache.pace.refetches_per_minute = count;
        self
    }

    /// When the status of a token is looked up. Default: for each token that names a status list.
    #[must_use]
    pub fn status_policy(mut self, policy: StatusPolicy) -> Self {
        self.status.policy = policy;
        self
    }

    /// What happens while a status list cannot be renewed. Default: the last one counts until its
    /// `exp`.
    #[must_use]
    pub fn status_unreachable(mut self, unreachable: Unreachable) -> Self {
        self.status.unreachable = unreachable;
        self
    }

    /// How long a caller waits for a status list that is not there yet. Default 500 milliseconds.
    #[must_use]
    pub fn status_first_sight(mut self, longest: Duration) -> Self {
        self.status.first_sight = longest;
        self
    }

    /// Least time between two polls of a status list, whatever its `ttl` says. Default 2 seconds.
    /// The longest is 300 seconds.
    #[must_use]
    pub fn status_min_poll(mut self, pause: Duration) -> Self {
        self.status.min_poll = pause;
        self
    }

    /// Most memory that all status lists together may take, in bytes. Default 256 MiB; each of
    /// Frontdesk's lists takes 128 KiB. A list that does not fit in is refused.
    #[must_use]
    pub fn status_max_memory(mut self, bytes: usize) -> Self {
        self.status.max_memory = bytes;
        self
    }

    /// Listens to the issuer's revocation stream, so that a revocation counts within a second
    /// instead of with the next poll. Your service must be registered with the issuer with the
    /// scope `frontdesk:revocations`.
    ///
    /// Listening begins with the first token, or with [`Verifier::warm_up`]. While the stream cannot
    /// be had, lists are polled as without it. A [`Fetch`] of your own must have
    /// [`send`](Fetch::send) and [`open`](Fetch::open).
    #[must_use]
    pub fn revocation_stream(mut self, client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        self.stream = Some((client_id.into(), client_secret.into()));
        self
    }

    /// Uses another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The `client_id` under which your service is registered with the issuer. It is sent along when the key set is fetched, so
    /// that the issuer's operators can see that your service has the next key before it signs. It counts only from an
    /// address that your service has authenticated from. A [`Fetch`] of your own has to send `Frontdesk-App` itself.
    #[must_use]
    pub fn app(mut self, client_id: impl Into<String>) -> Self {
        self.app = Some(client_id.into());
        self
    }

    /// Uses another way to read documents from the issuer.
    #[must_use]
    pub fn fetch(mut self, fetch: impl Fetch) -> Self {
        self.fetch = Some(Arc::new(fetch));
        self
    }

    /// Makes the verifier. Nothing is fetched yet; see [`Verifier::warm_up`].
    ///
    /// # Errors
    /// When a setting is wrong or missing, or no HTTP client can be made.
    pub fn build(self) -> Result<Verifier, BuildError> {
        let issuer = Issuer::parse(self.issuer).map_err(BuildError::Issuer)?;
        let first = self.audiences.first().ok_or(BuildError::NoAudience)?;
        if self.audiences.iter().any(String::is_empty) {
            return Err(BuildError::NoAudience);
        }
        if self.algorithms.is_empty() {
            return Err(BuildError::NoAlgorithm);
        }
        if self.leeway > MAX_LEEWAY {
            return Err(BuildError::Leeway);
        }
        if self.cache.min_freshness > MAX_FRESHNESS.min(self.cache.max_stale) {
            return Err(BuildError::Freshness);
        }
        if self.status.min_poll.is_zero() || self.status.min_poll > MAX_POLL {
            return Err(BuildError::Poll);
        }
        if self.stream.as_ref().is_some_and(|(id, secret)| id.is_empty() || secret.is_empty()) {
            return Err(BuildError::Stream);
        }
        let realm = self.realm.as_ref().unwrap_or(first);
        let challenge = Challenge::new(realm, self.resource_metadata.as_deref());
        let fetch = match self.fetch {
            Some(fetch) => fetch,
            None => {
                Arc::new(HttpFetch::for_issuer(&issuer, app_header(self.app.as_deref())?).map_err(BuildError::Http)?)
            }
        };
        let rules = Rules { audiences: self.audiences, algorithms: self.algorithms, leeway: self.leeway.as_secs() };
        let keys = KeyCache::new(issuer, Arc::clone(&fetch), Arc::clone(&self.clock), self.cache);
        let trust = Arc::new(Trust { keys, denied: DeniedKids::default() });
        let status = StatusCache::new(StatusParts {
            trust: Arc::clone(&trust),
            fetch: Arc::clone(&fetch),
            clock: Arc::clone(&self.clock),
            settings: self.status,
            algorithms: rules.algorithms.clone(),
            leeway: rules.leeway,
        });
        // Without lists there is nothing that the stream could make faster.
        let credentials = self.stream.filter(|_| self.status.policy != StatusPolicy::Off);
        let stream = credentials.map(|(client_id, client_secret)| {
            RevocationStream::new(StreamParts {
                client_id,
                client_secret,
                trust: Arc::clone(&trust),
                status: status.feed(),
                fetch,
                clock: Arc::clone(&self.clock),
            })
        });
        Ok(Verifier::new(Parts { rules, trust, status, stream, clock: self.clock, challenge }))
    }
}

/// A client id as a header (RFC 6749 appendix A.1: printable ASCII).
fn app_header(app: Option<&str>) -> Result<Option<HeaderValue>, BuildError> {
    app.map(|id| HeaderValue::from_str(id).ok().filter(|value| !value.is_empty()).ok_or(BuildError::App)).transpose()
}

impl fmt::Debug for VerifierBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerifierBuilder")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}

/// Why a verifier could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The issuer is not a good identifier; the text continues "the issuer …".
    Issuer(&'static str),
    /// No audience was given, or an empty one. Without it, tokens for other APIs would pass.
    NoAudience,
    /// No algorithm is allowed.
    NoAlgorithm,
    /// The leeway is more than 60 seconds.
    Leeway,
    /// The least freshness is more than 15 minutes or more than `max_stale`.
    Freshness,
    /// The least time between two polls of a status list is zero or more than 300 seconds.
    Poll,
    /// The stream's client id or secret is empty.
    Stream,
    /// The client id is empty or not printable ASCII.
    App,
    /// The HTTP client could not be made.
    Http(reqwest::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(problem) => write!(formatter, "the issuer {problem}"),
            Self::NoAudience => formatter.write_str("an audience is needed: your API's identifier"),
            Self::NoAlgorithm => formatter.write_str("at least one algorithm must be allowed"),
            Self::Leeway => formatter.write_str("the leeway may be 60 seconds at most"),
            Self::Freshness => formatter.write_str("min_freshness may be 15 minutes and max_stale at most"),
            Self::Poll => formatter.write_str("status_min_poll may be 300 seconds at most, and not zero"),
            Self::Stream => formatter.write_str("revocation_stream needs a client id and a client secret"),
            Self::App => formatter.write_str("app is a client id: printable ASCII, not empty"),
            Self::Http(_) => formatter.write_str("the HTTP client could not be made"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Http(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> VerifierBuilder {
        Verifier::builder("https://id.example.com").audience("https://api.example.com")
    }

    #[test]
    fn defaults_and_bounds() {
        assert!(good().build().is_ok());
        assert!(good().leeway(Duration::from_secs(60)).build().is_ok());
        assert!(good().leeway(Duration::ZERO).build().is_ok());
        assert!(good().min_freshness(Duration::from_millis(1)).build().is_ok());
        assert!(good().min_freshness(MAX_FRESHNESS).build().is_ok());
        let problem = |builder: VerifierBuilder| builder.build().unwrap_err().to_string();
        assert_eq!(problem(good().leeway(Duration::from_secs(61))), "the leeway may be 60 seconds at most");
        assert_eq!(
            problem(good().min_freshness(Duration::from_secs(901))),
            "min_freshness may be 15 minutes and max_stale at most"
        );
        assert_eq!(
            problem(good().max_stale(Duration::from_secs(29))),
            "min_freshness may be 15 minutes and max_stale at most"
        );
        assert!(good().status_min_poll(Duration::from_millis(1)).build().is_ok());
        assert!(good().status_min_poll(MAX_POLL).build().is_ok());
        for pause in [Duration::ZERO, Duration::from_secs(301)] {
            let message = "status_min_poll may be 300 seconds at most, and not zero";
            assert_eq!(problem(good().status_min_poll(pause)), message);
        }
        for (id, secret) in [("", "secret"), ("id", "")] {
            let message = "revocation_stream needs a client id and a client secret";
            assert_eq!(problem(good().revocation_stream(id, secret)), message);
        }
        assert_eq!(problem(good().algorithms([])), "at least one algorithm must be allowed");
        assert_eq!(
            problem(Verifier::builder("http://id.example.com").audience("a")),
            "the issuer must use https, except on loopback"
        );
        let needed = "an audience is needed: your API's identifier";
        assert_eq!(problem(Verifier::builder("https://id.example.com")), needed);
        assert_eq!(problem(good().audience("")), needed);
    }
}
