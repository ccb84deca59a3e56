//! One struct per `[section]` of `config.toml`, each field with its default.
//!
//! The bounds of the values stand in `check`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::alg::Alg;
use crate::domain::origin::Origin;

use super::colour::Colour;
use super::database_url::DatabaseUrl;
use super::duration::{days, hours, minutes, seconds};
use super::gateway::GatewayApp;
use super::issuer::Issuer;
use super::listen::{Listen, ListenAddress};
use super::setting::section;
use super::words::{LogFilter, LogFormat};

section! {
    /// `[server]`: where the provider is found.
    pub struct Server {
        /// The origin that clients know; `iss` in every token.
        pub issuer: Issuer = Issuer::localhost(8080),
        /// Where to listen.
        pub listen: Listen = Listen(vec![ListenAddress::Socket(([127, 0, 0, 1], 8080).into())]),
        /// Proxies whose `Forwarded` and `X-Forwarded-*` headers are believed.
        pub trusted_proxies: Vec<IpNet> = Vec::new(),
        /// Send `Strict-Transport-Security`; only an `https` issuer ever does.
        pub hsts: bool = true,
        /// The certificate, if Frontdesk ends TLS itself.
        pub tls: Tls = Tls::default(),
    }
}

section! {
    /// `[server]` `tls.*`: both files or neither.
    pub struct Tls {
        /// PEM file with the certificate and its chain.
        pub certificate: Option<PathBuf> = None,
        /// PEM file with the private key.
        pub key: Option<PathBuf> = None,
    }
}

impl Tls {
    /// Certificate and key, if Frontdesk ends TLS itself.
    #[must_use]
    pub fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }
}

section! {
    /// `[database]`: where the data are.
    pub struct Database {
        /// SQLite file or PostgreSQL address.
        pub url: DatabaseUrl = DatabaseUrl::Sqlite(PathBuf::from("data/frontdesk.db")),
        /// Connections that may be open at once.
        pub max_connections: u32 = 16,
        /// Let `serve` migrate PostgreSQL; on SQLite it always does.
        pub migrate_on_start: bool = false,
    }
}

section! {
    /// `[secrets]`: the keys that seal what is in the database.
    pub struct Secrets {
        /// File of the master key. Not set: beside the SQLite file, else `data/master.key`.
        pub master_key_file: PathBuf = PathBuf::from("data/master.key"),
        /// Files of master keys that may still open what they sealed.
        pub previous_master_key_files: Vec<PathBuf> = Vec::new(),
    }
}

section! {
    /// `[keys]`: the keys that sign tokens.
    pub struct Keys {
        /// Algorithms that have a key.
        pub algorithms: Vec<Alg> = vec![Alg::ES256, Alg::RS256],
        /// Size of RSA keys.
        pub rsa_bits: u32 = 2048,
        /// How long a key signs.
        pub period: Duration = days(30),
        /// How long a key is published before it signs.
        pub publish_ahead: Duration = hours(24),
        /// `max-age` of the key set: how long others keep it.
        pub jwks_max_age: Duration = minutes(5),
        /// How far the clocks of relying apps may be off.
        pub clock_skew: Duration = seconds(60),
        /// How long a turn waits for apps that were not yet seen to have the new key.
        pub patience: Duration = days(3),
        /// How long a key stays published after its last signature. Not set: computed.
        pub retire_window: Option<Duration> = None,
    }
}

section! {
    /// `[tokens]`: how long what we issue lives.
    pub struct Tokens {
        /// Life of access tokens.
        pub access_token_ttl: Duration = minutes(15),
        /// Life of ID tokens.
        pub id_token_ttl: Duration = minutes(15),
        /// Life of authorization codes.
        pub authorization_code_ttl: Duration = seconds(60),
        /// Life of a browser app's refresh family.
        pub refresh_lifetime_browser: Duration = days(7),
        /// Life of a native app's refresh family.
        pub refresh_lifetime_native: Duration = days(90),
        /// How long a native app's family may stay unused.
        pub refresh_idle_native: Duration = days(30),
        /// Life of a confidential client's refresh family.
        pub refresh_lifetime_confidential: Duration = days(365),
        /// How long a confidential client's family may stay unused.
        pub refresh_idle_confidential: Duration = days(90),
        /// How long the previous refresh token may be presented again, sent in the body.
        pub refresh_grace_body: Duration = seconds(10),
        /// The same for cookie mode.
        pub refresh_grace_cookie: Duration = seconds(30),
    }
}

