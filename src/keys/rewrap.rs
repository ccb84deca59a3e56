//! Seals everything anew under the master key of `secrets.master_key_file`, while the house goes on. First the database's probe,
//! so that all processes seal with that key; then row by row, in small units of work, each guarded by what it replaces. So it
//! can be broken off anywhere, run twice at once, and simply started again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::master_key::{self, MasterKeyMismatch};
use super::vault::{Place, Sealed, Vault};
use crate::domain::time::{Clock, Timestamp};
use crate::store::audit::{self, Event};
use crate::store::changes::{self, Kind};
use crate::store::installation::MASTER_KEY_CHECK;
use crate::store::nodes::{self, Node};
use crate::store::sealed::{self, Exchange, Table};
use crate::store::{Store, StoreError};

/// Rows sealed anew in one unit of work at most.
const BATCH: usize = 100;
/// How often it is looked whether all processes follow.
const LOOK: Duration = Duration::from_millis(250);
/// A process that ended without a word is waited for until it counts as gone.
const LONGEST_WAIT: u64 = 90;

/// What was done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// The id of the former master key, if the probe was still sealed under it.
    pub turned_from: Option<String>,
    /// How many values were sealed anew, by table.
    pub resealed: BTreeMap<&'static str, u64>,
    /// What is still sealed under other keys since it does not open: table, key and number of values.
    pub left: Vec<(&'static str, String, i64)>,
}

/// Why not everything could be sealed anew.
#[derive(Debug)]
pub enum CannotRewrap {
    /// These processes could not open what is sealed under the new key. Nothing was changed.
    Lacking {
        /// The id of the new key.
        kek_id: String,
        /// The processes.
        nodes: Vec<Node>,
    },
    /// These processes go on sealing with the former key.
    Lagging(Vec<Node>),
    /// Somebody turned to another key meanwhile.
    Overtaken,
    /// The master key is not the database's.
    MasterKey(MasterKeyMismatch),
    /// The database refused.
    Store(StoreError),
}

