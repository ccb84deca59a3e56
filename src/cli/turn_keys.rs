//! `frontdesk keys rotate`, `canary`, `revoke`, `drill`: what is done about keys by hand.

use std::io::{BufRead as _, IsTerminal as _};

use super::output::{Format, say, table};
use super::{Context, Failure};
use crate::app::key_policy;
use crate::domain::alg::Alg;
use crate::domain::id::ClientId;
use crate::keys::state::KeyState;
use crate::keys::vault::Vault;
use crate::store::{Store, clients};
use crate::tokens::consequences::Report;
use crate::tokens::key_desk::{KeyDesk, reason_fits};

#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// Only this algorithm; else all
    #[arg(long, value_name = "ALG")]
    alg: Option<Alg>,
    /// At once, whatever that breaks; else as early as is safe for every app
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    confirmed: Confirmed,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Canary {
    /// The app whose tokens the waiting key shall sign for an hour
    #[arg(long, value_name = "ID")]
    client: String,
    /// Only this algorithm; else all
    #[arg(long, value_name = "ALG")]
    alg: Option<Alg>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The name of the key, whole
    kid: String,
    /// Why; it is published in the key history
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    confirmed: Confirmed,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Drill {
    /// The algorithm whose key is thought to be stolen; else the first of keys.algorithms
    #[arg(long, value_name = "ALG")]
    alg: Option<Alg>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Confirmed {
    /// Do not ask. Without a terminal nobody is asked either
    #[arg(long)]
    yes: bool,
}

impl Confirmed {
    /// Has a person type a word.
    fn ask(&self, word: &str) -> Result<(), Failure> {
        let stdin = std::io::stdin();
        if self.yes || !stdin.is_terminal() {
            return Ok(());
        }
        say(format!("Type {word} to go on:"));
        let mut typed = String::new();
        stdin.lock().read_line(&mut typed).map_err(Failure::failed)?;
        if typed.trim() == word { Ok(()) } else { Err(Failure::failed("nothing was changed: that was another word")) }
    }
}

/// A desk over an open database.
struct House<'c> {
    context: &'c Context,
    store: &'c Store,
    vault: Vault,
}

impl<'c> House<'c> {
    async fn open(context: &'c Context, store: &'c Store) -> Result<Self, Failure> {
        Ok(Self { context, store, vault: context.vault(store).await? })
    }

    async fn at_desk<T>(&self, act: impl AsyncFnOnce(&KeyDesk<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let config = self.context.config()?;
        act(&KeyDesk {
            store: self.store,
            vault: &self.vault,
            policy: key_policy(&config),
            data_folder: config.data_folder(),
            actor: "cli",
            now: self.context.now(),
            clock: self.context.clock(),
        })
        .await
    }

    /// The algorithm that was named, or all.
    fn algs(&self, named: Option<Alg>) -> Result<Vec<Alg>, Failure> {
        Ok(match named {
            Some(alg) => vec![alg],
            None => self.context.config()?.keys.algorithms.clone(),
        })
    }
}

pub(super) async fn rotate(context: &Context, store: &Store, arguments: &Rotate) -> Result<(), Failure> {
    let house = House::open(context, store).await?;
    let algs = house.algs(arguments.alg)?;
    house
        .at_desk(async |desk| {
            if arguments.now {
                say_what_breaks(desk, &algs).await?;
                arguments.confirmed.ask("now")?;
            }
            let rotated = desk.rotate(&algs, arguments.now).await?;
            for one in rotated.iter().filter(|one| !one.active && !one.waiting_for.is_empty()) {
                say(format!(
                    "{}: waits for {}, until {} at the latest; --now does not wait",
                    one.alg,
                    words(&one.waiting_for),
                    until(desk, &one.activate_at)
                ));
            }
            arguments.format.print(&rotated, || {
                let rows: Vec<[String; 4]> = rotated
                    .iter()
                    .map(|one| {
                        let state = if one.active { "signs" } else { "is published" };
                        [one.alg.to_string(), one.kid.to_string(), state.to_owned(), one.activate_at.clone()]
                    })
                    .collect();
                table(["alg", "kid", "state", "signs from"], &rows)
            })
        })
        .await
}

fn until(desk: &KeyDesk<'_>, planned: &str) -> String {
    planned.parse().map(|at| desk.policy.patient_until(at).to_string()).unwrap_or_default()
}

/// What a turn at once would break.
async fn say_what_breaks(desk: &KeyDesk<'_>, algs: &[Alg]) -> Result<(), Failure> {
    let (records, _) = desk.records().await?;
    let known = desk.propagation().await?;
    for alg in algs {
        let waiting = records.iter().filter(|key| key.alg() == *alg && key.state == KeyState::Pending);
        let Some(next) = waiting.min_by_key(|key| key.published_at) else {
            continue;
        };
        let safe = desk.policy.safe_from(next.published_at);
        if !safe.has_passed(desk.now) {
            say(format!(
                "{alg}: apps that keep the key set may not know {} before {safe} and will refuse new tokens until they fetch it",
                next.kid()
            ));
        }
        let lagging = known.waiting_for(next, desk.now);
        if !lagging.is_empty() {
            say(format!("{alg}: not yet seen to have the key: {}", words(&lagging)));
        }
    }
    Ok(())
}

pub(super) async fn canary(context: &Context, store: &Store, arguments: &Canary) -> Result<(), Failure> {
    let client = ClientId::new(arguments.client.as_str());
    if clients::find(&mut store.read().await?, &client).await?.is_none() {
        return Err(Failure::failed(format!("there is no client {client:?}; `frontdesk clients list` shows all")));
    }
    let house = House::open(context, store).await?;
    let algs = house.algs(arguments.alg)?;
    house
        .at_desk(async |desk| {
            let begun = desk.canary(&client, &algs).await?;
            let described: Vec<serde_json::Value> = begun
                .iter()
                .map(|canary| {
                    serde_json::json!({"client_id": canary.client, "kid": canary.kid, "until": canary.until.to_string()})
                })
                .collect();
            arguments.format.print(&described, || {
                let line = |canary: &crate::keys::ring::Canary| {
                    format!("{} gets tokens signed by {} until {}\n", canary.client, canary.kid, canary.until)
                };
                begun.iter().map(line).collect()
            })
        })
        .await
}

pub(super) async fn revoke(context: &Context, store: &Store, arguments: &Revoke) -> Result<(), Failure> {
    let reason = arguments.reason.trim();
    if !reason_fits(reason) {
        return Err(Failure::wrong("--reason: write why in 1 to 200 characters, on one line"));
    }
    let house = House::open(context, store).await?;
    house
        .at_desk(async |desk| {
            let report = desk.consequences(&arguments.kid, false).await?;
            if let Some(report) = &report {
                say(as_text(report));
                say(format!("The reason will be published in the key history: {reason}"));
                arguments.confirmed.ask(&report.kid.chars().take(8).collect::<String>())?;
            }
            desk.revoke(&arguments.kid, reason).await?;
            say("The key is revoked. Running servers follow within seconds.");
            match report {
                Some(report) => arguments.format.print(&report, || as_text(&report)),
                // Its row could not be believed, so nobody trusted it.
                None => Ok(()),
            }
        })
        .await
}

pub(super) async fn drill(context: &Context, store: &Store, arguments: &Drill) -> Result<(), Failure> {
    let house = House::open(context, store).await?;
    let alg = house.algs(arguments.alg)?.first().copied().ok_or_else(|| Failure::wrong("keys.algorithms is empty"))?;
    house
        .at_desk(async |desk| {
            let report = desk.drill(alg).await?;
            say("This is a drill: nothing was changed.");
            arguments.format.print(&report, || as_text(&report))
        })
        .await
}

fn as_text(report: &Report) -> String {
    let list = |ids: &[String]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
    format!(
        "key           {} ({}, {})\n\
         live tokens   {} at most: refused by us at once, by apps when they fetch the key set\n\
         people        {} hold such tokens; they stay signed in\n\
         apps          {} ({})\n\
         not ready     {}\n\
         recovered by  {}\n",
        report.kid,
        report.alg,
        report.state,
        report.live_tokens,
        report.people,
        report.apps,
        list(&report.client_ids),
        list(&report.not_ready),
        report.recovered_by
    )
}

fn words(apps: &[ClientId]) -> String {
    apps.iter().map(ClientId::as_str).collect::<Vec<_>>().join(", ")
}
