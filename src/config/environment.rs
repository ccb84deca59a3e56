//! Environment variables `FRONTDESK__SECTION__KEY`, which override `section.key`.

use std::collections::BTreeMap;

/// Every variable of ours starts with this; others are none of our business.
const PREFIX: &str = "FRONTDESK__";

/// The variables that start with `FRONTDESK__`, by the key they set.
#[derive(Debug, Default)]
pub(super) struct Environment {
    by_key: BTreeMap<String, String>,
    /// Names that cannot mean a setting, because they are not in capitals.
    odd_names: Vec<String>,
}

/// The variables of this process that may be settings, for [`Config::load`](super::Config::load).
pub fn process_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

/// The variable that sets `key`.
pub(super) fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let key = rest.replace("__", ".").to_ascii_lowercase();
            if variable_name(&key) == name {
                environment.by_key.insert(key, value);
            } else {
                environment.odd_names.push(name);
            }
        }
        environment
    }

    /// The text that overrides `key`.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.by_key.get(key).map(String::as_str)
    }

    /// Keys that some variable sets.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.by_key.keys().map(String::as_str)
    }

    pub(super) fn odd_names(&self) -> &[String] {
        &self.odd_names
    }
}
