//! Settings, read and checked once at start.
//!
//! [`Config::load`] takes the defaults, then `config.toml`, then environment variables
//! `FRONTDESK__SECTION__KEY`, makes paths relative to the file, and checks everything. All that is
//! wrong is reported together, each with its key, its place and what to do. Every setting stands
//! with its default in `sections`, and with a line of why in `config.toml` at the top of the
//! repository.

mod check;
mod colour;
mod database_url;
mod duration;
mod environment;
mod error;
mod gateway;
mod issuer;
mod listen;
mod permissions;
mod print;
mod reader;
mod sections;
mod setting;
#[cfg(test)]
mod tests;
mod words;

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

pub use colour::Colour;
pub use database_url::{DatabaseUrl, PostgresUrl};
pub use duration::parse as parse_duration;
pub use environment::process_variables;
pub use error::{ConfigError, Finding, Place, Warning};
pub use gateway::GatewayApp;
pub use issuer::Issuer;
pub use listen::{Listen, ListenAddress};
pub use sections::{
    Database, Features, Gateway, Keys, Limits, Outbound, Pages, Passwords, Secrets, Server, Sessions, Telemetry, Tls,
    Tokens,
};
pub use words::{LogFilter, LogFormat};

use duration::{hours, seconds};
use environment::Environment;
use reader::{Reader, Reading, Source};
use setting::{Section, Setting, Visitor, section};

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "config.toml";

/// No access token lives longer, whatever a client asks for (RFC 9700 section 2.2: short).
pub const LONGEST_ACCESS_TOKEN: Duration = hours(1);

/// How much longer than its last token a status bit stays set.
const STATUS_MARGIN: Duration = seconds(900);

section! {
    /// Every setting, typed and with its default. The fields are open, so that tests and the demo
    /// can build a configuration of their own.
    pub struct Config {
        /// Where the provider is found.
        pub server: Server = Server::default(),
        /// Where the data are.
        pub database: Database = Database::default(),
        /// The keys that seal what is in the database.
        pub secrets: Secrets = Secrets::default(),
        /// The keys that sign tokens.
        pub keys: Keys = Keys::default(),
        /// How long what we issue lives.
        pub tokens: Tokens = Tokens::default(),
        /// How long people stay signed in.
        pub sessions: Sessions = Sessions::default(),
        /// How passwords are hashed and how often they may be tried.
        pub passwords: Passwords = Passwords::default(),
        /// How much and how long.
        pub limits: Limits = Limits::default(),
        /// Calls to relying apps.
        pub outbound: Outbound = Outbound::default(),
        /// Apps that proxies ask us about.
        pub gateway: Gateway = Gateway::default(),
        /// Optional parts of the protocol.
        pub features: Features = Features::default(),
        /// What the program tells about itself.
        pub telemetry: Telemetry = Telemetry::default(),
        /// The look of the pages people see.
        pub pages: Pages = Pages::default(),
    }
}

