//! Settings that are one of a few words.

use std::fmt;

use crate::domain::alg::Alg;

use super::setting::{TextSetting, Wrong, one_of};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// Which events are logged: a level, and other levels for single targets (`info,sqlx=warn`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl LogFilter {
    /// Events of this level and above; for programs that set it without a file.
    #[must_use]
    pub fn info() -> Self {
        Self("info".to_owned())
    }

    /// The filter in the form that `tracing` reads.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl TextSetting for LogFormat {
    const WRITE: &'static str = "Write \"text\" or \"json\".";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        one_of(text, &[Self::Text, Self::Json])
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl TextSetting for Alg {
    const WRITE: &'static str = "Write \"ES256\" or \"RS256\".";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        one_of(text, &Self::ALL)
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl TextSetting for LogFilter {
    const WRITE: &'static str = "Write off, error, warn, info, debug or trace, and after a comma other levels for single targets: \"info,sqlx=warn\".";

    fn from_text(text: &str) -> Result<Self, Wrong> {
        for part in text.split(',') {
            let (target, level) = part.rsplit_once('=').unwrap_or(("all", part));
            let named = !target.is_empty() && target.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
            if !named || !LEVELS.contains(&level) {
                return Err(Wrong::new(format!("{part:?} is not a log level"), <Self as TextSetting>::WRITE));
            }
        }
        Ok(Self(text.to_owned()))
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}
