//! The house, built once: what the doors and the jobs share.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::accounts::passwords::{PasswordPolicy, Passwords};
use crate::accounts::sessions::SessionPolicy;
use crate::accounts::throttle::ThrottlePolicy;
use crate::config::Config;
use crate::crypto::{encoding, random};
use crate::domain::rate_limit::RateLimit;
use crate::domain::time::{Clock, Timestamp};
use crate::keys::master_key::{self, MasterKeyMismatch};
use crate::keys::policy::KeyPolicy;
use crate::keys::ring::Keys;
use crate::keys::roots::Roots;
use crate::keys::sightings::Sightings;
use crate::keys::state::KeyState;
use crate::keys::vault::{Purpose, Vault};
use crate::keys::{KeysError, bootstrap, journal};
use crate::oauth::gateway::Gateway;
use crate::oauth::provider::Provider;
use crate::store::changes::Kind;
use crate::store::directory::Directory;
use crate::store::nodes::{self, Node};
use crate::store::{Store, StoreError, changes};
use crate::tokens::grant_mac::GrantKeys;
use crate::tokens::issuer::TokenIssuer;
use crate::tokens::status_index::StatusIndices;
use crate::tokens::status_lists::{Sources, StatusLists};

/// How far the clocks of this machine and of the database may be apart, in milliseconds, before it is warned of, and before
/// nothing is served.
const CLOCK_WARNED: i64 = 2_000;
const CLOCK_REFUSED: i64 = 5_000;
/// Stands for a difference that was never measured.
const NOT_MEASURED: i64 = i64::MIN;

/// Where the set-up link goes when it may not go to the log.
const SETUP_LINK: &str = "setup-link.txt";
const HOUR: Duration = Duration::from_secs(3600);

/// Everything a process works with.
#[derive(Debug)]
pub struct App {
    /// The clock.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// The master key.
    pub vault: Arc<Vault>,
    /// What the protocol's decisions are made with.
    pub provider: Arc<Provider>,
    /// People.
    pub accounts: Accounts,
    /// Who fetches the key set, and where apps authenticate.
    pub sightings: Sightings,
    /// The status lists as this process answers them.
    pub status_lists: StatusLists,
    /// Cancelled when the house closes, for answers that have no end of their own.
    pub stopping: CancellationToken,
    process: String,
    /// Milliseconds by which the database's clock was ahead when it was last measured, or [`NOT_MEASURED`].
    clock_difference: AtomicI64,
    reading: tokio::sync::Mutex<()>,
}

/// Why the house could not be built.
#[derive(Debug)]
pub enum StartError {
    /// Keys: also where the master key is not the database's.
    Keys(KeysError),
    /// The database.
    Store(StoreError),
    /// The threads that hash passwords.
    Threads(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Threads(error) => write!(f, "the threads that hash passwords could not be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl App {
    /// Builds the house over an open database.
    ///
    /// # Errors
    /// [`StartError`] tells what to do.
    pub async fn start(config: Arc<Config>, store: Store, vault: Arc<Vault>, clock: Clock) -> Result<Self, StartError> {
        // Before anything is decided by the clock.
        let difference = changes::follow_clock(&mut store.read().await?, &clock).await?;
        let now = clock.now();
        let process = encoding::b64u(random::bytes::<12>());
        introduce(&store, &vault, &process, now).await;
        let counter = changes::read(&mut store.read().await?).await?.keys;
        let (keys, roots) =
            bootstrap::start(&store, &vault, &key_policy(&config), now).await.map_err(StartError::Keys)?;
        let (keys, roots) = (Arc::new(keys), Arc::new(roots));
        if keys.counter() != counter {
            // Somebody may have changed what the ring saw and the rest was too early for.
            read_keys(&store, &vault, (&roots, &keys), keys.counter(), now).await?;
        }
        let passwords = Passwords::start(password_policy(&config)).map_err(StartError::Threads)?;
        let accounts =
            Accounts::new(store.clone(), vault.clone(), passwords, throttle_policy(&config), session_policy(&config));
        let provider = Arc::new(Provider {
            store: store.clone(),
            directory: Arc::new(Directory::load(&store, now).await?),
            issuer: TokenIssuer::new(keys.clone()),
            keys,
            roots,
            grant_keys: GrantKeys::from_vault(&vault),
            secret_keys: vault.macs(Purpose::ClientSecret),
            status: StatusIndices::default(),
            gateway: Gateway::new(vault.macs(Purpose::Gateway)),
            steps: RateLimit::new(config.limits.refreshes_per_family, HOUR),
            config,
        });
        let app = Self {
            clock,
            store,
            vault,
            provider,
            accounts,
            sightings: Sightings::default(),
            status_lists: StatusLists::default(),
            stopping: CancellationToken::new(),
            process,
            clock_difference: AtomicI64::new(difference.unwrap_or(NOT_MEASURED)),
            reading: tokio::sync::Mutex::new(()),
        };
        app.remember_revoked().await;
        Ok(app)
    }

    /// The file with the set-up link, where it may not go to the log.
    #[must_use]
    pub fn setup_link_file(&self) -> PathBuf {
        self.config().data_folder().join(SETUP_LINK)
    }

    /// Removes the file with the set-up link: it opens nothing any more.
    pub fn forget_setup_link(&self) {
        let file = self.setup_link_file();
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = %file.display(), "the file with the set-up link cannot be removed");
            }
            _ => {}
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.provider.config
    }