impl Config {
    /// Reads `path` (or `config.toml` in the working directory) and the variables of `environment`,
    /// for a process [`process_variables`]. A missing file means the defaults, unless it was asked
    /// for explicitly.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(
        path: Option<&Path>,
        explicit: bool,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let path = path.unwrap_or(Path::new(DEFAULT_FILE));
        let environment = Environment::new(environment);
        match read(path) {
            Ok((text, metadata)) => assemble(Source { path, text: &text }, Some(&metadata), &environment),
            // Without a file, relative paths start at the working directory.
            Err(error) if error.kind() == ErrorKind::NotFound && !explicit => {
                assemble(Source { path: Path::new(""), text: "" }, None, &environment)
            }
            Err(error) => Err(ConfigError::new(vec![Finding {
                key: None,
                place: Place::File(path.to_owned()),
                what: format!("the configuration file cannot be read: {error}"),
                todo: "Check the path after --config and who may read the file.".to_owned(),
            }])),
        }
    }

    /// Reads settings from `text` as if it stood in the file `path`.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(
        text: &str,
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        assemble(Source { path, text }, None, &Environment::new(environment))
    }

    /// The defaults with database and master key in the folder `data`.
    #[must_use]
    pub fn in_folder(data: &Path) -> Self {
        let mut config = Self::default();
        config.database.url = DatabaseUrl::Sqlite(data.join("frontdesk.db"));
        config.secrets.master_key_file = data.join("master.key");
        config
    }

    /// Plain `http` on loopback: other cookie names, looser rules, for one person's machine.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.server.issuer.is_development()
    }

    /// The absolute URL of an own `path`, which starts with a slash.
    #[must_use]
    pub fn issuer_url(&self, path: &str) -> String {
        self.server.issuer.url(path)
    }

    /// The folder for what the program keeps in files: that of the SQLite database, else that of
    /// the master key.
    #[must_use]
    pub fn data_folder(&self) -> &Path {
        let file = match &self.database.url {
            DatabaseUrl::Sqlite(file) => file,
            DatabaseUrl::Postgres(_) => &self.secrets.master_key_file,
        };
        match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// The shortest time a key must be published before it signs: an app may have fetched the key
    /// set just before, and every clock may be off.
    #[must_use]
    pub fn publish_ahead_floor(&self) -> Duration {
        self.keys.jwks_max_age + self.limits.change_poll + self.keys.clock_skew
    }

    /// How long a key stays published after its last signature: at least until everything it
    /// signed has expired.
    #[must_use]
    pub fn retire_window(&self) -> Duration {
        self.keys.retire_window.unwrap_or_else(|| {
            let longest = LONGEST_ACCESS_TOKEN.max(self.tokens.id_token_ttl);
            let computed = longest + seconds(300) + self.kept_by_others() + hours(1);
            computed.max(hours(24))
        })
    }

    /// The longest life a client's own `access_token_ttl` may have, so that a retired key outlives
    /// its tokens.
    #[must_use]
    pub fn longest_access_token(&self) -> Duration {
        self.retire_window().saturating_sub(self.after_the_last_token()).min(LONGEST_ACCESS_TOKEN)
    }

    /// For how long a status bit must stay set so that no token with it is taken any more: the longest life of an access token,
    /// the age of what others may remember, and a margin.
    #[must_use]
    pub fn status_bit_kept(&self) -> Duration {
        LONGEST_ACCESS_TOKEN + self.limits.stale_stop + STATUS_MARGIN
    }

    /// How much longer than a token's life a replaced key must stay published at least.
    fn after_the_last_token(&self) -> Duration {
        self.keys.clock_skew + self.kept_by_others()
    }

    /// How long others go on with an old key set: APIs keep it for a while, and a process that cannot reach the database signs with
    /// the old key for a while.
    fn kept_by_others(&self) -> Duration {
        self.keys.jwks_max_age.max(self.limits.stale_stop)
    }
}

fn read(path: &Path) -> std::io::Result<(String, Metadata)> {
    let mut file = File::open(path)?;
    // Of the open file, so that nobody can swap it between the check and the reading.
    let metadata = file.metadata()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, metadata))
}

/// Defaults, then the file, then the environment, then the checks.
fn assemble(
    source: Source<'_>,
    metadata: Option<&Metadata>,
    environment: &Environment,
) -> Result<(Config, Vec<Warning>), ConfigError> {
    let (mut config, mut reading) = settings(source, environment)?;
    let base = source.path.parent().unwrap_or(Path::new(""));
    place_files(&mut config, &reading, base);
    check::check(&config, &mut reading);
    if let Some(metadata) = metadata {
        permissions::check(source.path, metadata, &config, &mut reading);
    }
    if reading.findings.is_empty() { Ok((config, reading.warnings)) } else { Err(ConfigError::new(reading.findings)) }
}

/// The settings as they are written, unchecked.
fn settings(source: Source<'_>, environment: &Environment) -> Result<(Config, Reading), ConfigError> {
    let (table, errors) = DeTable::parse_recoverable(source.text);
    if !errors.is_empty() {
        let finding = |error: &toml::de::Error| Finding {
            key: None,
            place: source.place(&error.span().unwrap_or_default()),
            // Not the whole error: that repeats the line, which may hold a password.
            what: format!("this is not TOML: {}", error.message()),
            todo: "Write settings as key = value below their [section], with text in quotes.".to_owned(),
        };
        return Err(ConfigError::new(errors.iter().map(finding).collect()));
    }
    let mut config = Config::default();
    let mut reader = Reader::new(source, table.get_ref(), environment);
    config.visit("", &mut reader);
    Ok((config, reader.finish()))
}

/// Makes paths relative to the file, and puts the master key beside the database.
fn place_files(config: &mut Config, reading: &Reading, base: &Path) {
    config.visit("", &mut Resolver { base });
    if let DatabaseUrl::Sqlite(file) = &config.database.url
        && !reading.is_set("secrets.master_key_file")
    {
        config.secrets.master_key_file = file.parent().map_or_else(PathBuf::new, Path::to_owned).join("master.key");
    }
}

struct Resolver<'a> {
    base: &'a Path,
}

impl Visitor for Resolver<'_> {
    fn setting<T: Setting>(&mut self, _key: &str, value: &mut T) {
        value.resolve(self.base);
    }
}
