//! What a command works with: settings, clock, database, master key; each opened when it is first needed.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Failure, output};
use crate::config::{Config, process_variables};
use crate::domain::time::{Clock, Timestamp};
use crate::keys::vault::{Place, Sealed, Vault};
use crate::store::{OpenOptions, Store, installation};

/// What a command works with.
#[derive(Debug)]
pub struct Context {
    file: Option<PathBuf>,
    clock: Clock,
    config: OnceCell<Rc<Config>>,
}

impl Context {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, clock: Clock::system(), config: OnceCell::new() }
    }

    /// The clock of this process.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The moment; asked once per command and passed on.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The file after `--config`, if one was named.
    #[must_use]
    pub fn config_file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The settings. Warnings are said when they are first read.
    ///
    /// # Errors
    /// If they are wrong: exit code 2.
    pub fn config(&self) -> Result<Rc<Config>, Failure> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let (config, warnings) = Config::load(self.file.as_deref(), self.file.is_some(), process_variables())?;
        for warning in warnings {
            output::say(format!("warning: {warning}"));
        }
        Ok(self.config.get_or_init(|| Rc::new(config)).clone())
    }

    /// The database. SQLite is brought up to date, PostgreSQL only where the settings say so.
    ///
    /// # Errors
    /// If it cannot be reached or does not fit this version: exit code 3.
    pub async fn store(&self) -> Result<Store, Failure> {
        let config = self.config()?;
        let options = OpenOptions {
            url: config.database.url.connect_url(),
            max_connections: config.database.max_connections,
            migrate: config.database.url.is_sqlite() || config.database.migrate_on_start,
        };
        Ok(Store::open(&options).await?)
    }

    /// The master key, for commands that seal or MAC. It is made only for a database that has never had one; later the
    /// database knows it by a check value.
    ///
    /// # Errors
    /// If it cannot be read (exit code 2) or is not the database's (1).
    pub async fn vault(&self, store: &Store) -> Result<Vault, Failure> {
        let config = self.config()?;
        let known = installation::find(&mut store.read().await?, CHECK.row).await?;
        let secrets = &config.secrets;
        let vault = Vault::load(&secrets.master_key_file, &secrets.previous_master_key_files, known.is_none())?;
        let known = match known {
            Some(known) => known,
            None => {
                let sealed = vault.seal(CHECK, CHECK.purpose.as_bytes());
                let value = format!("{} {}", sealed.kek_id, sealed.text);
                // Of two processes that are first at the same time, both go on with what stands there in the end.
                store
                    .write(async move |tx| {
                        installation::write_once(tx, CHECK.row, &value).await.map(drop)?;
                        installation::find(tx, CHECK.row).await
                    })
                    .await?
                    .unwrap_or_default()
            }
        };
        let (kek_id, text) = known.split_once(' ').unwrap_or_default();
        let sealed = Sealed { text: text.to_owned(), kek_id: kek_id.to_owned() };
        vault.open(CHECK, &sealed).map_err(|error| {
            Failure::failed(format!(
                "{} is not the master key of this database: {error}; restore the right file from your backup",
                secrets.master_key_file.display()
            ))
        })?;
        Ok(vault)
    }
}

/// Where the value stands that tells the database's master key from others.
const CHECK: Place<'static> = Place { purpose: "master key check", table: "installation", row: "master_key_check" };
