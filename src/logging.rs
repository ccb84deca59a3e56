//! Logs: structured events on standard error, as text for people or JSON for programs.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, Telemetry};

/// Levels from the quietest to the loudest.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The loudest level for libraries: above it they print statements, headers and frames, and so secrets.
const LIBRARIES: &str = "info";

/// Starts the log of this process, panics included.
///
/// # Errors
/// The process has a log already.
pub fn start(telemetry: &Telemetry) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(telemetry.log.as_str())))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    match telemetry.log_format {
        LogFormat::Text => builder.finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(alarm = "panic", at, panic = panic.payload_as_str(), "a thread panicked");
    }));
    Ok(())
}

/// The operator's filter with libraries held down: a bare level is for Frontdesk, libraries get [`LIBRARIES`] at most.
#[doc(hidden)]
#[must_use]
pub fn filter(setting: &str) -> String {
    let mut parts = Vec::new();
    for part in setting.split(',') {
        match part.rsplit_once('=') {
            None => {
                parts.push(quieter(part).to_owned());
                parts.extend(["frontdesk", "frontdesk_verifier"].map(|own| format!("{own}={part}")));
            }
            Some((target, _)) if is_own(target) => parts.push(part.to_owned()),
            Some((target, level)) => parts.push(format!("{target}={}", quieter(level))),
        }
    }
    parts.join(",")
}

fn is_own(target: &str) -> bool {
    let krate = target.split("::").next().unwrap_or_default();
    krate == "frontdesk" || krate == "frontdesk_verifier"
}

fn quieter(level: &str) -> &str {
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level).unwrap_or(LEVELS.len());
    if rank(level) > rank(LIBRARIES) { LIBRARIES } else { level }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_held_down_whatever_is_asked() {
        for (setting, expected) in [
            ("info", "info,frontdesk=info,frontdesk_verifier=info"),
            ("trace", "info,frontdesk=trace,frontdesk_verifier=trace"),
            ("off", "off,frontdesk=off,frontdesk_verifier=off"),
            ("warn,frontdesk::store=debug", "warn,frontdesk=warn,frontdesk_verifier=warn,frontdesk::store=debug"),
            ("info,sqlx=trace", "info,frontdesk=info,frontdesk_verifier=info,sqlx=info"),
            ("sqlx::query=debug", "sqlx::query=info"),
            ("frontdesk_evil=trace", "frontdesk_evil=info"),
        ] {
            assert_eq!(filter(setting), expected);
            assert!(EnvFilter::try_new(filter(setting)).is_ok());
        }
    }
}
