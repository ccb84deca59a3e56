//! What `tests/interop/run` registered.

use anyhow::{Context, Result};
use serde_json::Value;

/// The settings file.
pub struct Settings(Value);

impl Settings {
    pub fn read() -> Result<Self> {
        let path = std::env::var("INTEROP_SETTINGS").context("start the suites with tests/interop/run")?;
        Ok(Self(serde_json::from_str(&std::fs::read_to_string(path)?)?))
    }

    /// A member that must be there.
    pub fn get(&self, name: &str) -> Result<&str> {
        self.0.get(name).and_then(Value::as_str).with_context(|| format!("no {name} in the settings"))
    }
}

/// An algorithm and what is registered for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Es256,
    Rs256,
}

impl Algorithm {
    pub const ALL: [Self; 2] = [Self::Es256, Self::Rs256];

    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    pub fn id(self) -> String {
        self.name().to_lowercase()
    }

    pub fn resource(self) -> String {
        format!("https://{}.api.example.com", self.id())
    }

    pub fn scope(self) -> String {
        format!("{}:read", self.id())
    }

    pub fn other(self) -> Self {
        match self {
            Self::Es256 => Self::Rs256,
            Self::Rs256 => Self::Es256,
        }
    }
}
