//! `frontdesk migrate`: bring the database up to date, or say what it has.

use super::output::{Format, say, table};
use super::{Context, Failure};
use crate::store::{OpenOptions, Store};

/// Arguments of `migrate`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only show which migrations the database has
    #[arg(long)]
    status: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let config = context.config()?;
    let url = config.database.url.connect_url();
    let before = Store::migrations(&url).await?;
    if arguments.status {
        return arguments.format.print(&before, || {
            let rows: Vec<[String; 3]> = before
                .iter()
                .map(|one| {
                    let state = if one.applied { "applied" } else { "missing" };
                    [one.version.to_string(), one.name.clone(), state.to_owned()]
                })
                .collect();
            table(["migration", "name", "state"], &rows)
        });
    }
    let max_connections = config.database.max_connections;
    Store::open(&OpenOptions { url: url.clone(), max_connections, migrate: true }).await?.close().await;
    let missing = before.iter().filter(|one| !one.applied).count();
    say(if missing == 0 { "the database is up to date".to_owned() } else { format!("{missing} migrations applied") });
    if arguments.format.json {
        super::output::json(&Store::migrations(&url).await?)?;
    }
    Ok(())
}
