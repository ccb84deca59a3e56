//! `frontdesk demo`: the whole story on loopback, in one process.

use std::path::PathBuf;

use super::{Failure, output};
use crate::demo::{self, Addresses, Options};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Keep the data here, with a config.toml for the other commands (default: thrown away at the end)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The provider's port; the app and the API take the next two, 0 takes any three
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Run as id., app. and api. of this name, under the real cookie names
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Print one JSON object instead of words
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.site.as_deref().is_some_and(|site| !site.ends_with(".localhost") || site.starts_with('.')) {
        return Err(Failure::wrong("--site is a name under .localhost with a word before it, such as demo.localhost"));
    }
    // Held until the end: it is removed when it is dropped.
    let throwaway = match &arguments.data {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(Failure::failed)?),
    };
    let data = match (&arguments.data, &throwaway) {
        (Some(data), _) => data.clone(),
        (None, Some(folder)) => folder.path().to_owned(),
        (None, None) => return Err(Failure::failed("there is no folder for the data")),
    };
    let json = arguments.json;
    let kept = arguments.data.is_some();
    let options = Options { data, port: arguments.port, site: arguments.site };
    let announce = move |addresses: &Addresses| {
        let told = if json { output::json(addresses) } else { tell(addresses, kept) };
        told.map_err(|failure| failure.to_string().into())
    };
    demo::run(options, announce)
        .await
        .map_err(|error| if error.is::<demo::NotForDemo>() { Failure::wrong(error) } else { Failure::from(error) })
}

fn tell(addresses: &Addresses, kept: bool) -> Result<(), Failure> {
    let people: Vec<String> = addresses
        .users
        .iter()
        .map(|user| {
            format!("  {:<8} {}{}", user.username, user.password, if user.roles.is_empty() { "" } else { "   (admin)" })
        })
        .collect();
    let data = if kept {
        format!(
            "The data stay in {}; other commands take --config {}.",
            addresses.data.display(),
            addresses.config.display()
        )
    } else {
        "The data are thrown away at the end; keep them with --data DIR.".to_owned()
    };
    output::data(format!(
        "Frontdesk is running for you alone, on this machine.\n\n  Open this     {}\n  The provider  {}\n  The API       {}\n\nSign in with\n{}\n\n{data}\nCtrl-C stops everything.\n",
        addresses.app,
        addresses.issuer,
        addresses.api,
        people.join("\n"),
    ))
}
