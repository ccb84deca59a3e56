//! `frontdesk keys rewrap`: a new master key takes the place of the former one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::output::{Format, say, table};
use super::{Context, Failure};
use crate::keys::rewrap::{self, CannotRewrap, Report};
use crate::keys::vault::Vault;
use crate::store::Store;
use crate::store::nodes::Node;

/// How to turn the master key.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only make the file of a new master key, to be named in the settings
    #[arg(long, value_name = "FILE")]
    pub make: Option<PathBuf>,
    #[command(flatten)]
    pub format: Format,
}

/// What `--make` made.
#[derive(Serialize)]
struct Made<'a> {
    file: &'a Path,
    kek_id: String,
}

/// Makes the file of a new master key. Needs no database.
pub(super) fn make(file: &Path, format: Format) -> Result<(), Failure> {
    let kek_id = Vault::make_file(file)?;
    say(format!(
        "{} holds the new master key {kek_id}. Keep a copy elsewhere. Name it in secrets.master_key_file and the present file in \
         secrets.previous_master_key_files, for each process; start them again one after the other; then run `frontdesk keys rewrap`",
        file.display()
    ));
    format.print(&Made { file, kek_id }, String::new)
}

/// What was sealed anew, as `--json` shows it.
#[derive(Serialize)]
struct Rewrapped<'a> {
    kek_id: &'a str,
    former_kek_id: Option<&'a str>,
    resealed: BTreeMap<&'static str, u64>,
    previous_master_key_files: &'a [PathBuf],
}

pub(super) async fn run(context: &Context, store: &Store, format: Format) -> Result<(), Failure> {
    let vault = context.vault(store).await?;
    let mut said = false;
    let waits_for = |nodes: &[Node]| {
        if !said {
            let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
            say(format!("waiting until the new master key is used by {}", names.join(", ")));
            said = true;
        }
    };
    let report = rewrap::run(store, &vault, context.clock(), waits_for).await?;
    if !report.left.is_empty() {
        return Err(unopened(&report));
    }
    let config = context.config()?;
    let previous = &config.secrets.previous_master_key_files;
    say(format!("everything is sealed under master key {}", vault.kek_id()));
    if !previous.is_empty() {
        let files: Vec<String> = previous.iter().map(|file| file.display().to_string()).collect();
        say(format!(
            "secrets.previous_master_key_files needs to name no file any more; keep {} for as long as you keep back-ups of the \
             database from before",
            files.join(", ")
        ));
    }
    let mut resealed = report.resealed.clone();
    resealed.insert("master_key_check", u64::from(report.turned_from.is_some()));
    let rows: Vec<[String; 2]> =
        resealed.iter().map(|(table, count)| [(*table).to_owned(), count.to_string()]).collect();
    let shown = Rewrapped {
        kek_id: vault.kek_id(),
        former_kek_id: report.turned_from.as_deref(),
        resealed,
        previous_master_key_files: previous,
    };
    format.print(&shown, || table(["table", "sealed anew"], &rows))
}

fn unopened(report: &Report) -> Failure {
    let left: Vec<String> = report
        .left
        .iter()
        .map(|(table, kek_id, count)| format!("{count} in table {table} under master key {kek_id}"))
        .collect();
    Failure::failed(format!(
        "these values do not open, and so stay as they are: {}. They were damaged or changed from outside, or their master key \
         is not among secrets.previous_master_key_files; all others are sealed under the new master key",
        left.join("; ")
    ))
}

impl From<CannotRewrap> for Failure {
    fn from(error: CannotRewrap) -> Self {
        match error {
            CannotRewrap::Store(error) => error.into(),
            CannotRewrap::MasterKey(error) => error.into(),
            other => Self::failed(other),
        }
    }
}