    /// A name for this process, for leases.
    #[must_use]
    pub fn process_id(&self) -> &str {
        &self.process
    }

    /// Tells the database that this process serves, and which master keys it holds.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn report(&self, now: Timestamp) -> Result<(), StoreError> {
        let node = node(&self.vault, &self.process, self.vault.seals_with());
        self.store.write(async move |tx| nodes::report(tx, &node, now).await).await
    }

    /// Brings what the process remembers up to date: one small read, and a reload of what changed.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn follow_changes(&self) -> Result<(), StoreError> {
        let mut db = self.store.read().await?;
        if let Some(difference) = changes::follow_clock(&mut db, &self.clock).await? {
            self.clock_difference.store(difference, Ordering::Relaxed);
            if difference.abs() > CLOCK_WARNED {
                tracing::warn!(
                    alarm = "clock",
                    milliseconds = difference,
                    "this machine's clock differs from the database's"
                );
            }
        }
        let counters = changes::read(&mut db).await?;
        drop(db);
        let now = self.clock.now();
        if self.provider.keys.counter() == counters.keys {
            self.provider.keys.confirm(now);
        } else {
            // One at a time: whoever reads later must not be overtaken by who read earlier.
            let reading = self.reading.lock().await;
            read_keys(&self.store, &self.vault, (&self.provider.roots, &self.provider.keys), counters.keys, now)
                .await?;
            drop(reading);
            self.remember_revoked().await;
        }
        self.provider.directory.refresh(&self.store, counters, now).await?;
        Ok(())
    }

    /// What the status lists are made with.
    #[must_use]
    pub fn status_sources(&self) -> Sources<'_> {
        Sources {
            store: &self.store,
            keys: &self.provider.keys,
            issuer: self.provider.issuer_id(),
            bit_kept: self.config().status_bit_kept(),
        }
    }

    /// Writes revoked keys beside the database too, for the day when an older one is restored; also those that another process, or a
    /// command on another machine, has revoked.
    async fn remember_revoked(&self) {
        let ring = self.provider.keys.ring();
        let revoked = ring.records().filter(|record| record.state == KeyState::Revoked);
        let revoked: Vec<_> = revoked.map(|record| (record.kid().to_string(), record.changed_at)).collect();
        let file = self.config().data_folder().join(journal::FILE);
        let shown = file.display().to_string();
        let written = tokio::task::spawn_blocking(move || journal::catch_up(&file, &revoked)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(
                alarm = "key journal", %error, file = shown,
                "revoked keys could not be written to the journal that a restore takes over"
            );
        }
    }

    /// Whether the database has a clock of its own, and it agrees with this machine's: then the time is right.
    #[must_use]
    pub fn clocks_agree(&self) -> bool {
        self.measured_difference().is_some_and(|difference| difference.abs() <= CLOCK_WARNED)
    }

    fn measured_difference(&self) -> Option<i64> {
        Some(self.clock_difference.load(Ordering::Relaxed)).filter(|difference| *difference != NOT_MEASURED)
    }

    /// Why this process should be sent no requests now; empty if it should.
    #[must_use]
    pub fn unready(&self) -> Vec<&'static str> {
        let now = self.clock.now();
        let mut reasons = Vec::new();
        if self.provider.must_be_fresh(now).is_err() {
            reasons.push("the database has not been reached for too long");
        }
        if self.measured_difference().is_some_and(|difference| difference.abs() > CLOCK_REFUSED) {
            reasons.push("the clock differs from the database's by more than five seconds");
        }
        let ring = self.provider.keys.ring();
        if self.config().keys.algorithms.iter().any(|alg| ring.signer(*alg).is_none()) {
            reasons.push("a signing key is missing");
        }
        if !self.provider.roots.get().are_complete() {
            reasons.push("a refresh root does not open");
        }
        reasons
    }
}

