//! `frontdesk config`: are the settings right, and which are in force.

use super::output::{self, Format, say};
use super::{Context, Failure};

/// What to do with the settings.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say whether the settings are right
    Check,
    /// Print the settings in force, passwords masked
    Print(Format),
}

pub(super) fn run(context: &Context, command: &Command) -> Result<(), Failure> {
    let config = context.config()?;
    match command {
        Command::Check => {
            say("the settings are right");
            Ok(())
        }
        Command::Print(format) if format.json => output::json(&config.to_json()),
        Command::Print(_) => output::data(config.print()),
    }
}