impl fmt::Display for CannotRewrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacking { kek_id, nodes } => {
                write!(
                    f,
                    "these processes serve and do not have master key {kek_id} yet, so that they could open nothing"
                )?;
                for Node { name, kek_ids, .. } in nodes {
                    write!(f, "\n  {name}, which has {}", kek_ids.join(" and "))?;
                }
                f.write_str(
                    "\ngive them the same secrets.master_key_file and secrets.previous_master_key_files and start them again; one \
                     that is gone is forgotten after a minute. Nothing was changed",
                )
            }
            Self::Lagging(nodes) => {
                f.write_str("these processes still seal with the former master key:")?;
                for node in nodes {
                    write!(f, "\n  {}", node.name)?;
                }
                f.write_str("\nsee in their logs why they do not follow, and run this again")
            }
            Self::Overtaken => f.write_str("the master key was turned to yet another one meanwhile; run this again"),
            Self::MasterKey(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CannotRewrap {}

impl From<StoreError> for CannotRewrap {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<MasterKeyMismatch> for CannotRewrap {
    fn from(error: MasterKeyMismatch) -> Self {
        match error {
            MasterKeyMismatch::Store(error) => Self::Store(error),
            other => Self::MasterKey(other),
        }
    }
}

/// Seals everything anew and waits until all processes seal with the new key, so that nothing comes after. `waits_for` is told of
/// those that it has to wait for.
///
/// # Errors
/// [`CannotRewrap`].
pub async fn run(
    store: &Store,
    vault: &Vault,
    clock: &Clock,
    mut waits_for: impl FnMut(&[Node]),
) -> Result<Report, CannotRewrap> {
    let began = clock.now();
    let mut report = Report { turned_from: turn(store, vault, began).await?, ..Report::default() };
    loop {
        master_key::follow(store, vault).await?;
        if vault.seals_with() != vault.kek_id() {
            return Err(CannotRewrap::Overtaken);
        }
        // Before the pass: what a process sealed before it followed is there by now.
        let lagging = lagging(store, vault, clock.now()).await?;
        let mut pass = Pass::begin(store, vault).await?;
        while pass.step().await? {}
        for (table, count) in pass.resealed {
            *report.resealed.entry(table).or_default() += count;
        }
        if pass.missed {
            continue;
        }
        if lagging.is_empty() {
            break;
        }
        if clock.now().seconds_since(began) > LONGEST_WAIT {
            return Err(CannotRewrap::Lagging(lagging));
        }
        waits_for(&lagging);
        tokio::time::sleep(LOOK).await;
    }
    report.left = left(store, vault).await?;
    finish(store, vault, &report, clock.now()).await?;
    Ok(report)
}

/// Lets all processes seal with the new key, unless one of them lacks it. Returns the former key's id.
///
/// # Errors
/// [`CannotRewrap`]; nothing was changed.
pub async fn turn(store: &Store, vault: &Vault, now: Timestamp) -> Result<Option<String>, CannotRewrap> {
    // The unit owns nothing of the vault, so what it needs is made before.
    let kek_id = vault.kek_id().to_owned();
    let turning = master_key::Turning::prepare(store, vault).await?;
    store
        .write(async move |tx| {
            // Whoever starts to serve makes himself known under the same lock, and looks at the probe afterwards.
            changes::hold(tx, Kind::Keys).await?;
            let nodes = nodes::alive(tx, now).await?;
            let nodes: Vec<Node> = nodes.into_iter().filter(|node| !node.kek_ids.contains(&kek_id)).collect();
            if !nodes.is_empty() {
                return Ok(Err(CannotRewrap::Lacking { kek_id, nodes }));
            }
            let Some(turning) = turning else { return Ok(Ok(None)) };
            if !turning.write(tx).await? {
                // Another who turns it was first.
                return Ok(Ok(None));
            }
            changes::bump(tx, Kind::Keys).await?;
            let data = json!({"from": turning.from, "to": kek_id});
            let event = Event { actor: "cli", action: "master_key.turn", subject: MASTER_KEY_CHECK, data };
            audit::record(tx, &event, now).await?;
            Ok(Ok(Some(turning.from)))
        })
        .await?
}

/// One walk over all that is sealed under other keys than the new one.
#[derive(Debug)]
pub struct Pass<'a> {
    store: &'a Store,
    vault: &'a Vault,
    /// What to go through, the last first.
    piles: Vec<(Table, String)>,
    after: String,
    /// How many values were sealed anew, by table.
    pub resealed: BTreeMap<&'static str, u64>,
    /// Whether a row was changed by somebody else at the same moment, so that it may be there to be sealed still.
    pub missed: bool,
}

impl<'a> Pass<'a> {
    /// Looks what there is to do.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn begin(store: &'a Store, vault: &'a Vault) -> Result<Self, StoreError> {
        let piles = piles(store, vault).await?;
        Ok(Self { store, vault, piles, after: String::new(), resealed: BTreeMap::new(), missed: false })
    }

    /// Seals one batch anew. False: there was none any more.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn step(&mut self) -> Result<bool, StoreError> {
        let Some((table, kek_id)) = self.piles.last().cloned() else { return Ok(false) };
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let rows = sealed::batch(&mut self.store.read().await?, table, &kek_id, &self.after, most).await?;
        match rows.last() {
            Some(last) if rows.len() >= BATCH => self.after.clone_from(&last.row),
            _ => {
                self.after.clear();
                self.piles.pop();
            }
        }
        let mut exchanges = Vec::new();
        for sealed::SealedRow { row, sealed } in rows {
            let old = Sealed { text: sealed, kek_id: kek_id.clone() };
            match self.vault.reseal(Place::of(table, &row), &old) {
                Ok(new) => exchanges.push((row, old, new)),
                Err(error) => {
                    tracing::error!(alarm = "vault", table = table.name(), row, %error, "a value cannot be sealed anew");
                }
            }
        }
        let wanted = exchanges.len();
        let done = self
            .store
            .write(async move |tx| {
                let mut done = 0;
                for (row, old, new) in &exchanges {
                    let exchange = Exchange { row, old: (&old.kek_id, &old.text), new: (&new.kek_id, &new.text) };
                    done += usize::from(sealed::replace(tx, table, exchange).await?);
                }
                Ok(done)
            })
            .await?;
        self.missed |= done < wanted;
        *self.resealed.entry(table.name()).or_default() += u64::try_from(done).unwrap_or(u64::MAX);
        Ok(true)
    }
}

/// Tables, and the keys other than the new one that something in them is sealed under.
async fn piles(store: &Store, vault: &Vault) -> Result<Vec<(Table, String)>, StoreError> {
    let mut db = store.read().await?;
    let mut piles = Vec::new();
    for table in Table::ALL {
        let kek_ids = sealed::kek_ids(&mut db, table).await?;
        piles.extend(kek_ids.into_iter().filter(|kek_id| kek_id != vault.kek_id()).map(|kek_id| (table, kek_id)));
    }
    Ok(piles)
}

async fn left(store: &Store, vault: &Vault) -> Result<Vec<(&'static str, String, i64)>, StoreError> {
    let piles = piles(store, vault).await?;
    let mut db = store.read().await?;
    let mut left = Vec::new();
    for (table, kek_id) in piles {
        let count = sealed::count(&mut db, table, &kek_id).await?;
        left.push((table.name(), kek_id, count));
    }
    Ok(left)
}

async fn lagging(store: &Store, vault: &Vault, now: Timestamp) -> Result<Vec<Node>, StoreError> {
    let nodes = nodes::alive(&mut store.read().await?, now).await?;
    Ok(nodes.into_iter().filter(|node| node.seals_with != vault.kek_id()).collect())
}

async fn finish(store: &Store, vault: &Vault, report: &Report, now: Timestamp) -> Result<(), StoreError> {
    if report.resealed.values().all(|count| *count == 0) {
        return Ok(());
    }
    let data = json!({"to": vault.kek_id(), "resealed": report.resealed});
    store
        .write(async move |tx| {
            let event = Event { actor: "cli", action: "master_key.rewrap", subject: MASTER_KEY_CHECK, data };
            audit::record(tx, &event, now).await
        })
        .await
}
