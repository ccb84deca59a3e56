//! `frontdesk serve`: the provider, until it is told to stop.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Context, Failure, output};
use crate::accounts::first_admin;
use crate::app::App;
use crate::config::Config;
use crate::http::cookies::Cookies;
use crate::http::doors::Doors;
use crate::http::router::router;
use crate::http::server::{Server, stop_on_signals};
use crate::jobs::Jobs;
use crate::logging;

/// Where the set-up link goes when it may not go to the log.
const LINK_FILE: &str = "setup-link.txt";

/// Serves until a signal, then finishes what runs, commits what was accepted and returns.
///
/// # Errors
/// What kept it from starting, with what to do.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    logging::start(&config.telemetry).map_err(Failure::failed)?;
    let store = context.store().await?;
    let vault = Arc::new(context.vault(&store).await?);
    let config = Arc::new(config.as_ref().clone());
    let server = Server::bind(&config).map_err(Failure::failed)?;
    if let Err(error) = store.open_all().await {
        tracing::warn!(%error, "the database does not take as many connections as database.max_connections says");
    }
    let app =
        App::start(config.clone(), store.clone(), vault, context.clock().clone()).await.map_err(Failure::failed)?;
    let app = Arc::new(app);
    tell_about_setup(&app, &config).await?;
    let cookies = if config.is_development() { Cookies::development() } else { Cookies::real() };
    let stop = CancellationToken::new();
    stop_on_signals(&stop).map_err(Failure::failed)?;
    let jobs = Jobs::start(&app);
    let listening: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    tracing::info!(issuer = config.server.issuer.as_str(), listening = listening.join(" "), "serving");
    let served = server.serve(router(Doors::new(app, cookies)), stop).await;
    jobs.stop().await;
    store.close().await;
    tracing::info!("stopped");
    served.map_err(Failure::failed)
}

/// While there is no admin, a one-time link creates the first. On loopback it is printed; elsewhere it goes to a file for the
/// operator's eyes only, since logs travel.
async fn tell_about_setup(app: &App, config: &Config) -> Result<(), Failure> {
    let Some(link) = first_admin::invite(&app.store, app.clock.now()).await? else { return Ok(()) };
    let url = config.issuer_url(&format!("/setup/{}", link.expose()));
    if config.is_development() {
        output::say(format!("There is no admin yet. Within the hour, open this once to create the first:\n{url}"));
        return Ok(());
    }
    let file = config.data_folder().join(LINK_FILE);
    write_private(&file, &url).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    output::say(format!(
        "There is no admin yet. Within the hour, open the address in {} once to create the first.",
        file.display()
    ));
    Ok(())
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(file)?;
    writeln!(to, "{text}")
}
