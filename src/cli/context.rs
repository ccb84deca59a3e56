//! What a command works with: settings, clock, database, master key; each opened when it is first needed.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Failure, output};
use crate::config::{Config, DatabaseUrl, process_variables};
use crate::crypto::random;
use crate::domain::time::{Clock, Timestamp};
use crate::keys;
use crate::keys::vault::Vault;
use crate::store::{OpenOptions, Store, changes};

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
        Ok(self.serving_store().await?.by_hand())
    }

    /// The database for a command that only says what it would do: where there is none yet, an empty one that is thrown away
    /// with the folder. One that lacks migrations is not brought up to date.
    ///
    /// # Errors
    /// If it cannot be reached or does not fit this version: exit code 3.
    pub async fn store_to_look_at(&self) -> Result<(Store, Option<tempfile::TempDir>), Failure> {
        let config = self.config()?;
        let (url, migrate, folder) = match &config.database.url {
            DatabaseUrl::Sqlite(file) if !file.exists() => {
                let folder = tempfile::tempdir().map_err(Failure::failed)?;
                (DatabaseUrl::Sqlite(folder.path().join("empty.db")).connect_url(), true, Some(folder))
            }
            url => (url.connect_url(), false, None),
        };
        let max_connections = config.database.max_connections;
        Ok((Store::open(&OpenOptions { url, max_connections, migrate }).await?.by_hand(), folder))
    }

    /// The database for serving, where no unit of work may keep the others waiting.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub async fn serving_store(&self) -> Result<Store, Failure> {
        let config = self.config()?;
        let options = OpenOptions {
            url: config.database.url.connect_url(),
            max_connections: config.database.max_connections,
            migrate: config.database.url.is_sqlite() || config.database.migrate_on_start,
        };
        let store = Store::open(&options).await?;
        changes::follow_clock(&mut store.read().await?, &self.clock).await?;
        Ok(store)
    }

    /// The master key, for commands that seal or MAC. It is made only for a database that has never had one; later the
    /// database knows it by a check value.
    ///
    /// # Errors
    /// If it cannot be read (exit code 2) or is not the database's (1).
    pub async fn vault(&self, store: &Store) -> Result<Vault, Failure> {
        let create = keys::is_new_installation(store).await?;
        self.load_vault(store, create).await
    }

    /// The same for a command that only says what it would do: where the database has never had a master key, one that is
    /// forgotten again.
    ///
    /// # Errors
    /// As [`Self::vault`].
    pub async fn vault_to_look_with(&self, store: &Store) -> Result<Vault, Failure> {
        if keys::is_new_installation(store).await? {
            return Ok(Vault::over(random::bytes()));
        }
        self.load_vault(store, false).await
    }

    async fn load_vault(&self, store: &Store, create: bool) -> Result<Vault, Failure> {
        let config = self.config()?;
        let secrets = &config.secrets;
        let vault = Vault::load(&secrets.master_key_file, &secrets.previous_master_key_files, create)?;
        keys::check_master_key(store, &vault, self.now()).await?;
        Ok(vault)
    }
}
