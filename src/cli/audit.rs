//! `frontdesk audit`: who did what, and whether somebody has changed it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::output::{Format, data, json, say, table};
use super::turn_keys::Confirmed;
use super::users::by_any_name;
use super::{Context, Failure};
use crate::audit::chain::ChainKey;
use crate::audit::checkpoint::{self, Kept};
use crate::audit::erase;
use crate::audit::problem::Problem;
use crate::audit::verify::{Report, verify};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::keys::ring::KeyRing;
use crate::store::audit::{self, Recorded};
use crate::store::audit_page::{self, Filter};
use crate::store::{Store, signing_keys};

/// Events in one page of an export.
const PAGE: u32 = 1_000;

/// What to do with the audit.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the newest events, the newest last
    Tail(Tail),
    /// Print all events as JSON, one a line, the oldest first; the same with and without --json
    Export(Export),
    /// Say whether the chain is whole, and what is wrong with it
    Verify(Verify),
    /// Erase for good whom the audit tells of. What was done and when stays, and so does the chain
    Erase(Erase),
}

#[derive(Debug, clap::Args)]
pub(super) struct Tail {
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    lines: u32,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Leave out what happened before this moment (2026-11-18T11:06:40Z) or day
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Leave out what happened at this moment or day, or later
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    #[command(flatten)]
    _format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// A file with checkpoints that were kept elsewhere: lines of a log, or what `audit verify --json` has printed
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Erase {
    /// Whom: by user name, e-mail address or sub. Of somebody who was removed, the identity that is the subject of `user.remove`
    #[arg(long, value_name = "NAME")]
    user: String,
    #[command(flatten)]
    confirmed: Confirmed,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(context: &Context, command: &Command) -> Result<(), Failure> {
    let store = context.store().await?;
    let done = match command {
        Command::Tail(arguments) => tail(&store, arguments).await,
        Command::Export(arguments) => export(&store, arguments).await,
        Command::Verify(arguments) => verify_chain(context, &store, arguments).await,
        Command::Erase(arguments) => erase_person(context, &store, arguments).await,
    };
    store.close().await;
    done
}

async fn tail(store: &Store, arguments: &Tail) -> Result<(), Failure> {
    let mut events = audit_page::page(&mut store.read().await?, &Filter::default(), "", arguments.lines).await?;
    events.reverse();
    let told: Vec<Told<'_>> = events.iter().map(Told::from).collect();
    arguments.format.print(&told, || {
        let rows: Vec<[String; 6]> = events
            .iter()
            .map(|event| {
                let number = event.sealed.as_ref().map(|(number, _)| number.to_string()).unwrap_or_default();
                let [actor, action, subject, data] =
                    [&event.actor, &event.action, &event.subject, &event.data].map(|text| printable(text));
                [number, event.at.to_string(), actor, action, subject, data]
            })
            .collect();
        table(["number", "at", "actor", "action", "subject", "data"], &rows)
    })
}

/// For a terminal: what somebody wrote into the database must not steer it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

async fn export(store: &Store, arguments: &Export) -> Result<(), Failure> {
    let from = arguments.from.unwrap_or(Timestamp::from_seconds(i64::MIN));
    let until = arguments.to.unwrap_or(Timestamp::from_seconds(i64::MAX));
    let mut after = String::new();
    loop {
        let page = audit::following(&mut store.read().await?, &after, (from, until), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id);
        let mut lines = String::new();
        for event in &page {
            let line = serde_json::to_string(&Told::from(event)).map_err(Failure::failed)?;
            lines.push_str(&line);
            lines.push('\n');
        }
        data(lines)?;
    }
}

/// An event as it is printed.
#[derive(Serialize)]
struct Told<'e> {
    number: Option<i64>,
    id: &'e str,
    at: String,
    actor: &'e str,
    action: &'e str,
    subject: &'e str,
    data: Value,
    mac: Option<&'e str>,
}

impl<'e> From<&'e Recorded> for Told<'e> {
    fn from(event: &'e Recorded) -> Self {
        let sealed = event.sealed.as_ref();
        Self {
            number: sealed.map(|(number, _)| *number),
            id: &event.id,
            at: event.at.to_string(),
            actor: &event.actor,
            action: &event.action,
            subject: &event.subject,
            // What somebody has made unreadable is shown as it stands there.
            data: serde_json::from_str(&event.data).unwrap_or_else(|_| event.data.clone().into()),
            mac: sealed.map(|(_, mac)| mac.as_str()),
        }
    }
}

