//! The crate `openidconnect` against a running Frontdesk: the library of Rust relying apps.

mod access_token;
mod browser;
mod provider;
mod settings;
mod stories;
mod suite;

use anyhow::Result;

use crate::settings::{Algorithm, Settings};
use crate::suite::Suite;

fn main() -> Result<()> {
    let settings = Settings::read()?;
    let mut suite = Suite::new("openidconnect");
    for one in Algorithm::ALL {
        for kind in stories::KINDS {
            let name = format!("{}-{}", kind.name, one.id());
            suite.flow(&name, |flow| stories::person(flow, &settings, kind, one));
        }
        suite.flow(&format!("client credentials {}", one.name()), |flow| stories::service(flow, &settings, one));
    }
    suite.flow("refusals", |flow| stories::refusals(flow, &settings));
    suite.end()
}
