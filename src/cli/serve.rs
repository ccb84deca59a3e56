//! `frontdesk serve`: the provider, until it is told to stop.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::{Context, Failure, output};
use crate::accounts::first_admin;
use crate::app::App;
use crate::config::Config;
use crate::http::cookies::Cookies;
use crate::http::doors::Doors;
use crate::http::router::entrance;
use crate::http::server::{Server, stop_on_signals};
use crate::jobs::{self, Jobs};
use crate::logging;

/// Serves until a signal, then finishes what runs, commits what was accepted and returns.
///
/// # Errors
/// What kept it from starting, with what to do.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    logging::start(&config.telemetry).map_err(Failure::failed)?;
    let store = context.serving_store().await?;
    let vault = Arc::new(context.vault(&store).await?);
    let config = Arc::new(config.as_ref().clone());
    let server = Server::bind(&config)?;
    if let Err(error) = store.open_all().await {
        tracing::warn!(%error, "the database does not take as many connections as database.max_connections says");
    }
    let app = Arc::new(App::start(config.clone(), store.clone(), vault, context.clock().clone()).await?);
    tell_about_setup(&app, &config).await?;
    let cookies = if config.is_development() { Cookies::development() } else { Cookies::real() };
    let stop = app.stopping.clone();
    stop_on_signals(&stop).map_err(Failure::failed)?;
    jobs::status_lists::begin(&app).await;
    let jobs = Jobs::start(&app);
    let listening: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    tracing::info!(issuer = config.server.issuer.as_str(), listening = listening.join(" "), "serving");
    let served = server.serve(entrance(Doors::new(app, cookies)), stop).await;
    jobs.stop().await;
    store.close().await;
    tracing::info!("stopped");
    served.map_err(Failure::failed)
}

/// While there is no admin, a one-time link creates the first. On loopback it is printed; elsewhere it goes to a file for the
/// operator's eyes only, since logs travel.
async fn tell_about_setup(app: &App, config: &Config) -> Result<(), Failure> {
    let Some(link) = first_admin::invite(&app.store, app.clock.now()).await? else {
        app.forget_setup_link();
        return Ok(());
    };
    let url = config.issuer_url(&format!("/setup/{}", link.expose()));
    if config.is_development() {
        output::say(format!("There is no admin yet. Within the hour, open this once to create the first:\n{url}"));
        return Ok(());
    }
    let file = app.setup_link_file();
    write_private(&file, &url).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    output::say(format!(
        "There is no admin yet. Within the hour, open the address in {} once to create the first.",
        file.display()
    ));
    Ok(())
}

/// Writes a file that nobody else may read. Always a new one: the mode counts at creation only, and what stood there may be
/// readable to others, or lead elsewhere.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(file)?;
    writeln!(to, "{text}")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_link_is_for_the_operators_eyes_whatever_stood_there() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("link.txt"), folder.path().join("other.txt"));
        std::fs::write(&file, "old and long, and readable").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&file, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&other, "elsewhere").unwrap();
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(&other, &file).unwrap();
        write_private(&file, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "elsewhere");
        assert!(!std::fs::symlink_metadata(&file).unwrap().is_symlink());
    }
}
