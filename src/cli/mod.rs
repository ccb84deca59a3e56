//! The command line: one enum of commands, one match.
//!
//! A command is a file with `Arguments` (clap) and `run(&Context, Arguments) -> Result<(), Failure>`. Data go to standard
//! output, words to standard error; what went wrong is returned as a [`Failure`], which knows its exit code. Commands work on
//! the database directly, so that they work when sign-in is broken; a running server sees a change within a second.

mod apply;
mod audit;
mod clients;
mod config;
mod context;
mod demo;
mod failure;
mod keys;
mod migrate;
pub mod output;
mod rewrap;
pub mod secrets;
mod serve;
mod tokens;
mod turn_keys;
mod undo;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

pub use context::Context;
pub use failure::Failure;

/// How long the end of the process waits for threads that are still at work.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(1);

/// An OAuth 2 and OpenID Connect identity provider in one binary.
#[derive(Debug, Parser)]
#[command(name = "frontdesk", version, arg_required_else_help = true)]
struct Cli {
    /// The settings (default: config.toml in the working directory, if it is there)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole story on loopback: provider, browser app and API
    Demo(demo::Arguments),
    /// Run the provider
    Serve,
    /// Apply or show the database's migrations
    Migrate(migrate::Arguments),
    /// Make people, clients and resources be as a file says
    Apply(apply::Arguments),
    /// Who did what, and whether somebody has changed it
    #[command(subcommand)]
    Audit(audit::Command),
    /// Relying apps
    #[command(subcommand)]
    Clients(Box<clients::Command>),
    /// Check or print the effective settings
    #[command(subcommand)]
    Config(config::Command),
    /// The keys that sign tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// What was given to apps, and its end
    #[command(subcommand)]
    Tokens(tokens::Command),
    /// People
    #[command(subcommand)]
    Users(users::Command),
}

impl Command {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Demo(arguments) => demo::run(arguments).await,
            Self::Serve => serve::run(context).await,
            Self::Migrate(arguments) => migrate::run(context, &arguments).await,
            Self::Apply(arguments) => apply::run(context, &arguments).await,
            Self::Audit(command) => audit::run(context, &command).await,
            Self::Clients(command) => clients::run(context, *command).await,
            Self::Config(command) => config::run(context, &command).await,
            Self::Keys(command) => keys::run(context, &command).await,
            Self::Tokens(command) => tokens::run(context, command).await,
            Self::Users(command) => users::run(context, command).await,
        }
    }
}

/// Reads the command line, does what it says, and answers with the exit code: 0 done, 1 failed, 2 wrong arguments or settings,
/// 3 no database.
#[must_use]
pub fn main() -> ExitCode {
    make_files_private();
    switch_off_core_dumps();
    let cli = Cli::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the threads cannot be started: {error}")))
        .and_then(|runtime| {
            let outcome = runtime.block_on(cli.command.run(&Context::new(cli.config)));
            // Work on blocking threads cannot be broken off, and dropping the runtime would wait for it.
            runtime.shutdown_timeout(LONGEST_SHUTDOWN);
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::say(format!("frontdesk: {failure}"));
            failure.exit_code()
        }
    }
}

/// Whatever we write, SQLite's side files and back-ups included, is for its owner only.
fn make_files_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// A core dump would hold the master key and the signing keys.
fn switch_off_core_dumps() {
    #[cfg(unix)]
    {
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Core, none) {
            output::say(format!("warning: core dumps cannot be switched off: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
