//! `frontdesk config`: are the settings right, and which are in force; and is the clock right.

use super::output::{self, Format, say};
use super::{Context, Failure};
use crate::store::audit::{self, Event};
use crate::store::installation;

/// What to do with the settings.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say whether the settings are right
    Check,
    /// Print the settings in force, passwords masked
    Print(Format),
    /// Say that this machine's clock is right, after it went forward by more than an hour or nobody was running for so long
    ConfirmClock,
}

pub(super) async fn run(context: &Context, command: &Command) -> Result<(), Failure> {
    let config = context.config()?;
    match command {
        Command::Check => {
            say("the settings are right");
            Ok(())
        }
        Command::Print(format) if format.json => output::json(&config.to_json()),
        Command::Print(_) => output::data(config.print()),
        Command::ConfirmClock => confirm_clock(context).await,
    }
}

async fn confirm_clock(context: &Context) -> Result<(), Failure> {
    let store = context.store().await?;
    let now = context.now();
    let event = Event { actor: "cli", action: "clock.confirm", subject: "clock", data: serde_json::json!({}) };
    let confirmed = store
        .write(async move |tx| {
            installation::tick(tx, now).await?;
            audit::record(tx, &event, now).await
        })
        .await;
    store.close().await;
    confirmed?;
    say(format!("the time is {now}; a running server purges again within a minute"));
    Ok(())
}