async fn verify_chain(context: &Context, store: &Store, arguments: &Verify) -> Result<(), Failure> {
    let vault = context.vault_to_look_with(store).await?;
    let now = context.now();
    let skew = context.config()?.keys.clock_skew;
    let ring = KeyRing::build(&signing_keys::list(&mut store.read().await?).await?.into(), &vault, skew, now);
    let mut kept = Vec::new();
    for file in &arguments.anchor {
        kept.extend(checkpoints_in(file, &ring, now)?);
    }
    let report = verify(store, &ChainKey::from_vault(&vault), &kept).await?;
    let head = report.head.as_ref().filter(|_| report.is_whole());
    let checkpoint = head.and_then(|(number, mac)| checkpoint::sign(&ring, (*number, mac), now));
    if arguments.format.json {
        json(&Verdict::new(&report, checkpoint))?;
    } else if report.is_whole() {
        data(in_words(&report))?;
    }
    if report.is_whole() {
        return Ok(());
    }
    let problems: String = report.problems.iter().map(|problem| format!("\n- {problem}")).collect();
    let more = if report.more_problems == 0 { String::new() } else { format!("\n- and {} more", report.more_problems) };
    Err(Failure::failed(format!("the audit chain is broken{problems}{more}")))
}

fn checkpoints_in(file: &Path, ring: &KeyRing, now: Timestamp) -> Result<Vec<Kept>, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::wrong(format!("{}: {error}", file.display())))?;
    let found = checkpoint::find(&String::from_utf8_lossy(&bytes), ring, now);
    if found.is_empty() {
        return Err(Failure::wrong(format!(
            "{} holds no checkpoint; they stand in the log of `frontdesk serve`, and in what `frontdesk audit verify --json` prints",
            file.display()
        )));
    }
    Ok(found)
}

fn in_words(report: &Report) -> String {
    let mut lines = vec![format!("the chain is whole: {} sealed, {} not sealed yet", report.sealed, report.unsealed)];
    if let Some(oldest) = report.oldest_unsealed {
        lines.push(format!("what is not sealed yet began at {oldest}; a running server seals it within a second"));
    }
    if report.erased > 0 {
        lines.push(format!("{} with something erased", report.erased));
    }
    if report.checkpoints > 0 {
        lines.push(format!("{} checkpoints are held", report.checkpoints));
    }
    if report.unproven_checkpoints > 0 {
        say(format!(
            "warning: who signed {} of the checkpoints cannot be told any more: their keys are gone or revoked",
            report.unproven_checkpoints
        ));
    }
    lines.join("\n")
}

/// A report as it is printed.
#[derive(Serialize)]
struct Verdict<'r> {
    whole: bool,
    sealed: u64,
    erased: u64,
    unsealed: i64,
    oldest_unsealed: Option<String>,
    checkpoints_held: u64,
    checkpoints_unproven: u64,
    problems: Vec<Wrong<'r>>,
    more_problems: u64,
    /// The present end of the chain, to be kept elsewhere; only of a whole one.
    checkpoint: Option<String>,
}

#[derive(Serialize)]
struct Wrong<'r> {
    #[serde(flatten)]
    problem: &'r Problem,
    text: String,
}

impl<'r> Verdict<'r> {
    fn new(report: &'r Report, checkpoint: Option<String>) -> Self {
        Self {
            whole: report.is_whole(),
            sealed: report.sealed,
            erased: report.erased,
            unsealed: report.unsealed,
            oldest_unsealed: report.oldest_unsealed.map(|at| at.to_string()),
            checkpoints_held: report.checkpoints,
            checkpoints_unproven: report.unproven_checkpoints,
            problems: report.problems.iter().map(|problem| Wrong { problem, text: problem.to_string() }).collect(),
            more_problems: report.more_problems,
            checkpoint,
        }
    }
}

/// What was erased, as `--json` shows it.
#[derive(Serialize)]
struct Erased {
    erased: u64,
    not_sealed: usize,
}

async fn erase_person(context: &Context, store: &Store, arguments: &Erase) -> Result<(), Failure> {
    let name = printable(&arguments.user);
    let person = person_of(store, &arguments.user).await?;
    let key = ChainKey::from_vault(&context.vault(store).await?);
    let found = erase::find(store, &person).await?;
    let mut erased = 0;
    if found.rows.is_empty() {
        say(format!("no sealed row of the audit tells of {name}"));
    } else {
        let count = found.rows.len();
        say(format!(
            "{count} rows of the audit tell of {name}. Who, to whom and all else that they tell will be erased for good, \
             back-ups excepted; what was done and when stays, and the chain stays whole"
        ));
        arguments.confirmed.ask("erase")?;
        erased = erase::erase_all(store, &key, &found.rows, "cli", context.now()).await?;
        say(format!("{erased} rows tell of nobody any more"));
    }
    arguments.format.print(&Erased { erased, not_sealed: found.unsealed }, String::new)?;
    if found.unsealed > 0 {
        return Err(Failure::failed(format!(
            "{} more rows tell of {name} and are not sealed yet, so that they cannot be erased: a server that runs seals them \
             within a second, then run this again",
            found.unsealed
        )));
    }
    Ok(())
}

async fn person_of(store: &Store, name: &str) -> Result<UserId, Failure> {
    if let Some(user) = by_any_name(&mut store.read().await?, name).await? {
        return Ok(user.id);
    }
    // As all identities are. Anything shorter might stand in rows about others.
    if name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Ok(UserId::new(name));
    }
    Err(Failure::failed(format!(
        "there is no person {name:?}; of one who was removed give the identity, which `frontdesk audit tail` shows as the subject \
         of user.remove"
    )))
}
