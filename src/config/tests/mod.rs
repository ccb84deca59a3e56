//! The configuration as operators meet it: the file, the environment, the messages.

mod bad_input;
mod documented;
mod effective;
#[cfg(unix)]
mod file_on_disk;

use std::path::Path;

use super::*;

/// Reads `text` as `etc/config.toml` with these variables.
fn parse(text: &str, variables: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), ConfigError> {
    Config::parse(text, Path::new("etc/config.toml"), owned(variables))
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