/// Makes a process known before it looks which master key the database has. Under the lock that turning the key takes: either
/// who turns it sees this process, or this process sees the new key.
async fn introduce(store: &Store, vault: &Vault, process: &str, now: Timestamp) {
    // What it seals with it has yet to be told.
    let node = node(vault, process, String::new());
    let introduced = store
        .write(async move |tx| {
            changes::hold(tx, Kind::Keys).await?;
            nodes::report(tx, &node, now).await
        })
        .await;
    if let Err(error) = introduced {
        // A full disk keeps nobody from starting; the job goes on trying.
        tracing::warn!(%error, "this process cannot make itself known to the others");
    }
}

fn node(vault: &Vault, process: &str, seals_with: String) -> Node {
    Node {
        process: process.to_owned(),
        name: format!("{} (process {})", machine(), std::process::id()),
        kek_ids: vault.kek_ids().map(str::to_owned).collect(),
        seals_with,
    }
}

#[cfg(unix)]
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn machine() -> String {
    "a machine".to_owned()
}

/// Reads master key, roots and ring again, whose counter was `counter` before.
async fn read_keys(
    store: &Store,
    vault: &Vault,
    (roots, keys): (&Roots, &Keys),
    mut counter: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    loop {
        match master_key::follow(store, vault).await {
            Err(MasterKeyMismatch::Store(error)) => return Err(error),
            Err(error) => tracing::error!(alarm = "vault", %error, "the database's master key cannot be followed"),
            Ok(()) => {}
        }
        roots.reload(store, vault).await?;
        // The ring last: what it sees, the others have seen. Did something change that they were too early for?
        if keys.reload_at(store, vault, counter, now).await? {
            return Ok(());
        }
        counter = changes::read(&mut store.read().await?).await?.keys;
    }
}

/// The settings as the key ring wants them.
#[must_use]
pub fn key_policy(config: &Config) -> KeyPolicy {
    let keys = &config.keys;
    KeyPolicy {
        algorithms: keys.algorithms.clone(),
        rsa_bits: keys.rsa_bits,
        period: keys.period,
        publish_ahead: keys.publish_ahead,
        retire_window: config.retire_window(),
        patience: keys.patience,
        longest_token: config.longest_access_token().max(config.tokens.id_token_ttl),
        usual_token: config.tokens.access_token_ttl.max(config.tokens.id_token_ttl),
        skew: keys.clock_skew,
        jwks_max_age: keys.jwks_max_age,
    }
}

/// The settings as the hashing pool wants them.
#[must_use]
pub fn password_policy(config: &Config) -> PasswordPolicy {
    let passwords = &config.passwords;
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    PasswordPolicy {
        memory_kib: passwords.memory_kib,
        iterations: passwords.iterations,
        parallelism: passwords.parallelism,
        threads: size(passwords.threads),
        queue: size(passwords.queue),
        min_length: size(passwords.min_length),
        max_length: size(passwords.max_length),
    }
}

fn throttle_policy(config: &Config) -> ThrottlePolicy {
    let passwords = &config.passwords;
    ThrottlePolicy {
        per_account_and_network: passwords.attempts_per_account_and_network,
        per_account: passwords.attempts_per_account,
        per_network: passwords.attempts_per_network,
        window: passwords.attempts_window,
    }
}

fn session_policy(config: &Config) -> SessionPolicy {
    let sessions = &config.sessions;
    SessionPolicy { idle: sessions.idle, keep_signed_in: sessions.keep_signed_in, absolute: sessions.absolute }
}