section! {
    /// `[sessions]`: how long people stay signed in.
    pub struct Sessions {
        /// How long a session may stay unused.
        pub idle: Duration = hours(8),
        /// How long it may stay unused after "keep me signed in".
        pub keep_signed_in: Duration = days(7),
        /// When a session ends in any case.
        pub absolute: Duration = days(7),
        /// How long a sign-in may take, from the app's request to its answer.
        pub authorize_request_ttl: Duration = minutes(15),
    }
}

section! {
    /// `[passwords]`: how passwords are hashed and how often they may be tried.
    pub struct Passwords {
        /// Memory of one hash in KiB.
        pub memory_kib: u32 = 19_456,
        /// Passes over the memory.
        pub iterations: u32 = 2,
        /// Lanes of one hash.
        pub parallelism: u32 = 1,
        /// Threads that hash; 0 stands for one per core.
        pub threads: u32 = 0,
        /// Hashes that may wait for a thread; more are answered 503.
        pub queue: u32 = 64,
        /// Shortest new password in characters.
        pub min_length: u32 = 10,
        /// Longest password in characters.
        pub max_length: u32 = 1_024,
        /// Failed tries per person and network within `attempts_window`.
        pub attempts_per_account_and_network: u32 = 10,
        /// Failed tries per person over all networks; never counts browsers known to the person.
        pub attempts_per_account: u32 = 50,
        /// Failed tries per network over all people.
        pub attempts_per_network: u32 = 100,
        /// The time in which these tries are counted.
        pub attempts_window: Duration = minutes(15),
    }
}

section! {
    /// `[limits]`: how much and how long.
    pub struct Limits {
        /// Largest request body in bytes, where large ones are expected.
        pub body_bytes: u32 = 65_536,
        /// Largest request head in bytes.
        pub header_bytes: u32 = 32_768,
        /// Longest time for one request.
        pub request_timeout: Duration = seconds(30),
        /// Longest time for the request head to arrive.
        pub header_timeout: Duration = seconds(10),
        /// Longest time a connection may stand still: no request begins, and hardly a byte of an answer is taken.
        pub idle_timeout: Duration = seconds(60),
        /// Longest time that running requests get at a stop.
        pub graceful_stop: Duration = seconds(30),
        /// Connections that may be open at once; more wait.
        pub connections: u32 = 4_096,
        /// Connections that one network may hold; 0: no limit. Trusted proxies and this machine may hold all.
        pub connections_per_network: u32 = 256,
        /// Requests a minute from one network that do not prove who sends them; 0: no limit.
        pub requests_per_network: u32 = 3_000,
        /// Requests a minute by one client that has proven who it is; 0: no limit.
        pub requests_per_client: u32 = 1_200_000,
        /// New refresh tokens an hour in one family; 0: no limit.
        pub refreshes_per_family: u32 = 240,
        /// Streams of revocations that one client may keep open; 0: no limit.
        pub streams_per_client: u32 = 32,
        /// How often a process asks whether clients, resources or keys have changed.
        pub change_poll: Duration = seconds(1),
        /// Age of what a process remembers from which on it says so in the log.
        pub stale_log: Duration = seconds(5),
        /// Age of what a process remembers from which on it answers 503.
        pub stale_stop: Duration = seconds(30),
    }
}

section! {
    /// `[outbound]`: calls to relying apps, at addresses that these named.
    pub struct Outbound {
        /// Origins that may be called though they are private, at another port or plain http.
        pub allow: Vec<Origin> = Vec::new(),
        /// PEM file with certificate authorities beside those of the system.
        pub extra_ca: Option<PathBuf> = None,
    }
}

section! {
    /// `[gateway]`: apps behind a proxy that asks us about every request (forward-auth).
    pub struct Gateway {
        /// The apps.
        pub apps: Vec<GatewayApp> = Vec::new(),
    }
}

section! {
    /// `[features]`: parts of the protocol that are off unless somebody needs them.
    pub struct Features {
        /// OpenID Connect Session Management 1.0.
        pub session_management: bool = false,
    }
}

section! {
    /// `[telemetry]`: what the program tells about itself.
    pub struct Telemetry {
        /// Which events are logged.
        pub log: LogFilter = LogFilter::info(),
        /// How log lines are written.
        pub log_format: LogFormat = LogFormat::Text,
    }
}

section! {
    /// `[pages]`: the look of the pages people see.
    pub struct Pages {
        /// Name of the installation, in titles and headings.
        pub name: String = "Frontdesk".to_owned(),
        /// Colour of primary buttons, focus and links.
        pub accent: Colour = Colour::new(0x2b, 0x59, 0xc3),
        /// Logo above the form.
        pub logo_file: Option<PathBuf> = None,
        /// Database that says in which place an address is.
        pub places_file: Option<PathBuf> = None,
    }
}
