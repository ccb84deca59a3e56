//! Measures Frontdesk against a bare model of itself, in one run.
//!
//! `frontdesk-load` starts the released server and the model beside it, sends both the same requests in turn, and prints the
//! medians of their ratios: server CPU per request first, requests per second second.

mod cases;
mod generator;
mod machine;
mod model;
mod report;
mod requests;
mod samples;
mod side;
mod subject;
mod wear;

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use cases::Case;

/// Anything that went wrong; this program only tells people.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;
/// A result with it.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A failure in words.
pub(crate) fn failure(words: impl Into<String>) -> Failure {
    words.into().into()
}

/// Measures Frontdesk against a bare model of itself.
#[derive(Debug, Parser)]
#[command(name = "frontdesk-load", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the bare model (started by this program itself)
    Model {
        /// What to answer, as JSON
        #[arg(long)]
        specification: PathBuf,
        /// Where to listen; loopback only
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The released server
    #[arg(long, default_value = "target/release/frontdesk", value_name = "FILE")]
    pub(crate) server: PathBuf,
    /// Only these cases
    #[arg(long = "case", value_enum, value_name = "NAME")]
    pub(crate) cases: Vec<Case>,
    /// Rounds; medians are taken over them
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Fail if a goal is missed
    #[arg(long)]
    pub(crate) goals: bool,
    /// One short round of everything, only to prove that this program works
    #[arg(long, conflicts_with = "goals")]
    pub(crate) smoke: bool,
    /// Leave PostgreSQL out
    #[arg(long)]
    pub(crate) no_postgres: bool,
    /// A folder on the disk to be measured
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("frontdesk-load: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<bool> {
    match cli.command {
        Some(Command::Model { specification, listen }) => {
            if !listen.ip().is_loopback() {
                return Err(failure("the model listens on loopback only"));
            }
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(model::serve(&specification, listen))?;
            Ok(true)
        }
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let local = tokio::task::LocalSet::new();
            let report = runtime.block_on(local.run_until(cases::measure(&cli.options)))?;
            write!(std::io::stdout().lock(), "{}", report.text()?)?;
            Ok(report.is_good(cli.options.goals))
        }
    }
}

/// Words for whoever watches; the figures go to standard output.
pub(crate) fn say(words: &str) {
    // Nobody may be listening, and then nothing is lost.
    drop(writeln!(std::io::stderr().lock(), "{words}"));
}
