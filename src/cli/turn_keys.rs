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
use crate::tokens::consequences::{Lost, Report};
use crate::tokens::key_desk::{KeyDesk, Trial, reason_fits};

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
    /// Do not wait for the hour's end: the active key signs for it again
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The name of the key, whole
    // One from before may begin with a dash.
    #[arg(allow_hyphen_values = true)]
    kid: String,
    /// Why; it is published in the key history
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What was lost: the key; or the host that it lay on, so that all keys and roots are replaced and everyone signs in again
    #[arg(long, value_name = "key|host", default_value = "key")]
    lost: Lost,
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
pub(super) struct Confirmed {
    /// Do not ask. Without a terminal nobody is asked either
    #[arg(long)]
    yes: bool,
}

impl Confirmed {
    /// Has a person type a word. False: nobody was asked.
    pub(super) fn ask(&self, word: &str) -> Result<bool, Failure> {
        let stdin = std::io::stdin();
        if self.yes || !stdin.is_terminal() {
            return Ok(false);
        }
        say(format!("Type {word} to go on:"));
        let mut typed = String::new();
        stdin.lock().read_line(&mut typed).map_err(Failure::failed)?;
        if typed.trim() == word { Ok(true) } else { Err(Failure::failed("nothing was changed: that was another word")) }
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

    /// A desk at this moment. Whoever has asked somebody comes to a new one: he may have thought for long.
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
    if arguments.now {
        house.at_desk(async |desk| say_what_breaks(desk, &algs).await).await?;
        arguments.confirmed.ask("now")?;
    }
    house
        .at_desk(async |desk| {
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
    let mut breaks = false;
    for alg in algs {
        let waiting = records.iter().filter(|key| key.alg() == *alg && key.state == KeyState::Pending);
        let Some(next) = waiting.min_by_key(|key| key.published_at) else {
            continue;
        };
        let safe = desk.policy.safe_from(next.published_at);
        if !safe.has_passed(desk.now) {
            breaks = true;
            say(format!(
                "{alg}: apps that keep the key set may not know {} before {safe} and will refuse new tokens until they fetch it",
                next.kid()
            ));
        }
        let lagging = known.waiting_for(next, desk.now);
        if !lagging.is_empty() {
            breaks = true;
            say(format!("{alg}: not yet seen to have the key: {}", words(&lagging)));
        }
    }
    if !breaks {
        say("Nobody lags: every app that checks tokens was seen to have the next key.");
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
            let (trials, gets) = if arguments.stop {
                (desk.end_canary(&client, &algs).await?, "got")
            } else {
                (desk.canary(&client, &algs).await?, "gets")
            };
            let trials: Vec<Trial> = trials.iter().map(Trial::from).collect();
            arguments.format.print(&trials, || {
                let line = |trial: &Trial| {
                    format!("{} {gets} tokens signed by {} until {}\n", trial.client_id, trial.kid, trial.until)
                };
                trials.iter().map(line).collect()
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
    let report = house.at_desk(async |desk| Ok(desk.consequences(&arguments.kid, arguments.lost).await?)).await?;
    if let Some(report) = &report {
        say(as_text(report));
        say(format!("The reason will be published in the key history: {reason}"));
    }
    let asked = match (arguments.lost, &report) {
        (Lost::Host, _) => arguments.confirmed.ask("host")?,
        (Lost::Key, Some(report)) => arguments.confirmed.ask(&report.kid.chars().take(8).collect::<String>())?,
        // Its row cannot be believed, so nobody trusts it.
        (Lost::Key, None) => false,
    };
    house
        .at_desk(async |desk| {
            if let Some(error) = desk.revoke(&arguments.kid, arguments.lost, reason).await? {
                say(format!(
                    "warning: the journal of revoked keys could not be written, a running server will do it: {error}"
                ));
            }
            Ok(())
        })
        .await?;
    say(match arguments.lost {
        Lost::Key => "The key is revoked. Running servers follow within seconds.",
        Lost::Host => AFTER_A_LOST_HOST,
    });
    match report {
        Some(report) if arguments.format.json || !asked => arguments.format.print(&report, || as_text(&report)),
        _ => Ok(()),
    }
}

const AFTER_A_LOST_HOST: &str = "\
All keys are revoked, and what lay on the host is replaced. Running servers follow within seconds. What is left to you:
- a new master key, unless you have made one since: `frontdesk keys rewrap --make FILE`
- new secrets for apps whose secrets passed through the host: `frontdesk clients rotate-secret ID`
- new passwords, where the master key went with the database: whoever has both has the hashes
- the host's other secrets: the database's password, the TLS key";

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
    let (lost, stay) = match report.lost {
        Lost::Key => (String::new(), "they stay signed in".to_owned()),
        Lost::Host => (
            "lost          the host: all keys of all algorithms, and all roots\n".to_owned(),
            format!("{} sessions end, and everyone signs in again", report.sessions),
        ),
    };
    format!(
        "key           {} ({}, {})\n\
         {lost}\
         live tokens   {} at most: refused by us at once, by apps when they fetch the key set\n\
         people        {} hold such tokens; {stay}\n\
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
